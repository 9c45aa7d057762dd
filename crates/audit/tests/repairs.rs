//! Every shipped repair is justified by what the audit says: of a fixture with the released
//! files' defects, which this test makes, it says the very words that stand beside the repair.

use std::{fs, path::Path};

use data::{repairs, tasks};
use schema::{Language, Task};
use serde_json::{Value, json};

/// Items of a file of the released set, and of each label.
const ITEMS: usize = 600;

/// Golds in the order of the labels, but the first is the second label's, as in the released
/// set.
fn golds() -> impl Iterator<Item = usize> {
    (0..ITEMS).map(|item| (item + 1) % 3)
}

fn write(dir: &Path, task: &Task, language: Language, words: [&str; 3]) {
    let fields = |item: usize| {
        let text = |field: &String| (field.clone(), json!(format!("{field} {item}.")));
        task.fields
            .iter()
            .map(text)
            .collect::<serde_json::Map<String, Value>>()
    };
    let item = |(item, gold): (usize, usize)| {
        let mut object = fields(item);
        object.insert("answer".to_owned(), json!(words[gold]));
        Value::from(object)
    };
    let items: Vec<Value> = golds().enumerate().map(item).collect();
    let folder = dir.join(&task.folder);
    fs::create_dir_all(&folder).expect("creates");
    let name = format!("{}_{language}{ITEMS}_test.json", task.name);
    fs::write(folder.join(name), serde_json::to_vec(&items).expect("JSON")).expect("writes");
}

#[test]
fn the_evidence_of_every_repair_is_what_the_audit_finds() {
    let folder = tempfile::tempdir().expect("a folder");
    let task = tasks::task("snli").expect("shipped");
    write(
        folder.path(),
        task,
        Language::En,
        ["entailment", "neutral", "contradiction"],
    );
    write(folder.path(), task, Language::Ja, ["含意", "中性", "矛盾"]);
    write(
        folder.path(),
        task,
        Language::Bn,
        ["ধারণ করে", "নিরপেক্ষ", "দ্বন্দ্ব"],
    );
    write(
        folder.path(),
        task,
        Language::No,
        ["entailment", "motsigelse", "nøytral"],
    );
    let scope = audit::Scope::of_folder(folder.path(), Some("snli")).expect("a scope");
    let findings = audit::audit(&scope, &mut |_, _, _| true)
        .expect("an audit")
        .findings;
    let repairs = repairs::all().expect("shipped");
    assert_eq!(repairs.len(), 3);
    for repair in repairs {
        let found: Vec<&str> = findings
            .iter()
            .filter(|f| (f.task.as_str(), f.language) == (repair.task, repair.language))
            .map(|f| f.evidence.as_str())
            .collect();
        assert!(
            found.contains(&repair.evidence),
            "{} {}: {found:#?}",
            repair.task,
            repair.language
        );
    }
}
