//! Text for a terminal and for the documents: a comparison of two files, the table for planning.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::{
    fs,
    path::{Path, PathBuf},
};

use compare::{LocatedRecord, NamedAnswers};
use fabricate::{BASE, EMOTION, Mind, answers};
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

#[test]
fn the_text_of_a_comparison_has_every_table() {
    let tuned = Mind {
        separation: 1.9,
        ..BASE
    };
    let comparison = compare::compare(
        NamedAnswers {
            path: Path::new("before.jsonl"),
            records: two_sets(BASE, None),
        },
        NamedAnswers {
            path: Path::new("after.jsonl"),
            records: two_sets(tuned, Some("x")),
        },
    )
    .expect("a comparison");
    insta::assert_snapshot!(report::comparison_text(&comparison));
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
