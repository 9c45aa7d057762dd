//! The folder of a merged model: what is copied, what is refused, and that an interrupted merge
//! leaves nothing. The sums themselves are tested in `model`.

use std::{fs, path::PathBuf};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{RunError, model_folder::contents, watch::Counter};

const BASE: &str = "../../tests/golden/tiny_llama";

/// The golden model with a made-up tokenizer, and where to write.
fn scratch() -> (TempDir, PathBuf, PathBuf) {
    let kept = tempfile::tempdir().expect("a folder");
    let (base, out) = (kept.path().join("base"), kept.path().join("merged"));
    fs::create_dir(&base).expect("creates");
    for name in ["config.json", "generation_config.json", "model.safetensors"] {
        fs::copy(Path::new(BASE).join(name), base.join(name)).expect("copies");
    }
    let tokenizer = data::tokenizer::made_up::make_up(257).expect("makes");
    fs::write(base.join("tokenizer.json"), tokenizer.tokenizer).expect("writes");
    fs::write(base.join("tokenizer_config.json"), tokenizer.config).expect("writes");
    (kept, base, out)
}

fn request<'a>(base: &'a Path, out: &'a Path) -> MergeRequest<'a> {
    MergeRequest {
        model: base.to_str().expect("UTF-8"),
        adapter: Path::new("../../tests/golden/tiny_llama/adapter"),
        out,
        format: None,
        gguf: None,
        replace: false,
    }
}

fn names(folder: &Path) -> Vec<String> {
    contents(folder).into_keys().collect()
}

fn refusal(request: &MergeRequest<'_>) -> String {
    merge(request, &mut Counter::default())
        .expect_err("refused")
        .chain()
}

#[test]
fn a_merged_folder_has_the_bases_files() {
    let (_kept, base, out) = scratch();
    let merged = merge(&request(&base, &out), &mut Counter::default()).expect("merges");
    assert_eq!((merged.changed, merged.dequantised), (21, 0));
    assert_eq!((merged.shift.prompts, merged.shift.same_best), (8, 8));
    assert!(merged.shift.largest < 1e-4, "{:?}", merged.shift);
    assert_eq!(names(&out), names(&base));
    for name in names(&out) {
        let same =
            fs::read(base.join(&name)).expect("reads") == fs::read(out.join(&name)).expect("reads");
        assert_eq!(same, name != "model.safetensors", "{name}");
    }

    let rounded = MergeRequest {
        format: Some(FloatFormat::Bf16),
        replace: true,
        ..request(&base, &out)
    };
    let merged = merge_in_shards(&rounded, 40_000, &mut Counter::default()).expect("merges");
    assert!(
        merged.shift.largest > 1e-4 && merged.shift.mean < 0.1,
        "{:?}",
        merged.shift
    );
    let config: Value =
        serde_json::from_slice(&fs::read(out.join(CONFIG)).expect("reads")).expect("JSON");
    assert_eq!(dtype_of(&config), Some(FloatFormat::Bf16));
    assert!(!names(&out).contains(&"model.safetensors".to_owned()) && out.join(INDEX).exists());
}

#[test]
fn a_quantised_models_configuration_loses_that() {
    let config = json!({"torch_dtype": "float16", "quantization_config": {"load_in_4bit": true}, "hidden_size": 8});
    assert_eq!(
        new_config(&config, None, true)
            .expect("changes")
            .to_string(),
        r#"{"torch_dtype":"float16","hidden_size":8}"#
    );
    assert_eq!(new_config(&config, Some(FloatFormat::F16), false), None);
}

#[test]
fn an_interrupted_merge_leaves_what_was_there() {
    let (_kept, base, out) = scratch();
    let stop = |at| {
        let mut watch = Counter {
            stop_at: Some(at),
            ..Counter::default()
        };
        let asked = MergeRequest {
            replace: true,
            ..request(&base, &out)
        };
        let stopped = merge_in_shards(&asked, 40_000, &mut watch);
        assert!(matches!(stopped, Err(RunError::Interrupted(_))));
    };
    stop(5);
    assert!(names(&out).is_empty());
    merge(&request(&base, &out), &mut Counter::default()).expect("merges");
    let before = contents(&out);
    stop(20);
    assert!(contents(&out) == before);
}

#[test]
fn a_folder_that_is_taken_is_refused() {
    let (_kept, base, out) = scratch();
    fs::create_dir(&out).expect("creates");
    fs::write(out.join("notes.txt"), "mine").expect("writes");
    assert!(refusal(&request(&base, &out)).contains("holds files that this command did not write"));
    assert_eq!(names(&out), ["notes.txt"]);
    fs::remove_file(out.join("notes.txt")).expect("removes");
    merge(&request(&base, &out), &mut Counter::default()).expect("merges");
    assert!(refusal(&request(&base, &out)).contains("replace it with --replace"));
    let onto_itself = MergeRequest {
        replace: true,
        ..request(&base, &base)
    };
    assert!(refusal(&onto_itself).contains("which this command reads"));
}

/// The file has the folder's tokenizer, and asked the same it says the same.
#[test]
fn a_folder_becomes_a_gguf_file() {
    let (_kept, base, out) = scratch();
    let asked = MergeRequest {
        gguf: Some(GgufFormat::F32),
        ..request(&base, &out)
    };
    let merged = merge(&asked, &mut Counter::default()).expect("merges");
    assert_eq!((merged.shift.prompts, merged.shift.same_best), (8, 8));
    assert!(merged.shift.largest < 1e-4, "{:?}", merged.shift);
    assert_eq!(names(&out), ["model.f32.gguf"]);
    let path = out.join("model.f32.gguf");
    let of = |files: &ModelFiles| Tokenizer::load(files).expect("a tokenizer");
    let weights = vec![base.join("model.safetensors")];
    let dir = base.clone();
    let (found, wanted) = (
        of(&ModelFiles::Gguf { path }),
        of(&ModelFiles::Folder { dir, weights }),
    );
    assert_eq!(
        rounding::encode_prompts(&found).expect("encodes"),
        rounding::encode_prompts(&wanted).expect("encodes")
    );
    assert_eq!((found.bos(), found.eos()), (wanted.bos(), wanted.eos()));
}

#[test]
fn the_best_two_are_found_in_any_order() {
    for logits in [
        [1.0, 2.0, 3.0],
        [3.0, 2.0, 1.0],
        [2.0, 1.0, 3.0],
        [3.0, 1.0, 2.0],
    ] {
        let (best, second) = rounding::best_two(&logits);
        assert_eq!((logits[best], logits[second]), (3.0, 2.0));
    }
}
