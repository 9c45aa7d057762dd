//! What is made of the questions that are left: templates, directions, controls, the split.

use super::*;

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
