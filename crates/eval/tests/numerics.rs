//! Guards `model::NUMERICS`: the bits of everything that a tiny evaluation measures, for each
//! instruction set of the processor.

use std::{collections::BTreeMap, fs, path::Path};

use data::{Tokenizer, tasks};
use eval::{Ahead, Ask, Journal, ask::Respondent};
use hub::ModelFiles;
use model::{Decoder, InstructionSet, device::Device};
use schema::{
    AnswerRecord, Answerer, FewShot, LabelSet, Language, Scorers, Scoring, task::Precision,
    write_whole,
};
use serde_json::{Value, json};

#[path = "../../../tests/numerics/mod.rs"]
mod numerics;

use numerics::{Known, check_numbers};

const fn known(set: InstructionSet, precision: Precision, hash: u64, size: f64) -> Known {
    Known {
        set,
        precision,
        hash,
        size,
    }
}

/// The rows of AVX-512 are those of AVX2: both add the same products in the same order.
const KNOWN: [Known; 12] = [
    known(
        InstructionSet::Portable,
        Precision::F32,
        0xdbb6_ece6_37a6_b659,
        29.553151240,
    ),
    known(
        InstructionSet::Portable,
        Precision::Bf16,
        0x3ecc_e5a4_f8ea_6b8d,
        29.541907280,
    ),
    known(
        InstructionSet::Portable,
        Precision::Nf4,
        0x2d8a_3dca_9a6e_e366,
        30.331053200,
    ),
    known(
        InstructionSet::Avx2,
        Precision::F32,
        0x4a86_9491_49b4_679b,
        29.553153040,
    ),
    known(
        InstructionSet::Avx2,
        Precision::Bf16,
        0x8cdc_f136_4a56_9b67,
        29.541906520,
    ),
    known(
        InstructionSet::Avx2,
        Precision::Nf4,
        0x1eea_c950_4593_9ede,
        30.331053040,
    ),
    known(
        InstructionSet::Avx512,
        Precision::F32,
        0x4a86_9491_49b4_679b,
        29.553153040,
    ),
    known(
        InstructionSet::Avx512,
        Precision::Bf16,
        0x8cdc_f136_4a56_9b67,
        29.541906520,
    ),
    known(
        InstructionSet::Avx512,
        Precision::Nf4,
        0x1eea_c950_4593_9ede,
        30.331053040,
    ),
    known(
        InstructionSet::Avx512Bf16,
        Precision::F32,
        0x4a86_9491_49b4_679b,
        29.553153040,
    ),
    known(
        InstructionSet::Avx512Bf16,
        Precision::Bf16,
        0x1b94_1366_b8fc_fb13,
        29.533026310,
    ),
    known(
        InstructionSet::Avx512Bf16,
        Precision::Nf4,
        0xad69_c47e_252d_061d,
        30.326429540,
    ),
];

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
    let ask = Ask {
        model: "tiny",
        adapter: None,
        task: tasks::task("emotion").expect("shipped"),
        dir: &data,
        labels: LabelSet::English,
        scoring: Scoring::Contextual,
        scorers: Scorers::All,
        greedy: 0,
        protocol: None,
        few_shot: &FewShot::Head(1),
        limit: None,
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
    check_numbers("evaluation", &KNOWN, evaluate_a_little);
}
