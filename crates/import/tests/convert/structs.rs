//! Texts within objects, Hugging Face's `translation` above all; files that are not sound; ids of
//! rows that are put together by their position.

use std::{fs, path::Path, sync::Arc};

use data::table::{TableFormat, TableLayout, TableReader};
use import::convert::{ImportTarget, Join};
use parquet::{
    basic::Compression,
    column::writer::ColumnWriter,
    data_type::ByteArray,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use schema::Language;

use crate::place::{Place, input, map, refused, run, task, write_parquet};

/// One struct `translation` with the texts `de` and `en`.
fn write_translations(path: &Path) {
    let schema = "message rows { required group translation { required binary de (UTF8); required binary en (UTF8); } }";
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let file = fs::File::create(path).expect("creates");
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, schema, properties).expect("a writer");
    let mut rows = writer.next_row_group().expect("a row group");
    for texts in [["Hallo", "Tag"], ["hello", "day"]] {
        let mut column = rows.next_column().expect("no error").expect("a column");
        if let ColumnWriter::ByteArrayColumnWriter(column) = column.untyped() {
            let values = texts.map(ByteArray::from);
            column.write_batch(&values, None, None).expect("writes");
        }
        column.close().expect("closes");
    }
    rows.close().expect("closes");
    writer.close().expect("closes");
}

fn target() -> ImportTarget<'static> {
    let columns = map(&[
        ("question", "translation.de"),
        ("english", "translation.en"),
    ]);
    ImportTarget::pairs(task("emotion"), &columns).expect("a target")
}

#[test]
fn a_struct_of_translations_is_reached_into_in_every_format() {
    let place = Place::new();
    let rows = [
        r#"{"translation": {"de": "Hallo", "en": "hello"}}"#,
        r#"{"translation": {"de": "Tag", "en": "day"}}"#,
    ];
    let flat =
        r#"{"translation.de": "Hallo", "translation.en": "hello", "translation": {"de": "no"}}"#;
    write_translations(&place.path("a.parquet"));
    let files = [
        place.path("a.parquet"),
        place.file("a.jsonl", rows.join("\n")),
        place.file("a.json", format!("[{}]", rows.join(","))),
        place.file("b.jsonl", [flat, rows[1]].join("\n")),
    ];
    for path in files {
        let mut plan = place.plan(vec![input(&path, Language::De)], target());
        plan.replace = true;
        run(&plan);
        let items = place.items();
        let answers: Vec<_> = items.iter().map(|item| item["answer"].as_str()).collect();
        assert_eq!(answers, [Some("hello"), Some("day")], "{}", path.display());
        let first = items[0]["input"].as_str().expect("a text");
        assert!(first.starts_with("Hallo\nTranslate"), "{first}");
    }
}

#[test]
fn entries_that_are_not_there_are_listed() {
    let place = Place::new();
    write_translations(&place.path("a.parquet"));
    let json = r#"{"translation": {"de": "Hallo", "en": "hello"}}"#;
    for path in [place.path("a.parquet"), place.file("a.jsonl", json)] {
        let columns = map(&[
            ("question", "translation.xx"),
            ("english", "translation.en"),
        ]);
        let target = ImportTarget::pairs(task("emotion"), &columns).expect("a target");
        let message = refused(&place.plan(vec![input(&path, Language::De)], target));
        let wanted =
            "there is no column `translation.xx`; there is: `translation.de`, `translation.en`";
        assert!(message.ends_with(wanted), "{message}");
    }
}

#[test]
fn a_codec_that_is_not_built_in_and_half_a_character_are_named() {
    let place = Place::new();
    let path = place.path("a.parquet");
    let texts = [
        ("question", vec!["Hallo".to_owned()]),
        ("english", vec!["hello".to_owned()]),
    ];
    let columns = map(&[("question", "question"), ("english", "english")]);
    let message = |path: &Path| {
        let target = ImportTarget::pairs(task("emotion"), &columns).expect("a target");
        refused(&place.plan(vec![input(path, Language::De)], target))
    };
    for (number, name) in [(8, "brotli"), (10, "lz4"), (14, "lz4_raw")] {
        write_parquet(&path, &texts, ("n", vec![1]), 1, Compression::UNCOMPRESSED);
        let mut bytes = fs::read(&path).expect("reads");
        let before = b"question\x15\x00";
        let at = bytes.windows(before.len()).position(|part| part == before);
        bytes[at.expect("the codec of the column") + before.len() - 1] = number;
        fs::write(&path, bytes).expect("writes");
        let message = message(&path);
        let wanted = format!("column `question` is compressed with {name}, which is not read here");
        assert!(
            message.contains(&wanted) && message.contains("compression='zstd'"),
            "{message}"
        );
    }
    for (name, text) in [
        (
            "a.jsonl",
            "{\"question\": \"a\", \"english\": \"b\"}\n{\"question\": \"x\\ud83d\"}",
        ),
        (
            "a.json",
            "[{\"question\": \"a\", \"english\": \"b\"},\n{\"question\": \"\\udc00x\"}]",
        ),
    ] {
        let message = message(&place.file(name, text));
        assert!(message.contains("line 2: row 2 is not"), "{message}");
        assert!(message.contains("is half a character"), "{message}");
    }
}

#[test]
fn a_column_that_unpacks_to_all_memory_is_refused() {
    let place = Place::new();
    let path = place.path("a.parquet");
    let long = "x".repeat(1 << 20);
    let texts = [
        (
            "question",
            (0..80).map(|at| format!("{at} {long}")).collect(),
        ),
        ("english", (0..80).map(|at| format!("{at}")).collect()),
    ];
    let columns = map(&[("question", "question"), ("english", "english")]);
    let plan = || {
        let target = ImportTarget::pairs(task("emotion"), &columns).expect("a target");
        place.plan(vec![input(&path, Language::De)], target)
    };
    let zstd = Compression::ZSTD(Default::default());
    write_parquet(&path, &texts, ("n", vec![1; 80]), 80, zstd);
    let message = refused(&plan());
    assert!(
        message.contains("a.parquet")
            && message.contains("column question of row group 1 unpacks from "),
        "{message}"
    );
    assert!(
        message.contains("write the file again with smaller row groups"),
        "{message}"
    );
    write_parquet(&path, &texts, ("n", vec![1; 80]), 8, zstd);
    run(&plan());
}

#[test]
fn a_panic_of_the_reader_is_an_error_with_the_files_name() {
    let place = Place::new();
    let path = place.path("a.parquet");
    let texts = [("question", vec!["Hallo".to_owned(); 3])];
    write_parquet(
        &path,
        &texts,
        ("n", vec![1, 2, 3]),
        2,
        Compression::UNCOMPRESSED,
    );
    let sound = fs::read(&path).expect("reads");
    let layout = TableLayout::usual(TableFormat::Parquet);
    let mut caught = 0;
    for at in 4..sound.len() - 8 {
        for change in [0x01, 0x10, 0x80] {
            let mut bytes = sound.clone();
            bytes[at] ^= change;
            fs::write(&path, bytes).expect("writes");
            let read =
                TableReader::open(&path, &layout, &["question"], &["n"]).and_then(|mut table| {
                    while table.next_row()?.is_some() {}
                    Ok(())
                });
            if let Err(error) = read {
                let message = error.to_string();
                assert!(message.contains("a.parquet"), "{message}");
                caught += usize::from(message.contains("its reader failed ("));
            }
        }
    }
    assert!(caught > 0, "no change makes the library panic any more");
}

#[test]
fn ids_that_disagree_are_not_put_together_by_position() {
    let place = Place::new();
    let german = place.file(
        "de.jsonl",
        "{\"id\": 1, \"text\": \"a\"}\n{\"id\": 2, \"text\": \"b\"}",
    );
    let english = place.file(
        "en.jsonl",
        "{\"id\": 1, \"text\": \"x\"}\n{\"id\": 3, \"text\": \"y\"}",
    );
    let plan = |by_position: bool| {
        let join = Join {
            key: None,
            same: vec![],
            by_position,
        };
        let english = input(&english, Language::En);
        let columns = map(&[("question", "text")]);
        let target = ImportTarget::pairs_of_files(task("emotion"), &columns, english, join);
        place.plan(
            vec![input(&german, Language::De)],
            target.expect("a target"),
        )
    };
    let message = refused(&plan(false));
    for wanted in [
        "de.jsonl row 2",
        "column `id`",
        "is `2`, but `3`",
        "--key id",
        "--by-position",
    ] {
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
    assert_eq!(run(&plan(true)).rows, 2);
}
