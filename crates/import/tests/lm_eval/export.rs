//! What lm-eval is given to ask.

use import::lm_eval::export;
use schema::Label;

use super::*;

const DATE: &str = "2026-01-02T03-04-05.678901";

fn folder_of(rows: &[(&str, &str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let items: Vec<Value> = rows
        .iter()
        .map(|(p, h, a)| json!({"premise": p, "hypothesis": h, "answer": a}))
        .collect();
    let path = folder
        .path()
        .join(format!("snli/snli_de{}_test.json", rows.len()));
    schema::write_whole(&path, json!(items).to_string().as_bytes()).expect("writes");
    folder
}

#[test]
fn a_task_is_a_yaml_with_its_rows_and_the_group_of_all() {
    let folder = folder_of(&[
        ("Es regnet.", "Es ist nass.", "Konsequenz"),
        ("Er „liest“.", "Er\tschläft.", "Widerspruch"),
    ]);
    let asking = asking(LabelSet::Same, "head:1", None);
    let rows = docs(
        folder.path(),
        snli(),
        Language::De,
        (LabelSet::Same, "head:1", None),
    );
    let out = folder.path().join("out");
    let files = export::write(&out, "mine", &asking, &[(Language::De, rows)]).expect("writes");
    let names: Vec<_> = files
        .iter()
        .map(|file| {
            file.strip_prefix(&out)
                .expect("below")
                .display()
                .to_string()
        })
        .collect();
    assert_eq!(names, ["mine_de.jsonl", "mine_de.yaml", "mine.yaml"]);
    let yaml = format!(
        r#"# Written by `lingualign data lm-eval`; the prompts are in the data, exemplars included.
task: "mine_de"
dataset_path: "json"
dataset_kwargs:
  data_files:
    test: {:?}
test_split: "test"
output_type: "multiple_choice"
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "gold"
target_delimiter: ""
num_fewshot: 0
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
  labels: "same"
  few_shot: "head:1"
  protocol: "none"
"#,
        out.join("mine_de.jsonl")
    );
    assert_eq!(fs::read_to_string(&files[1]).expect("written"), yaml);
    let group = "# Written by `lingualign data lm-eval`.\ngroup: \"mine\"\ntask:\n  - \"mine_de\"\naggregate_metric_list:\n  \
                 - metric: acc\n    aggregation: mean\n    weight_by_size: true\nmetadata:\n  version: 1.0\n";
    assert_eq!(fs::read_to_string(&files[2]).expect("written"), group);
    let row = json!({
        "item": 1, "group": null, "language": "de", "task": "snli", "label_set": "same", "few_shot": "head:1",
        "protocol": null, "labels": ["entailment", "neutral", "contradiction"], "label": "contradiction",
        "choices": ["Konsequenz", "neutral", "Widerspruch"], "gold": 2,
        "prompt": "Prämisse: Es regnet.\nHypothese: Es ist nass.\nAntwort: \"Konsequenz\"\nPrämisse: Er „liest“.\nHypothese: Er\tschläft.\nAntwort: \"",
    });
    assert_eq!(
        fs::read_to_string(&files[0]).expect("written"),
        format!("{row}\n"),
        "the order of the keys too"
    );
}

#[test]
fn a_word_that_begins_another_is_found_by_the_quote() {
    let folder = folder_of(&[("a", "b", "neutral")]);
    let mut task = snli().clone();
    task.label_sets.insert(
        "parts".into(),
        BTreeMap::from([(
            "all".into(),
            ["sea", "seal", "x"].map(String::from).to_vec(),
        )]),
    );
    let with = |labels: LabelSet| {
        docs(folder.path(), &task, Language::De, (labels, "zero", None))
            .remove(0)
            .choices
    };
    assert_eq!(
        with("parts".parse().expect("a set")),
        ["sea\"", "seal\"", "x\""]
    );
    assert_eq!(with(LabelSet::Agnostic), ["ox", "horse", "sheep"]);
}

#[test]
fn answers_that_are_texts_are_each_rows_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = json!({"premise": "P.", "choice1": "eins", "choice2": "zwei", "question": "cause", "label": 1});
    write_lines(&folder.path().join("data/it/test.it.jsonl"), &[row]);
    let task = tasks::task("xcopa").expect("shipped");
    let row = docs(
        folder.path(),
        task,
        Language::It,
        (LabelSet::Same, "zero", None),
    )
    .remove(0);
    assert_eq!(
        (row.choices, row.labels, row.gold),
        (vec!["eins".into(), "zwei".into()], task.labels.clone(), 1)
    );
}

#[test]
fn what_cannot_be_right_is_wrong_there_too() {
    let mut task = snli().clone();
    let row = task.languages.get_mut(&Language::De).expect("German");
    row.released_words
        .insert("Folge".to_owned(), "entailment".to_owned());
    let folder = folder_of(&[("a", "b", "neutral"), ("a", "c", "Folge")]);
    let rows = docs(
        folder.path(),
        &task,
        Language::De,
        (LabelSet::English, "zero", Some(Protocol::Paper)),
    );
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.gold, row.label.as_str()))
        .collect();
    assert_eq!(found, [(1, "neutral"), (-1, "entailment")]);
    assert_eq!(task.label_name(Label(0)), "entailment");
}

#[test]
fn a_name_that_lm_eval_would_take_for_several_is_refused() {
    let asking = asking(LabelSet::English, "zero", None);
    for name in ["a,b", "a*", "", "../a", ".a"] {
        let error = export::write(Path::new(DATE), name, &asking, &[])
            .expect_err("refused")
            .to_string();
        let wanted = format!(
            "task name `{name}`: is not a name for lm-eval's files; use letters, digits, `-` and `_`"
        );
        assert_eq!(error, wanted);
    }
    assert!(!Path::new(DATE).exists());
}
