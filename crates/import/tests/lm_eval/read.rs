//! What lm-eval's samples become.

use import::lm_eval::samples::{self, Samples};
use schema::{AnswerRecord, Scoring};

use super::*;

const DATE: &str = "2026-01-02T03-04-05.678901";

/// A folder of one model's output, with results that name the model so.
fn output(model_args: &Value, files: &[(&str, Vec<Value>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let results =
        json!({"config": {"model_args": model_args}, "model_name": "m", "n-shot": {"xnli_de": 4}});
    schema::write_whole(
        &folder.path().join(format!("m/results_{DATE}.json")),
        results.to_string().as_bytes(),
    )
    .expect("writes");
    for (task, lines) in files {
        write_lines(
            &folder.path().join(format!("m/samples_{task}_{DATE}.jsonl")),
            lines,
        );
    }
    folder
}

fn read(path: &Path) -> Samples {
    samples::read(path, None).unwrap_or_else(|error| panic!("{error}"))
}

/// The records of a file of samples of this task's name.
fn records(task: &str, lines: Vec<Value>) -> Vec<AnswerRecord> {
    let folder = output(&json!("pretrained=org/m,dtype=float32"), &[(task, lines)]);
    read(folder.path())
        .records
        .into_iter()
        .map(|(.., record)| record)
        .collect()
}

fn pair(doc_id: usize, first: (&str, f64), second: (&str, f64), target: &str) -> Value {
    sample(doc_id, json!({"sentence": "..."}), &[first, second], target)
}

#[test]
fn what_lm_eval_made_of_our_task_is_ours_again() {
    let found = read(Path::new(GOLDEN));
    assert_eq!(found.notes, Vec::<String>::new());
    let lines = json_lines(&golden("samples_snli_th"));
    assert_eq!(found.records.len(), 6);
    let (path, line, record) = &found.records[4];
    assert_eq!((path, *line), (&golden("samples_snli_th"), 2));
    assert_eq!(
        (record.model.as_str(), &record.adapter, record.task.as_str()),
        ("./smollm2", &None, "snli")
    );
    assert_eq!(
        (record.language, record.item, record.few_shot.as_str()),
        (Language::Th, 3, "head:2")
    );
    assert_eq!(
        (record.labels, record.protocol, record.scoring),
        (LabelSet::English, None, Scoring::Sequence)
    );
    for (index, (.., record)) in found.records[3..].iter().enumerate() {
        assert_eq!(record.correct, lines[index]["acc"] == 1.0);
        assert_eq!(record.gold, lines[index]["doc"]["label"]);
        for (at, name) in ["entailment", "neutral", "contradiction"]
            .into_iter()
            .enumerate()
        {
            let said: f64 = lines[index]["resps"][at][0][0]
                .as_str()
                .expect("a text")
                .parse()
                .expect("a number");
            assert_eq!(record.log_probs[name], said);
        }
        assert!((record.scores.values().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn every_way_to_name_the_samples_is_read() {
    let lines = vec![pair(0, (" Ja", -1.0), (" Nein", -2.0), "0")];
    let folder = output(
        &json!("pretrained=org/m"),
        &[("a_de", lines.clone()), ("b_de", lines.clone())],
    );
    let below = folder.path().join("m");
    let tasks = |path: &Path| -> Vec<String> {
        read(path)
            .records
            .into_iter()
            .map(|(.., r)| r.task)
            .collect()
    };
    assert_eq!(tasks(folder.path()), ["a", "b"]);
    assert_eq!(tasks(&below), ["a", "b"]);
    assert_eq!(
        tasks(&below.join(format!("results_{DATE}.json"))),
        ["a", "b"]
    );
    assert_eq!(
        tasks(&below.join(format!("samples_b_de_{DATE}.jsonl"))),
        ["b"]
    );
    assert_eq!(
        samples::read(&below, Some("b"))
            .expect("reads")
            .records
            .len(),
        1
    );
    // A task that cannot be compared is no matter where another one is wanted.
    let generated =
        json!({"doc_id": 0, "doc": {}, "target": "4", "arguments": {}, "resps": [["4"]]});
    write_lines(
        &below.join(format!("samples_gsm8k_{DATE}.jsonl")),
        &[generated],
    );
    assert_eq!(
        samples::read(&below, Some("b"))
            .expect("reads")
            .records
            .len(),
        1
    );
    fs::remove_file(below.join(format!("samples_gsm8k_{DATE}.jsonl"))).expect("there");
    // Of two runs the newer one counts.
    let older = "2025-01-02T03-04-05.678901";
    write_lines(
        &below.join(format!("samples_b_de_{older}.jsonl")),
        &[lines[0].clone(), lines[0].clone()],
    );
    let found = read(folder.path());
    assert_eq!(found.records.len(), 2);
    assert!(
        found.notes[0].ends_with("older than another file of its task, not read"),
        "{:?}",
        found.notes
    );
    for (name, is) in [("x.jsonl", true), ("y.jsonl", false)] {
        let line = if is {
            lines[0].clone()
        } else {
            json!({"model": "m", "item": 1})
        };
        write_lines(&folder.path().join(name), &[line]);
        assert_eq!(
            samples::is_lm_eval(&folder.path().join(name)).expect("readable"),
            is
        );
    }
}

#[test]
fn answers_get_the_label_names_of_a_known_task() {
    let three = |words: [&str; 3]| {
        let answers = [(words[0], -3.0), (words[1], -2.0), (words[2], -1.0)];
        records(
            "snli_de",
            vec![sample(7, json!({"premise": "..."}), &answers, "2")],
        )
        .remove(0)
    };
    let record = three([" Konsequenz\"", " neutral\"", " Widerspruch\""]);
    assert_eq!(
        (record.gold.as_str(), record.chosen.as_str(), record.labels),
        ("contradiction", "contradiction", LabelSet::Same)
    );
    assert_eq!(
        (record.item, record.few_shot.as_str(), record.model.as_str()),
        (7, "lm-eval:unknown", "org/m")
    );
    // In another order.
    let record = three(["contradiction", "entailment", "neutral"]);
    assert_eq!(
        (record.gold.as_str(), record.labels),
        ("neutral", LabelSet::English)
    );
    assert_eq!(record.log_probs["contradiction"], -3.0);
    // Unknown words are their own names.
    let record = three(["a", "b", "c"]);
    assert_eq!(
        (record.gold.as_str(), record.labels),
        ("c", "lm-eval".parse().expect("a set"))
    );
}

#[test]
fn answers_that_differ_by_row_are_called_by_their_place() {
    let lines = vec![
        pair(0, (" one", -1.0), (" two", -2.0), "0"),
        pair(1, (" three", -1.0), (" four", -0.5), "0"),
    ];
    let found = records("arc_challenge_fr", lines.clone());
    assert_eq!(
        (found[0].task.as_str(), found[0].language),
        ("arc_challenge", Language::Fr)
    );
    let found: Vec<_> = found
        .iter()
        .map(|r| (r.gold.as_str(), r.chosen.as_str(), r.correct))
        .collect();
    assert_eq!(
        found,
        [("choice1", "choice1", true), ("choice1", "choice2", false)]
    );
    let found = records("xstorycloze_sw", lines);
    assert_eq!(
        (found[0].labels, found[0].gold.as_str()),
        (
            LabelSet::Same,
            tasks::task("xstorycloze").expect("shipped").labels[0].as_str()
        )
    );
}

#[test]
fn the_language_is_found_or_it_is_said() {
    let line = pair(0, ("a", -1.0), ("b", -2.0), "0");
    assert_eq!(
        records("belebele_deu_Latn", vec![line.clone()])[0].language,
        Language::De
    );
    let mut found = line.clone();
    found["doc"] = json!({"language": "sw"});
    assert_eq!(records("topics", vec![found])[0].language, Language::Sw);
    let folder = output(
        &json!({"pretrained": "org/m", "peft": "adapters/x"}),
        &[("hellaswag", vec![line])],
    );
    let found = read(folder.path());
    let record = &found.records[0].2;
    assert_eq!(
        (record.task.as_str(), record.language),
        ("hellaswag", Language::En)
    );
    assert_eq!(
        (record.model.as_str(), record.adapter.as_deref()),
        ("org/m", Some("adapters/x"))
    );
    assert!(
        found.notes[0].ends_with("neither its name nor its rows give a language; taken as English"),
        "{:?}",
        found.notes
    );
}

#[test]
fn other_forms_of_the_same_are_read() {
    // A target in words, numbers as numbers, arguments as pairs, as older versions have them.
    let mut old = pair(0, (" yes", -1.0), (" no", -2.0), "no");
    old["arguments"] = json!([["Question", " yes"], ["Question", " no"]]);
    old["resps"] = json!([[[-1.0, false]], [[-2.0, true]]]);
    let found = records("boolq_en", vec![old]);
    assert_eq!(
        (
            found[0].gold.as_str(),
            found[0].correct,
            found[0].log_probs["yes"]
        ),
        ("no", false, -1.0)
    );
    // The second half are the answers by themselves.
    let mut informed = sample(
        0,
        json!({}),
        &[("a", -1.0), ("b", -2.0), ("a", -9.0), ("b", -0.1)],
        "0",
    );
    informed["acc_mutual_info"] = json!(0.0);
    informed["acc"] = json!(1.0);
    assert_eq!(records("x_en", vec![informed])[0].scores.len(), 2);
    // The first of equals, as there.
    let tied = records("x_en", vec![pair(0, ("a", -1.0), ("b", -1.0), "0")]).remove(0);
    assert_eq!(
        (tied.chosen.as_str(), tied.tied, tied.correct),
        ("a", true, true)
    );
    // One sample for each filter; without results the folder is the model.
    let mut filtered = pair(0, ("a", -1.0), ("b", -2.0), "0");
    filtered["filter"] = json!("second");
    let folder = output(&Value::Null, &[]);
    let path = folder
        .path()
        .join(format!("alone/samples_x_en_{DATE}.jsonl"));
    write_lines(
        &path,
        &[
            pair(0, ("a", f64::NEG_INFINITY), ("b", -2.0), "0"),
            filtered,
        ],
    );
    let found = read(&path);
    assert_eq!(
        (found.records.len(), found.records[0].2.model.as_str()),
        (1, "alone")
    );
    assert_eq!(found.records[0].2.scores["b"], 1.0);
    assert!(
        found.notes[0]
            .ends_with("no results beside it; `alone`, its folder, is taken as the model"),
        "{:?}",
        found.notes
    );
}
