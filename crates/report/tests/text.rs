//! Text for a terminal and for the documents: a comparison of two files, the table for planning.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::{
    fs,
    path::{Path, PathBuf},
};

use compare::{Comparison, LocatedRecord, NamedAnswers};
use fabricate::{BASE, EMOTION, Mind, answers};
use report::Tone;
use schema::{AnswerRecord, Language};

const LANGUAGES: [Language; 3] = [Language::En, Language::Zh, Language::Sw];

/// Answers after two sets of exemplars, the second one harder.
fn two_sets(mind: Mind, adapter: Option<&str>) -> Vec<LocatedRecord> {
    let harder = Mind {
        separation: mind.separation - 0.6,
        ..mind
    };
    let mut records = Vec::new();
    for (few_shot, mind) in [("head:2", mind), ("seed:1:2", harder)] {
        for language in LANGUAGES {
            records.extend(
                answers(&EMOTION, language, mind, adapter)
                    .into_iter()
                    .map(|record| AnswerRecord {
                        few_shot: few_shot.to_owned(),
                        ..record
                    }),
            );
        }
    }
    records
        .into_iter()
        .enumerate()
        .map(|(index, record)| (PathBuf::from("made-up.jsonl"), index + 1, record))
        .collect()
}

/// Two sets of exemplars before and after, in English, Chinese and Swahili.
fn comparison(tuned: Mind) -> Comparison {
    compare::compare(
        NamedAnswers {
            path: Path::new("before.jsonl"),
            records: two_sets(BASE, None),
        },
        NamedAnswers {
            path: Path::new("after.jsonl"),
            records: two_sets(tuned, Some("x")),
        },
    )
    .expect("a comparison")
}

#[test]
fn the_text_of_a_comparison_has_every_table() {
    let better = Mind {
        separation: 1.9,
        ..BASE
    };
    insta::assert_snapshot!(report::comparison_text(&comparison(better)));
}

// Promise: in short, a comparison has eighty columns, the mean, and the languages in which the change is clear.
#[test]
fn a_comparison_in_short_names_what_is_clear() {
    let better = Mind {
        separation: 1.9,
        ..BASE
    };
    let worse = Mind {
        separation: 0.1,
        ..BASE
    };
    for (mind, tone) in [(better, Tone::Better), (worse, Tone::Worse)] {
        let lines = report::summarise_comparison(&comparison(mind));
        for line in &lines {
            assert!(line.text.chars().count() <= 80, "{line:?}");
        }
        let toned: Vec<&str> = lines
            .iter()
            .filter(|line| line.tone == tone)
            .map(|line| line.text.as_str())
            .collect();
        assert!(
            toned
                .iter()
                .any(|text| text.starts_with("mean of 3 languages ")),
            "{toned:?}"
        );
        assert!(
            toned.iter().any(|text| text.starts_with("English (en) ")),
            "{toned:?}"
        );
        let of_others = lines
            .iter()
            .filter(|line| line.tone != tone && line.tone != Tone::Plain);
        assert_eq!(
            of_others.count(),
            0,
            "nothing moved the other way: {lines:?}"
        );
    }
    let texts: Vec<String> = report::summarise_comparison(&comparison(better))
        .into_iter()
        .map(|line| line.text)
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn the_planning_table_of_the_documents_is_computed() {
    let page = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/statistics.md"
    ))
    .expect("the page");
    for line in report::planning_table().lines() {
        assert!(
            page.contains(line),
            "docs/statistics.md lacks the line\n{line}\nof\n{}",
            report::planning_table()
        );
    }
}
