//! LLaMA-Factory's forms: the same pairs from all of them, and anything else refused.

use import::{
    convert::{self, ImportTarget, InputFile, LanguageColumn},
    llama_factory::read::{self, ListedDataset},
};
use parquet::basic::Compression;
use schema::Language;
use serde_json::{Value, json};

use crate::place::{Place, refused, run, task, write_parquet};

fn target(listed: &ListedDataset) -> ImportTarget<'static> {
    ImportTarget::conversations(task("emotion"), listed.conversation.clone())
}

fn inputs(listed: &ListedDataset, language: Option<Language>) -> Vec<InputFile> {
    listed
        .files
        .iter()
        .map(|(path, layout)| InputFile {
            path: path.clone(),
            layout: layout.clone(),
            language,
        })
        .collect()
}

/// A folder with one data set.
fn folder(entry: &Value, rows: &Value) -> Place {
    let place = Place::new();
    place.file("dataset_info.json", json!({"mine": entry}).to_string());
    place.file("rows.json", rows.to_string());
    place
}

/// Files by name with their lists, and notes.
type Made = (Vec<(String, Value)>, Vec<String>);

fn pairs(entry: &Value, rows: &Value) -> Result<Made, String> {
    let place = folder(entry, rows);
    let listed = read::read(&place.path(""), None).map_err(|e| e.to_string())?;
    let plan = place.plan(inputs(&listed, None), target(&listed));
    let report = convert::run(&plan, &mut hub::Silent, &|| false)
        .map_err(|e| e.to_string())?
        .expect("not stopped");
    let written = place
        .written()
        .into_iter()
        .map(|(name, text)| (name, serde_json::from_str(&text).expect("a list")));
    Ok((written.collect(), report.notes))
}

const ASK: &str = "Translate the input from German to English:";

#[test]
fn all_forms_give_the_same_pairs() {
    let question = "Gut.\nEmotion: \"";
    let expected =
        json!([{"input": format!("{question}\n{ASK}\n"), "answer": "Good.\nEmotion: \""}]);
    let answer = "Good.\nEmotion: \"";
    let chat = |role: &str, content: &str, user: &str, assistant: &str| json!([{role: "system", content: "Be good."}, {role: user, content: format!("{question}\n{ASK}\n")}, {role: assistant, content: answer}]);
    let tags = json!({"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"});
    let cases = [
        (
            json!({"file_name": "rows.json"}),
            json!([{"instruction": ASK, "input": question, "output": answer}]),
        ),
        (
            json!({"file_name": "rows.json"}),
            json!([{"instruction": format!("{question}\n{ASK}\n"), "input": "", "output": answer}]),
        ),
        (
            json!({"file_name": "rows.json", "columns": {"prompt": "q", "response": "a", "history": "h"}}),
            json!([{"q": format!("{question}\n{ASK}"), "a": answer, "input": "not read", "h": []}]),
        ),
        (
            json!({"file_name": "rows.json", "formatting": "sharegpt"}),
            json!([{"conversations": chat("from", "value", "human", "gpt")}]),
        ),
        (
            json!({"file_name": "rows.json", "formatting": "sharegpt", "columns": {"messages": "m"}, "tags": tags}),
            json!([{"m": chat("role", "content", "user", "assistant")}]),
        ),
        (
            json!({"file_name": "rows.json", "formatting": "openai"}),
            json!([{"messages": chat("role", "content", "user", "assistant")}]),
        ),
    ];
    for (entry, rows) in cases {
        let (written, notes) = pairs(&entry, &rows).expect("sound");
        assert_eq!(
            written,
            [(
                "ap_emotion/emotion_de1_train_question.json".to_owned(),
                expected.clone()
            )],
            "{entry}"
        );
        let chats = rows.to_string().contains("Be good.");
        assert_eq!(
            notes
                .iter()
                .any(|note| note.contains("1 rows have a system prompt")),
            chats,
            "{notes:?}"
        );
    }
}

#[test]
fn languages_are_told_apart_by_the_instruction_or_said() {
    let row = |language: &str, text: &str| json!({"instruction": format!("{text}\nTranslate the input from {language} to English:"), "output": "x"});
    let (written, _) = pairs(
        &json!({"file_name": "rows.json"}),
        &json!([row("German", "a"), row("Chinese", "b"), row("German", "c")]),
    )
    .expect("sound");
    let counts: Vec<_> = written
        .iter()
        .map(|(name, list)| (name.as_str(), list.as_array().map_or(0, Vec::len)))
        .collect();
    assert_eq!(
        counts,
        [
            ("ap_emotion/emotion_de2_train_question.json", 2),
            ("ap_emotion/emotion_zh1_train_question.json", 1)
        ]
    );

    let plain = json!([{"instruction": "Hallo", "input": "Welt", "output": "Hello world"}]);
    let message = pairs(&json!({"file_name": "rows.json"}), &plain).expect_err("no language");
    assert!(
        message.ends_with("rows.json row 1 (line 1): does not say which language it is in; say it"),
        "{message}"
    );
    let place = folder(&json!({"file_name": "rows.json"}), &plain);
    let listed = read::read(&place.path(""), Some("mine")).expect("lists");
    run(&place.plan(inputs(&listed, Some(Language::De)), target(&listed)));
    assert_eq!(
        place.items(),
        [json!({"input": format!("Hallo\nWelt\n{ASK}\n"), "answer": "Hello world"})]
    );

    let message = pairs(
        &json!({"file_name": "rows.json"}),
        &json!([{"instruction": "a\nTranslate the input from English to German:", "output": "x"}]),
    );
    assert!(
        message
            .expect_err("not into English")
            .contains("asks to translate from en to de")
    );
    let place = folder(
        &json!({"file_name": "rows.json"}),
        &json!([row("German", "a")]),
    );
    let listed = read::read(&place.path(""), None).expect("lists");
    let message = refused(&place.plan(inputs(&listed, Some(Language::Fr)), target(&listed)));
    assert!(
        message.contains("asks to translate from de, but the language is said to be fr"),
        "{message}"
    );
}

#[test]
fn a_column_may_say_the_language() {
    let rows = json!([{"instruction": "Tafsiri: Nzuri", "output": "Good", "language": "sw"}, {"instruction": "Gut", "output": "Good", "language": "de"}]);
    let place = folder(&json!({"file_name": "rows.json"}), &rows);
    let listed = read::read(&place.path(""), None).expect("lists");
    let mut plan = place.plan(inputs(&listed, None), target(&listed));
    let codes = [
        ("sw".to_owned(), Language::Sw),
        ("de".to_owned(), Language::De),
    ]
    .into();
    plan.language_column = Some(LanguageColumn {
        column: "language".into(),
        codes,
    });
    run(&plan);
    let names: Vec<_> = place.written().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "ap_emotion/emotion_de1_train_question.json",
            "ap_emotion/emotion_sw1_train_question.json"
        ]
    );
}

#[test]
fn columns_that_may_be_missing_may_be_missing_from_a_table_too() {
    let place = Place::new();
    place.file(
        "dataset_info.json",
        r#"{"c": {"file_name": "rows.csv"}, "p": {"file_name": "rows.parquet"}}"#,
    );
    place.file("rows.csv", "instruction,output\nHallo,Hello\n");
    let columns = [
        ("instruction", vec!["Hallo".to_owned()]),
        ("input", vec!["Welt".to_owned()]),
        ("output", vec!["Hello".to_owned()]),
    ];
    write_parquet(
        &place.path("rows.parquet"),
        &columns,
        ("n", vec![1]),
        1,
        Compression::SNAPPY,
    );
    for (name, question) in [("c", "Hallo"), ("p", "Hallo\nWelt")] {
        let listed = read::read(&place.path(""), Some(name)).expect("lists");
        let mut plan = place.plan(inputs(&listed, Some(Language::De)), target(&listed));
        plan.replace = true;
        run(&plan);
        assert_eq!(place.items()[0]["input"], format!("{question}\n{ASK}\n"));
    }
}

#[test]
fn what_is_no_pair_is_refused_with_its_row() {
    let entry = json!({"file_name": "rows.json", "formatting": "sharegpt"});
    let human = json!({"from": "human", "value": "a"});
    let cases = [
        (
            json!([{"conversations": [human]}]),
            "row 1 (line 1), column `conversations`: has the turns human; a pair is one of `human` and one of `gpt`",
        ),
        (
            json!([{"conversations": []}]),
            "column `conversations`: has the turns (none)",
        ),
        (
            json!([{"conversations": "a"}]),
            "column `conversations`: is `\"a\"`, not a list of messages",
        ),
        (
            json!([{"conversations": [{"from": "human"}]}]),
            "message 0 has no text `value`: `{\"from\":\"human\"}`",
        ),
        (
            json!([{"talk": []}]),
            "there is no column `conversations`; there is: `talk`",
        ),
    ];
    for (rows, wanted) in cases {
        let message = pairs(&entry, &rows).expect_err("no pair");
        assert!(message.contains(wanted), "{rows}: {message}");
    }
    let history = json!({"file_name": "rows.json", "columns": {"prompt": "q", "response": "a", "history": "h"}});
    let message = pairs(&history, &json!([{"q": "a", "a": "b", "h": [["x", "y"]]}]))
        .expect_err("several turns");
    assert!(
        message.contains("column `h`: has earlier turns"),
        "{message}"
    );
}

#[test]
fn entries_that_cannot_be_read_say_why() {
    let refused = |entry: Value| pairs(&entry, &json!([])).expect_err("refused");
    assert!(
        refused(json!({"hf_hub_url": "a/b"}))
            .contains("`mine`: has no `file_name`: it is on a hub")
    );
    assert!(
        refused(json!({"file_name": "rows.json", "ranking": true})).contains("preference data")
    );
    assert!(
        refused(json!({"file_name": "rows.json", "formatting": "x"}))
            .contains("`formatting` is `x`")
    );
    assert!(
        refused(json!({"file_name": "rows.json", "columns": {"prompt": "q"}}))
            .contains("`columns` has no `response`")
    );
    assert!(refused(json!({"file_name": "none.json"})).contains("there is no file"));
    assert!(
        refused(json!({"file_name": "rows.arrow"})).contains("has none of the extensions csv, tsv")
    );
    let place = Place::new();
    place.file(
        "dataset_info.json",
        r#"{"a": {"file_name": "x.json"}, "b": {}}"#,
    );
    let read = |name| {
        read::read(&place.path(""), name)
            .expect_err("refused")
            .to_string()
    };
    assert!(read(None).contains("lists several data sets; name one of: a, b"));
    assert_eq!(read(Some("c")), "no data set `c`; there is: a, b");
    place.file("dataset_info.json", "{");
    assert!(read(None).contains("dataset_info.json line 1: not the JSON"));
    let entry = json!({"file_name": "rows.json", "num_samples": 5, "split": "test"});
    let place = folder(&entry, &json!([]));
    let listed = read::read(&place.path(""), None).expect("lists");
    assert!(
        listed.notes[0].contains("`num_samples` = 5 is not applied")
            && listed.notes[1].contains("`split` = `test`")
    );
}
