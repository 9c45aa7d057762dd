//! The small data set that the quickstart runs on (`assets/mini`): whole, parallel, balanced.

use std::path::Path;

use data::{Draw, pairs, tasks, testset};
use schema::{Language, recipe::BuildRecipe};

fn dir() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini"))
}

#[test]
fn every_language_is_whole_and_parallel() {
    let task = tasks::task("emotion").expect("shipped");
    assert_eq!(
        testset::languages(dir(), task).expect("lists"),
        Language::ALL
    );
    let golds = |language| {
        let set = testset::load(dir(), task, language, None).expect("sound");
        set.items.iter().map(|item| item.gold.0).collect::<Vec<_>>()
    };
    let english = golds(Language::En);
    assert_eq!((english.len(), english.iter().sum::<usize>()), (40, 20));
    for &language in Language::ALL {
        assert_eq!(golds(language), english, "{language}");
    }
}

/// Any direction between the languages of the pairs can be composed, so the files agree on the
/// English side.
#[test]
fn pairs_of_five_languages_fit_together() {
    let task = tasks::task("emotion").expect("shipped");
    for (setting, count) in [
        ("zh/de/es/sw/hi=>en", 600),
        ("en/zh/es=>de", 360),
        ("hi=>sw", 120),
    ] {
        let (setting, build) = (&setting.parse().expect("a setting"), &BuildRecipe::paper());
        let draw = Draw {
            dir: dir(),
            task,
            setting,
            pairs: 0,
            seed: 1,
            build,
            asked: &["emotion".to_owned()],
        };
        let pairs = pairs::load(&draw).expect("loads").pairs;
        assert_eq!(pairs.len(), count, "{setting}");
    }
}
