//! A merged model is the base with its adapter: PEFT's logits, in every number format as far as this
//! rounds.

use std::{fs, path::Path};

use hub::{ModelFiles, gguf::Header};
use model::{
    Adapter, Decoder, ModelError,
    merge::{GgufFormat, Merge},
    random::FloatFormat,
};
use schema::task::Precision;
use serde_json::Value;

use super::{
    NAMES, Random, bits, distance, families, folder,
    folder::{read_weights, serialize},
    gguf::tiny_llama,
    golden, ids, load, try_load, values, whole,
};

const IDS: [u32; 12] = [121, 66, 189, 242, 33, 6, 240, 132, 119, 98, 240, 243];

/// The model of a merged folder with files of at most `shard_bytes`.
pub(crate) fn merged_folder(
    files: &ModelFiles,
    adapter: &Path,
    format: Option<FloatFormat>,
    shard_bytes: u64,
    out: &Path,
) -> Result<ModelFiles, ModelError> {
    let merge = Merge::open(files, adapter)?;
    let planned = merge.folder(format, None, shard_bytes)?;
    let mut weights = Vec::new();
    for shard in planned.shards() {
        let mut bytes = Vec::new();
        planned.write(shard, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok::<(), ModelError>(())
        })?;
        weights.push(out.join(&shard.name));
        fs::write(out.join(&shard.name), bytes).expect("writes");
    }
    let config = match files {
        ModelFiles::Folder { dir, .. } => dir.join("config.json"),
        ModelFiles::Gguf { .. } => panic!("a folder"),
    };
    fs::copy(config, out.join("config.json")).expect("copies");
    Ok(ModelFiles::Folder {
        dir: out.to_owned(),
        weights,
    })
}

fn with_adapter(name: &str) -> Decoder {
    let mut model = load(name);
    let adapter = Adapter::read(&golden(name).join("adapter"), model.config()).expect("adapter");
    model.set_adapter(Some(&adapter)).expect("fits");
    model
}

fn last_logits(files: &ModelFiles, prompts: &[Vec<u32>]) -> Vec<Vec<f32>> {
    values(&Decoder::stream_last_logits(files, None, prompts).expect("runs"))
}

#[test]
fn a_merged_model_has_pefts_logits() {
    for name in NAMES {
        check_merged(name, &golden(name));
    }
    for name in families::names() {
        let made = tempfile::tempdir().expect("a folder");
        families::write(&name, made.path());
        if made.path().join("adapter").exists() {
            check_merged(&name, made.path());
        }
    }
}

fn check_merged(name: &str, dir: &Path) {
    let out = tempfile::tempdir().expect("a folder");
    let (base, adapter) = (folder(dir), dir.join("adapter"));
    let files = merged_folder(&base, &adapter, None, 1 << 30, out.path()).expect("merges");
    let text = fs::read_to_string(dir.join("golden.json")).expect("golden.json");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let numbers =
        |value: &Value| -> Vec<f32> { serde_json::from_value(value.clone()).expect("numbers") };
    let rows = json["rows"].as_array().expect("rows");
    let prompts: Vec<Vec<u32>> = rows
        .iter()
        .map(|row| numbers(&row["ids"]).iter().map(|&id| id as u32).collect())
        .collect();
    let got = last_logits(&files, &prompts);
    for (row, want) in json["lora"]["logits_last"]
        .as_array()
        .expect("rows")
        .iter()
        .enumerate()
    {
        let want = numbers(want);
        let largest = want.iter().fold(1.0f32, |m, w| m.max(w.abs()));
        let off = distance(&got[row..=row], &[want]);
        assert!(off <= 1e-4 * largest, "{name} row {row}: {off}");
    }
}

/// DoRA's rows get their lengths, rsLoRA its scale and patterns, PiSSA's conversion its twice the rank.
#[test]
fn every_kind_of_adapter_is_merged_as_peft_computes_it() {
    for (kind, logits) in [
        ("dora_mistral", "logits_last"),
        ("rslora_llama", "logits_last"),
        ("pissa_qwen2", "logits_last_trained"),
    ] {
        let dir = golden("adapters").join(kind);
        let text = fs::read_to_string(dir.join("golden.json")).expect("golden.json");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        let name = json["model"].as_str().expect("a model");
        let out = tempfile::tempdir().expect("a folder");
        let files = merged_folder(&folder(&golden(name)), &dir, None, 1 << 30, out.path());
        let text = fs::read_to_string(golden(name).join("golden.json")).expect("golden.json");
        let rows: Value = serde_json::from_str(&text).expect("JSON");
        let prompts: Vec<Vec<u32>> = rows["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| serde_json::from_value(row["ids"].clone()).expect("ids"))
            .collect();
        let got = last_logits(&files.expect("merges"), &prompts);
        let want: Vec<Vec<f32>> = serde_json::from_value(json[logits].clone()).expect("numbers");
        let off = distance(&got, &want);
        assert!(off <= 1e-3, "{kind}: {off}");
    }
}

#[test]
fn blocks_that_come_and_go_give_the_bits_of_a_model_in_memory() {
    let prompts = vec![IDS.to_vec(), IDS[3..5].to_vec()];
    for name in NAMES {
        let model = with_adapter(name);
        let adapter = Adapter::read(&golden(name).join("adapter"), model.config()).expect("reads");
        let files = folder(&golden(name));
        let got = Decoder::stream_last_logits(&files, Some(&adapter), &prompts).expect("runs");
        let want: Vec<Vec<f32>> = prompts
            .iter()
            .map(|ids| whole(&model, ids).pop().expect("a row"))
            .collect();
        assert_eq!(bits(&values(&got)), bits(&want), "{name}");
    }
}

/// A block that is loaded alone has the angles, window and norms of its own place.
#[test]
fn blocks_of_every_family_come_and_go() {
    let prompts = vec![ids(60, 1), ids(21, 2)];
    for name in families::names() {
        let made = tempfile::tempdir().expect("a folder");
        families::write(&name, made.path());
        let files = folder(made.path());
        let mut model = try_load(&files, Precision::F32).expect("loads");
        let adapter = Some(made.path().join("adapter")).filter(|dir| dir.exists());
        let adapter = adapter.map(|dir| Adapter::read(&dir, model.config()).expect("reads"));
        model.set_adapter(adapter.as_ref()).expect("fits");
        let got = Decoder::stream_last_logits(&files, adapter.as_ref(), &prompts).expect("runs");
        let want: Vec<Vec<f32>> = prompts
            .iter()
            .map(|ids| whole(&model, ids).pop().expect("a row"))
            .collect();
        assert_eq!(bits(&values(&got)), bits(&want), "{name}");
    }
}

#[test]
fn shards_and_formats_change_the_files_alone() {
    let scratch = tempfile::tempdir().expect("a folder");
    let (base, adapter) = (
        folder(&golden("tiny_llama")),
        golden("tiny_llama").join("adapter"),
    );
    let prompts = vec![IDS.to_vec()];
    let merged = |name: &str, format, shard_bytes| {
        let out = scratch.path().join(name);
        fs::create_dir(&out).expect("creates");
        merged_folder(&base, &adapter, format, shard_bytes, &out).expect("merges")
    };
    let one = last_logits(&merged("one", None, 1 << 30), &prompts);
    let shards = merged("many", None, 60_000);
    assert!(matches!(&shards, ModelFiles::Folder { weights, .. } if weights.len() > 2));
    assert_eq!(bits(&last_logits(&shards, &prompts)), bits(&one));
    let off = |format| {
        distance(
            &last_logits(
                &merged(&format!("{format}"), Some(format), 1 << 30),
                &prompts,
            ),
            &one,
        )
    };
    let (f16, bf16) = (off(FloatFormat::F16), off(FloatFormat::Bf16));
    assert!(f16 > 0.0 && f16 < 0.05, "{f16}");
    assert!(bf16 > f16 && bf16 < 0.4, "{bf16}");
    // What the adapter does not change is copied, whatever it is.
    let before = read_weights(&golden("tiny_llama").join("model.safetensors"));
    let after = read_weights(&scratch.path().join("one/model.safetensors"));
    let name = "model.embed_tokens.weight";
    assert!(before[name].values == after[name].values);
    let name = "model.layers.1.mlp.up_proj.weight";
    assert!(before[name].values != after[name].values);
}

#[test]
fn a_gguf_file_keeps_its_metadata_and_the_order_of_its_rows() {
    let scratch = tempfile::tempdir().expect("a folder");
    let path = scratch.path().join("base.gguf");
    fs::write(&path, tiny_llama()).expect("writes");
    let base = ModelFiles::Gguf { path: path.clone() };
    let merge = Merge::open(&base, &golden("tiny_llama").join("adapter")).expect("opens");
    assert_eq!(merge.quantised(), 0);
    let want = whole(&with_adapter("tiny_llama"), &IDS)
        .pop()
        .expect("a row");
    for (format, bound) in [
        (GgufFormat::F16, 0.05),
        (GgufFormat::Bf16, 0.4),
        (GgufFormat::Q8_0, 0.05), // rows of 48 and 80 are no whole blocks: f16
    ] {
        let planned = merge.gguf(format, Default::default()).expect("plans");
        let mut bytes = Vec::new();
        let take = &mut |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok::<(), ModelError>(())
        };
        planned.write(take).expect("writes");
        assert_eq!(bytes.len() as u64, planned.bytes());
        let path = scratch.path().join("merged.gguf");
        fs::write(&path, &bytes).expect("writes");
        let header = Header::read(&path).expect("reads");
        let old = Header::read(&scratch.path().join("base.gguf")).expect("reads");
        for (key, value) in &old.metadata {
            assert_eq!(header.metadata.get(key), Some(value), "{key}");
        }
        let vector = header.tensor("blk.0.attn_norm.weight").expect("a norm");
        assert_eq!(vector.ggml_type, 0);
        let got = last_logits(&ModelFiles::Gguf { path }, &[IDS.to_vec()]);
        let off = distance(&got, std::slice::from_ref(&want));
        assert!(off > 0.0 && off < bound, "{format}: {off}");
    }
}

#[test]
fn a_value_that_the_format_cannot_hold_is_named() {
    let scratch = tempfile::tempdir().expect("a folder");
    let dir = scratch.path();
    let mut weights = read_weights(&golden("tiny_llama").join("model.safetensors"));
    let name = "model.layers.1.mlp.up_proj.weight";
    let at = Random(3).next() as usize % 1000;
    weights.get_mut(name).expect("a weight").values[at] = 1e6;
    let bytes = serialize(&weights, safetensors::Dtype::F32);
    fs::write(dir.join("model.safetensors"), bytes).expect("writes");
    fs::copy(
        golden("tiny_llama").join("config.json"),
        dir.join("config.json"),
    )
    .expect("copies");
    let adapter = golden("tiny_llama").join("adapter");
    let out = tempfile::tempdir().expect("a folder");
    let refused = merged_folder(
        &folder(dir),
        &adapter,
        Some(FloatFormat::F16),
        1 << 30,
        out.path(),
    );
    let message = refused.expect_err("does not fit").to_string();
    assert!(
        message.contains(name) && message.contains("write bf16 or f32"),
        "{message}"
    );
    merged_folder(
        &folder(dir),
        &adapter,
        Some(FloatFormat::Bf16),
        1 << 30,
        out.path(),
    )
    .expect("fits");
}
