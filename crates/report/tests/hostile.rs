//! What the data, the recipe and the models say is shown, and steers neither the page nor what
//! reads its Markdown; the page says what makes its numbers worth less.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::fs;

use fabricate::{BASE, EMOTION, answers, lines, put};
use schema::{
    AnswerRecord, LabelSet, Language, StepRecord, record::TrainRecord, run_folder::RunFolder,
};

const TITLE: &str = "# <script>alert(1)</script> [click](javascript:x) \u{202e}gnp.exe\n## Two";
const LABEL: &str = "<img src=x onerror=alert(1)>|\u{202e}\\input{x}";

/// A run whose title and labels are hostile, whose base model always says one label, and whose
/// training trained nothing.
fn hostile_run(run: &RunFolder) {
    let renamed = |label: &String| match label.as_str() {
        "negative" => LABEL.to_owned(),
        other => other.to_owned(),
    };
    let records = answers(&EMOTION, Language::En, BASE, None);
    let records: Vec<AnswerRecord> = records
        .into_iter()
        .map(|record| AnswerRecord {
            scores: [(LABEL.to_owned(), 0.2), ("positive".to_owned(), 0.3)].into(),
            prior: Default::default(),
            chosen: "positive".to_owned(),
            correct: record.gold == "positive",
            gold: renamed(&record.gold),
            ..record
        })
        .collect();
    let file = run.answers(
        "base",
        "emotion",
        &LabelSet::English.to_string(),
        Language::En,
    );
    put(&file, &lines(&records));
    let step = TrainRecord::Step(StepRecord {
        step: 1,
        epoch: 0.1,
        loss: 2.0,
        learning_rate: 0.0,
        grad_norm: 1.0,
        tokens: 100,
        target_tokens: 60,
        seconds: 0.5,
    });
    put(&run.train_log("emotion.zh-en.seed1"), &lines(&[step]));
    let manifest = serde_json::json!({
        "recipe": {"title": TITLE, "name": "<b>name</b>", "model": "[m](u)"},
        "stages": {"train.emotion.zh-en.seed1": {"notes": {"cut_examples": 7}}},
    });
    put(&run.manifest(), &manifest.to_string());
}

#[test]
fn nothing_hostile_reaches_the_page_or_its_markdown() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    hostile_run(&run);
    let summary = report::write(&run).expect("a report");
    let read = |name: &str| fs::read_to_string(run.report().join(name)).expect("reads");
    let (html, markdown) = (read("index.html"), read("report.md"));
    for (name, page) in [("html", &html), ("md", &markdown)] {
        for odd in ["<script>alert", "<img", "<b>", "\u{202e}"] {
            assert!(!page.contains(odd), "{name}: {odd}");
        }
        assert!(page.contains("\\u{202e}gnp.exe"), "{name}: shown");
    }
    assert!(markdown.starts_with("# \\# &lt;script>alert(1)&lt;/script> [click]\\(javascript:x) "));
    assert!(!markdown.contains("\n## Two") && !markdown.contains("](javascript"));
    let scripts = html.matches("<script").count();
    assert_eq!(
        (scripts, markdown.matches("<script").count()),
        (1, 0),
        "our own"
    );
    let policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'sha256-";
    let rest =
        "'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">";
    assert!(html.contains(rest));
    assert!(html.contains(policy));
    for caveat in [
        "one label for every item in en: each answer is `positive`",
        "emotion.zh-en.seed1: nothing was trained: the learning rate was 0 in every update",
        "so that the model does not see their ends: 7",
    ] {
        assert!(
            html.contains(caveat) && markdown.contains(caveat),
            "{caveat}"
        );
    }
    let text = summary.render_text();
    assert!(
        text.contains("note: emotion.zh-en.seed1: nothing was trained"),
        "{text}"
    );
}

#[test]
fn remarks_on_the_run_come_first_and_a_stop_is_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    hostile_run(&run);
    let remarks = ["The run is not finished.".to_owned()];
    let summary = report::write_unless(&run, &remarks, &|| false).expect("a report");
    assert_eq!(summary.gaps[0], remarks[0]);
    let stopped = report::write_unless(&run, &[], &|| true);
    let stopped = stopped.expect_err("stopped").to_string();
    assert_eq!(stopped, "interrupted; nothing was written");
}

#[test]
fn numbers_that_no_training_writes_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    hostile_run(&run);
    let log = run.train_log("emotion.zh-en.seed1");
    let line = fs::read_to_string(&log).expect("reads");
    put(&log, &line.replace("\"loss\":2.0", "\"loss\":1e300"));
    let error = report::write(&run).expect_err("refused").to_string();
    assert!(
        error.contains(":1: `loss` is 1") && error.contains("not between 0 and 1000000"),
        "{error}"
    );
}
