//! Guards `model::NUMERICS`: the bits of everything that a tiny evaluation measures, for each
//! instruction set of the processor.

use std::{collections::BTreeMap, fs, path::Path};

use data::{Tokenizer, tasks};
use eval::{Ahead, Ask, Journal, ask::Respondent};
use hub::ModelFiles;
use model::{Decoder, device::Device};
use schema::{
    AnswerRecord, Answerer, Asking, FewShot, LabelSet, Language, Scorers, Scoring, task::Precision,
    write_whole,
};
use serde_json::{Value, json};

#[path = "../../../tests/numerics/mod.rs"]
mod numerics;

use numerics::check_numbers;

/// As the test prints them. Those of AVX-512 are AVX2's: the same sums in the same order.
const KNOWN: &str = "\
portable f32: 0xdbb6ece637a6b659, 2.955315124e1
portable bf16: 0x3ecce5a4f8ea6b8d, 2.954190728e1
portable nf4: 0x2d8a3dca9a6ee366, 3.033105320e1
avx2 f32: 0x4a86949149b4679b, 2.955315304e1
avx2 bf16: 0x8cdcf1364a569b67, 2.954190652e1
avx2 nf4: 0x1eeac95045939ede, 3.033105304e1
avx512 f32: 0x4a86949149b4679b, 2.955315304e1
avx512 bf16: 0x8cdcf1364a569b67, 2.954190652e1
avx512 nf4: 0x1eeac95045939ede, 3.033105304e1
avx512bf16 f32: 0x4a86949149b4679b, 2.955315304e1
avx512bf16 bf16: 0x1b941366b8fcfb13, 2.953302631e1
avx512bf16 nf4: 0x7d6fb17550bbb561, 3.034397463e1";

/// Questions of the task about emotions that the tiny model is asked.
const INPUTS: [&str; 5] = [
    "A day that ends well",
    "A day that ends in rain",
    "Nobody came",
    "Nobody came, and the soup was cold",
    "What a beginning!",
];

/// Writes a model folder with a byte-level tokenizer, and a test file.
fn write_files(folder: &Path) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let model = folder.join("model");
    for (from, to) in [
        ("config.json", "config.json"),
        ("model.safetensors", "model.safetensors"),
        ("byte_level.json", "tokenizer.json"),
    ] {
        let bytes = fs::read(golden.join(from)).expect("a golden file");
        write_whole(&model.join(to), &bytes).expect("writes");
    }
    let tokenizer = br#"{"bos_token": null, "eos_token": null}"#;
    write_whole(&model.join("tokenizer_config.json"), tokenizer).expect("writes");
    let items = INPUTS.map(|input| json!({"input": input, "answer": "positive"}));
    let file = folder.join("data/ap_emotion/emotion_en5_test.json");
    write_whole(&file, Value::from(items.to_vec()).to_string().as_bytes()).expect("writes");
}

/// Asks all questions; returns every measure of every answer.
fn evaluate_a_little(precision: Precision) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a folder");
    write_files(folder.path());
    let dir = folder.path().join("model");
    let files = ModelFiles::Folder {
        weights: vec![dir.join("model.safetensors")],
        dir,
    };
    let answerer = Answerer {
        program: "test".to_owned(),
        numerics: model::NUMERICS.to_owned(),
        model_fingerprint: "tiny".to_owned(),
        adapter_sha256: None,
        dtype: precision,
        device: "cpu".to_owned(),
        instruction_set: model::instruction_set().name().to_owned(),
    };
    let data = folder.path().join("data");
    let asking = Asking {
        labels: LabelSet::English,
        scoring: Scoring::Contextual,
        scorers: Scorers::All,
        greedy: 0,
        protocol: None,
        few_shot: FewShot::Head(1),
        limit: None,
    };
    let ask = Ask {
        model: "tiny",
        adapter: None,
        task: tasks::task("emotion").expect("shipped"),
        dir: &data,
        asking: &asking,
        tokens_per_batch: 1000,
    };
    let respondent = Respondent {
        model: &Decoder::load(&files, precision, &Device::Cpu).expect("loads"),
        tokenizer: &Tokenizer::load(&files).expect("a tokenizer"),
        answerer: &answerer,
    };
    let mut journal = Journal::open(&folder.path().join("answers.jsonl")).expect("a journal");
    let mut ahead = Ahead::default();
    let answers = eval::ask(
        respondent,
        &ask,
        Language::En,
        &mut ahead,
        &mut journal,
        &mut |_, _| true,
    )
    .expect("answers");
    answers.records.iter().flat_map(measures).collect()
}

fn measures(record: &AnswerRecord) -> Vec<f64> {
    let all: [&BTreeMap<String, f64>; 6] = [
        &record.scores,
        &record.prior,
        &record.prefix_scores,
        &record.log_probs,
        &record.prior_log_probs,
        &record.domain_log_probs,
    ];
    all.iter()
        .flat_map(|values| values.values().copied())
        .collect()
}

#[test]
fn a_tiny_evaluation_gives_the_known_numbers() {
    check_numbers("evaluation", KNOWN, evaluate_a_little);
}
