//! Records are checked before they are used: what is broken is named by file and line, and what
//! says nothing is said to say nothing.

mod fabricate;

use std::path::Path;

use compare::{CheckedAnswers, CompareError, Comparison, NamedAnswers};
use fabricate::{BASE, EMOTION, Mind, answers, lines, put};
use schema::{AnswerRecord, Language, Scoring};

/// Answers with every measure, in English.
fn measured(adapter: Option<&str>) -> Vec<AnswerRecord> {
    let mut records = answers(&EMOTION, Language::En, BASE, adapter);
    for record in &mut records {
        record.prefix_scores = record.scores.clone();
        record.log_probs = record
            .scores
            .iter()
            .map(|(label, score)| (label.clone(), score.ln()))
            .collect();
        record.label_tokens = record
            .scores
            .keys()
            .map(|label| (label.clone(), 2))
            .collect();
        record.prior_log_probs = record.log_probs.clone();
        record.domain_log_probs = record.log_probs.clone();
    }
    records
}

fn compare_files(a: &Path, b: &Path) -> Result<Comparison, CompareError> {
    let read = |path| CheckedAnswers::read(path, None, &|| false);
    compare::compare_checked(read(a)?, read(b)?, &|| false)
}

/// What is said of answers of which those in the fourth line were broken.
fn refuse(break_it: impl Fn(&mut AnswerRecord)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
    let mut broken = measured(Some("x"));
    break_it(&mut broken[3]);
    put(&a, &lines(&measured(None)));
    put(&b, &lines(&broken));
    let error = compare_files(&a, &b).expect_err("refused").to_string();
    let place = format!("{}:4: ", b.display());
    assert!(error.starts_with(&place), "{error}");
    error[place.len()..].to_owned()
}

#[test]
fn broken_records_are_named_and_nothing_panics() {
    let said = refuse(|record| record.log_probs.clear());
    assert!(
        said.contains("item 3 of `en` has no `log_probs`, item 0 has them"),
        "{said}"
    );
    for name in [
        "log_probs",
        "prefix_scores",
        "prior_log_probs",
        "domain_log_probs",
        "prior",
    ] {
        let said = refuse(|record| {
            let map = match name {
                "log_probs" => &mut record.log_probs,
                "prefix_scores" => &mut record.prefix_scores,
                "prior_log_probs" => &mut record.prior_log_probs,
                "domain_log_probs" => &mut record.domain_log_probs,
                _ => &mut record.prior,
            };
            map.remove("negative");
        });
        let expected = format!("item 3: `{name}` and `scores` are not for the same labels");
        assert!(said.contains(&expected), "{said}");
    }
    let said = refuse(|record| {
        record.label_tokens.remove("negative");
    });
    assert!(
        said.contains("`label_tokens` and `scores` are not for the same labels"),
        "{said}"
    );
    let said = refuse(|record| {
        record.label_tokens.insert("negative".to_owned(), 0);
    });
    assert!(said.contains("item 3: a label has 0 tokens"), "{said}");
    let said = refuse(|record| {
        record.log_probs.insert("negative".to_owned(), 2.0);
    });
    assert!(said.contains("a log-probability is 2"), "{said}");
    let said = refuse(|record| record.gold = "neither".to_owned());
    assert!(
        said.contains("the gold label `neither` has no score"),
        "{said}"
    );
    let said = refuse(|record| {
        record.scores.remove(&record.chosen.clone());
    });
    assert!(said.contains("has no score"), "{said}");
    let said = refuse(|record| record.item = 1);
    assert!(said.contains("duplicate item 1 in `en`"), "{said}");
}

// A question that does not offer a label has no measure of it and the score 0; the scorings that
// are made of the others are the same as where the label was measured to be impossible.
#[test]
fn a_label_that_a_question_lacks_changes_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["lacking.jsonl", "measured.jsonl"];
    let [lacking, impossible] = names.map(|name| folder.path().join(name));
    for path in [&lacking, &impossible] {
        let mut records = measured(Some("x"));
        for (at, record) in records.iter_mut().enumerate() {
            let is_there = *path == impossible;
            record.scores.insert("third".to_owned(), 0.0);
            record.prior.clear();
            record.prefix_scores.clear();
            record.prior_log_probs.clear();
            record.domain_log_probs.clear();
            if is_there || at == 0 {
                let log_prob = if at == 0 { -9.0 } else { -1e300 };
                record.log_probs.insert("third".to_owned(), log_prob);
                record.label_tokens.insert("third".to_owned(), 2);
            }
            if at == 0 {
                record.scores.insert("third".to_owned(), 0.1);
            }
        }
        put(path, &lines(&records));
    }
    let changes = compare_files(&lacking, &impossible)
        .expect("compares")
        .changes;
    let scorings: Vec<Scoring> = changes.scorings.iter().map(|of| of.scoring).collect();
    assert_eq!(scorings, [Scoring::Sequence, Scoring::SequenceMean]);
    for of in &changes.scorings {
        assert_eq!(of.accuracy.before, of.accuracy.after, "{}", of.scoring);
        assert!(of.accuracy.before.value > 0.5, "{}", of.scoring);
        assert_eq!(of.differs, (0.0, 0.0), "{}", of.scoring);
    }
    let said = refuse(|record| {
        record.scores.insert("third".to_owned(), 0.2);
    });
    assert!(said.contains("are not for the same labels"), "{said}");
}

#[test]
fn the_order_of_the_lines_is_no_matter() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let tuned = Mind {
        separation: 1.9,
        ..BASE
    };
    let after = answers(&EMOTION, Language::En, tuned, Some("x"));
    let mut shuffled = measured(None);
    shuffled.rotate_left(7);
    shuffled.swap(2, 9);
    put(&at("sorted"), &lines(&measured(None)));
    put(&at("shuffled"), &lines(&shuffled));
    put(&at("after"), &lines(&after));
    let of = |name: &str| {
        compare_files(&at(name), &at("after"))
            .expect("a comparison")
            .changes
    };
    assert_eq!(of("sorted"), of("shuffled"));
    let late = [shuffled.clone(), vec![shuffled[20].clone()]].concat();
    put(&at("shuffled"), &lines(&late));
    let error = compare_files(&at("shuffled"), &at("after")).expect_err("refused");
    assert!(error.to_string().contains(":41: duplicate item"), "{error}");
}

#[test]
fn a_comparison_with_itself_can_show_nothing() {
    let named = |records: Vec<AnswerRecord>| NamedAnswers {
        path: Path::new("made-up.jsonl"),
        records: records
            .into_iter()
            .map(|record| ("made-up.jsonl".into(), 1, record))
            .collect(),
    };
    let of = |records: Vec<AnswerRecord>| {
        compare::compare(named(records.clone()), named(records)).expect("a comparison")
    };
    let whole = of(measured(None));
    assert!(
        whole.changes.mean.detectable.is_nan(),
        "{:?}",
        whole.changes.mean
    );
    let one = of(measured(None)[..1].to_vec());
    assert!(
        one.changes.mean.detectable.is_nan(),
        "{:?}",
        one.changes.mean
    );
    let mut tied = measured(None);
    for record in &mut tied {
        record.scores.values_mut().for_each(|score| *score = 0.0);
        record.chosen = "positive".to_owned();
        record.correct = record.gold == record.chosen;
    }
    let tied = of(tied).caveats;
    assert!(
        tied[0].starts_with("before: exact ties in en 40 of 40: all labels have equal scores"),
        "{tied:?}"
    );
    assert!(
        tied[1].starts_with("before: one label for every item in en: each answer is `positive`"),
        "{tied:?}"
    );
    assert_eq!(tied.len(), 4, "the same after: {tied:?}");
}

#[test]
fn whoever_wants_to_stop_is_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.jsonl");
    put(&path, &lines(&measured(None)));
    let read = || CheckedAnswers::read(&path, None, &|| false).expect("answers");
    let stopped = compare::compare_checked(read(), read(), &|| true);
    assert!(matches!(stopped, Err(CompareError::Stopped)));
    let stopped = CheckedAnswers::read(&path, None, &|| true);
    assert!(matches!(stopped, Err(CompareError::Stopped)));
    assert!(matches!(
        compare::read_tasks(&path, &|| true),
        Err(CompareError::Stopped)
    ));
}
