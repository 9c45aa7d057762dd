//! Translation pairs: drawing, mixing, and directions that no file holds.

mod common;

use std::collections::BTreeSet;

use common::folder;
use data::{DataError, Draw, TranslationPair, pairs, tasks::task};
use schema::{Language, Setting, recipe::BuildRecipe};
use serde_json::json;
use tempfile::TempDir;

/// Files of `count` items; question i in de is "Frage i", in zh "问题 i", in English "question
/// i".
fn data(count: usize) -> TempDir {
    let emotion = task("emotion").expect("shipped");
    let file = |word: &str, name: &str| {
        let item = |i| {
            let input = format!("{word} {i}\nE: \"\nTranslate the input from {name} to English:\n");
            json!({"input": input, "answer": format!("question {i}\nE: \"")})
        };
        serde_json::to_string(&(0..count).map(item).collect::<Vec<_>>()).expect("serialises")
    };
    let (german, chinese) = (file("Frage", "German"), file("问题", "Chinese"));
    folder(
        emotion,
        &[
            ("emotion_de10k_train_question.json", &german),
            ("emotion_zh10k_train_question.json", &chinese),
            (
                "emotion_fr10k_train_question.json",
                &german
                    .replace("question 1\\n", "question one\\n")
                    .replace("German", "French"),
            ),
            ("emotion_sv10k_train_question.json", &german),
        ],
    )
}

fn load(
    data: &TempDir,
    setting: &str,
    count: usize,
    seed: u64,
) -> Result<Vec<TranslationPair>, DataError> {
    let setting: Setting = setting.parse().expect("a setting");
    load_setting(data, &setting, count, seed)
}

fn load_setting(
    data: &TempDir,
    setting: &Setting,
    pairs: usize,
    seed: u64,
) -> Result<Vec<TranslationPair>, DataError> {
    let (task, build) = (task("emotion").expect("shipped"), &BuildRecipe::paper());
    let draw = Draw {
        dir: data.path(),
        task,
        setting,
        pairs,
        seed,
        build,
        asked: &[],
    };
    pairs::load(&draw).map(|drawn| drawn.pairs)
}

#[test]
fn draws_are_seeded_without_replacement_and_mixed() {
    let data = data(40);
    let drawn = load(&data, "zh/de=>en", 10, 1).expect("loads");
    assert_eq!(drawn, load(&data, "zh/de=>en", 10, 1).expect("loads"));
    assert_ne!(drawn, load(&data, "zh/de=>en", 10, 2).expect("loads"));
    let of = |pairs: &[TranslationPair], language| {
        pairs
            .iter()
            .filter(|pair| pair.language == language)
            .map(|pair| pair.item)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        (
            of(&drawn, Language::Zh).len(),
            of(&drawn, Language::De).len()
        ),
        (10, 10)
    );
    let switches = drawn
        .windows(2)
        .filter(|pair| pair[0].language != pair[1].language)
        .count();
    assert!(switches > 2, "mixed, not one language after the other");

    let alone = load(&data, "de=>en", 10, 1).expect("loads");
    assert_eq!(
        of(&alone, Language::De),
        of(&drawn, Language::De),
        "a source's pairs do not hang on the others"
    );
    assert_eq!(load(&data, "de=>en", 0, 1).expect("loads").len(), 40);
}

/// Numbers of the seed: whoever repeats an experiment of an earlier version gets its pairs in
/// its order.
#[test]
fn the_seed_draws_what_it_always_drew() {
    let pairs = load(&data(40), "zh/de=>en", 5, 1).expect("loads");
    let drawn: Vec<String> = pairs
        .iter()
        .map(|pair| format!("{}{}", pair.language, pair.item))
        .collect();
    assert_eq!(
        drawn.join(" "),
        "zh17 de19 zh30 zh38 zh23 zh28 de7 de36 de21 de1"
    );
    let json = serde_json::to_string(&pairs[0]).expect("JSON");
    assert!(
        json.starts_with("{\"source\":") && !json.contains("into"),
        "{json}"
    );
}

#[test]
fn into_english_a_pair_is_the_file_s_item() {
    let pair = load(&data(3), "de=>en", 0, 1)
        .expect("loads")
        .into_iter()
        .find(|pair| pair.item == 2)
        .expect("all");
    assert_eq!(
        pair.source,
        "Frage 2\nE: \"\nTranslate the input from German to English:\n"
    );
    assert_eq!(pair.target, "question 2\nE: \"");
    let foreign = load(&data(3), "sv=>en", 0, 1).expect("loads");
    assert!(
        foreign
            .iter()
            .all(|pair| pair.source.ends_with("from German to English:\n")),
        "whatever its instruction"
    );
}

#[test]
fn other_directions_are_composed_by_position() {
    let data = data(3);
    let find = |setting| {
        load(&data, setting, 0, 1)
            .expect("loads")
            .into_iter()
            .find(|pair| pair.item == 1)
            .expect("all")
    };
    let pair = find("zh=>de");
    assert_eq!(
        pair.source,
        "问题 1\nE: \"\nTranslate the input from Chinese to German:\n"
    );
    assert_eq!(
        (pair.target.as_str(), pair.language),
        ("Frage 1\nE: \"", Language::Zh)
    );
    let pair = find("en=>zh");
    assert_eq!(
        pair.source,
        "question 1\nE: \"\nTranslate the input from English to Chinese:\n"
    );
    assert_eq!(
        (pair.target.as_str(), pair.language),
        ("问题 1\nE: \"", Language::En)
    );

    let error = load(&data, "zh=>fr", 0, 1)
        .expect_err("another English question")
        .to_string();
    assert!(
        error.contains(
            "zh10k_train_question.json item 1 (line 1): its English question is not that of"
        ),
        "{error}"
    );
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let data = data(3);
    let error = load(&data, "zh/de=>en", 4, 1)
        .expect_err("only three")
        .to_string();
    assert!(
        error.contains("emotion_zh10k_train_question.json has 3 pairs, 4 were asked for"),
        "{error}"
    );
    assert!(
        error.ends_with("set `train.pairs` to at most 3, or to 0 to take all"),
        "{error}"
    );
    let error = load(&data, "it=>en", 1, 1)
        .expect_err("no file")
        .to_string();
    assert!(
        error.contains("no file emotion_it<count>_train_question.json"),
        "{error}"
    );
    let error = load(&data, "sv=>de", 1, 1)
        .expect_err("its instruction speaks of German")
        .to_string();
    assert!(
        error.contains(
            "item 0 (line 1): `input` does not end in the line `Translate the input from Swedish"
        ),
        "{error}"
    );
    let same = Setting {
        sources: vec![Language::En],
        target: Language::En,
    };
    let error = load_setting(&data, &same, 1, 1).expect_err("no such setting");
    assert!(error.to_string().contains("`en=>en`"), "{error}");
}
