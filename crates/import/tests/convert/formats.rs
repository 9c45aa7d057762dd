//! The same rows give the same file, whatever format they come in.

use data::{
    table::{TableFormat, TableLayout},
    testset,
};
use import::convert::{ColumnMap, ImportTarget, InputFile, QuestionSplit};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use proptest::prelude::*;
use schema::Language;
use serde_json::json;

use crate::place::{Place, input, map, questions, run, task, write_parquet};

type RowReader = Vec<(String, String, i64)>;

/// Texts with what each format has to escape; none is blank.
fn rows() -> impl Strategy<Value = RowReader> {
    let text = "[a-c\"',;\\\\\t\n{}\\[\\]é中 ]{0,12}[xyz]";
    prop::collection::vec((text, text, 0..3_i64), 1..30)
}

fn labels() -> ColumnMap {
    map(&[
        ("0", "entailment"),
        ("1", "neutral"),
        ("2", "contradiction"),
    ])
}

fn target() -> ImportTarget<'static> {
    let columns = map(&[
        ("premise", "first"),
        ("hypothesis", "second"),
        ("answer", "label"),
    ]);
    ImportTarget::questions(task("snli"), QuestionSplit::Test, &columns, labels())
        .expect("a target")
}

/// What comes out of one file of those rows.
fn imported(place: &Place, input: InputFile) -> String {
    let mut plan = place.plan(vec![input], target());
    plan.replace = true;
    run(&plan);
    place.written().remove(0).1
}

fn delimited(rows: &RowReader, delimiter: u8) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter)
        .from_writer(Vec::new());
    writer
        .write_record(["label", "second", "first", "other"])
        .expect("writes");
    for (first, second, label) in rows {
        writer
            .write_record([&label.to_string(), second, first, "z"])
            .expect("writes");
    }
    writer.into_inner().expect("flushes")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_format_gives_the_same_file(rows in rows(), group in 1..9_usize) {
        let place = Place::new();
        let objects: Vec<_> = rows.iter().map(|(a, b, l)| json!({"first": a, "label": l, "second": b, "other": {"x": []}})).collect();
        let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
        let files = [
            place.file("a.json", serde_json::to_string(&objects).expect("serialises")),
            place.file("b.json", serde_json::to_string_pretty(&objects).expect("serialises")),
            place.file("a.jsonl", lines.trim_end()),
            place.file("b.jsonl", format!("\u{feff}\n{}\n", lines.replace('\n', "\r\n\n"))),
            place.file("a.csv", delimited(&rows, b',')),
        ];
        let words = ["Konsequenz", "neutral", "Widerspruch"];
        let items: Vec<_> = rows.iter().map(|(a, b, l)| json!({"premise": a, "hypothesis": b, "answer": words[*l as usize]})).collect();
        let first = imported(&place, input(&files[0], Language::De));
        let read: Vec<serde_json::Value> = serde_json::from_str(&first).expect("a list");
        prop_assert_eq!(&read, &items);
        for file in &files[1..] {
            prop_assert_eq!(&imported(&place, input(file, Language::De)), &first, "{}", file.display());
        }
        let quoted = TableLayout { quoted: true, ..TableLayout::usual(TableFormat::Tsv) };
        let tsv = InputFile { layout: quoted, ..input(&place.file("a.tsv", delimited(&rows, b'\t')), Language::De) };
        prop_assert_eq!(&imported(&place, tsv), &first);

        let column = |of: fn(&(String, String, i64)) -> &String| rows.iter().map(|row| of(row).clone()).collect::<Vec<_>>();
        let texts = [("first", column(|row| &row.0)), ("second", column(|row| &row.1))];
        let numbers: Vec<i64> = rows.iter().map(|row| row.2).collect();
        let gzip = Compression::GZIP(GzipLevel::default());
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, gzip, Compression::ZSTD(ZstdLevel::default())] {
            let path = place.path("a.parquet");
            write_parquet(&path, &texts, ("label", numbers.clone()), group, compression);
            prop_assert_eq!(&imported(&place, input(&path, Language::De)), &first, "{:?}", compression);
        }
    }
}

#[test]
fn what_is_written_is_read_by_everything_else() {
    let place = Place::new();
    let path = place.file(
        "p.jsonl",
        "{\"input\": \"Good \\u0041\", \"answer\": \"positive\"}\n{\"input\": \"Bad\", \"answer\": \"negativ\"}\n",
    );
    let report = run(&place.plan(vec![input(&path, Language::De)], questions("emotion")));
    let written = place.written();
    assert_eq!(written[0].0, "ap_emotion/emotion_de2_test.json");
    assert_eq!(
        written[0].1,
        "[\n  {\"input\": \"Good A\", \"answer\": \"positiv\"},\n  {\"input\": \"Bad\", \"answer\": \"negativ\"}\n]\n"
    );
    let set =
        testset::load(&place.path("out"), task("emotion"), Language::De, None).expect("loads");
    assert_eq!(
        set.items.iter().map(|item| item.gold.0).collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!(
        (report.rows, report.files[0].items, &*report.files[0].labels),
        (2, 2, &[1, 1][..])
    );
    assert!(
        report.left_out.is_empty() && report.notes.is_empty(),
        "{report:?}"
    );
}

#[test]
fn a_file_without_a_header_and_shards_of_one_language() {
    let place = Place::new();
    let layout = TableLayout {
        columns: Some(vec!["answer".into(), "title".into(), "input".into()]),
        ..TableLayout::usual(TableFormat::Csv)
    };
    let shard = |name: &str, text: &str| InputFile {
        layout: layout.clone(),
        ..input(&place.file(name, text), Language::En)
    };
    let shards = vec![
        shard("1.csv", "positive,t,\"a, b\"\n"),
        shard("2.csv", "negative,t,c"),
    ];
    run(&place.plan(shards, questions("emotion")));
    assert_eq!(
        place.items(),
        [
            json!({"input": "a, b", "answer": "positive"}),
            json!({"input": "c", "answer": "negative"})
        ]
    );
}

#[test]
fn tsv_is_not_quoted_unless_said_and_doubt_is_told() {
    let place = Place::new();
    let path = place.file(
        "a.tsv",
        "sentence1\tsentence2\tanswer\n\"Now\" he said\tb\tsame\n\"c d\"\te\tdifferent\n",
    );
    let report = run(&place.plan(vec![input(&path, Language::En)], questions("paws")));
    assert_eq!(place.items()[0]["sentence1"], "\"Now\" he said");
    assert_eq!(place.items()[1]["sentence1"], "\"c d\"");
    assert!(
        report.notes[0].starts_with("1 fields begin and end with a double quote"),
        "{:?}",
        report.notes
    );
}

#[test]
fn text_becomes_lines_that_capture_reads() {
    let place = Place::new();
    let de = place.file("de.csv", "id,text\n7,\"Eins, \"\"zwei\"\"\"\n8,Drei\n");
    let target = || ImportTarget::text("flores", &map(&[("id", "id")])).expect("a target");
    run(&place.plan(vec![input(&de, Language::De)], target()));
    assert_eq!(
        place.written(),
        [(
            "flores_de.jsonl".to_owned(),
            "{\"id\": \"7\", \"text\": \"Eins, \\\"zwei\\\"\"}\n{\"id\": \"8\", \"text\": \"Drei\"}\n".to_owned()
        )]
    );

    let fr = place.file("fr.csv", "id,text\n7,Un\n9,Trois\n");
    let mut both = place.plan(
        vec![input(&de, Language::De), input(&fr, Language::Fr)],
        target(),
    );
    both.replace = true;
    let message = crate::place::refused(&both);
    assert_eq!(
        message,
        "parallel text: row 2 of fr has another id than that of de; sort both by id"
    );
}
