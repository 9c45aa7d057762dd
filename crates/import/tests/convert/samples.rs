//! Which rows are taken: dropped, drawn, balanced, the same in all languages.

use data::table::{TableFormat, TableLayout};
use import::convert::{ImportReport, InputFile, LanguageColumn, RowSample};
use schema::Language;
use serde_json::Value;

use crate::place::{Place, input, questions, refused, run};

/// A file of a language with rows numbered from 0, and these labels.
fn file(place: &Place, language: Language, labels: &[&str]) -> InputFile {
    let rows: String = labels
        .iter()
        .enumerate()
        .map(|(at, label)| format!("row {at},{label}\n"))
        .collect();
    input(
        &place.file(&format!("{language}.csv"), format!("input,answer\n{rows}")),
        language,
    )
}

fn sampled(
    place: &Place,
    inputs: Vec<InputFile>,
    sample: RowSample,
) -> (ImportReport, Vec<Vec<String>>) {
    let mut plan = place.plan(inputs, questions("emotion"));
    (plan.sample, plan.replace) = (sample, true);
    plan.drop_labels = vec!["-1".into()];
    let report = run(&plan);
    let texts = |text: &str| {
        let items: Vec<Value> = serde_json::from_str(text).expect("a list");
        items
            .iter()
            .map(|item| item["input"].as_str().expect("a text").to_owned())
            .collect()
    };
    (
        report,
        place
            .written()
            .iter()
            .map(|(_, text)| texts(text))
            .collect(),
    )
}

const ALL: RowSample = RowSample {
    take: None,
    seed: 0,
    balance: false,
};

#[test]
fn a_draw_is_the_same_in_all_languages_and_for_the_same_seed() {
    let place = Place::new();
    let labels: Vec<&str> = (0..200)
        .map(|at| if at % 3 == 0 { "positive" } else { "negative" })
        .collect();
    let inputs = || {
        [Language::De, Language::Sw, Language::Zh]
            .map(|language| file(&place, language, &labels))
            .to_vec()
    };
    let sample = RowSample {
        take: Some(40),
        seed: 5,
        balance: true,
    };
    let (report, first) = sampled(&place, inputs(), sample);
    assert!(first[0] == first[1] && first[1] == first[2] && first[0].len() == 40);
    assert_eq!(report.files[2].labels, [20, 20]);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    let rows: Vec<usize> = first[0]
        .iter()
        .map(|text| text[4..].parse().expect("a number"))
        .collect();
    assert!(rows.is_sorted(), "in the order of the file");
    assert_eq!(sampled(&place, inputs(), sample).1, first);
    assert_ne!(
        sampled(&place, inputs(), RowSample { seed: 6, ..sample }).1,
        first
    );
    assert_eq!(
        sampled(&place, inputs()[..1].to_vec(), sample).1[0],
        first[0],
        "with or without other languages"
    );
}

#[test]
fn what_is_left_out_in_one_language_is_left_out_in_all_and_counted() {
    let place = Place::new();
    let de = file(
        &place,
        Language::De,
        &["positive", "-1", "negative", "positive"],
    );
    let fr = file(
        &place,
        Language::Fr,
        &["positive", "negative", "negative", "positive"],
    );
    let (report, texts) = sampled(&place, vec![de, fr], ALL);
    assert_eq!(
        texts,
        [["row 0", "row 2", "row 3"], ["row 0", "row 2", "row 3"]]
    );
    let counts: Vec<_> = report
        .left_out
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count))
        .collect();
    assert_eq!(
        counts,
        [("`answer` is `-1`", 1), ("left out in another language", 1)]
    );

    let it = file(&place, Language::It, &["positive", "positive"]);
    let de = file(
        &place,
        Language::De,
        &["positive", "-1", "negative", "positive"],
    );
    let (report, _) = sampled(&place, vec![de, it], ALL);
    assert_eq!(
        report.notes,
        ["the languages are not parallel: de has 4 rows, it has 2"]
    );
}

#[test]
fn one_file_is_split_by_its_language_column() {
    let place = Place::new();
    let path = place.file(
        "all.csv",
        "language,input,answer\nde,a,positive\nar,x,positive\nfr,b,positive\nde,c,negative\nfr,d,negative\n",
    );
    let mut plan = place.plan(
        vec![InputFile {
            path,
            layout: TableLayout::usual(TableFormat::Csv),
            language: None,
        }],
        questions("emotion"),
    );
    let codes = [("de", Language::De), ("fr", Language::Fr)]
        .map(|(code, language)| (code.to_owned(), language))
        .into();
    plan.language_column = Some(LanguageColumn {
        column: "language".into(),
        codes,
    });
    let report = run(&plan);
    let names: Vec<_> = place.written().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "ap_emotion/emotion_de2_test.json",
            "ap_emotion/emotion_fr2_test.json"
        ]
    );
    assert_eq!(report.left_out.get("`language` is `ar`"), Some(&1));
}

#[test]
fn more_than_there_is_cannot_be_taken() {
    let place = Place::new();
    let mut plan = place.plan(
        vec![file(
            &place,
            Language::De,
            &["positive", "negative", "negative"],
        )],
        questions("emotion"),
    );
    plan.sample = RowSample {
        take: Some(4),
        ..ALL
    };
    assert_eq!(
        refused(&plan),
        "take: de has 3 rows, 4 were asked for; take at most 3"
    );
    plan.sample = RowSample {
        take: Some(4),
        seed: 0,
        balance: true,
    };
    assert_eq!(
        refused(&plan),
        "take: de has [1, 2] rows of its labels, [2, 2] were asked for; take at most 2"
    );
}
