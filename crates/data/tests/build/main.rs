//! What a recipe's `[train.build]` makes of the files: templates, directions, controls, what is
//! taken out, and the split.

#[path = "../common/mod.rs"]
mod common;
mod making;
mod removing;

use std::collections::{BTreeMap, BTreeSet};

use common::folder;
use data::{
    DataError, Draw, TranslationPair,
    pairs::{self, DrawnPairs, Reason, Removed},
    tasks::task,
};
use schema::{
    Language, Setting, Task,
    recipe::{BuildRecipe, Control, Directions, Removal, Split, TrainRecipe},
};
use serde_json::json;
use tempfile::TempDir;

const WORDS: [&str; 10] = [
    "harbour", "violin", "granite", "meadow", "lantern", "puzzle", "thunder", "orchard", "saddle",
    "copper",
];

/// A hypothesis about `i` that is like no other one.
fn english(i: usize) -> [String; 2] {
    let (a, b) = (WORDS[i % 10], WORDS[i / 10 % 10]);
    [
        format!(
            "The {a} {i} near the {b} was seen by {} people.",
            i * 37 + 11
        ),
        format!("{b} and {a} {}", i * 91),
    ]
}

fn snli() -> &'static Task {
    task("snli").expect("shipped")
}

fn question(language: Language, fields: &[String; 2]) -> String {
    data::prompt::question(snli(), language, fields).expect("a question")
}

fn fields(language: Language, i: usize) -> [String; 2] {
    match language {
        Language::En => english(i),
        _ => english(i).map(|text| text.chars().rev().collect::<String>() + language.code()),
    }
}

/// Training questions by number; each file may show other questions than it should.
fn training_file(language: Language, numbers: &[usize]) -> String {
    let item = |&i: &usize| {
        let instruction = format!(
            "\nTranslate the input from {} to English:\n",
            language.name()
        );
        let english = question(Language::En, &fields(Language::En, i));
        json!({"input": question(language, &fields(language, i)) + &instruction, "answer": english})
    };
    json!(numbers.iter().map(item).collect::<Vec<_>>()).to_string()
}

/// Questions with labels; label i % 3.
fn labelled_file(language: Language, questions: &[[String; 2]]) -> String {
    let words = &snli().languages[&language].label_words;
    let item = |(i, [premise, hypothesis]): (usize, &[String; 2])| json!({"premise": premise, "hypothesis": hypothesis, "answer": words[i % 3]});
    json!(questions.iter().enumerate().map(item).collect::<Vec<_>>()).to_string()
}

/// 30 questions in zh and de, 3 other test questions.
fn data(edit: impl FnOnce(&mut BTreeMap<&'static str, String>)) -> TempDir {
    let numbers: Vec<usize> = (0..30).collect();
    let all = |language| {
        numbers
            .iter()
            .map(|&i| fields(language, i))
            .collect::<Vec<_>>()
    };
    let tests = |language| [70, 81, 92].map(|i| fields(language, i));
    let mut files = BTreeMap::from([
        (
            "snli_zh30_train_question.json",
            training_file(Language::Zh, &numbers),
        ),
        (
            "snli_de30_train_question.json",
            training_file(Language::De, &numbers),
        ),
        (
            "snli_en30_train.json",
            labelled_file(Language::En, &all(Language::En)),
        ),
        (
            "snli_en3_test.json",
            labelled_file(Language::En, &tests(Language::En)),
        ),
        (
            "snli_zh3_test.json",
            labelled_file(Language::Zh, &tests(Language::Zh)),
        ),
    ]);
    edit(&mut files);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    folder(snli(), &files)
}

fn load(
    data: &TempDir,
    setting: &str,
    pairs: usize,
    build: &BuildRecipe,
) -> Result<DrawnPairs, DataError> {
    let setting: Setting = setting.parse().expect("a setting");
    let asked = ["snli".to_owned(), "emotion".to_owned()];
    pairs::load(&Draw {
        dir: data.path(),
        task: snli(),
        setting: &setting,
        pairs,
        seed: 1,
        build,
        asked: &asked,
    })
}

fn paper() -> BuildRecipe {
    BuildRecipe::paper()
}

fn items(pairs: &[TranslationPair]) -> Vec<(Language, usize)> {
    pairs
        .iter()
        .map(|pair| (pair.language, pair.item))
        .collect()
}
