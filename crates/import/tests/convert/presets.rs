//! Published data sets in the forms in which they were published.

use std::path::PathBuf;

use import::convert::{ImportPlan, ImportTarget, QuestionSplit, preset};
use parquet::basic::Compression;
use schema::Language;
use serde_json::json;

use crate::place::{Place, run, task, write_parquet};

/// The plan of a preset for some files, as the program makes it.
fn plan<'a>(
    place: &Place,
    name: &str,
    files: &[PathBuf],
    languages: &[Language],
) -> Result<ImportPlan<'a>, String> {
    let preset = preset::preset(name).map_err(|e| e.to_string())?;
    let found = preset
        .find(files, "test", languages)
        .map_err(|e| e.to_string())?;
    let target = match &preset.task {
        Some(name) => ImportTarget::questions(
            task(name),
            QuestionSplit::Test,
            &found.form.map,
            found.form.labels.clone(),
        ),
        None => ImportTarget::text(&preset.name, &found.form.map),
    };
    let mut plan = place.plan(found.inputs, target.expect("a target"));
    plan.language_column = found.language_column;
    plan.drop_labels.clone_from(&found.form.drop_labels);
    plan.drop_texts.clone_from(&found.form.drop_texts);
    Ok(plan)
}

#[test]
fn every_preset_fits_its_task() {
    for preset in preset::all().expect("the file is sound") {
        for form in &preset.forms {
            match &preset.task {
                Some(name) => {
                    ImportTarget::questions(
                        task(name),
                        QuestionSplit::Test,
                        &form.map,
                        form.labels.clone(),
                    )
                    .expect("known fields");
                    assert!(
                        form.labels
                            .values()
                            .all(|label| task(name).label(label).is_some()),
                        "{}",
                        preset.name
                    );
                    assert!(
                        preset
                            .languages
                            .keys()
                            .all(|language| task(name).languages.contains_key(language))
                    );
                }
                None => drop(ImportTarget::text("x", &form.map).expect("known fields")),
            }
            let is_one = preset.languages.len() == 1;
            assert!(
                is_one || form.files.contains("{language}") || form.language_column.is_some(),
                "{}",
                preset.name
            );
            assert!(
                form.splits.contains_key("test") && form.files.contains("{split}"),
                "{}",
                preset.name
            );
        }
    }
    let names: Vec<_> = preset::all()
        .expect("sound")
        .iter()
        .map(|preset| preset.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "amazon-polarity",
            "snli",
            "paws",
            "xnli",
            "paws-x",
            "flores-plus"
        ]
    );
    let error = preset::preset("mnli").expect_err("unknown").to_string();
    assert_eq!(
        error,
        "no preset `mnli`; there is: amazon-polarity, snli, paws, xnli, paws-x, flores-plus"
    );
}

#[test]
fn files_of_the_hub_are_asked_for_by_language_and_split() {
    let xnli = preset::preset("xnli").expect("shipped");
    let patterns = xnli
        .hub_patterns("test", &[Language::De, Language::Sw])
        .expect("has");
    assert_eq!(patterns, ["de/test-*.parquet", "sw/test-*.parquet"]);
    assert_eq!(
        preset::preset("snli")
            .expect("shipped")
            .hub_patterns("train", &[])
            .expect("has"),
        ["plain_text/train-*.parquet"]
    );
    let error = xnli
        .hub_patterns("test", &[Language::Bn])
        .expect_err("no Bengali")
        .to_string();
    assert!(
        error.starts_with("no language of xnli `bn`; there is: en, zh, de"),
        "{error}"
    );
    assert!(
        xnli.hub_patterns("dev", &[])
            .expect_err("no such")
            .to_string()
            .ends_with("there is: test, train, validation")
    );
}

#[test]
fn snli_leaves_out_what_the_annotators_did_not_agree_on() {
    let place = Place::new();
    let path = place.path("plain_text/test-00000-of-00001.parquet");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    let texts = |word: &str| (0..4).map(|at| format!("{word} {at}")).collect::<Vec<_>>();
    write_parquet(
        &path,
        &[("premise", texts("p")), ("hypothesis", texts("h"))],
        ("label", vec![2, -1, 0, 1]),
        3,
        Compression::SNAPPY,
    );
    let report = run(&plan(&place, "snli", &[path], &[]).expect("found"));
    assert_eq!(report.left_out.get("`label` is `-1`"), Some(&1));
    let answers: Vec<_> = place
        .items()
        .iter()
        .map(|item| item["answer"].clone())
        .collect();
    assert_eq!(answers, ["contradiction", "entailment", "neutral"]);

    let first = Place::new();
    let rows = "{\"gold_label\": \"neutral\", \"sentence1\": \"a\", \"sentence2\": \"b\"}\n{\"gold_label\": \"-\", \"sentence1\": \"a\", \"sentence2\": \"b\"}\n";
    let path = first.file("snli_1.0_test.jsonl", rows);
    run(&plan(&first, "snli", &[path], &[]).expect("found"));
    assert_eq!(
        first.items(),
        [json!({"premise": "a", "hypothesis": "b", "answer": "neutral"})]
    );
}

#[test]
fn xnli_in_one_file_of_all_languages_and_in_one_of_each() {
    let place = Place::new();
    let header = "language\tgold_label\tsentence1_binary_parse\tsentence1\tsentence2\n";
    let rows = "ar\tneutral\t\tx\ty\nde\tneutral\t\t\"A\" b\tc\nfr\tneutral\t\td\te\nde\tentailment\t\tf\tg\nfr\tentailment\t\th\ti\n";
    let path = place.file("XNLI-1.0/xnli.test.tsv", format!("{header}{rows}"));
    let report = run(&plan(&place, "xnli", std::slice::from_ref(&path), &[]).expect("found"));
    let names: Vec<_> = place.written().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["snli/snli_de2_test.json", "snli/snli_fr2_test.json"]
    );
    assert!(
        place.written()[0]
            .1
            .contains(r#"{"premise": "\"A\" b", "hypothesis": "c", "answer": "neutral"}"#)
    );
    assert_eq!(report.left_out.get("`language` is `ar`"), Some(&1));

    let each = Place::new();
    let mut files = Vec::new();
    for language in ["de", "fr", "xx"] {
        let path = each.path(&format!("hub/{language}/test-00000-of-00001.parquet"));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        let texts = vec!["a".to_owned()];
        write_parquet(
            &path,
            &[("premise", texts.clone()), ("hypothesis", texts)],
            ("label", vec![0]),
            3,
            Compression::SNAPPY,
        );
        files.push(path);
    }
    let report = run(&plan(&each, "xnli", &files, &[]).expect("found"));
    assert_eq!(
        report
            .files
            .iter()
            .map(|file| file.language)
            .collect::<Vec<_>>(),
        [Language::De, Language::Fr]
    );
    let message =
        plan(&each, "xnli", &files, &[Language::De, Language::Sw]).expect_err("no Swahili");
    assert_eq!(
        message,
        "preset xnli: there is no file of sw, such as {language}/{split}-*.parquet"
    );
    let message =
        plan(&each, "xnli", &[path.with_file_name("other.txt")], &[]).expect_err("no such name");
    assert!(
        message.starts_with(
            "preset xnli: none of the 1 files given is one of xnli; looked for: en/test-*.parquet"
        ),
        "{message}"
    );
}

#[test]
fn paws_x_leaves_out_what_was_not_translated_in_all_languages() {
    let place = Place::new();
    let header = "id\tsentence1\tsentence2\tlabel\n";
    let de = place.file(
        "x-final/de/test_2k.tsv",
        format!("{header}1\ta\tb\t0\n2\tNS\tNS\t1\n3\tc\td\t1\n"),
    );
    let fr = place.file(
        "x-final/fr/test_2k.tsv",
        format!("{header}1\te\tf\t0\n2\tg\th\t1\n3\ti\tj\t1\n"),
    );
    let report = run(&plan(&place, "paws-x", &[de, fr], &[]).expect("found"));
    assert_eq!(
        report
            .files
            .iter()
            .map(|file| (file.items, file.labels.clone()))
            .collect::<Vec<_>>(),
        [(2, vec![1, 1]), (2, vec![1, 1])]
    );
    assert_eq!(report.left_out.get("`sentence1` is `NS`"), Some(&1));
}

#[test]
fn amazon_and_flores_as_published() {
    let place = Place::new();
    let path = place.file(
        "test.csv",
        "\"2\",\"Great\",\"Five \"\"stars\"\"\"\n\"1\",\"Bad\",\"No\"\n",
    );
    run(&plan(&place, "amazon-polarity", &[path], &[]).expect("found"));
    assert_eq!(
        place.items(),
        [
            json!({"input": "Five \"stars\"", "answer": "positive"}),
            json!({"input": "No", "answer": "negative"})
        ]
    );

    let place = Place::new();
    let row = |text: &str| format!("{{\"id\": 1, \"iso_639_3\": \"deu\", \"text\": \"{text}\"}}\n");
    let files = [
        place.file("devtest/deu_Latn.jsonl", row("Hallo")),
        place.file("devtest/eng_Latn.jsonl", row("Hello")),
    ];
    run(&plan(&place, "flores-plus", &files, &[]).expect("found"));
    let written: Vec<_> = place.written();
    assert_eq!(
        written[0],
        (
            "flores-plus_de.jsonl".to_owned(),
            "{\"id\": \"1\", \"text\": \"Hallo\"}\n".to_owned()
        )
    );
    assert_eq!(written[1].0, "flores-plus_en.jsonl");
}

#[test]
fn a_file_of_another_name_needs_its_language() {
    let place = Place::new();
    let path = place.file("mine.tsv", "id\tsentence1\tsentence2\tlabel\n1\ta\tb\t1\n");
    assert!(
        plan(&place, "paws-x", std::slice::from_ref(&path), &[])
            .expect_err("which language?")
            .contains("its language")
    );
    run(&plan(&place, "paws-x", &[path], &[Language::Fr]).expect("taken as said"));
    assert_eq!(
        place.items(),
        [json!({"sentence1": "a", "sentence2": "b", "answer": "same"})]
    );
}
