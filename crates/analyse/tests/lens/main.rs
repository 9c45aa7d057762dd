//! The lens and the tuned lens on a small random model: against transformers
//! (`golden/lens.py`), what must not change a value, and files that are broken. Never here: a
//! real model (`examples/check_lens.rs`, `examples/tune_lens.rs`).

mod files;
mod golden;
mod laws;
mod training;

use std::{collections::BTreeMap, fs, path::Path};

use analyse::{
    Prompts, encode,
    lens::{self, LabelTokens},
    tuned_lens::TunedLens,
};
use candle_core::Device;
use data::{
    Tokenizer,
    prompt::{AnswerFrame, Prompt, Rendered},
};
use hub::ModelFiles;
use model::{Decoder, tensor_file};
use schema::{Label, Language, Task, inside::LensRecord, task::Precision};
use serde_json::json;
use tempfile::TempDir;

const LAYERS: usize = 2;
const WIDTH: usize = 32;

/// The small model of crate `eval`'s golden values, with its byte-level tokenizer.
struct Bench {
    folder: TempDir,
    model: Decoder,
    tokenizer: Tokenizer,
}

impl Bench {
    fn new() -> Self {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../eval/tests/golden");
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("model");
        fs::create_dir(&dir).expect("a folder");
        for (from, to) in [
            ("config.json", "config.json"),
            ("model.safetensors", "model.safetensors"),
            ("byte_level.json", "tokenizer.json"),
        ] {
            fs::copy(golden.join(from), dir.join(to)).expect("copies");
        }
        fs::write(
            dir.join("tokenizer_config.json"),
            r#"{"bos_token": null, "eos_token": null}"#,
        )
        .expect("writes");
        let files = ModelFiles::Folder {
            weights: vec![dir.join("model.safetensors")],
            dir,
        };
        Self {
            model: Decoder::load(&files, Precision::F32, &Device::Cpu).expect("a model"),
            tokenizer: Tokenizer::load(&files).expect("a tokenizer"),
            folder,
        }
    }

    /// Texts with the indices of their gold labels.
    fn prompts(&self, language: Language, texts: &[(String, usize)]) -> Prompts {
        let prompt = |(item, (text, gold)): (usize, &(String, usize))| Prompt {
            item,
            gold: Label(*gold),
            answerable: true,
            text: text.clone(),
            choices: Vec::new(),
        };
        let rendered = Rendered {
            language,
            few_shot: String::new(),
            prompts: texts.iter().enumerate().map(prompt).collect(),
            content_free: Vec::new(),
            closing: String::new(),
            words: Vec::new(),
            own_answers: Vec::new(),
            answer: AnswerFrame::quoted(),
            template_sha256: None,
        };
        encode(&self.tokenizer, &rendered, None).expect("encodes")
    }

    /// `count` prompts that begin and end alike.
    fn numbered(&self, language: Language, count: usize) -> Prompts {
        let words = ["sea", "bread", "stone", "green light", "house"];
        let text = |n: usize| {
            format!(
                "one day\nIs: \"bread\"\n{} {} {n}\nIs: \"",
                words[n % 5],
                words[n / 5 % 5]
            )
        };
        self.prompts(
            language,
            &(0..count).map(|n| (text(n), n % 2)).collect::<Vec<_>>(),
        )
    }

    fn labels(&self, language: Language) -> LabelTokens {
        LabelTokens::new(&self.tokenizer, &task(), language)
            .expect("every word begins with a token")
    }

    fn read(
        &self,
        prompts: &Prompts,
        language: Language,
        tuned: Option<&TunedLens>,
        budget: usize,
    ) -> Vec<LensRecord> {
        lens::read(
            &self.model,
            prompts,
            &self.labels(language),
            tuned,
            budget,
            &mut |_| true,
        )
        .expect("reads")
    }

    /// A tuned lens of these row-major values, by way of a file.
    fn translators(&self, layers: &[(Vec<f32>, Vec<f32>)]) -> TunedLens {
        let file = self.folder.path().join("translators.safetensors");
        let mut tensors = Vec::new();
        for (layer, (weight, bias)) in layers.iter().enumerate() {
            tensors.push((
                format!("layer.{layer}.weight"),
                vec![WIDTH, WIDTH],
                weight.as_slice(),
            ));
            tensors.push((format!("layer.{layer}.bias"), vec![WIDTH], bias.as_slice()));
        }
        tensor_file::write(&file, &tensors, std::collections::HashMap::new()).expect("writes");
        TunedLens::open(&file, &Device::Cpu).expect("opens")
    }
}

/// As `SMALL_WORDS` in `golden/lens.py`.
fn task() -> Task {
    let rows: BTreeMap<&str, [&str; 2]> = [
        ("en", ["bread", "house"]),
        ("ru", ["хлеб", "дом"]),
        ("zh", ["面包", "房屋"]),
        ("it", ["bene", "oro"]),
    ]
    .into();
    let row = |words: &[&str; 2]| json!({"headers": ["", "\nIs: \""], "label_words": words});
    let languages: BTreeMap<&str, _> = rows
        .iter()
        .map(|(language, words)| (*language, row(words)))
        .collect();
    let task = json!({
        "name": "test", "title": "", "fields": ["input"], "shots": 1, "labels": rows["en"], "languages": languages,
    });
    serde_json::from_value(task).expect("a task")
}

/// Runs on a pool of so many threads.
fn with_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a pool")
        .install(run)
}
