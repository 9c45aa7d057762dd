//! A folder merged into a GGUF file: its metadata and its tensors are those of llama.cpp's converter
//! (`tests/golden/gguf`), and read again it has the logits of the merged folder, to the bit.

use std::{collections::BTreeMap, fs, path::Path};

use hub::{
    ModelFiles,
    gguf::{Header, Value},
};
use model::{
    ModelError,
    merge::{GgufFormat, Merge},
};
use safetensors::Dtype;
use schema::task::Precision;
use serde_json::Value as Json;

use super::{
    NAMES, bits, families, folder,
    folder::{read_weights, serialize},
    golden, ids,
    merge::merged_folder,
    try_load, whole,
};

/// What a file cannot say of a case: the property that is named.
const REFUSED: &[(&str, &str)] = &[
    ("cohere2", "sliding_windows"),
    ("exaone4", "exaone4.attention.sliding_window"),
    ("gemma2", "score_scale"),
    ("gemma3", "sliding_windows"),
    ("gemma3_scaled", "sliding_windows"),
    ("helium", "model_type"),
    ("ministral", "model_type"),
    ("olmo3_yarn", "olmo2.rope.freq_base_swa"),
    ("phi3", "sliding_windows"),
    ("qwen3_slides", "sliding_windows"),
    ("smollm3", "rotated"),
    ("smollm3_slides", "sliding_windows"),
    ("tiny_mistral", "sliding_windows"),
];

/// Keys that the converter writes and that say nothing.
const SAYS_NOTHING: &[&str] = &["rope.scaling.type", "rope.scaling.yarn_log_multiplier"];

fn write(files: &ModelFiles, adapter: &Path, to: &Path) -> Result<(), ModelError> {
    let merge = Merge::open(files, adapter)?;
    let planned = merge.gguf(GgufFormat::F32, BTreeMap::new())?;
    let mut bytes = Vec::new();
    planned.write(&mut |piece| {
        bytes.extend_from_slice(piece);
        Ok::<(), ModelError>(())
    })?;
    assert_eq!(bytes.len() as u64, planned.bytes());
    fs::write(to, bytes).expect("writes");
    Ok(())
}

fn same(found: &Value, wanted: &Json) -> bool {
    match found {
        Value::Unsigned(number) => wanted.as_u64() == Some(*number),
        Value::Signed(number) => wanted.as_i64() == Some(*number),
        Value::Float(number) => wanted.as_f64() == Some(*number),
        Value::Bool(flag) => wanted.as_bool() == Some(*flag),
        Value::Text(text) => wanted.as_str() == Some(text),
        Value::List(list) => wanted.as_array().is_some_and(|wanted| {
            list.len() == wanted.len() && list.iter().zip(wanted).all(|(f, w)| same(f, w))
        }),
    }
}

/// An adapter that changes nothing: its sums are the weights.
fn write_zero(adapter: &Path, to: &Path) {
    fs::create_dir(to).expect("creates");
    let copy = |name: &str| fs::copy(adapter.join(name), to.join(name)).expect("copies");
    copy("adapter_config.json");
    let mut weights = read_weights(&adapter.join("adapter_model.safetensors"));
    for (_, b) in weights
        .iter_mut()
        .filter(|(name, _)| name.contains("lora_B"))
    {
        b.values.fill(0.0);
    }
    let bytes = serialize(&weights, Dtype::F32);
    fs::write(to.join("adapter_model.safetensors"), bytes).expect("writes");
}

/// Metadata and tensors are the converter's to the bit. How many tensors were compared.
fn check_against_converter(name: &str, file: &Path) -> Result<usize, String> {
    let path = golden("gguf").join(format!("{name}.json"));
    let Ok(made) = fs::read(path) else {
        return Ok(0);
    };
    let made: Json = serde_json::from_slice(&made).expect("JSON");
    let header = Header::read(file).expect("reads");
    for (key, wanted) in made["metadata"].as_object().expect("metadata") {
        if SAYS_NOTHING.iter().any(|end| key.ends_with(end)) {
            continue;
        }
        match header.metadata.get(key) {
            Some(found) if same(found, wanted) => (),
            found => return Err(format!("{key}: {found:?}, not {wanted}")),
        }
    }
    let (bytes, mut equal) = (fs::read(file).expect("reads"), 0);
    let tensors = made["tensors"].as_object().expect("tensors");
    if tensors.len() != header.tensors.len() {
        return Err(format!("{} tensors", header.tensors.len()));
    }
    for (tensor, wanted) in tensors {
        let found = header.tensor(tensor).ok_or(format!("no {tensor}"))?;
        let start = found.offset as usize;
        let hash = hub::hash_bytes(&bytes[start..start + found.length as usize]);
        // Divisors of angles are numbers, computed in another order.
        if !wanted[1].is_string() {
            continue;
        }
        if wanted[1] != hash.as_str() {
            return Err(format!("{tensor} is another one"));
        }
        equal += 1;
    }
    Ok(equal)
}

fn check(name: &str, dir: &Path) -> Result<usize, String> {
    let (adapter, out) = (dir.join("adapter"), tempfile::tempdir().expect("a folder"));
    let file = out.path().join("model.gguf");
    let written = write(&folder(dir), &adapter, &file).map_err(|problem| problem.to_string());
    if let Some((_, property)) = REFUSED.iter().find(|(case, _)| *case == name) {
        return match written {
            Err(message) if message.contains(property) => Ok(0),
            other => Err(format!("{other:?} is not about {property}")),
        };
    }
    written?;
    let zero = out.path().join("zero");
    write_zero(&adapter, &zero);
    let unchanged = out.path().join("unchanged.gguf");
    write(&folder(dir), &zero, &unchanged).expect("as before");
    let equal = check_against_converter(name, &unchanged)?;
    let merged = merged_folder(&folder(dir), &adapter, None, 1 << 30, out.path());
    let merged = merged.expect("merges");
    let load = |files: &ModelFiles| try_load(files, Precision::F32).expect("loads");
    let (of_folder, of_file) = (load(&merged), load(&ModelFiles::Gguf { path: file }));
    for length in [40, 90] {
        let input_ids = ids(length, 3);
        if bits(&whole(&of_folder, &input_ids)) != bits(&whole(&of_file, &input_ids)) {
            return Err(format!("other logits after {length} tokens"));
        }
    }
    Ok(equal)
}

#[test]
fn a_folder_becomes_the_file_that_llama_cpp_makes_of_it() {
    let (mut equal, mut wrong) = (BTreeMap::new(), Vec::new());
    let kept = tempfile::tempdir().expect("a folder");
    let mut cases: Vec<_> = NAMES
        .iter()
        .map(|name| ((*name).to_owned(), golden(name)))
        .collect();
    for name in families::names() {
        let dir = kept.path().join(&name);
        fs::create_dir(&dir).expect("creates");
        families::write(&name, &dir);
        cases.push((name, dir));
    }
    for (name, dir) in cases {
        if !dir.join("adapter").exists() {
            continue;
        }
        match check(&name, &dir) {
            Ok(tensors) => equal.insert(name, tensors),
            Err(problem) => {
                wrong.push(format!("{name}: {problem}"));
                None
            }
        };
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let compared = equal.values().filter(|tensors| **tensors > 20).count();
    assert_eq!(compared, 14, "{equal:?}");
}
