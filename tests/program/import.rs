//! `data import` as a user meets it: what it writes is evaluated and trained on, what is wrong
//! is said, memory stays small.

use std::{fmt::Write, fs, path::Path};

use serde_json::{Value, json};

use crate::call::{call, call_line, files, json, scratch};

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("writes");
}

// Promise: the example of the help works as it stands, and says what was written and what was
// left out.
#[test]
fn a_table_with_a_column_map_becomes_a_test_set() {
    let folder = scratch();
    write(
        folder.path(),
        "de.csv",
        "sent_a,sent_b,label\na,\"b, c\",0\nd,e,-1\nf,g,2\n",
    );
    let line = "data import de.csv --as snli --language de --out data --map premise=sent_a,hypothesis=sent_b,answer=label \
                --labels 0=entailment,1=neutral,2=contradiction --drop=-1";
    let printed = call_line(folder.path(), line, 0);
    assert_eq!(
        printed.stdout,
        "data/snli/snli_de2_test.json\t2 items  entailment 1, neutral 0, contradiction 1\n"
    );
    assert!(
        printed
            .stderr
            .contains("3 rows read\n1 left out: `label` is `-1`\n"),
        "{}",
        printed.stderr
    );
    let items = json(&folder.path().join("data/snli/snli_de2_test.json"));
    assert_eq!(
        items[0],
        json!({"premise": "a", "hypothesis": "b, c", "answer": "Konsequenz"})
    );

    let again = call_line(folder.path(), line, 1).stderr;
    assert!(
        again
            .contains("snli_de2_test.json: is there already; choose another folder, or replace it"),
        "{again}"
    );
    call_line(folder.path(), &format!("{line} --replace --take 1"), 0);
    assert_eq!(
        files(folder.path(), "data").len(),
        1,
        "the old file is gone"
    );
}

// Promise: flags that do not fit together are refused before anything is read, with what to do.
#[test]
fn flags_that_do_not_fit_are_refused() {
    let folder = scratch();
    write(folder.path(), "a.csv", "input,answer\na,positive\n");
    write(folder.path(), "a.dat", "x");
    let cases = [
        (
            "a.csv --out o",
            1,
            "say what the rows are with --as (emotion, snli, paws, text), or name a --preset",
        ),
        (
            "a.csv --as mnli --language de --out o",
            1,
            "no task `mnli`; there is: emotion, snli, paws",
        ),
        (
            "a.csv --as emotion --out o",
            1,
            "a.csv: say its language, or the column that says it",
        ),
        (
            "a.csv --as emotion --language de,fr --out o",
            1,
            "name their column with --language-column",
        ),
        (
            "a.dat --as emotion --language de --out o",
            1,
            "its extension is none of csv, tsv, json, jsonl, parquet; say --format",
        ),
        (
            ". --as emotion --language de --out o",
            1,
            "say which of its files with --files",
        ),
        (
            ". --files *.tsv --as emotion --language de --out o",
            1,
            "--files *.tsv: none of the",
        ),
        (
            "a.csv --preset mnli --out o",
            1,
            "no preset `mnli`; there is: amazon-polarity, snli",
        ),
        (
            "a.csv --preset xnli --as paws --out o",
            1,
            "the preset xnli is of snli",
        ),
        (
            "a.csv --as emotion --kind test --english a.csv --language de --out o",
            1,
            "--english makes --kind pairs",
        ),
        ("--preset snli --out o", 2, "FILE_OR_DIR"),
        (
            "a.csv --as emotion --language xx --out o",
            2,
            "unknown language `xx`",
        ),
        (
            "a.csv --as emotion --map input --language de --out o",
            2,
            "`input` has no `=`",
        ),
        (
            "none.csv --as emotion --language de --out o",
            1,
            "cannot read none.csv",
        ),
        (
            "--hub org/rows --as emotion --language en --out o",
            1,
            "say which files with --files, or name a --preset",
        ),
        (
            "--hub stanfordnlp/snli --preset snli --out o",
            1,
            "HF_HUB_OFFLINE is set",
        ),
    ];
    for (flags, code, wanted) in cases {
        let told = call_line(folder.path(), &format!("data import {flags}"), code).stderr;
        assert!(told.contains(wanted), "{flags}: {told}");
    }
    assert!(!folder.path().join("o").exists());
    let help = call_line(folder.path(), "data import --help", 0).stdout;
    assert!(help.contains("--preset xnli --hub facebook/xnli"), "{help}");
}

// Promise: a LLaMA-Factory folder and two joined files become pairs; a published data set is
// found in a folder.
#[test]
fn pairs_and_presets() {
    let folder = scratch();
    write(
        folder.path(),
        "lf/dataset_info.json",
        r#"{"built": {"file_name": "built.json"}}"#,
    );
    let row = json!([{"instruction": "Translate the input from Swahili to English:", "input": "Nzuri", "output": "Good"}]);
    write(folder.path(), "lf/built.json", &row.to_string());
    call_line(folder.path(), "data import lf --as emotion --out data", 0);
    let pairs = json(
        &folder
            .path()
            .join("data/ap_emotion/emotion_sw1_train_question.json"),
    );
    assert_eq!(
        pairs[0]["input"],
        "Nzuri\nTranslate the input from Swahili to English:\n"
    );

    write(folder.path(), "de.csv", "id,input\n1,Gut\n2,Schlecht\n");
    write(folder.path(), "en.csv", "id,input\n2,Bad\n1,Good\n");
    call_line(
        folder.path(),
        "data import de.csv --english en.csv --key id --as emotion --language de --out data",
        0,
    );
    let pairs = json(
        &folder
            .path()
            .join("data/ap_emotion/emotion_de2_train_question.json"),
    );
    assert_eq!(pairs[1]["answer"], "Bad\nEmotion: \"");
    let told = call_line(
        folder.path(),
        "data import de.csv --english en.csv --same id --as emotion --language de --out x",
        1,
    );
    assert!(
        told.stderr
            .contains("de.csv row 1 (line 2), column `id`: is `1`, but `2` in en.csv row 1"),
        "{}",
        told.stderr
    );

    let tsv = "language\tgold_label\tsentence1\tsentence2\nde\tneutral\ta\tb\nen\tneutral\tc\td\nde\tneutral\te\tf\nen\tneutral\tg\th\n";
    write(folder.path(), "XNLI-1.0/xnli.test.tsv", tsv);
    call_line(
        folder.path(),
        "data import XNLI-1.0 --preset xnli --take 1 --out xnli",
        0,
    );
    let told = call_line(
        folder.path(),
        "data import XNLI-1.0 --preset xnli --language de,sw --out some",
        1,
    )
    .stderr;
    assert!(
        told.contains("no row is in sw, which was asked for"),
        "{told}"
    );
    let found = files(folder.path(), "xnli");
    assert_eq!(
        found,
        [
            "xnli/snli/snli_de1_test.json",
            "xnli/snli/snli_en1_test.json"
        ]
        .map(std::path::PathBuf::from)
    );
}

// Promise: an import holds rows, not files: twenty times the rows take no more memory.
#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_file() {
    let folder = scratch();
    let peak = |rows: usize| {
        let mut text = "input,answer\n".to_owned();
        let words = "some words ".repeat(25);
        for row in 0..rows {
            writeln!(
                text,
                "{row} {words},{}",
                if row % 2 == 0 { "positive" } else { "negative" }
            )
            .expect("writes");
        }
        write(folder.path(), "rows.csv", &text);
        let args = [
            "data",
            "import",
            "rows.csv",
            "--as",
            "emotion",
            "--language",
            "en",
            "--out",
            "o",
            "--replace",
            "--balance",
        ];
        let told = call(folder.path(), &args, 0).stderr;
        let last = told
            .lines()
            .last()
            .and_then(|line| line.strip_prefix("peak memory: ")?.strip_suffix(" GB"));
        last.and_then(|gigabytes| gigabytes.parse::<f64>().ok())
            .unwrap_or_else(|| panic!("{told}"))
    };
    let (few, many) = (peak(5_000), peak(100_000)); // 1.5 MB and 29 MB
    assert!(
        many <= few + 0.011,
        "{few} GB for 5,000 rows, {many} GB for 100,000"
    );
    let written: Value = json(
        &folder
            .path()
            .join("o/ap_emotion/emotion_en100000_test.json"),
    );
    assert_eq!(written.as_array().map(Vec::len), Some(100_000));
}
