use std::{fs, path::PathBuf};

use data::Tokenizer;
use hub::ModelFiles;
use model::{Decoder, Rows, device::Device};
use schema::task::Precision;
use tempfile::TempDir;

use super::*;
use crate::{RunError, model_folder::contents, watch::Counter};

const TINY: &str = "../../tests/golden/tiny_mistral";

fn request<'a>(like: &'a str, out: &'a Path) -> RandomModelRequest<'a> {
    RandomModelRequest {
        like,
        format: FloatFormat::Bf16,
        seed: 5,
        layers: None,
        out,
        replace: false,
    }
}

fn make_tiny(request: &RandomModelRequest<'_>) -> Result<RandomModelSize> {
    make_in_shards(request, 40_000, &mut Counter::default())
}

fn refusal(request: &RandomModelRequest<'_>) -> String {
    make_tiny(request).expect_err("refused").chain()
}

fn scratch() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("made/up");
    (folder, out)
}

// Promise: what is written is a model that every command reads: all shards found by the index, a
// tokenizer of as many entries as the embedding has rows, the same numbers in memory as on disk.
#[test]
fn the_folder_is_a_model_with_a_tokenizer_that_fits() {
    let (_kept, out) = scratch();
    let size = make_tiny(&request(TINY, &out)).expect("makes");
    let files = contents(&out);
    let shards = files.keys().filter(|name| name.ends_with(".safetensors"));
    assert!(shards.count() > 2, "{:?}", files.keys());
    let bytes: usize = files.values().map(Vec::len).sum();
    assert_eq!(size.bytes, bytes as u64);
    let found = hub::find_local(out.to_str().expect("UTF-8"), &hub::Cache::at(&out));
    let found = found.expect("a model").expect("a model");
    assert!(matches!(found.files, ModelFiles::Folder { .. }));
    let decoder = Decoder::load(&found.files, Precision::Bf16, &Device::Cpu).expect("loads");
    let tokenizer = Tokenizer::load(&found.files).expect("reads");
    assert_eq!(tokenizer.vocab_size(), decoder.config().vocab_size);
    assert_eq!(tokenizer.eos(), Some(256));
    let ids = tokenizer.encode("naïve テスト").expect("encodes");
    assert_eq!(tokenizer.decode(&ids).expect("decodes"), "naïve テスト");
    let rows = Rows::new([ids.len()], 0);
    let hidden = decoder.hidden(&ids, &rows, None).expect("runs");
    let logits = decoder.logits(&hidden).expect("logits");
    let logits: Vec<f32> = logits.flatten_all().expect("flat").to_vec1().expect("f32");
    assert!(logits.iter().all(|logit| logit.is_finite()));
}

#[test]
fn the_same_request_writes_the_same_bytes() {
    let (_kept, out) = scratch();
    let folders = ["a", "b", "c"].map(|name| out.join(name));
    make_tiny(&request(TINY, &folders[0])).expect("makes");
    make_tiny(&request(TINY, &folders[1])).expect("makes");
    let other = RandomModelRequest {
        seed: 6,
        ..request(TINY, &folders[2])
    };
    make_tiny(&other).expect("makes");
    let [one, two, three] = folders.map(|folder| contents(&folder));
    assert!(one == two);
    assert!(one != three);
    assert!(one["config.json"] == three["config.json"]);
}

#[test]
fn the_catalogue_gives_the_published_configuration_and_layers_can_be_fewer() {
    let (_kept, out) = scratch();
    let layers = Some(3);
    let shape = find_shape(&RandomModelRequest {
        layers,
        ..request("Llama-3.1-8b", &out)
    })
    .expect("in the catalogue");
    assert_eq!(shape.decoder.num_hidden_layers, 3);
    assert_eq!(shape.decoder.intermediate_size, 14_336);
    assert_eq!(shape.config["rope_scaling"]["factor"], 8.0);
    let qwen = RandomModelRequest {
        layers: Some(5),
        ..request("../../tests/golden/tiny_qwen2/config.json", &out)
    };
    let shape = find_shape(&qwen).expect("a list of layer types follows");
    assert_eq!(shape.decoder.sliding_windows.len(), 5);
}

#[test]
fn refusals_name_the_model_or_the_key() {
    let (kept, out) = scratch();
    let broken = kept.path().join("config.json");
    let refused = |like: &str| refusal(&request(like, &out));
    assert!(refused("mistral-7").contains("did you mean `mistral-7b`?"));
    assert!(refused("no/such/folder").contains("no model of the catalogue"));
    assert!(refused("a.gguf").contains("a GGUF file has no config.json"));
    let like = broken.to_str().expect("UTF-8");
    for (text, problem) in [
        ("[1]", "is no JSON object"),
        (
            "{\"model_type\": \"gpt2\"}",
            "`gpt2` is none of the supported",
        ),
        (
            "{\"model_type\": \"llama\", \"initializer_range\": 0}",
            "`initializer_range` is the deviation",
        ),
        (
            "{\"model_type\": \"llama\", \"vocab_size\": 100, \"hidden_size\": 8, \"num_attention_heads\": 2}",
            "`vocab_size` is 100; it can have 257",
        ),
    ] {
        fs::write(&broken, text).expect("writes");
        let message = refused(like);
        assert!(message.contains(problem), "{message}");
    }
    assert!(!out.exists(), "nothing was written");
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let (_kept, out) = scratch();
    make_tiny(&request(TINY, &out)).expect("makes");
    let before = contents(&out);
    assert!(refusal(&request(TINY, &out)).contains("replace it with --replace"));
    let replace = true;
    let other = RandomModelRequest {
        seed: 9,
        replace,
        ..request(TINY, &out)
    };
    let itself = RandomModelRequest {
        replace,
        ..request(out.to_str().expect("UTF-8"), &out)
    };
    assert!(refusal(&itself).contains("this command reads it"));
    fs::write(out.join("notes.txt"), "mine").expect("writes");
    assert!(refusal(&other).contains("holds files that this command did not write"));
    fs::remove_file(out.join("notes.txt")).expect("removes");
    assert!(contents(&out) == before);
    // In one file, where there were several: none of them is left.
    make_in_shards(&other, SHARD_BYTES, &mut Counter::default()).expect("replaces");
    let names: Vec<String> = contents(&out).into_keys().collect();
    assert_eq!(
        names,
        [
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json"
        ]
    );
}

// Promise: an interrupted command leaves an old model as it was, and of a new one nothing.
#[test]
fn an_interruption_leaves_what_was_there() {
    let (_kept, out) = scratch();
    let stopped = |request: &RandomModelRequest<'_>| {
        let mut watch = Counter {
            stop_at: Some(7),
            ..Counter::default()
        };
        let stopped = make_in_shards(request, 40_000, &mut watch);
        assert!(matches!(stopped, Err(RunError::Interrupted(_))));
    };
    stopped(&request(TINY, &out));
    assert!(contents(&out).is_empty());
    // What a killed one leaves is in nobody's way.
    fs::write(out.join(".abcdef.tmp"), "rest").expect("writes");
    fs::write(out.join("model.safetensors"), "named, but no config.json").expect("writes");
    make_tiny(&request(TINY, &out)).expect("makes");
    let before = contents(&out);
    assert!(!before.contains_key("model.safetensors"));
    stopped(&RandomModelRequest {
        seed: 6,
        replace: true,
        ..request(TINY, &out)
    });
    assert!(contents(&out) == before);
}

#[test]
fn a_disk_without_room_is_found_out_before_the_first_byte() {
    let (_kept, out) = scratch();
    let place = ModelFolder::check(&out, false, &OutputCheck::new(false)).expect("free");
    place.check_room(1000, "").expect("room");
    let refused = place.check_room(1 << 60, ", or take fewer --layers");
    let refused = refused.expect_err("no disk has that").to_string();
    assert!(refused.contains("take fewer --layers"), "{refused}");
    assert!(!out.exists());
}
