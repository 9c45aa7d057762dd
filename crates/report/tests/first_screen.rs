//! What is seen first: the verdict, three numbers, what the answers look like, what the sample can
//! detect; a line each where there is more than one comparison.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::fs;

use fabricate::{BASE, EMOTION, Mind, answers, lines, put, put_answers, put_run};
use schema::{
    AnswerRecord, Language,
    record::{TrainRecord, ValidationRecord},
    run_folder::RunFolder,
};

const LANGUAGES: [Language; 3] = [Language::En, Language::De, Language::Sw];

fn page(run: &RunFolder) -> String {
    report::write(run).expect("a report");
    fs::read_to_string(run.report().join("index.html")).expect("written")
}

/// The header: all before the first section.
fn first_screen(page: &str) -> &str {
    page.split("<nav ").next().expect("a part")
}

fn one_setting(before: Mind, after: Mind) -> (tempfile::TempDir, RunFolder) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    put_answers(&run, "base", &EMOTION, &LANGUAGES, before);
    put_answers(&run, "emotion.zh-de-en.seed1", &EMOTION, &LANGUAGES, after);
    (folder, run)
}

/// Every answer of a model is `positive`.
fn answer_positive(run: &RunFolder, model: &str, language: Language) {
    let adapter = (model != "base").then_some(model);
    let records = answers(&EMOTION, language, BASE, adapter).into_iter();
    let records: Vec<AnswerRecord> = records
        .map(|mut record| {
            record.scores.insert("positive".to_owned(), 0.9);
            record.scores.insert("negative".to_owned(), 0.05);
            record.chosen = "positive".to_owned();
            record.correct = record.gold == "positive";
            record
        })
        .collect();
    put(
        &run.answers(model, "emotion", "english", language),
        &lines(&records),
    );
}

#[test]
fn a_gain_is_better_in_blue_with_three_numbers() {
    let better = Mind {
        separation: 2.5,
        ..BASE
    };
    let (_folder, run) = one_setting(BASE, better);
    let page = page(&run);
    let first = first_screen(&page);
    assert!(
        first.contains("<b class=\"word rise\">Better</b>: accuracy rises by "),
        "{first}"
    );
    assert!(first.contains(" points on average over 3 languages."));
    assert!(first.contains("learning to translate questions from Chinese and German into English"));
    assert_eq!(first.matches("class=\"number\"").count(), 3);
    assert!(first.contains("This test can detect a change of "));
    assert!(
        !page.contains("id=\"overview\""),
        "of one comparison all is said"
    );
}

#[test]
fn what_was_taught_is_told_by_the_pairs_held_back() {
    let (_folder, run) = one_setting(BASE, BASE);
    assert!(
        !first_screen(&page(&run)).contains("translate: on pairs held back"),
        "no log"
    );
    let at = |step, loss| {
        TrainRecord::Validation(ValidationRecord {
            step,
            loss,
            best: false,
        })
    };
    let log = run.train_log("emotion.zh-de-en.seed1");
    put(&log, &lines(&[at(0, 3.76), at(5, 2.891), at(10, 3.2)]));
    let learnt = "It learnt to translate: on pairs held back from training the loss falls from 3.76 to 2.89 nats";
    assert!(first_screen(&page(&run)).contains(learnt));
    put(&log, &lines(&[at(0, 3.76), at(5, 4.0)]));
    assert!(first_screen(&page(&run)).contains("It did not learn to translate"));
}

#[test]
fn a_loss_is_worse_and_no_change_is_grey() {
    let worse = Mind {
        separation: -1.5,
        ..BASE
    };
    let (_folder, run) = one_setting(BASE, worse);
    assert!(page(&run).contains("<b class=\"word fall\">Worse</b>: accuracy falls by "));
    let (_folder, run) = one_setting(BASE, BASE);
    let same = page(&run);
    assert!(same.contains(
        "<b class=\"word unclear\">Not shown</b>: not one answer became right or wrong."
    ));
    assert!(same.contains("What this test can detect is unknown"));
}

#[test]
fn one_answer_to_everything_is_counted_in_the_first_screen() {
    let (_folder, run) = one_setting(BASE, BASE);
    answer_positive(&run, "base", Language::De);
    answer_positive(&run, "base", Language::Sw);
    answer_positive(&run, "emotion.zh-de-en.seed1", Language::Sw);
    let page = page(&run);
    let first = first_screen(&page);
    let expected =
        "It answers “positive” to every question in 2 of 3 languages before and 1 after.";
    assert!(first.contains(expected), "{first}");
    assert!(
        first.contains("one label for every item in de, sw"),
        "{first}"
    );
}

#[test]
fn several_comparisons_have_a_line_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = put_run(folder.path(), &LANGUAGES);
    let page = page(&run);
    let first = first_screen(&page);
    let rows = first.matches("<tr><th scope=\"row\">").count();
    assert_eq!(rows, 3, "{first}");
    assert!(first.contains(" of 3 comparisons.") && !first.contains("class=\"number\""));
    for link in first.split("href=\"#").skip(1) {
        let id = link.split('"').next().expect("an address");
        assert!(page.contains(&format!("id=\"{id}\"")), "{id} is nowhere");
    }
    assert!(page.contains("id=\"overview\""));
}
