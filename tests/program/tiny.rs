//! A model of three small layers with a byte-level tokenizer, the recipe that the tests run,
//! and small test files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use schema::write_whole;
use serde_json::{Value, json};

/// A file or folder of the repository; its crates test with the same files.
pub(crate) fn repository(path: &str) -> PathBuf {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let root = above.find(|folder| folder.join("assets/mini").is_dir());
    root.expect("the repository").join(path)
}

/// The model's folder, made once per test program. Token ids are byte values; 256 ends a text.
pub(crate) fn model() -> &'static str {
    static FOLDER: OnceLock<String> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tiny");
        make_model(&folder);
        folder.to_str().expect("a UTF-8 path").to_owned()
    })
}

/// A model folder of its own, to be damaged.
pub(crate) fn make_model(folder: &Path) {
    for name in ["config.json", "model.safetensors"] {
        let bytes =
            fs::read(repository("tests/golden/tiny_llama").join(name)).expect("the golden model");
        write_whole(&folder.join(name), &bytes).expect("writes");
    }
    let write =
        |name: &str, value: &Value| write_whole(&folder.join(name), value.to_string().as_bytes());
    write("tokenizer.json", &tokenizer()).expect("writes");
    let names =
        json!({"tokenizer_class": "GPT2Tokenizer", "bos_token": null, "eos_token": "<end>"});
    write("tokenizer_config.json", &names).expect("writes");
}

/// Byte-level BPE that merges nothing.
fn tokenizer() -> Value {
    let mut vocab: BTreeMap<String, usize> = byte_alphabet()
        .into_iter()
        .map(String::from)
        .zip(0..)
        .collect();
    vocab.insert("<end>".to_owned(), 256);
    let step = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "pre_tokenizer": step, "decoder": step,
        "added_tokens": [{"id": 256, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true}],
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": []},
    })
}

/// GPT-2's way to write bytes: printable Latin-1 characters stand for themselves, the others
/// for what follows U+00FF.
fn byte_alphabet() -> Vec<char> {
    let prints = |byte: u32| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut others = 0x100..;
    let character = |byte| {
        if prints(byte) {
            byte
        } else {
            others.next().expect("endless")
        }
    };
    (0..256)
        .map(character)
        .map(|code| char::from_u32(code).expect("a character"))
        .collect()
}

/// Writes `recipe.toml` into `folder`: a whole experiment of about a second.
pub(crate) fn write_recipe(folder: &Path) {
    let text = format!(
        r#"
name = "tiny"
model = {model:?}
seeds = [1]

[data]
dir = {mini:?}

[train]
settings = ["sw=>en"]
tasks = ["emotion"]
pairs = 8
max_steps = 3
batch_size = 4
val_size = 0.2
eval_steps = 2
learning_rate = 1e-2

[eval]
tasks = ["emotion"]
languages = ["en", "de", "sw"]
few_shot = "builtin"
limit = 4
"#,
        model = model(),
        mini = mini(),
    );
    fs::write(folder.join("recipe.toml"), text).expect("writes");
}

/// The shipped small data.
pub(crate) fn mini() -> String {
    repository("assets/mini")
        .to_str()
        .expect("a UTF-8 path")
        .to_owned()
}

/// The first `count` items of a shipped test file.
pub(crate) fn items(language: &str, count: usize) -> Vec<Value> {
    let path = repository(&format!(
        "assets/mini/ap_emotion/emotion_{language}40_test.json"
    ));
    let all: Vec<Value> = serde_json::from_slice(&fs::read(path).expect("shipped")).expect("JSON");
    all.into_iter().take(count).collect()
}

/// Writes a test file in the released layout, an item on each line from the second on.
pub(crate) fn write_items(dir: &Path, folder: &str, stem: &str, items: &[Value]) -> PathBuf {
    let path = dir
        .join(folder)
        .join(format!("{stem}{}_test.json", items.len()));
    let lines: Vec<String> = items.iter().map(Value::to_string).collect();
    write_whole(&path, format!("[\n{}\n]\n", lines.join(",\n")).as_bytes()).expect("writes");
    path
}
