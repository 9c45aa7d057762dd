//! Texts taken out of files and put back: nothing but fields is among them, and what comes out
//! is read again by the rest of the crate.

use std::{fs, path::PathBuf};

use data::{
    pairs::{self, Draw, TranslationPair},
    prompt, tasks, testset,
};
use import::texts::{self, Texts, TextsLayout};
use proptest::prelude::*;
use schema::{Language, Setting, Task, recipe::BuildRecipe};
use tempfile::TempDir;

fn load_pairs(folder: &TempDir, setting: &Setting) -> Vec<TranslationPair> {
    let (dir, build) = (folder.path(), BuildRecipe::paper());
    let draw = Draw {
        dir,
        task: snli(),
        setting,
        pairs: 0,
        seed: 1,
        build: &build,
        asked: &[],
    };
    pairs::load(&draw).expect("are pairs").pairs
}

fn folder(name: &str, content: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("makes");
    fs::write(&path, content).expect("writes");
    (folder, path)
}

fn snli() -> &'static Task {
    tasks::task("snli").expect("is shipped")
}

fn shout(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| text.to_uppercase()).collect()
}

const LABELLED: &str = r#"[
    {"premise": "A man sits.", "hypothesis": "He \"stands\".", "answer": "contradiction"},
    {"premise": "é\nü", "hypothesis": "b", "answer": "neutral"}
]"#;

#[test]
fn a_labelled_file_becomes_one_in_another_language_with_its_label_words() {
    let (folder, path) = folder("in.json", LABELLED);
    let texts = Texts::read_labelled(&path, snli(), Language::En, None).expect("reads");
    assert_eq!(
        texts.texts(),
        ["A man sits.", "He \"stands\".", "é\nü", "b"]
    );
    let items = texts
        .translated(Language::De, &shout(&texts.texts()), TextsLayout::Labelled)
        .expect("fits");
    let out = folder.path().join("snli_de2_test.json");
    texts::write(&out, &items, TextsLayout::Labelled).expect("writes");
    let expected = "[\n    {\n        \"premise\": \"A MAN SITS.\",\n        \"hypothesis\": \"HE \\\"STANDS\\\".\",\n        \
                    \"answer\": \"Widerspruch\"\n    },\n    {\n        \"premise\": \"É\\nÜ\",\n        \
                    \"hypothesis\": \"B\",\n        \"answer\": \"neutral\"\n    }\n]\n";
    assert_eq!(fs::read_to_string(&out).expect("reads"), expected);
    let set = testset::read(&out, snli(), Language::De, None).expect("is a test file");
    assert_eq!(
        set.items.iter().map(|item| item.gold.0).collect::<Vec<_>>(),
        [2, 1]
    );
}

#[test]
fn english_questions_become_pairs_that_training_reads() {
    let open = LABELLED.replace(", \"answer\": \"neutral\"", "");
    let (folder, path) = folder("snli/in.json", &open);
    assert!(
        Texts::read_labelled(&path, snli(), Language::En, None).is_err(),
        "a label is missing"
    );
    let texts = Texts::read_questions(&path, snli(), Language::En).expect("reads");
    let items = texts
        .translated(Language::Sw, &shout(&texts.texts()), TextsLayout::Pairs)
        .expect("fits");
    texts::write(
        &folder.path().join("snli/snli_sw2_train_question.json"),
        &items,
        TextsLayout::Pairs,
    )
    .expect("writes");
    let setting: Setting = "sw=>en".parse().expect("a setting");
    let mut found = load_pairs(&folder, &setting);
    found.sort_by_key(|pair| pair.item);
    assert_eq!(
        found[0].source,
        "Nguzo: A MAN SITS.\nHypothesis: HE \"STANDS\".\nJibu: \"\nTranslate the input from Swahili to English:\n"
    );
    assert_eq!(
        found[0].target,
        "Premise: A man sits.\nHypothesis: He \"stands\".\nAnswer: \""
    );
    let back: Setting = "en=>sw".parse().expect("a setting");
    assert_eq!(load_pairs(&folder, &back).len(), 2);
}

const PAIRS: &str = r#"[
    {"input": "Prämisse: Ein Mann.\nHypothese: Er geht.\nAntwort: \"\nTranslate the input from German to English:\n",
     "answer": "Premise: A man.\nHypothesis: He walks.\nAnswer: \""}
]"#;

#[test]
fn pairs_become_pairs_from_either_of_their_sides() {
    let (_folder, path) = folder("snli_de1_train_question.json", PAIRS);
    for (language, expected) in [
        (Language::En, ["A man.", "He walks."]),
        (Language::De, ["Ein Mann.", "Er geht."]),
    ] {
        let texts = Texts::read_pairs(&path, snli(), language).expect("reads");
        assert_eq!(texts.texts(), expected);
        let items = texts
            .translated(Language::Es, &shout(&texts.texts()), TextsLayout::Pairs)
            .expect("fits");
        let [first, second] = shout(&texts.texts()).try_into().expect("two");
        let question = format!("Premisa: {first}\nHipótesis: {second}\nRespuesta: \"");
        assert_eq!(
            items[0]["input"],
            format!("{question}\nTranslate the input from Spanish to English:\n")
        );
        assert_eq!(
            items[0]["answer"],
            "Premise: A man.\nHypothesis: He walks.\nAnswer: \""
        );
    }
}

#[test]
fn lines_keep_their_other_keys() {
    let (folder, path) = folder(
        "in.jsonl",
        "{\"id\": 7, \"text\": \"a\", \"n\": [1.50]}\n\n{\"text\": \"b\"}\n",
    );
    let texts = Texts::read_lines(&path, Language::De).expect("reads");
    let items = texts
        .translated(Language::En, &shout(&texts.texts()), TextsLayout::Lines)
        .expect("fits");
    let out = folder.path().join("out.jsonl");
    texts::write(&out, &items, TextsLayout::Lines).expect("writes");
    let expected = "{\"id\":7,\"text\":\"A\",\"n\":[1.5]}\n{\"text\":\"B\"}\n";
    assert_eq!(fs::read_to_string(out).expect("reads"), expected);
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let message = |name: &str, content: &str, language| {
        let (_folder, path) = folder(name, content);
        let read = match TextsLayout::of(&path) {
            TextsLayout::Labelled => Texts::read_labelled(&path, snli(), language, None),
            TextsLayout::Pairs => Texts::read_pairs(&path, snli(), language),
            TextsLayout::Lines => Texts::read_lines(&path, language),
        };
        let message = read.expect_err("is refused").to_string();
        message
            .split_once(name)
            .expect("names the file")
            .1
            .to_owned()
    };
    let pairs = "x_train_question.json";
    assert_eq!(
        message(pairs, PAIRS, Language::Fr),
        " item 0 (line 2): `input` ends in `Translate the input from German to English:`, not in `Translate the input \
         from French to English:`: name the language of its questions, or English to translate its answers"
    );
    assert_eq!(
        message(pairs, &PAIRS.replace("nHypothese", "nThese"), Language::De),
        " item 0 (line 2): the question lacks the header `\\nHypothese: ` of de"
    );
    assert_eq!(
        message(
            pairs,
            &PAIRS.replace("He walks.", "He\\nHypothesis: walks."),
            Language::En
        ),
        " item 0 (line 3): the header `\\nHypothesis: ` is in it twice"
    );
    assert_eq!(
        message(
            pairs,
            &PAIRS.replace("Premise: A man.", "A Premise: A man."),
            Language::En
        ),
        " item 0 (line 3): the question begins with `A `"
    );
    assert_eq!(
        message("l.jsonl", "{\"text\": \"a\"}\n{\"txt\": 1}", Language::De),
        " line 2: key `text` is missing; add it"
    );
    assert_eq!(
        message("l.jsonl", "{\"text\": 3}", Language::De),
        " line 1: `text` is 3, not a text in quotes"
    );
    assert!(
        message("l.jsonl", "text", Language::De)
            .starts_with(" line 1: not an object with a key `text`: ")
    );
}

#[test]
fn a_layout_that_cannot_be_made_is_refused() {
    let message = |texts: &Texts, layout| {
        texts
            .translated(Language::Fr, &texts.texts(), layout)
            .expect_err("cannot be made")
            .to_string()
    };
    let (_first, path) = folder("in.json", LABELLED);
    let german = Texts::read_questions(&path, snli(), Language::De).expect("reads");
    assert_eq!(
        message(&german, TextsLayout::Pairs),
        "no way to write `pairs made of questions in German`; there is: pairs made of questions in English, since pairs \
         go into English: translate the English file"
    );
    assert!(message(&german, TextsLayout::Lines).contains("`plain lines made of questions`"));
    let (_second, path) = folder("x_train_question.json", PAIRS);
    let pairs = Texts::read_pairs(&path, snli(), Language::De).expect("reads");
    assert!(message(&pairs, TextsLayout::Labelled).contains("`labelled questions made of pairs`"));
    let (_third, path) = folder("l.jsonl", "{\"text\": \"a\"}");
    let lines = Texts::read_lines(&path, Language::De).expect("reads");
    assert!(message(&lines, TextsLayout::Pairs).contains("`questions made of plain lines`"));
}

proptest! {
    #[test]
    fn a_question_is_taken_apart_as_it_was_put_together(fields in prop::collection::vec("[a-zé:\" \n本]{1,20}", 2)) {
        prop_assume!(fields.iter().all(|field| !field.trim().is_empty()));
        for name in ["snli", "paws", "emotion"] {
            let task = tasks::task(name).expect("is shipped");
            for &language in task.languages.keys() {
                let fields = &fields[..task.fields.len()];
                let question = prompt::question(task, language, fields).expect("has the language");
                let found = prompt::fields(task, language, &question).expect("has the language");
                prop_assert_eq!(found.as_deref(), Ok(fields));
            }
        }
    }

    #[test]
    fn any_text_is_taken_apart_or_refused(text in "(Premise: |\nHypothesis: |\nAnswer: \"|[ab\n])*") {
        let found = prompt::fields(snli(), Language::En, &text).expect("has the language");
        if let Ok(fields) = found {
            prop_assert_eq!(prompt::question(snli(), Language::En, &fields).expect("has the language"), text);
        }
    }
}
