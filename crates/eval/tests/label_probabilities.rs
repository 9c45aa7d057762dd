//! Exact probabilities of labels against transformers on the whole prompt and label, for labels
//! of one to nine tokens in ten scripts and two kinds of tokenizer (`golden/make.py`); and what
//! the measures may not depend on.

use std::{fs, path::Path};

use data::{Tokenizer, tasks};
use eval::{Ahead, Ask, Journal, LanguageAnswers, ask::Respondent};
use hub::ModelFiles;
use model::{Decoder, device::Device};
use schema::{
    Answerer, Asking, FewShot, LabelSet, Language, PromptForm, Scorers, Scoring, Task,
    task::Precision, write_whole,
};
use serde_json::{Value, json};
use tempfile::TempDir;

fn golden(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name),
    )
    .expect("a golden file")
}

fn cases() -> Value {
    serde_json::from_slice(&golden("labels.json")).expect("JSON")
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|text| text.as_str().expect("text").to_owned())
        .collect()
}

/// A model with one of the tokenizers, and a test file of the golden inputs.
struct Bench {
    folder: TempDir,
    model: Decoder,
    tokenizer: Tokenizer,
    answerer: Answerer,
}

impl Bench {
    fn new(kind: &str, inputs: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("model");
        let put = |name: &str, bytes: &[u8]| write_whole(&dir.join(name), bytes).expect("writes");
        put("config.json", &golden("config.json"));
        put("model.safetensors", &golden("model.safetensors"));
        put("tokenizer.json", &golden(&format!("{kind}.json")));
        put(
            "tokenizer_config.json",
            br#"{"bos_token": null, "eos_token": null}"#,
        );
        let items: Vec<Value> = inputs
            .iter()
            .map(|input| json!({"input": input, "answer": "positive"}))
            .collect();
        let file = folder.path().join(format!(
            "data/ap_emotion/emotion_en{}_test.json",
            items.len()
        ));
        write_whole(&file, Value::from(items).to_string().as_bytes()).expect("writes");
        let files = ModelFiles::Folder {
            weights: vec![dir.join("model.safetensors")],
            dir,
        };
        let answerer = Answerer {
            program: "test".to_owned(),
            numerics: "0".to_owned(),
            model_fingerprint: kind.to_owned(),
            adapter_sha256: None,
            dtype: Precision::F32,
            device: "cpu".to_owned(),
            instruction_set: "any".to_owned(),
        };
        Self {
            model: Decoder::load(&files, Precision::F32, &Device::Cpu).expect("a model"),
            tokenizer: Tokenizer::load(&files).expect("a tokenizer"),
            answerer,
            folder,
        }
    }

    fn ask(&self, labels: &[String], scoring: Scoring, tokens_per_batch: usize) -> LanguageAnswers {
        let task = Task {
            labels: labels.to_vec(),
            ..tasks::task("emotion").expect("shipped").clone()
        };
        let dir = self.folder.path().join("data");
        let asking = Asking {
            labels: LabelSet::English,
            scoring,
            scorers: Scorers::All,
            protocol: None,
            few_shot: FewShot::Head(0),
            prompt: PromptForm::Plain,
            limit: None,
            greedy: 1,
        };
        let ask = Ask {
            model: "golden",
            adapter: None,
            task: &task,
            dir: &dir,
            asking: &asking,
            tokens_per_batch,
        };
        let respondent = Respondent {
            model: &self.model,
            tokenizer: &self.tokenizer,
            answerer: &self.answerer,
        };
        let mut journal =
            Journal::open(&self.folder.path().join("answers.jsonl")).expect("a journal");
        let answers = eval::ask(
            respondent,
            &ask,
            Language::En,
            &mut Ahead::default(),
            &mut journal,
            &mut |_, _| true,
        );
        journal.remove().expect("removes");
        answers.expect("answers")
    }
}

// Promise: ln p of a label, with its closing quote where one label begins another, is that of
// the whole text, within 1e-4 nats, so p within a relative 1e-4; and it has as many factors as
// the text has tokens.
#[test]
fn probabilities_are_those_of_the_whole_text() {
    let all = cases();
    let inputs = texts(&all["inputs"]);
    let (mut lengths, mut scripts) = (
        std::collections::BTreeSet::new(),
        std::collections::BTreeSet::new(),
    );
    for kind in ["byte_level", "byte_fallback"] {
        let bench = Bench::new(kind, &inputs);
        for case in all["cases"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|case| case["tokenizer"] == kind)
        {
            let labels = texts(&case["labels"]);
            let answers = bench.ask(&labels, Scoring::Sequence, 2048);
            assert_eq!(answers.records.len(), inputs.len());
            for (record, expected) in answers
                .records
                .iter()
                .zip(case["log_probs"].as_array().expect("a list"))
            {
                for (at, label) in labels.iter().enumerate() {
                    let (found, expected) = (
                        record.log_probs[label],
                        expected[at].as_f64().expect("a number"),
                    );
                    assert!(
                        (found - expected).abs() < 1e-4,
                        "{kind} {} `{label}`: {found}, {expected}",
                        case["script"]
                    );
                    assert_eq!(
                        Some(record.label_tokens[label] as u64),
                        case["tokens"][at].as_u64(),
                        "{kind} `{label}`"
                    );
                    lengths
                        .insert(record.label_tokens[label] - usize::from(case["quoted"] == true));
                }
            }
            scripts.insert(case["script"].to_string());
        }
    }
    assert_eq!(
        (lengths.into_iter().collect::<Vec<_>>(), scripts.len()),
        ((1..=9).collect(), 10)
    );
}

// Promise: batch size and threads change no bit of a record, whatever the scoring.
#[test]
fn batches_and_threads_change_nothing() {
    let inputs: Vec<String> = [
        "One end.",
        "Another end",
        "Another",
        "One end.",
        "A third that is longer than the others",
    ]
    .map(|ending| format!("What all of these begin with. {ending}"))
    .into();
    let bench = Bench::new("byte_fallback", &inputs);
    let labels = ["sea", "seat", "海", "stone"].map(str::to_owned);
    for &scoring in Scoring::ALL {
        let expected = bench.ask(&labels, scoring, 2048);
        assert!(expected.records[0].said.is_some() && expected.records[1].said.is_none());
        for (threads, tokens) in [(1, 1), (2, 40), (3, 90), (5, 2048)] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .expect("threads");
            let found = pool.install(|| bench.ask(&labels, scoring, tokens));
            assert!(
                found == expected,
                "{scoring}, {threads} threads, {tokens} tokens"
            );
        }
    }
}

// Promise: a label whose vocabulary entries cannot begin it has no prefix sum, and every other
// scoring goes on.
#[test]
fn a_label_without_prefix_tokens_is_scored_exactly() {
    let bench = Bench::new("byte_fallback", &["Rain".to_owned()]);
    // `Ω` is no entry and an ASCII control character falls to bytes that the paper's rule does
    // not look at.
    let labels = ["\u{1}".to_owned(), "sea".to_owned()];
    let record = &bench.ask(&labels, Scoring::Pmi, 2048).records[0];
    assert!(
        record.prefix_scores.is_empty()
            && record.log_probs.len() == 2
            && record.domain_log_probs.len() == 2
    );
}

// Promise: where the answers are each question's own, each is divided by what its own labels
// have alone; scorings that need labels in common are refused.
#[test]
fn a_questions_own_answers_have_priors_of_their_own() {
    let bench = Bench::new("byte_fallback", &["unused".to_owned()]);
    let dir = bench.folder.path().join("pick");
    let task = "name = \"pick\"\ntitle = \"t\"\nfields = [\"q\"]\nshots = 0\nlabels = [\"1\", \"2\"]\nscoring = \"pmi\"\n\
        choices = { fields = [\"a\", \"b\"], answers = \"texts\" }\n[languages.en]\nheaders = [\"Q: \", \" \\\"\"]\n";
    let rows = r#"[{"q": "One", "a": "sea", "b": "stone", "answer": "1"},
                   {"q": "Two", "a": "stone", "b": "sea", "answer": "1"}]"#;
    write_whole(&dir.join("pick.toml"), task.as_bytes()).expect("writes");
    write_whole(&dir.join("pick_en2_test.json"), rows.as_bytes()).expect("writes");
    let task = tasks::task(dir.join("pick.toml").to_str().expect("UTF-8")).expect("a task");
    let ask = |scoring| {
        let asking = Asking {
            labels: LabelSet::Same,
            scoring,
            scorers: Scorers::Chosen,
            protocol: None,
            few_shot: FewShot::Head(0),
            prompt: PromptForm::Plain,
            limit: None,
            greedy: 2,
        };
        let ask = Ask {
            model: "golden",
            adapter: None,
            task,
            dir: &dir,
            asking: &asking,
            tokens_per_batch: 2048,
        };
        let respondent = Respondent {
            model: &bench.model,
            tokenizer: &bench.tokenizer,
            answerer: &bench.answerer,
        };
        let mut journal = Journal::open(&dir.join("answers.jsonl")).expect("a journal");
        eval::ask(
            respondent,
            &ask,
            Language::En,
            &mut Ahead::default(),
            &mut journal,
            &mut |_, _| true,
        )
    };
    let records = ask(Scoring::Pmi).expect("answers").records;
    let [of_first, of_second] = [0, 1].map(|at: usize| &records[at].domain_log_probs);
    assert_eq!(
        (of_first["1"], of_first["2"]),
        (of_second["2"], of_second["1"]),
        "the choices are exchanged"
    );
    assert_ne!(of_first["1"], of_first["2"]);
    assert!(
        records
            .iter()
            .all(|record| record.prefix_scores.is_empty() && record.prior_log_probs.is_empty())
    );
    let shares = |record: &schema::AnswerRecord| -> f64 {
        let odds = |label: &str| (record.log_probs[label] - record.domain_log_probs[label]).exp();
        odds("1") / (odds("1") + odds("2"))
    };
    assert!(
        records
            .iter()
            .all(|record| (shares(record) - record.scores["1"]).abs() < 1e-12)
    );
    for scoring in [Scoring::Prefix, Scoring::Contextual, Scoring::Batch] {
        let error = ask(scoring).expect_err("nothing in common").to_string();
        assert!(
            error.contains(&format!("scoring `{scoring}`")) && error.contains("`pmi`"),
            "{error}"
        );
    }
}

// Promise: what an evaluation has measured is not measured again, and other inputs are told by
// their names.
#[test]
fn a_stopped_evaluation_goes_on_and_another_begins_anew() {
    let inputs = ["One end.", "Another end, further on", "A third"].map(str::to_owned);
    let bench = Bench::new("byte_level", &inputs);
    let task = tasks::task("emotion").expect("shipped");
    let (dir, file) = (
        bench.folder.path().join("data"),
        bench.folder.path().join("answers.jsonl"),
    );
    let ask = |scoring, stop_after: usize| {
        let asking = Asking {
            labels: LabelSet::English,
            scoring,
            scorers: Scorers::All,
            protocol: None,
            few_shot: FewShot::Head(0),
            prompt: PromptForm::Plain,
            limit: None,
            greedy: 0,
        };
        let ask = Ask {
            model: "golden",
            adapter: None,
            task,
            dir: &dir,
            asking: &asking,
            tokens_per_batch: 1,
        };
        let respondent = Respondent {
            model: &bench.model,
            tokenizer: &bench.tokenizer,
            answerer: &bench.answerer,
        };
        let mut journal = Journal::open(&file).expect("a journal");
        let mut batches = 0;
        let found = eval::ask(
            respondent,
            &ask,
            Language::En,
            &mut Ahead::default(),
            &mut journal,
            &mut |_, _| {
                batches += 1;
                batches < stop_after
            },
        );
        (found, batches)
    };
    let (stopped, batches) = ask(Scoring::Sequence, 2);
    assert!(stopped.is_err() && batches == 2);
    // A line that was being written when the program died.
    let partial = schema::record::partial_path(&file);
    let mut bytes = fs::read(&partial).expect("the unfinished part");
    bytes.extend(br#"{"measured":[2,{"log_pr"#);
    fs::write(&partial, bytes).expect("writes");
    let (anew, batches) = ask(Scoring::Batch, usize::MAX);
    let anew = anew.expect("answers");
    assert_eq!(
        (anew.resumed, anew.differing, batches),
        (0, vec!["scoring".to_owned()], 6)
    );
    let (resumed, batches) = ask(Scoring::Sequence, usize::MAX);
    let resumed = resumed.expect("answers");
    assert_eq!(
        (resumed.resumed, resumed.differing.len(), batches),
        (2, 0, 4)
    );
    fs::remove_file(&partial).expect("removes");
    let alone = ask(Scoring::Sequence, usize::MAX).0.expect("answers");
    assert_eq!(alone.records, resumed.records);
}

// Promise: a second process is kept out, and a line that no evaluation wrote is refused by its
// number.
#[test]
fn a_journal_is_one_process_and_its_lines_are_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.jsonl");
    let journal = Journal::open(&file).expect("opens");
    let error = Journal::open(&file).err().expect("is busy").to_string();
    assert!(
        error.contains("another process is writing") && error.contains("a.jsonl.partial"),
        "{error}"
    );
    journal.remove().expect("removes");
    fs::write(
        schema::record::partial_path(&file),
        "{\"said\":[0,\"x\"]}\n",
    )
    .expect("writes");
    let error = Journal::open(&file).err().expect("is damaged").to_string();
    let expected = "a.jsonl.partial line 1: not part of an unfinished evaluation (an answer before any `begun`); \
                    delete the file to start over";
    assert!(error.ends_with(expected), "{error}");
}
