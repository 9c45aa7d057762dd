//! What a recipe's `[train.build]` makes of the files: templates, directions, controls, what is
//! taken out, and the split.

mod common;

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

#[test]
fn clean_data_is_left_as_it_is() {
    let data = data(|_| {});
    let drawn = load(&data, "zh/de=>en", 20, &paper()).expect("loads");
    let off = BuildRecipe {
        remove_overlap: Removal::Off,
        ..paper()
    };
    assert_eq!(
        drawn.pairs,
        load(&data, "zh/de=>en", 20, &off).expect("loads").pairs
    );
    assert!(
        drawn
            .origins
            .iter()
            .all(|origin| origin.removed.is_empty() && origin.found == 30 && origin.drawn == 20)
    );
    let names: Vec<_> = drawn
        .compared
        .iter()
        .filter_map(|path| path.file_name()?.to_str())
        .collect();
    assert_eq!(names, ["snli_en3_test.json", "snli_zh3_test.json"]);
    assert_eq!(
        drawn.absent,
        ["snli de", "emotion en", "emotion zh", "emotion de"]
    );
    assert_eq!(
        drawn.describe(),
        [
            "not compared with test questions that are not there: snli de, emotion en, emotion zh, emotion de"
        ]
    );
}

#[test]
fn test_questions_are_taken_out_in_every_form() {
    // Each test file asks one training question, one of them with changed words, case and
    // punctuation.
    let data = data(|files| {
        let mut near = fields(Language::En, 4);
        near[0] = near[0].to_uppercase().replace("PEOPLE.", "peoples");
        let shown = fields(Language::En, 9).map(|text| format!("«{}»!", text.to_uppercase()));
        files.insert(
            "snli_en3_test.json",
            labelled_file(Language::En, &[near, fields(Language::En, 88), shown]),
        );
        files.insert(
            "snli_zh3_test.json",
            labelled_file(Language::Zh, &[fields(Language::Zh, 17)]),
        );
    });
    let drawn = load(&data, "zh/de=>en", 0, &paper()).expect("loads");
    let removed = |at: usize| {
        let removed = drawn.origins[at].removed.iter();
        let found = removed.map(|r| (r.item, r.found.as_ref().expect("a test question")));
        found
            .map(|(item, found)| (item, found.language, found.item, found.exact))
            .collect::<Vec<_>>()
    };
    let english = [(4, Language::En, 0, false), (9, Language::En, 2, true)];
    assert_eq!(
        removed(0),
        [english[0], english[1], (17, Language::Zh, 0, true)]
    );
    assert_eq!(
        removed(1),
        english,
        "the Chinese test file says nothing about German questions"
    );
    let near = drawn.origins[0].removed[0]
        .found
        .as_ref()
        .expect("a test question");
    assert!(near.similarity >= 0.8 && near.similarity < 1.0, "{near:?}");
    assert_eq!((drawn.pairs.len(), drawn.origins[0].drawn), (27 + 28, 27));
    assert!(
        items(&drawn.pairs)
            .iter()
            .all(|(_, item)| ![4, 9].contains(item))
    );
    assert_eq!(
        drawn.describe()[..2],
        [
            "taken out: 3 (3 that a test file asks) of the 30 questions of zh (snli_zh30_train_question.json)",
            "taken out: 2 (2 that a test file asks) of the 30 questions of de (snli_de30_train_question.json)"
        ]
    );

    // Into Chinese the Chinese form is the target, and the English one is in neither text of
    // the pair.
    let composed = load(&data, "de=>zh", 0, &paper()).expect("loads");
    assert_eq!(
        composed.origins[0]
            .removed
            .iter()
            .map(|r| r.item)
            .collect::<Vec<_>>(),
        [4, 9, 17]
    );
    let swapped = load(
        &data,
        "en=>zh",
        0,
        &BuildRecipe {
            directions: Directions::Swapped,
            ..paper()
        },
    );
    assert_eq!(swapped.expect("loads").origins[0].removed.len(), 3);

    let exact = BuildRecipe {
        remove_overlap: Removal::Exact,
        ..paper()
    };
    assert_eq!(
        load(&data, "de=>en", 0, &exact).expect("loads").origins[0]
            .removed
            .len(),
        1
    );
    let off = BuildRecipe {
        remove_overlap: Removal::Off,
        ..paper()
    };
    assert_eq!(
        load(&data, "de=>en", 30, &off).expect("loads").pairs.len(),
        30
    );

    let error = load(&data, "zh/de=>en", 28, &paper())
        .expect_err("27 are left")
        .to_string();
    assert!(
        error.ends_with(
            "snli_zh30_train_question.json has 27 pairs left (taken out: 3 (3 that a test file asks)), 28 were asked \
             for; set `train.pairs` to at most 27, or to 0 to take all"
        ),
        "{error}"
    );
}

#[test]
fn what_is_taken_out_is_replaced_and_shifts_nothing() {
    let clean = load(&data(|_| {}), "zh=>en", 0, &paper()).expect("loads");
    let draw_order = |drawn: &DrawnPairs| {
        let mut items = items(&drawn.pairs);
        items.sort();
        items
    };
    assert_eq!(draw_order(&clean).len(), 30);
    let first = load(&data(|_| {}), "zh=>en", 10, &paper()).expect("loads");
    let victim = first.pairs[0].item;
    let asked = data(|files| {
        drop(files.insert(
            "snli_en3_test.json",
            labelled_file(Language::En, &[fields(Language::En, victim)]),
        ));
    });
    let second = load(&asked, "zh=>en", 10, &paper()).expect("loads");
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (
        draw_order(&first).into_iter().collect(),
        draw_order(&second).into_iter().collect(),
    );
    assert_eq!(
        before.difference(&after).copied().collect::<Vec<_>>(),
        [(Language::Zh, victim)]
    );
    assert_eq!(after.difference(&before).count(), 1);
}

#[test]
fn duplicates_are_taken_out_where_asked() {
    let mut numbers: Vec<usize> = (0..30).collect();
    (numbers[7], numbers[20]) = (3, 3);
    let data = data(|files| {
        files.insert(
            "snli_zh30_train_question.json",
            training_file(Language::Zh, &numbers),
        );
    });
    assert!(
        load(&data, "zh=>en", 30, &paper()).expect("loads").origins[0]
            .removed
            .is_empty(),
        "the paper kept them"
    );
    let exact = BuildRecipe {
        remove_duplicates: Removal::Exact,
        ..paper()
    };
    let drawn = load(&data, "zh=>en", 0, &exact).expect("loads");
    let found = |removed: &Removed| removed.found.clone().expect("an earlier item");
    let removed: Vec<_> = drawn.origins[0]
        .removed
        .iter()
        .map(|r| (r.item, found(r).item, r.reason, found(r).exact))
        .collect();
    assert_eq!(
        removed,
        [
            (7, 3, Reason::Duplicate, true),
            (20, 3, Reason::Duplicate, true)
        ]
    );
    let error = load(&data, "zh=>en", 30, &exact)
        .expect_err("28 are left")
        .to_string();
    assert!(
        error.contains(
            "has 28 pairs left (taken out: 2 (2 that stood there before)), 30 were asked for"
        ),
        "{error}"
    );
    // Any two of these questions have common words; the test questions too.
    let (remove_overlap, remove_duplicates) = (Removal::Off, Removal::Near);
    let near = BuildRecipe {
        remove_overlap,
        remove_duplicates,
        similarity: 0.05,
        ..paper()
    };
    let near = load(&data, "zh=>en", 0, &near).expect("loads");
    assert!(
        near.origins[0].removed.len() > 2
            && near.origins[0]
                .removed
                .iter()
                .any(|removed| !found(removed).exact)
    );
}

#[test]
fn nothing_left_is_said() {
    let data = data(|files| {
        let all: Vec<_> = (0..30).map(|i| fields(Language::En, i)).collect();
        files.insert("snli_en3_test.json", labelled_file(Language::En, &all));
    });
    for pairs in [0, 5] {
        let error = load(&data, "zh=>en", pairs, &paper())
            .expect_err("nothing is left")
            .to_string();
        assert!(error.contains("has 0 pairs left (taken out: 30"), "{error}");
        assert!(
            error.ends_with("other data is needed, or less must be taken out (`train.build`)"),
            "{error}"
        );
    }
}

#[test]
fn a_template_of_the_user() {
    let data = data(|_| {});
    let template = "{target_language} <- {source_language}: {source}\n"
        .parse()
        .expect("a template");
    let drawn = load(
        &data,
        "zh/de=>en",
        3,
        &BuildRecipe {
            template,
            ..paper()
        },
    )
    .expect("loads");
    for pair in &drawn.pairs {
        let asked = question(pair.language, &fields(pair.language, pair.item));
        assert_eq!(
            pair.source,
            format!("English <- {}: {asked}\n", pair.language.name())
        );
    }
    assert_eq!(
        items(&drawn.pairs),
        items(&load(&data, "zh/de=>en", 3, &paper()).expect("loads").pairs),
        "the same are drawn"
    );
}

#[test]
fn swapped_directions() {
    let data = data(|_| {});
    let built = |setting, directions| {
        load(
            &data,
            setting,
            8,
            &BuildRecipe {
                directions,
                ..paper()
            },
        )
        .expect("loads")
        .pairs
    };
    let forward = built("zh/de=>en", Directions::Forward);
    let swapped = built("zh/de=>en", Directions::Swapped);
    let drawn = |pairs: &[TranslationPair]| pairs.iter().map(|pair| pair.item).collect::<Vec<_>>();
    assert_eq!(
        drawn(&forward),
        drawn(&swapped),
        "the same questions in the same order"
    );
    for (forward, swapped) in forward.iter().zip(&swapped) {
        assert_eq!(
            (forward.into, swapped.language, swapped.into),
            (None, Language::En, Some(forward.language))
        );
        let name = forward.language.name();
        assert_eq!(
            swapped.source,
            format!(
                "{}\nTranslate the input from English to {name}:\n",
                forward.target
            )
        );
        let instruction = format!("\nTranslate the input from {name} to English:\n");
        assert_eq!(format!("{}{instruction}", swapped.target), forward.source);
    }
    let both: BTreeSet<String> = built("zh/de=>en", Directions::Both)
        .into_iter()
        .map(|pair| pair.source)
        .collect();
    let expected = forward
        .iter()
        .chain(&swapped)
        .map(|pair| pair.source.clone())
        .collect();
    assert_eq!((both.len(), both), (32, expected));

    let composed = &built("de=>zh", Directions::Swapped)[0];
    assert_eq!(
        (composed.language, composed.into),
        (Language::Zh, Some(Language::De))
    );
    let into_english = &built("en=>de", Directions::Swapped)[0];
    assert!(
        into_english
            .source
            .ends_with("\nTranslate the input from German to English:\n")
    );
}

#[test]
fn shuffled_targets_are_other_ones_of_the_same_language() {
    let data = data(|_| {});
    let right = load(&data, "zh/de=>en", 12, &paper()).expect("loads").pairs;
    let build = BuildRecipe {
        control: Control::Shuffled,
        directions: Directions::Both,
        ..paper()
    };
    assert_eq!(
        load(&data, "zh/de=>en", 12, &build)
            .expect("loads")
            .pairs
            .len(),
        48
    );
    let shuffled = load(
        &data,
        "zh/de=>en",
        12,
        &BuildRecipe {
            control: Control::Shuffled,
            ..paper()
        },
    )
    .expect("loads");
    assert_eq!(items(&right), items(&shuffled.pairs));
    let targets = |pairs: &[TranslationPair], language| {
        pairs
            .iter()
            .filter(|pair| pair.language == language)
            .map(|pair| pair.target.clone())
            .collect::<BTreeSet<_>>()
    };
    for language in [Language::Zh, Language::De] {
        assert_eq!(
            targets(&right, language),
            targets(&shuffled.pairs, language)
        );
    }
    assert!(
        right
            .iter()
            .zip(&shuffled.pairs)
            .all(|(r, s)| r.source == s.source && r.target != s.target)
    );
    let error = load(
        &data,
        "zh=>en",
        1,
        &BuildRecipe {
            control: Control::Shuffled,
            ..paper()
        },
    )
    .expect_err("one pair");
    assert!(
        error.to_string().contains("1 of 1 targets are the same"),
        "{error}"
    );
}

#[test]
fn copies_stay_in_their_language() {
    let data = data(|_| {});
    let copies = load(
        &data,
        "zh/de=>en",
        4,
        &BuildRecipe {
            control: Control::Copy,
            ..paper()
        },
    )
    .expect("loads")
    .pairs;
    for pair in &copies {
        let name = pair.language.name();
        assert_eq!(
            pair.target,
            question(pair.language, &fields(pair.language, pair.item))
        );
        assert_eq!(
            pair.source,
            format!(
                "{}\nTranslate the input from {name} to {name}:\n",
                pair.target
            )
        );
        assert_eq!(pair.into, Some(pair.language));
    }
}

#[test]
fn kept_answers_are_the_labels_of_the_english_file() {
    let answers = BuildRecipe {
        control: Control::Answers,
        ..paper()
    };
    let folder = data(|_| {});
    for (setting, target) in [("zh/de=>en", Language::En), ("de=>zh", Language::Zh)] {
        let plain = load(&folder, setting, 6, &paper()).expect("loads").pairs;
        for (pair, plain) in load(&folder, setting, 6, &answers)
            .expect("loads")
            .pairs
            .iter()
            .zip(plain)
        {
            let word = &snli().languages[&target].label_words[pair.item % 3];
            assert_eq!(
                (&pair.source, &pair.target),
                (&plain.source, &format!("{}{word}\"", plain.target))
            );
        }
    }

    // Published sets hold items without a label.
    let unlabelled = data(|files| {
        let text = files["snli_en30_train.json"].clone();
        let mut items: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        for item in [4, 21] {
            drop(
                items[item]
                    .as_object_mut()
                    .expect("an object")
                    .remove("answer"),
            );
        }
        files.insert("snli_en30_train.json", json!(items).to_string());
    });
    let drawn = load(&unlabelled, "zh=>en", 0, &answers).expect("loads");
    let removed: Vec<_> = drawn.origins[0]
        .removed
        .iter()
        .map(|r| (r.item, r.reason, r.found.is_none()))
        .collect();
    assert_eq!(
        removed,
        [(4, Reason::NoAnswer, true), (21, Reason::NoAnswer, true)]
    );
    assert_eq!(drawn.pairs.len(), 28);
    let error = load(&unlabelled, "zh=>en", 30, &answers)
        .expect_err("28 are left")
        .to_string();
    assert!(
        error.contains("has 28 pairs left (taken out: 2 (2 without an answer)), 30 were asked for"),
        "{error}"
    );

    let other = data(|files| {
        let mut all: Vec<_> = (0..30).map(|i| fields(Language::En, i)).collect();
        all[12][1].push('!');
        files.insert("snli_en30_train.json", labelled_file(Language::En, &all));
    });
    let error = load(&other, "zh=>en", 6, &answers)
        .expect_err("another question")
        .to_string();
    assert!(
        error
            .contains("snli_zh30_train_question.json item 12 (line 1): its English question is not that of item 12 of")
            && error.contains("snli_en30_train.json, so it has no answer to keep"),
        "{error}"
    );
    let short = data(|files| {
        let some: Vec<_> = (0..29).map(|i| fields(Language::En, i)).collect();
        files.insert("snli_en30_train.json", labelled_file(Language::En, &some));
    });
    let error = load(&short, "zh=>en", 6, &answers)
        .expect_err("an item is missing")
        .to_string();
    assert!(
        error.contains("item 29 (line 1): its English question is not that of item 29"),
        "{error}"
    );
    let none = data(|files| drop(files.remove("snli_en30_train.json")));
    let error = load(&none, "zh=>en", 6, &answers)
        .expect_err("no labels")
        .to_string();
    assert!(
        error.contains("no file snli_en<count>_train.json"),
        "{error}"
    );
}

#[test]
fn a_question_is_on_one_side_of_the_split() {
    let folder = data(|_| {});
    let setting: Setting = "zh/de=>en".parse().expect("a setting");
    let build = BuildRecipe {
        split: Split::Questions,
        directions: Directions::Both,
        ..paper()
    };
    let train = TrainRecipe {
        build,
        val_size: 0.2,
        ..TrainRecipe::paper(vec![setting], vec!["snli".into()])
    };
    let pairs = load(&folder, "zh/de=>en", 20, &train.build)
        .expect("loads")
        .pairs;
    let (training, validation) = pairs::split(&pairs, pairs.clone(), &train, 1);
    let sides = [&training, &validation]
        .map(|side| side.iter().map(|pair| pair.item).collect::<BTreeSet<_>>());
    assert!(sides[0].is_disjoint(&sides[1]));
    assert_eq!(training.len() + validation.len(), 80);
    let questions = sides[0].len() + sides[1].len();
    assert_eq!(sides[1].len(), (questions as f64 * 0.2).ceil() as usize);

    let by_pair = TrainRecipe {
        build: paper(),
        ..train.clone()
    };
    let (training, validation) = pairs::split(&pairs, pairs.clone(), &by_pair, 1);
    assert_eq!((training.len(), validation.len()), (64, 16));

    let other = data(|files| {
        let numbers: Vec<usize> = (0..30).map(|i| if i == 5 { 55 } else { i }).collect();
        files.insert(
            "snli_de30_train_question.json",
            training_file(Language::De, &numbers),
        );
    });
    let error = load(&other, "zh/de=>en", 20, &train.build)
        .expect_err("not parallel")
        .to_string();
    assert!(
        error.contains(
            "snli_de30_train_question.json item 5 (line 1): its English question is not that of"
        ) && error.contains("set `train.build.split` to `pairs`"),
        "{error}"
    );
    load(&other, "zh/de=>en", 20, &paper())
        .expect("only the split by question needs parallel files");
}
