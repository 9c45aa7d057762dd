//! Captured states against an unshared naive loop, against transformers, and whatever must not
//! change them.

mod resumption;
mod rows;
mod states;
mod values;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use candle_core::Device;
use data::{
    Tokenizer,
    prompt::{AnswerFrame, Prompt, Rendered},
};
use hub::ModelFiles;
use model::Decoder;
use schema::{Label, Language, inside::Pooling, task::Precision};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{OnProgress, Prompts, StateFile, capture_in_batches, encode};
use crate::AnalyseError;

const NAMES: [&str; 3] = ["tiny_llama", "tiny_mistral", "tiny_qwen2"];
const EXEMPLARS: &str =
    "Der Regen fiel.\nEmotion: \"negative\"\nDas Brot ist warm.\nEmotion: \"positive\"\n";
const CLOSING: &str = "\nEmotion: \"";
/// Some begin alike, two are equal; first and last bytes differ among them.
const QUESTIONS: [&str; 8] = [
    "Die Sonne scheint",
    "Kein Licht brennt im Haus am Fluss, und niemand singt dort ein Lied.",
    "Die Sonne scheint, und das Meer liegt ruhig da",
    "Öl",
    "Die Sonne scheint, und das Meer ist wild!",
    "Kein Licht brennt im Haus am Fluss, und alle schlafen",
    "Die Sonne scheint",
    "x",
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden")
        .join(name)
}

fn load_folder(dir: &Path) -> Decoder {
    let files = ModelFiles::Folder {
        dir: dir.to_owned(),
        weights: vec![dir.join("model.safetensors")],
    };
    Decoder::load(&files, Precision::F32, &Device::Cpu).expect("loads")
}

fn load(name: &str) -> Decoder {
    load_folder(&golden(name))
}

/// A tokenizer whose ids are the bytes of the text: byte-level BPE that merges nothing.
fn tokenizer() -> Tokenizer {
    let prints = |byte: u32| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut others = 0x100..;
    let letter = |byte| {
        if prints(byte) {
            byte
        } else {
            others.next().expect("endless")
        }
    };
    let letters: Vec<char> = (0..256)
        .map(letter)
        .map(|code| char::from_u32(code).expect("a letter"))
        .collect();
    let vocab: BTreeMap<String, usize> = letters.into_iter().map(String::from).zip(0..).collect();
    let step = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let made = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "pre_tokenizer": step, "decoder": step, "added_tokens": [],
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": []},
    });
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, value: &Value| {
        fs::write(folder.path().join(name), value.to_string()).expect("writes")
    };
    write("tokenizer.json", &made);
    write(
        "tokenizer_config.json",
        &json!({"tokenizer_class": "GPT2Tokenizer", "bos_token": null, "eos_token": null}),
    );
    Tokenizer::from_folder(folder.path()).expect("a tokenizer")
}

/// A test file of these questions, whose items are numbered from 2.
fn render(questions: &[&str]) -> Rendered {
    let prompt = |(at, question): (usize, &&str)| Prompt {
        item: at + 2,
        gold: Label(at % 2),
        answerable: true,
        text: format!("{EXEMPLARS}{question}{CLOSING}"),
        choices: Vec::new(),
    };
    Rendered {
        language: Language::De,
        few_shot: EXEMPLARS.to_owned(),
        prompts: questions.iter().enumerate().map(prompt).collect(),
        content_free: Vec::new(),
        closing: CLOSING.to_owned(),
        words: Vec::new(),
        own_answers: Vec::new(),
        answer: AnswerFrame::quoted(),
        template_sha256: None,
    }
}

fn prompts(questions: &[&str]) -> Prompts {
    encode(&tokenizer(), &render(questions), None).expect("encodes")
}

fn about() -> BTreeMap<String, String> {
    BTreeMap::from([("model".to_owned(), "tiny".to_owned())])
}

/// A capture of every pooling in batches of so many tokens.
fn capture(
    model: &Decoder,
    prompts: &Prompts,
    file: &Path,
    tokens: usize,
    watch: &mut OnProgress<'_>,
) -> Result<(), AnalyseError> {
    capture_in_batches(model, prompts, Pooling::ALL, file, &about(), tokens, watch)
}

/// A whole capture in a folder of its own: the file's path.
fn captured(model: &Decoder, prompts: &Prompts, tokens: usize) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("de.safetensors");
    capture(model, prompts, &file, tokens, &mut |_, _| true).expect("captures");
    (folder, file)
}

/// Every value of a file, by pooling and layer: (items, E).
fn all_values(states: &StateFile) -> BTreeMap<(Pooling, usize), Vec<f32>> {
    let keys = states
        .poolings()
        .into_iter()
        .flat_map(|pooling| (0..states.layers()).map(move |at| (pooling, at)));
    keys.map(|key| (key, states.layer(key.0, key.1).expect("reads")))
        .collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// How far f32 may lie from f64 here; values are below 27.
const ROUNDING: f64 = 1e-4;

/// Holds `found` against reference values.
#[track_caller]
fn assert_near(found: &[f32], expected: &[f64], most: f64, place: &str) {
    assert_eq!(found.len(), expected.len(), "{place}");
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*a) - b).abs() <= most,
            "{place}, value {at}: {a} and not {b}"
        );
    }
}

/// `states.json`, which `states.py` beside it makes.
fn reference() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/states.json");
    serde_json::from_slice(&fs::read(file).expect("reads")).expect("JSON")
}

/// The numbers in a value, to any depth.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(list) => list.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().expect("a number")],
    }
}
