//! The page of the questions: what its data hold, that no text of them is obeyed, that only texts
//! are shown which were asked.

#[path = "../../compare/tests/fabricate/mod.rs"]
mod fabricate;

use std::{
    fs,
    path::{Path, PathBuf},
};

use fabricate::{BASE, EMOTION, Mind, answers, lines, put, put_answers};
use schema::{
    AnswerRecord, LabelSet, Language, PromptForm,
    questions::{AskedRecord, QuestionLine, QuestionRecord, prompt_hash},
    run_folder::RunFolder,
};
use serde_json::Value;
use tempfile::TempDir;

const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\u{2028}\u{202e}\u{0}\"\\";
const ADAPTER: &str = "emotion.zh-en.seed1";

fn text_of(item: usize) -> String {
    format!("{HOSTILE} number {item}")
}

fn asked() -> AskedRecord {
    AskedRecord {
        labels: LabelSet::English,
        prompt: PromptForm::Plain,
        few_shot: "head:2".to_owned(),
        words: [("positive".to_owned(), HOSTILE.to_owned())].into(),
        frame: vec![
            "An exemplar.\nText: ".to_owned(),
            "\nEmotion: \"".to_owned(),
        ],
        whole: [(3, "as a whole".to_owned())].into(),
    }
}

fn questions(language: Language) -> Vec<QuestionRecord> {
    let records = answers(&EMOTION, language, BASE, None);
    let question = |record: AnswerRecord| QuestionRecord {
        item: record.item,
        fields: vec![text_of(record.item)],
        choices: Default::default(),
        gold: record.gold,
    };
    records.into_iter().map(question).collect()
}

/// A run in two languages with texts, whose answers say which prompt they were made from.
fn put_run(run: &RunFolder) {
    let tuned = Mind {
        separation: 1.9,
        ..BASE
    };
    for language in [Language::En, Language::Sw] {
        let questions = questions(language);
        let mut text = vec![QuestionLine::Asked(asked())];
        text.extend(questions.iter().cloned().map(QuestionLine::Question));
        put(&run.questions("emotion", language), &lines(&text));
        for (model, mind) in [("base", BASE), (ADAPTER, tuned)] {
            let adapter = (model != "base").then_some(model);
            let with_hash = |record: AnswerRecord| AnswerRecord {
                prompt_hash: Some(prompt_hash(&asked().prompt_of(&questions[record.item]))),
                ..record
            };
            let records: Vec<AnswerRecord> = answers(&EMOTION, language, mind, adapter)
                .into_iter()
                .map(with_hash)
                .collect();
            let file = run.answers(model, "emotion", "english", language);
            put(&file, &lines(&records));
        }
    }
}

/// That run with its report; the folder is there as long as its guard.
fn reported() -> (TempDir, RunFolder) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    put_run(&run);
    report::write(&run).expect("a report");
    (folder, run)
}

/// The value of a file of data, which must hold nothing that ends a script.
fn chunk(run: &RunFolder, name: &str) -> Value {
    let path = run.report().join(format!("questions/{name}.js"));
    let text = fs::read_to_string(&path).expect(name);
    let odd = ['<', '\u{2028}', '\u{2029}', '\u{0}'];
    assert!(!text.contains(odd), "{name}: {text}");
    let start = format!("lingualign({},", Value::from(name));
    let value = text
        .strip_prefix(&start)
        .and_then(|rest| rest.strip_suffix(");\n"));
    serde_json::from_str(value.expect("one call")).expect("JSON")
}

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("lists");
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        match path.is_dir() {
            true => found.extend(scripts(&path)),
            false => found.push(path),
        }
    }
    found
}

/// The number of two digits at a place of a column.
fn number(column: &Value, at: usize) -> usize {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let column = column.as_str().expect("a column").as_bytes();
    let digit = |place: usize| DIGITS.find(char::from(column[place])).expect("a digit");
    64 * digit(2 * at) + digit(2 * at + 1)
}

#[test]
fn the_data_are_those_of_the_records() {
    let (_folder, run) = reported();

    let index = chunk(&run, "index");
    let way = &index["ways"][0];
    assert_eq!(way["id"], "emotion.english");
    assert_eq!(way["title"], "emotion, english labels, head:2");
    assert_eq!(way["labels"], serde_json::json!(["negative", "positive"]));
    assert_eq!(way["items"][1], serde_json::json!(["sw", [[0, 40]]]));
    let models = serde_json::json!([["base", "base model"], [ADAPTER, "zh=>en, seed 1"]]);
    assert_eq!(way["models"], models);
    assert_eq!(index["texts"]["emotion"], serde_json::json!(["en", "sw"]));

    let golds = chunk(&run, "emotion.english/gold");
    let tuned = chunk(&run, &format!("emotion.english/answers.{ADAPTER}"));
    let scores = chunk(&run, "emotion.english/scores.sw");
    let file = run.answers(ADAPTER, "emotion", "english", Language::Sw);
    let text = fs::read_to_string(file).expect("answers");
    for (at, line) in text.lines().enumerate() {
        let record: AnswerRecord = serde_json::from_str(line).expect("a record");
        let place = |label: &str| usize::from(label == "positive");
        assert_eq!(number(&golds["sw"], at), place(&record.gold));
        let code = 1 + 2 * place(&record.chosen) + usize::from(record.correct);
        assert_eq!(number(&tuned["sw"][0], at), code, "item {at}");
        let lead = number(&tuned["sw"][1], at) as f64 / 2047.0 - 1.0;
        assert_eq!(lead > 0.0, record.correct, "item {at}: {lead}");
        let shown = scores[ADAPTER][2 * at + 1].as_f64().expect("a score");
        assert!((shown - record.scores["positive"]).abs() < 1e-4);
    }
}

#[test]
fn texts_are_shown_as_they_were_asked_and_not_obeyed() {
    let (_folder, run) = reported();
    let texts = chunk(&run, "texts/emotion.en");
    assert_eq!(texts["items"]["7"][0], text_of(7));
    let way = &texts["ways"]["emotion.english"];
    assert_eq!(way["words"]["positive"], HOSTILE);
    assert_eq!(way["whole"]["3"], "as a whole");
    assert_eq!(way["other"], serde_json::json!([]));
    assert_eq!(way["unchecked"], false);
    let html = fs::read_to_string(run.report().join("questions.html")).expect("a page");
    assert!(html.contains(
        "content=\"default-src 'none'; script-src 'self' file:; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
         form-action 'none'\""
    ));
    let scripts = ["data", "page"].map(|name| {
        let path = run.report().join(format!("questions/{name}.js"));
        fs::read_to_string(path).expect("a script")
    });
    let script = scripts.concat();
    for obeying in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ] {
        assert!(!script.contains(obeying), "{obeying}");
    }
    for (name, text) in [("questions.html", &html), ("page.js", &script)] {
        assert!(!text.contains("://"), "{name}: nothing from elsewhere");
    }

    let line = fs::read_to_string(run.questions("emotion", Language::En)).expect("texts");
    put(
        &run.questions("emotion", Language::En),
        &line.replace("number 7\"", "number 8\""),
    );
    report::write(&run).expect("a report");
    let texts = chunk(&run, "texts/emotion.en");
    let other = &texts["ways"]["emotion.english"]["other"];
    assert_eq!(
        *other,
        serde_json::json!([7]),
        "not the text that was asked"
    );
}

#[test]
fn texts_are_left_out_where_the_recipe_says_so_or_a_run_has_none() {
    let (_folder, run) = reported();
    assert!(run.report().join("questions/texts/emotion.en.js").is_file());
    put(
        &run.manifest(),
        r#"{"recipe": {"report": {"texts": false}}}"#,
    );
    report::write(&run).expect("a report");
    assert_eq!(chunk(&run, "index")["texts"], Value::Null);
    for path in scripts(&run.report().join("questions")) {
        let text = fs::read_to_string(&path).expect("reads");
        assert!(!text.contains("number 7"), "{}", path.display());
    }

    // As the program left it before there were texts.
    let old = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(old.path());
    put_answers(&run, "base", &EMOTION, &[Language::En], BASE);
    report::write(&run).expect("a report");
    assert_eq!(chunk(&run, "index")["texts"], serde_json::json!({}));
    // Kept later, they cannot be checked, and the page says so.
    let mut text = vec![QuestionLine::Asked(asked())];
    text.extend(
        questions(Language::En)
            .into_iter()
            .map(QuestionLine::Question),
    );
    put(&run.questions("emotion", Language::En), &lines(&text));
    report::write(&run).expect("a report");
    let texts = chunk(&run, "texts/emotion.en");
    assert_eq!(texts["ways"]["emotion.english"]["unchecked"], true);
}

#[test]
fn numbers_of_the_report_lead_to_their_questions() {
    let (_folder, run) = reported();
    let html = fs::read_to_string(run.report().join("index.html")).expect("a page");
    let all = format!("questions.html#way=emotion.english&amp;after={ADAPTER}");
    assert!(html.contains(&format!("<a href=\"{all}\">")), "{html}");
    assert!(html.contains(&format!("<a href=\"{all}&amp;language=sw\">")));
    let shows =
        ["gained", "lost"].map(|show| html.matches(&format!("&amp;show={show}\">")).count());
    assert_eq!(shows.iter().sum::<usize>(), 2, "one change per language");
}

#[test]
fn broken_texts_and_hashes_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    put_run(&run);
    let file = run.questions("emotion", Language::Sw);
    let text = fs::read_to_string(&file).expect("texts");
    put(
        &file,
        &text.replacen("\"fields\":[", "\"fields\":[\"one more\",", 1),
    );
    let error = report::write(&run).expect_err("refused").to_string();
    assert!(
        error.contains("emotion.sw.jsonl:2: item 0 has 2 fields, but the prompts of `head:2` have 2 texts around fields"),
        "{error}"
    );
    put(&file, &text);
    let answers = run.answers("base", "emotion", "english", Language::Sw);
    let text = fs::read_to_string(&answers).expect("answers");
    put(
        &answers,
        &text.replacen("\"prompt_hash\":\"", "\"prompt_hash\":\"x", 1),
    );
    let error = report::write(&run).expect_err("refused").to_string();
    assert!(error.contains("not 16 hexadecimal digits"), "{error}");
}
