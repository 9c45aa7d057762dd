//! What is taken out: questions of the test files, and duplicates.

use super::*;

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
