//! `lingualign compare A.jsonl B.jsonl`: two files of answers, item by item.

use std::path::{Path, PathBuf};

use schema::LabelSet;

use crate::{
    answers::{AnswerSet, check_comparable},
    change::{Changes, measure_changes},
    error::ReportError,
    findings::describe_setting,
    measure::{find_never_right, measure},
    tables::of_changes,
};

/// What changes from one file of answers to another.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The first file: "before".
    pub a: PathBuf,
    /// The second file: "after".
    pub b: PathBuf,
    /// Task of both.
    pub task: String,
    /// Label set of both.
    pub labels: LabelSet,
    /// In what else the two evaluations differ (model, adapter, scoring, ...), in words.
    pub differences: Vec<String>,
    /// Languages that only one file has, in words.
    pub gaps: Vec<String>,
    /// The paired statistics.
    pub changes: Changes,
}

/// Compares the answers in two files. Each must hold the answers of one model to one task with one label set, in any
/// number of languages; items must be the same, and gold labels too unless the protocols differ.
///
/// # Errors
/// A broken file, or files that cannot be compared; the message says where they differ.
pub fn compare(a: &Path, b: &Path) -> Result<Comparison, ReportError> {
    let read = |path: &Path| {
        let set = AnswerSet::read(&[path.to_owned()], |_, _| None)?;
        set.ok_or_else(|| ReportError::Nothing(path.to_owned()))
    };
    let (before, after) = (read(a)?, read(b)?);
    let languages = check_comparable(&before, &after)?;
    let never_right = find_never_right([&before, &after]);
    let of_before = measure(&before, &never_right);
    let of_after = measure(&after, &never_right);
    let gap = |set: &AnswerSet, path: &Path| {
        let missing: Vec<&str> = set.languages.keys().filter(|l| !languages.contains(l)).map(|l| l.code()).collect();
        (!missing.is_empty()).then(|| format!("only {} has {}; not compared", path.display(), missing.join(", ")))
    };
    Ok(Comparison {
        a: a.to_owned(),
        b: b.to_owned(),
        task: before.head.task.clone(),
        labels: before.head.labels,
        differences: before.head.differences(&after.head).into_iter().map(|(_, difference)| difference).collect(),
        gaps: [gap(&before, a), gap(&after, b)].into_iter().flatten().collect(),
        changes: measure_changes(&before.label_names, &languages, &of_before, &[&of_after], &[]),
    })
}

impl Comparison {
    /// Files, differences, table and findings; ends with a line feed.
    pub fn render_text(&self) -> String {
        let table = of_changes(String::new(), &self.changes).to_text();
        let findings = describe_setting(&self.changes);
        let tiles = findings.tiles.iter().map(|t| format!("{}: {} → {} ({})\n", t.name, t.before, t.after, t.change));
        let tiles: String = tiles.collect();
        let list =
            |name: &str, lines: &[String]| -> String { lines.iter().map(|line| format!("{name}: {line}\n")).collect() };
        let (differences, gaps) = (list("differs", &self.differences), list("missing", &self.gaps));
        let details = findings.details.join("\n");
        format!(
            "{}, {} labels\nbefore: {}\nafter:  {}\n{differences}{gaps}\n{table}\n{tiles}{}\n{details}\n",
            self.task,
            self.labels,
            self.a.display(),
            self.b.display(),
            findings.verdict
        )
    }
}
