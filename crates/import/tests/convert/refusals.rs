//! What is wrong is named by file, row, line and column, with what to do; and nothing is
//! written.

use data::table::{TableFormat, TableLayout};
use import::convert::{self, ImportTarget, InputFile, LanguageColumn, QuestionSplit};
use parquet::basic::Compression;
use schema::Language;

use crate::place::{Place, input, map, questions, refused, run, task, write_parquet};

/// The message for a file of PAWS questions, without the path before its name; and that nothing
/// was written.
fn message(name: &str, text: impl AsRef<[u8]>) -> String {
    let place = Place::new();
    let path = place.file(name, text);
    let message = refused(&place.plan(vec![input(&path, Language::De)], questions("paws")));
    assert!(place.written().is_empty(), "{:?}", place.written());
    message.replace(
        &format!("{}/", path.parent().expect("a folder").display()),
        "",
    )
}

#[test]
fn the_first_bad_value_is_named_with_row_line_and_column() {
    let header = "sentence1,sentence2,answer\n\"a\nb\",c,same\n";
    let cases = [
        (
            "x,yes",
            "row 2 (line 4): has 2 fields, but there are 3 columns",
        ),
        (
            "x,y,maybe",
            "row 2 (line 4), column `answer`: is `maybe`, which is not a label; known: `same`, `different`",
        ),
        (
            "x, ,same",
            "row 2 (line 4), column `sentence2`: is empty; fill it in, or leave such rows out",
        ),
        (
            "x,\"y,same\nx,y,same",
            "line 4: a quotation mark that opens a field here is never closed",
        ),
        (
            "x,y,\"same",
            "line 4: a quotation mark that opens a field here is never closed",
        ),
    ];
    for (row, wanted) in cases {
        let message = message("f.csv", format!("{header}{row}\n"));
        assert!(
            message.starts_with(&format!("f.csv {wanted}")),
            "{row}: {message}"
        );
    }
    for (end, blank) in [("\n", 0), ("\n", 2), ("\r\n", 0), ("\r\n", 2)] {
        let text = format!("{header}{}x,yes\n", "\n".repeat(blank)).replace('\n', end);
        let wanted = format!("f.csv row 2 (line {}): has 2 fields", 4 + blank);
        assert!(
            message("f.csv", &text).starts_with(&wanted),
            "{text:?}: {}",
            message("f.csv", &text)
        );
        let latin: Vec<u8> = text
            .replace("yes", "\u{1},same")
            .bytes()
            .map(|b| if b == 1 { 0xe9 } else { b })
            .collect();
        let wanted = format!(
            "f.csv line {}: row 2, column `sentence2` is not UTF-8",
            4 + blank
        );
        assert!(
            message("f.csv", &latin).starts_with(&wanted),
            "{text:?}: {}",
            message("f.csv", &latin)
        );
    }
}

#[test]
fn broken_json_is_named_with_its_line() {
    let good = "{\"sentence1\": \"a\",\n \"sentence2\": \"b\", \"answer\": \"same\"}";
    let cases = [
        (
            format!("[{good},\n{{\"sentence1\": 1, \"sentence2\": \"b\", \"answer\": \"same\"}}]"),
            "row 2 (line 3), column `sentence1`: is `1`, not a text",
        ),
        (
            format!("[{good},\n{{\"sentence1\": \"a\"}}]"),
            "row 2 (line 3): there is no column `answer`; there is: `sentence1`",
        ),
        (
            format!("[{good},\n{{\"sentence1\": \"a\",\n\"sentence1\": \"a\"}}]"),
            "line 4: row 2 is not valid JSON: key `sentence1` is given twice",
        ),
        (format!("[{good},\n7]"), "line 3: row 2 is not an object"),
        (
            format!("[{good}\n{good}]"),
            "line 3: there is no comma between two objects",
        ),
        (
            format!("[{good},\n{{\"sentence1\": \"a"),
            "line 3: row 2 is not closed before the file ends; it was cut off",
        ),
        (
            format!("[{good},\n"),
            "line 3: the file ends before the list does",
        ),
        (
            format!("[{good}]\n]"),
            "line 3: there is something behind the end of the list",
        ),
        (
            good.to_owned(),
            "line 1: begins with an object, not a list; if it has one object per line, read it as jsonl",
        ),
        (String::new(), "line 1: is not a JSON list of objects"),
    ];
    for (text, wanted) in cases {
        let message = message("f.json", &text);
        assert!(
            message.starts_with(&format!("f.json {wanted}")),
            "{text}: {message}"
        );
    }
    let line = good.replace('\n', "");
    let message_of = message("f.jsonl", format!("{line}\n\n{line}x\n"));
    assert!(
        message_of.starts_with("f.jsonl line 3: row 2 is not a JSON object on one line"),
        "{message_of}"
    );
    let message_of = message("f.jsonl", format!("[{line}]"));
    assert!(
        message_of.contains("if the file is one list, read it as json"),
        "{message_of}"
    );
}

#[test]
fn rows_without_a_label_or_a_text_are_left_out_only_when_asked() {
    let place = Place::new();
    let rows = "{\"input\": \"a\", \"answer\": \"positive\"}\n{\"input\": \"b\"}\n{\"input\": \"c\", \"answer\": null}\n{\"answer\": \"positive\"}\n";
    let path = place.file("f.jsonl", rows);
    let mut plan = place.plan(vec![input(&path, Language::En)], questions("emotion"));
    assert!(
        refused(&plan)
            .ends_with("f.jsonl row 2 (line 2): there is no column `answer`; there is: `input`")
    );
    plan.drop_labels = vec![String::new()];
    assert!(
        refused(&plan)
            .ends_with("f.jsonl row 4 (line 4): there is no column `input`; there is: `answer`")
    );
    plan.drop_texts = vec![String::new()];
    let report = run(&plan);
    let counts: Vec<_> = report
        .left_out
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count))
        .collect();
    assert_eq!(
        counts,
        [("`answer` is empty or missing", 2), ("`input` is empty", 1)]
    );
    assert_eq!(place.items().len(), 1);
}

#[test]
fn parquet_names_row_and_column() {
    let place = Place::new();
    let path = place.path("f.parquet");
    let texts = |count: usize| {
        (0..count)
            .map(|at| format!("text {at}"))
            .collect::<Vec<_>>()
    };
    let columns = [("sentence1", texts(1000)), ("sentence2", texts(1000))];
    let labels: Vec<i64> = (0..1000)
        .map(|at| if at == 776 { 7 } else { at % 2 })
        .collect();
    write_parquet(&path, &columns, ("label", labels), 300, Compression::SNAPPY);
    let target = |column: &str| {
        ImportTarget::questions(
            task("paws"),
            QuestionSplit::Test,
            &map(&[("answer", column)]),
            map(&[("0", "different"), ("1", "same")]),
        )
        .expect("a target")
    };
    let message = refused(&place.plan(vec![input(&path, Language::De)], target("label")));
    assert!(
        message.ends_with("f.parquet row 777, column `label`: is `7`, which is not a label; known: `0` (different), `1` (same); map it to a label, or leave such rows out"),
        "{message}"
    );
    let message = refused(&place.plan(vec![input(&path, Language::De)], target("gold")));
    assert!(
        message.ends_with(
            "f.parquet: there is no column `gold`; there is: `sentence1`, `sentence2`, `label`"
        ),
        "{message}"
    );
    let bytes = std::fs::read(&path).expect("reads");
    let cut = place.file("cut.parquet", &bytes[..bytes.len() / 2]);
    let message = refused(&place.plan(vec![input(&cut, Language::De)], target("label")));
    assert!(
        message.contains("cut.parquet: cannot be read as Parquet"),
        "{message}"
    );
    assert!(place.written().is_empty());
}

#[test]
fn columns_labels_and_keys_that_do_not_exist_are_listed() {
    let message_of = message("f.csv", "sentence1,sentence2,gold\na,b,same\n");
    assert_eq!(
        message_of,
        "f.csv line 1: there is no column `answer`; there is: `sentence1`, `sentence2`, `gold`"
    );
    let message_of = message("f.csv", "a,a\n");
    assert_eq!(
        message_of,
        "f.csv line 1: column `a` is in the header twice; rename one"
    );
    let message_of = message("f.csv", "");
    assert!(
        message_of.starts_with("f.csv line 1: the file is empty"),
        "{message_of}"
    );
    let of = |columns: &[(&str, &str)]| {
        ImportTarget::questions(task("paws"), QuestionSplit::Test, &map(columns), map(&[]))
            .expect_err("refused")
    };
    assert_eq!(
        of(&[("premise", "x")]).to_string(),
        "map: there is no `premise` to fill; there is: sentence1, sentence2, answer"
    );
    let error = ImportTarget::pairs(task("paws"), &map(&[("english.sentence1", "x")]))
        .expect_err("one side");
    assert!(
        error
            .to_string()
            .contains("map `english` (a whole question) or `english.sentence2`"),
        "{error}"
    );

    let place = Place::new();
    let path = place.file("f.csv", "sentence1,sentence2,answer\na,b,1\n");
    let target = ImportTarget::questions(
        task("paws"),
        QuestionSplit::Test,
        &map(&[]),
        map(&[("1", "equal")]),
    )
    .expect("a target");
    let message = refused(&place.plan(vec![input(&path, Language::De)], target));
    assert_eq!(
        message,
        "labels: `1` is to mean `equal`; the labels of paws are: same, different"
    );
    let unsaid = InputFile {
        language: None,
        ..input(&path, Language::De)
    };
    let message = refused(&place.plan(vec![unsaid], questions("paws")));
    assert!(
        message.ends_with("f.csv: say its language, or the column that says it"),
        "{message}"
    );
}

#[test]
fn a_file_that_is_there_is_not_overwritten_unless_asked() {
    let place = Place::new();
    let path = place.file("f.csv", "sentence1,sentence2,answer\na,b,same\n");
    let old = place.file("out/paws/paws_de500_test.json", "old");
    let mut plan = place.plan(vec![input(&path, Language::De)], questions("paws"));
    let message = refused(&plan);
    assert_eq!(
        message,
        format!(
            "{}: is there already; choose another folder, or replace it",
            old.display()
        )
    );
    assert_eq!(place.written().len(), 1);
    plan.replace = true;
    run(&plan);
    assert_eq!(
        place
            .written()
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["paws/paws_de1_test.json"]
    );
}

#[test]
fn one_bad_row_at_the_end_or_a_stop_leaves_no_file() {
    let place = Place::new();
    let rows: String = (0..20_000)
        .map(|at| format!("a{at},b,{}\n", if at % 2 == 0 { "de" } else { "fr" }))
        .collect();
    let text = format!(
        "input,answer,language\n{}",
        rows.replace(",b,", ",positive,")
    );
    let good = place.file("good.csv", &text);
    let bad = place.file("bad.csv", format!("{text}x,positive\n"));
    let codes = [
        ("de".to_owned(), Language::De),
        ("fr".to_owned(), Language::Fr),
    ]
    .into();
    let plan = |path: &std::path::Path| {
        let layout = TableLayout::usual(TableFormat::Csv);
        let mut plan = place.plan(
            vec![InputFile {
                path: path.to_owned(),
                layout,
                language: None,
            }],
            questions("emotion"),
        );
        plan.language_column = Some(LanguageColumn {
            column: "language".into(),
            codes,
        });
        plan
    };
    let bad = plan(&bad);
    assert!(refused(&bad).contains("row 20001 (line 20002): has 2 fields"));
    let good = convert::ImportPlan {
        inputs: vec![InputFile {
            path: good,
            ..bad.inputs[0].clone()
        }],
        ..bad
    };
    let looks = std::cell::Cell::new(0);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 6
    };
    let stopped = convert::run(&good, &mut hub::Silent, &stop).expect("no error");
    assert!(
        stopped.is_none() && looks.get() == 7,
        "stopped while writing"
    );
    assert!(place.written().is_empty(), "no file, and no rest of one");
    let report = run(&good);
    assert_eq!(
        (report.files[0].items, report.files[1].items),
        (10_000, 10_000)
    );
}

#[test]
fn nothing_left_is_an_error_that_says_why() {
    let place = Place::new();
    let path = place.file("f.csv", "sentence1,sentence2,answer\na,b,-1\nc,d,-1\n");
    let mut plan = place.plan(vec![input(&path, Language::De)], questions("paws"));
    plan.drop_labels = vec!["-1".into()];
    assert_eq!(
        refused(&plan),
        "import: 2 rows were read and none is left: 2 because `answer` is `-1`"
    );
}

#[test]
fn labels_that_are_known_are_listed_once() {
    let place = Place::new();
    let path = place.file("a.jsonl", r#"{"input": "a", "answer": "rage"}"#);
    let message = refused(&place.plan(vec![input(&path, Language::En)], questions("emotion")));
    for label in &task("emotion").labels {
        let named = message.matches(&format!("`{label}`")).count();
        assert_eq!(named, 1, "{message}");
    }
}
