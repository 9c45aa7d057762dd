//! Published tasks against lm-evaluation-harness (`tests/golden/make_tasks.py`): the very text
//! that is scored, ln p of every answer, and which answers count as right by the whole
//! probability, by character and by byte. And what is particular to these tasks: choices that a
//! question lacks, and sentences without a prompt.

use std::{
    fs,
    path::{Path, PathBuf},
};

use data::{Tokenizer, prompt, tasks, testset};
use eval::{Ahead, Ask, EvalError, Journal, LanguageAnswers, ask::Respondent};
use hub::ModelFiles;
use model::{Decoder, device::Device};
use schema::{
    AnswerRecord, Answerer, Asking, FewShot, LabelSet, Language, PromptForm, Scorers, Scoring,
    Task, task::Precision, write_whole,
};
use serde_json::{Value, json};
use tempfile::TempDir;

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn questions(path: &str) -> PathBuf {
    golden("../../tests/golden/tasks").join(path)
}

/// The golden model with one of the tokenizers.
struct Bench {
    folder: TempDir,
    model: Decoder,
    tokenizer: Tokenizer,
}

impl Bench {
    /// `special`: the tokens that begin and end a text.
    fn new(tokenizer: &Path, special: [Value; 2]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("model");
        let put = |name: &str, bytes: &[u8]| write_whole(&dir.join(name), bytes).expect("writes");
        for name in ["config.json", "model.safetensors"] {
            let path = golden("tests/golden").join(name);
            put(name, &fs::read(path).expect("a golden file"));
        }
        put(
            "tokenizer.json",
            &fs::read(tokenizer).expect("a golden file"),
        );
        let [begin, end] = special;
        let names = json!({"bos_token": begin, "eos_token": end});
        put("tokenizer_config.json", names.to_string().as_bytes());
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

    /// As `make_tasks.py` makes it.
    fn of(kind: &str) -> Self {
        match kind {
            "byte_level" => Self::new(&questions("byte_level.json"), [Value::Null, json!("<end>")]),
            _ => Self::new(
                &questions("byte_fallback.json"),
                [json!("<s>"), json!("</s>")],
            ),
        }
    }

    fn try_ask(
        &self,
        task: &str,
        language: Language,
        scoring: Scoring,
    ) -> Result<LanguageAnswers, EvalError> {
        let task = tasks::task(task).expect("shipped");
        let dir = questions(&task.name);
        let asking = asking(task, scoring);
        let ask = Ask {
            model: "golden",
            adapter: None,
            task,
            dir: &dir,
            asking: &asking,
            tokens_per_batch: 512,
        };
        let answerer = Answerer {
            program: "test".to_owned(),
            numerics: "0".to_owned(),
            model_fingerprint: "golden".to_owned(),
            adapter_sha256: None,
            dtype: Precision::F32,
            device: "cpu".to_owned(),
            instruction_set: "any".to_owned(),
        };
        let respondent = Respondent {
            model: &self.model,
            tokenizer: &self.tokenizer,
            answerer: &answerer,
        };
        let mut journal =
            Journal::open(&self.folder.path().join("answers.jsonl")).expect("a journal");
        let answers = eval::ask(
            respondent,
            &ask,
            language,
            &mut Ahead::default(),
            &mut journal,
            &mut |_, _| true,
        );
        journal.remove().expect("removes");
        answers
    }

    fn ask(&self, task: &str, language: Language, scoring: Scoring) -> Vec<AnswerRecord> {
        let answers = self.try_ask(task, language, scoring);
        answers.expect("answers").records
    }

    fn refuse(&self, task: &str, language: Language, scoring: Scoring) -> String {
        let refused = self.try_ask(task, language, scoring);
        refused.expect_err("refused").to_string()
    }

    /// Prompts with each of their answers, as they are scored.
    fn texts(&self, task: &str, language: Language) -> Vec<Vec<String>> {
        let task = tasks::task(task).expect("shipped");
        let set = testset::load(&questions(&task.name), task, language, None).expect("loads");
        let asking = asking(task, Scoring::Sequence);
        let rendered = prompt::ask(&self.tokenizer, task, &set, &asking).expect("renders");
        let whole = |at: usize| {
            let (prompt, before) = (&rendered.prompts[at].text, &rendered.answer.before);
            let words = rendered.words_of(at).iter();
            words
                .map(|word| format!("{prompt}{before}{word}"))
                .collect()
        };
        (0..rendered.prompts.len()).map(whole).collect()
    }
}

fn asking(task: &Task, scoring: Scoring) -> Asking {
    Asking {
        labels: match task.text_choices().is_empty() {
            true => LabelSet::English,
            false => LabelSet::Same,
        },
        scoring,
        scorers: Scorers::All,
        protocol: None,
        few_shot: FewShot::Head(0),
        prompt: PromptForm::Plain,
        limit: None,
        greedy: 0,
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

// Promise: item scores are lm-eval's, within 1e-4 nats.
#[test]
fn item_scores_are_those_of_lm_eval() {
    let text = fs::read_to_string(questions("lm_eval.json")).expect("a golden file");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let (mut answers, mut largest) = (0, 0.0_f64);
    for kind in ["byte_level", "byte_fallback"] {
        let bench = Bench::of(kind);
        for case in cases.iter().filter(|case| case["tokenizer"] == kind) {
            let name = case["task"].as_str().expect("a name");
            let language: Language = case["language"]
                .as_str()
                .expect("a code")
                .parse()
                .expect("known");
            let items = list(&case["items"]);
            let task = tasks::task(name).expect("shipped");
            let records = bench.ask(name, language, Scoring::Sequence);
            assert_eq!(records.len(), items.len(), "{name} {language}");
            let texts = bench.texts(name, language);
            for ((record, item), texts) in records.iter().zip(items).zip(texts) {
                let place = format!("{kind} {name} {language} item {}", record.item);
                let wanted: Vec<String> = list(&item["continuations"])
                    .iter()
                    .map(|text| {
                        item["prompt"].as_str().unwrap_or("").to_owned()
                            + text.as_str().expect("text")
                    })
                    .collect();
                assert_eq!(texts, wanted, "{place}");
                for (label, expected) in task.labels.iter().zip(list(&item["log_probs"])) {
                    let difference = record.log_probs[label] - expected.as_f64().expect("a number");
                    largest = largest.max(difference.abs());
                    answers += 1;
                    assert!(difference.abs() < 1e-4, "{place} {label}: {difference}");
                }
            }
            for (scoring, measure) in [
                (Scoring::Sequence, "acc"),
                (Scoring::SequenceCharacters, "acc_norm"),
                (Scoring::SequenceBytes, "acc_bytes"),
            ] {
                let records = bench.ask(name, language, scoring);
                for (record, item) in records.iter().zip(items) {
                    if let Some(right) = item[measure].as_f64() {
                        let place = format!("{kind} {name} {language} item {}", record.item);
                        assert_eq!(record.correct, right == 1.0, "{place} {measure}");
                    }
                }
            }
        }
    }
    println!("{answers} answers, largest difference {largest:.1e} nats");
    assert_eq!(answers, 188);
}

// Promise: the letter of a choice that a question lacks has no measure and the score 0, and those
// of the others sum to 1.
#[test]
fn a_choice_that_is_lacking_is_not_scored() {
    let bench = Bench::of("byte_level");
    let records = bench.ask("mmlu_prox", Language::De, Scoring::Sequence);
    let [short, long] = records.as_slice() else {
        panic!("two questions");
    };
    assert_eq!(short.log_probs.keys().collect::<Vec<_>>(), ["A", "B", "C"]);
    assert_eq!((short.scores.len(), long.log_probs.len()), (10, 10));
    let total: f64 = short.log_probs.values().map(|log| log.exp()).sum();
    for (label, score) in &short.scores {
        let expected = short
            .log_probs
            .get(label)
            .map_or(0.0, |log| log.exp() / total);
        assert!(
            (score - expected).abs() < 1e-12,
            "{label}: {score}, {expected}"
        );
    }
    assert!(long.scores.values().all(|score| *score > 0.0));
    // One header for all, and the letters that each question offers.
    assert_eq!(short.domain_log_probs.len(), 3);
    let said = bench.refuse("mmlu_prox", Language::De, Scoring::Contextual);
    assert!(
        said.contains("scoring `contextual`: the questions have different answers"),
        "{said}"
    );
}

// Promise: lengths of an answer are those of its text, in bytes of UTF-8 and in characters, and
// where a scoring or answers of a question's own make them matter.
#[test]
fn lengths_are_of_the_texts() {
    let bench = Bench::of("byte_fallback");
    let records = bench.ask("multiblimp", Language::Ru, Scoring::SequenceMean);
    assert_eq!(
        (
            records[1].label_bytes["sen"],
            records[1].label_characters["sen"]
        ),
        (29, 16),
        "Река была тихой."
    );
    let records = bench.ask("sib200", Language::En, Scoring::Sequence);
    assert!(records[0].label_bytes.is_empty());
    let records = bench.ask("sib200", Language::En, Scoring::SequenceBytes);
    assert_eq!(records[0].label_bytes["travel"], 6);
}

// Promise: a sentence without a prompt follows the token that begins texts, or else the one that
// ends them; without either it is refused, and so is what would divide by a header.
#[test]
fn a_sentence_needs_a_token_before_it() {
    let bench = Bench::new(&questions("byte_level.json"), [Value::Null, Value::Null]);
    let said = bench.refuse("multiblimp", Language::De, Scoring::Sequence);
    assert!(
        said.contains("there is no token that begins or ends a text"),
        "{said}"
    );
    let said = Bench::of("byte_level").refuse("multiblimp", Language::De, Scoring::Pmi);
    assert!(
        said.contains("scoring `pmi`: the task has no prompt"),
        "{said}"
    );
    let both = Bench::new(
        &questions("byte_fallback.json"),
        [json!("<s>"), json!("</s>")],
    );
    let end = Bench::new(
        &questions("byte_fallback.json"),
        [Value::Null, json!("</s>")],
    );
    let of = |bench: &Bench| {
        let records = bench.ask("multiblimp", Language::De, Scoring::Sequence);
        (records[0].prompt_tokens, records[0].log_probs["sen"])
    };
    let (tokens, begun) = of(&both);
    let (same, ended) = of(&end);
    assert_eq!((tokens, same), (1, 1));
    assert!(
        (begun - ended).abs() > 1e-6,
        "another token begins the text"
    );
}
