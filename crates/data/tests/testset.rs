//! Test files: finding, reading, and what each protocol makes of their gold words.

mod common;

use common::{folder, test_file};
use data::{TestSet, tasks::task, testset};
use schema::{Label, Language, Protocol};

const NORWEGIAN: [&str; 4] = ["nøytral", "entailment", "motsigelse", "nøytral"];

fn golds(set: &TestSet) -> Vec<usize> {
    set.items.iter().map(|item| item.gold.0).collect()
}

#[test]
fn finds_the_file_whatever_count_its_name_has() {
    let emotion = task("emotion").expect("shipped");
    let text = test_file(emotion, &["positiv", "negativ"]);
    let data = folder(
        emotion,
        &[
            ("emotion_de2_test.json", &text),
            ("emotion_de2_train.json", "x"),
            ("emotion_dex_test.json", "x"),
        ],
    );
    let set = testset::load(data.path(), emotion, Language::De, None).expect("loads");
    assert_eq!(golds(&set), [0, 1]);
    assert_eq!(set.items[1].fields, ["input 1"]);
    assert_eq!(
        testset::languages(data.path(), emotion).expect("lists"),
        [Language::De]
    );

    let error = testset::load(data.path(), emotion, Language::Fr, None)
        .expect_err("not there")
        .to_string();
    assert!(
        error.contains("ap_emotion") && error.contains("no file emotion_fr<count>_test.json"),
        "{error}"
    );
    let data = folder(
        emotion,
        &[
            ("emotion_de2_test.json", &text),
            ("emotion_de10k_test.json", &text),
        ],
    );
    let error = testset::load(data.path(), emotion, Language::De, None)
        .expect_err("two")
        .to_string();
    assert!(
        error.contains("emotion_de10k_test.json, emotion_de2_test.json"),
        "{error}"
    );
}

#[test]
fn a_gold_word_that_the_scorer_does_not_know() {
    let snli = task("snli").expect("shipped");
    let data = folder(
        snli,
        &[(
            "snli_ja3_test.json",
            &test_file(snli, &["含意", "中性", "矛盾"]),
        )],
    );
    let load = |protocol| testset::load(data.path(), snli, Language::Ja, protocol);

    let error = load(None)
        .expect_err("refused without a protocol")
        .to_string();
    assert!(
        error.contains("snli_ja3_test.json item 1 (line 10): unknown gold word `中性`; known: `含意`, `中立`, `矛盾`"),
        "{error}"
    );
    assert!(error.contains("means neutral"), "{error}");

    let paper = load(Some(Protocol::Paper)).expect("loads");
    assert_eq!(golds(&paper), [0, 1, 2]);
    assert_eq!(
        paper
            .items
            .iter()
            .map(|item| item.answerable)
            .collect::<Vec<_>>(),
        [true, false, true]
    );
    assert!(paper.repairs.is_empty());

    let corrected = load(Some(Protocol::Corrected)).expect("loads");
    assert_eq!(golds(&corrected), [0, 1, 2]);
    assert!(corrected.items.iter().all(|item| item.answerable));
    assert_eq!(corrected.repairs.len(), 1);
    assert!(
        corrected.repairs[0]
            .starts_with("snli_ja3_test.json: gold word `中性` read as neutral on 1 of 3 items")
    );

    let data = folder(snli, &[("snli_ja1_test.json", &test_file(snli, &["なし"]))]);
    for protocol in [None, Some(Protocol::Paper), Some(Protocol::Corrected)] {
        let error = testset::load(data.path(), snli, Language::Ja, protocol)
            .expect_err("no repair knows it");
        assert!(
            error.to_string().contains("unknown gold word `なし`"),
            "{error}"
        );
    }
}

#[test]
fn exchanged_labels_are_repaired_only_where_english_shows_the_exchange() {
    let snli = task("snli").expect("shipped");
    let load = |english: &[&str], protocol| {
        let files = [
            ("snli_no4_test.json", &*test_file(snli, &NORWEGIAN)),
            ("snli_en4_test.json", &*test_file(snli, english)),
        ];
        let data = folder(
            snli,
            if english.is_empty() {
                &files[..1]
            } else {
                &files
            },
        );
        testset::load(data.path(), snli, Language::No, protocol).expect("loads")
    };
    let as_written = vec![1, 0, 2, 1];
    let exchanged = ["contradiction", "entailment", "neutral", "contradiction"];
    assert_eq!(golds(&load(&exchanged, None)), as_written);
    assert_eq!(golds(&load(&exchanged, Some(Protocol::Paper))), as_written);

    let repaired = load(&exchanged, Some(Protocol::Corrected));
    assert_eq!(golds(&repaired), [2, 0, 1, 2]);
    assert!(
        repaired.repairs[0].contains("`nøytral` and `motsigelse` exchanged on 3 of 4 items"),
        "{:?}",
        repaired.repairs
    );

    let refused: [(&[&str], &str); 4] = [
        (
            &["neutral", "entailment", "contradiction", "neutral"],
            "4 of 4 golds are equal",
        ),
        (
            &["contradiction", "entailment", "neutral", "neutral"],
            "item 3 is not the exchange",
        ),
        (
            &["contradiction", "entailment", "neutral"],
            "4 items here, 3 in the English file",
        ),
        (&[], "0 English files to compare with"),
    ];
    for (english, why) in refused {
        let set = load(english, Some(Protocol::Corrected));
        assert_eq!(golds(&set), as_written, "{why}");
        assert!(
            set.repairs.len() == 1 && set.repairs[0].contains(why),
            "{why}: {:?}",
            set.repairs
        );
    }
}

#[test]
fn broken_files_are_named_with_their_line() {
    let emotion = task("emotion").expect("shipped");
    let message = |text: &str| {
        let data = folder(emotion, &[("emotion_de1_test.json", text)]);
        testset::load(data.path(), emotion, Language::De, None)
            .expect_err("broken")
            .to_string()
    };
    assert!(
        message("[\n{\"input\": \"a\",\n}]").contains("emotion_de1_test.json line 3: not the JSON")
    );
    assert!(
        message("[\n{\"input\": \"a\", \"answer\": \"positiv\", \"n\": 1}]")
            .contains("item 0 (line 2): key `n`")
    );
    assert!(
        message("[\n{\"input\": \"\", \"answer\": \"positiv\"}]")
            .contains("item 0 (line 2): `input` is empty")
    );
}

#[test]
fn labels_are_counted_in_task_order() {
    let paws = task("paws").expect("shipped");
    let data = folder(
        paws,
        &[(
            "paws_zh2_test.json",
            &test_file(paws, &["different", "same"]),
        )],
    );
    let set = testset::load(data.path(), paws, Language::Zh, None).expect("loads");
    assert_eq!(
        set.items.iter().map(|item| item.gold).collect::<Vec<_>>(),
        [Label(1), Label(0)]
    );
}

// A sparse file: nothing of it is read.
#[test]
fn a_file_larger_than_the_memory_for_it_is_refused_unread() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("emotion_de3_test.json");
    let file = std::fs::File::create(&path).expect("creates");
    file.set_len((1 << 30) + 1).expect("sets its length");
    let read = testset::read(&path, task("emotion").expect("shipped"), Language::De, None);
    let message = read.expect_err("refused").to_string();
    assert!(
        message.contains("emotion_de3_test.json: has 1073741825 bytes, and all of it would be in memory; divide it"),
        "{message}"
    );
}
