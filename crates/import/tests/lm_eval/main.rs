//! Files of lm-evaluation-harness: what is written for it, what is read of it, what is refused.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use data::{prompt, tasks, testset};
use import::lm_eval::{self, Doc};
use schema::{Asking, FewShot, LabelSet, Language, PromptForm, Protocol, Scorers, Scoring, Task};
use serde_json::{Value, json};

mod export;
mod read;
mod refused;
mod written;

/// Made by lm-eval from three items of `assets/mini` in German and Thai: `read_by_lm_eval.py
/// --golden`.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/lm_eval");
const MINI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini");

fn few_shot(text: &str) -> FewShot {
    text.parse().expect("a source of exemplars")
}

/// As the paper scores, without anything that lm-eval does not do.
fn asking(labels: LabelSet, shots: &str, protocol: Option<Protocol>) -> Asking {
    Asking {
        labels,
        scoring: Scoring::Prefix,
        scorers: Scorers::All,
        protocol,
        few_shot: few_shot(shots),
        prompt: PromptForm::Plain,
        limit: None,
        greedy: 0,
    }
}

/// The questions of one language; every third item shares a text with the one before it.
fn docs(
    dir: &Path,
    task: &Task,
    language: Language,
    how: (LabelSet, &str, Option<Protocol>),
) -> Vec<Doc> {
    let (labels, shots, protocol) = how;
    let asking = asking(labels, shots, protocol);
    let set = testset::load(dir, task, language, protocol).expect("sound");
    let rendered = prompt::render(task, &set, &asking.few_shot, labels).expect("renders");
    lm_eval::docs(task, &asking, &rendered, &BTreeMap::new())
}

/// The only file in the golden folder that begins so.
fn golden(start: &str) -> PathBuf {
    let entries = fs::read_dir(GOLDEN)
        .expect("lists")
        .map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = entries
        .filter(|path| {
            path.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with(start))
        })
        .collect();
    assert_eq!(found.len(), 1, "{start}: {found:?}");
    found.remove(0)
}

fn json_lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON")
}

/// A sample as lm-eval 0.4.13 writes it.
fn sample(doc_id: usize, doc: Value, answers: &[(&str, f64)], target: &str) -> Value {
    let arguments: serde_json::Map<String, Value> = answers
        .iter()
        .enumerate()
        .map(|(at, (text, _))| {
            (
                format!("gen_args_{at}"),
                json!({"arg_0": "Question", "arg_1": text}),
            )
        })
        .collect();
    let responses: Vec<Value> = answers
        .iter()
        .map(|(_, log)| json!([log.to_string(), "False"]))
        .collect();
    let best = (0..answers.len()).fold(0, |best, at| {
        if answers[at].1 > answers[best].1 {
            at
        } else {
            best
        }
    });
    json!({
        "doc_id": doc_id, "doc": doc, "target": target, "arguments": arguments,
        "resps": responses.iter().map(|response| json!([response])).collect::<Vec<_>>(),
        "filtered_resps": responses, "filter": "none", "metrics": ["acc"], "doc_hash": "00", "prompt_hash": "00",
        "target_hash": "00", "acc": if target == best.to_string() { 1.0 } else { 0.0 },
    })
}

fn write_lines(path: &Path, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    schema::write_whole(path, text.as_bytes()).expect("writes");
}

fn snli() -> &'static Task {
    tasks::task("snli").expect("shipped")
}
