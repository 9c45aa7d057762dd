//! Every family that llama.cpp converts: its converter's file of a golden model is, tensor by
//! tensor and to the bit, made of the folder's weights, and read it gives the folder's logits.
//! Metadata and hashes are in `tests/golden/gguf` (`make_gguf.py` beside it).

use std::{collections::BTreeMap, fs, path::Path};

use hub::ModelFiles;
use schema::task::Precision;
use serde_json::Value;

use super::{distance, families, folder, folder::read_weights, golden, ids, try_load, whole};

/// What a file cannot say of a case, as keys of a folder that says the same as the file.
const UNSAID: &[(&str, &str)] = &[
    ("cohere2", r#"{"layer_types": ["S", "S", "S", "F"]}"#),
    ("gemma2", r#"{"query_pre_attn_scalar": 16}"#),
    (
        "gemma3",
        r#"{"query_pre_attn_scalar": 16, "layer_types": ["S", "S", "S", "S"]}"#,
    ),
    (
        "gemma3_scaled",
        r#"{"query_pre_attn_scalar": 16, "layer_types": ["S", "S", "S", "S"]}"#,
    ),
    (
        "qwen3_slides",
        r#"{"use_sliding_window": false, "layer_types": ["F", "F", "F", "F"]}"#,
    ),
    (
        "smollm3",
        r#"{"no_rope_layers": [1, 1, 1, 0], "no_rope_layer_interval": 4}"#,
    ),
];

/// Files that mean less than llama.cpp reads, and what is refused in them.
const REFUSED: &[(&str, &str)] = &[
    ("exaone4", "exaone4.attention.sliding_window"),
    ("olmo3_yarn", "olmo2.rope.scaling.yarn_attn_factor"),
    ("phi3", "phi3.attention.sliding_window"),
];

/// The cases that were converted, and what was made of each.
fn cases() -> BTreeMap<String, Value> {
    let files = fs::read_dir(golden("gguf")).expect("the folder of the conversions");
    files
        .map(|file| file.expect("an entry").path())
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            let made = fs::read(&path).expect("reads");
            (
                name.into_owned(),
                serde_json::from_slice(&made).expect("JSON"),
            )
        })
        .collect()
}

fn sizes(config: &Value) -> [usize; 2] {
    ["num_attention_heads", "num_key_value_heads"]
        .map(|key| config[key].as_u64().expect("a size") as usize)
}

/// llama.cpp's row order of queries and keys: the halves of each head interleaved.
fn interleaved(values: &[f32], rows: usize, heads: usize) -> Vec<f32> {
    let (width, size) = (values.len() / rows, rows / heads);
    let row = |at: usize| &values[at * width..(at + 1) * width];
    (0..rows)
        .flat_map(|at| {
            let (head, within) = (at / size, at % size);
            row(head * size + (within % 2) * (size / 2) + within / 2).to_vec()
        })
        .collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Everything that the converter may have made of a weight, by its hash.
fn candidates(dir: &Path, config: &Value) -> BTreeMap<String, Vec<f32>> {
    let mut all = BTreeMap::new();
    for plain in read_weights(&dir.join("model.safetensors")).values() {
        let (values, rows) = (&plain.values, plain.shape.first().copied().unwrap_or(1));
        let mut forms = vec![values.clone(), values.iter().map(|w| w + 1.0).collect()];
        for heads in sizes(config) {
            if rows % (2 * heads) == 0 {
                forms.push(interleaved(values, rows, heads));
            }
        }
        for form in forms {
            all.insert(hub::hash_bytes(&bytes(&form)), form);
        }
    }
    all
}

/// The file as the converter wrote it, its tensors made again from the folder's.
fn write_file(made: &Value, dir: &Path, to: &Path) {
    let config: Value =
        serde_json::from_slice(&fs::read(dir.join("config.json")).expect("reads")).expect("JSON");
    let known = candidates(dir, &config);
    let (mut metadata, mut entries, mut data) = (Vec::new(), Vec::new(), Vec::new());
    let keys = made["metadata"].as_object().expect("metadata");
    for (key, value) in keys {
        put_text(&mut metadata, key);
        let kinds: Vec<&str> = made["types"][key]
            .as_array()
            .expect("types")
            .iter()
            .map(|kind| kind.as_str().expect("a type"))
            .collect();
        put_value(&mut metadata, &kinds, value);
    }
    let tensors = made["tensors"].as_object().expect("tensors");
    for (name, entry) in tensors {
        let shape: Vec<u64> = serde_json::from_value(entry[0].clone()).expect("a shape");
        let values = match &entry[1] {
            Value::String(hash) => known
                .get(hash)
                .unwrap_or_else(|| panic!("{name} is made of no tensor of the folder"))
                .clone(),
            list => serde_json::from_value(list.clone()).expect("numbers"),
        };
        put_text(&mut entries, name);
        entries.extend((shape.len() as u32).to_le_bytes());
        let sizes = shape.iter().rev();
        entries.extend(sizes.flat_map(|size| size.to_le_bytes()));
        entries.extend(0_u32.to_le_bytes());
        entries.extend((data.len() as u64).to_le_bytes());
        data.extend(bytes(&values));
        data.resize(data.len().next_multiple_of(32), 0);
    }
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend((tensors.len() as u64).to_le_bytes());
    file.extend((keys.len() as u64).to_le_bytes());
    file.extend(metadata);
    file.extend(entries);
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(data);
    fs::write(to, file).expect("writes");
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A value of a type, or a list of a type.
fn put_value(out: &mut Vec<u8>, kinds: &[&str], value: &Value) {
    const NUMBERS: [(&str, u32); 7] = [
        ("UINT32", 4),
        ("INT32", 5),
        ("FLOAT32", 6),
        ("BOOL", 7),
        ("STRING", 8),
        ("ARRAY", 9),
        ("UINT64", 10),
    ];
    let number = |kind: &str| {
        NUMBERS
            .iter()
            .find(|(name, _)| *name == kind)
            .expect(kind)
            .1
    };
    out.extend(number(kinds[0]).to_le_bytes());
    let put = |out: &mut Vec<u8>, kind: &str, value: &Value| match kind {
        "UINT32" => out.extend((value.as_u64().expect("a number") as u32).to_le_bytes()),
        "INT32" => out.extend((value.as_i64().expect("a number") as i32).to_le_bytes()),
        "UINT64" => out.extend(value.as_u64().expect("a number").to_le_bytes()),
        "FLOAT32" => out.extend((value.as_f64().expect("a number") as f32).to_le_bytes()),
        "BOOL" => out.push(u8::from(value.as_bool().expect("a flag"))),
        "STRING" => put_text(out, value.as_str().expect("a text")),
        other => panic!("{other}"),
    };
    if kinds[0] != "ARRAY" {
        return put(out, kinds[0], value);
    }
    let list = value.as_array().expect("a list");
    out.extend(number(kinds[1]).to_le_bytes());
    out.extend((list.len() as u64).to_le_bytes());
    list.iter().for_each(|item| put(out, kinds[1], item));
}

fn change_config(dir: &Path, keys: &str) {
    let keys = keys
        .replace("\"S\"", "\"sliding_attention\"")
        .replace("\"F\"", "\"full_attention\"");
    let path = dir.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).expect("reads")).expect("JSON");
    let changes: BTreeMap<String, Value> = serde_json::from_str(&keys).expect("JSON");
    changes
        .into_iter()
        .for_each(|(key, value)| config[key] = value);
    fs::write(&path, config.to_string()).expect("writes");
}

/// What is wrong with a case; `Ok(false)`: it is refused, as it should be.
fn check(name: &str, made: &Value) -> Result<bool, String> {
    let dir = tempfile::tempdir().expect("a folder");
    families::write(name, dir.path());
    let path = dir.path().join("model.gguf");
    write_file(made, dir.path(), &path);
    let of_file = try_load(&ModelFiles::Gguf { path }, Precision::F32);
    let of_file = of_file.map_err(|problem| problem.to_string());
    if let Some((_, key)) = REFUSED.iter().find(|(case, _)| *case == name) {
        return match of_file {
            Err(message) if message.contains(key) => Ok(false),
            other => Err(format!("{:?} is not about {key}", other.err())),
        };
    }
    if let Some((_, keys)) = UNSAID.iter().find(|(case, _)| *case == name) {
        change_config(dir.path(), keys);
    }
    let of_folder = try_load(&folder(dir.path()), Precision::F32).expect("the folder loads");
    let of_file = of_file?;
    // Beyond the windows and LongRoPE's original context.
    for length in [40, 90] {
        let input_ids = ids(length, 3);
        let (expected, found) = (whole(&of_folder, &input_ids), whole(&of_file, &input_ids));
        let all = expected.iter().flatten();
        let largest = all.fold(0.0, |m: f32, x| m.max(x.abs()));
        let off = distance(&expected, &found);
        if off > 1e-4 * largest {
            return Err(format!("{off} of {largest} after {length} tokens"));
        }
    }
    Ok(true)
}

#[test]
fn a_converted_file_is_the_folder() {
    let (mut compared, mut wrong) = (0, Vec::new());
    for (name, made) in &cases() {
        match check(name, made) {
            Ok(is_read) => compared += usize::from(is_read),
            Err(problem) => wrong.push(format!("{name}: {problem}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(compared, 21);
}

/// A released OLMo 3 names the factor that llama.cpp takes anyway, and one base.
#[test]
fn the_usual_factor_of_yarn_is_read() {
    let mut made = cases().remove("olmo3_yarn").expect("a case");
    let usual = 0.1 * 4.0_f64.ln() + 1.0;
    let metadata = &mut made["metadata"];
    metadata["olmo2.rope.scaling.yarn_attn_factor"] = usual.into();
    metadata["olmo2.rope.freq_base_swa"] = metadata["olmo2.rope.freq_base"].clone();
    let dir = tempfile::tempdir().expect("a folder");
    families::write("olmo3_yarn", dir.path());
    let path = dir.path().join("model.gguf");
    write_file(&made, dir.path(), &path);
    change_config(
        dir.path(),
        r#"{"rope_parameters": {
            "full_attention": {"rope_type": "yarn", "rope_theta": 50000.0, "factor": 4.0, "original_max_position_embeddings": 128},
            "sliding_attention": {"rope_type": "default", "rope_theta": 50000.0}}}"#,
    );
    let of_folder = try_load(&folder(dir.path()), Precision::F32).expect("the folder loads");
    let of_file = try_load(&ModelFiles::Gguf { path }, Precision::F32).expect("the file loads");
    let input_ids = ids(90, 3);
    let (expected, found) = (whole(&of_folder, &input_ids), whole(&of_file, &input_ids));
    let off = distance(&expected, &found);
    assert!(off <= 1e-4, "{off}");
}
