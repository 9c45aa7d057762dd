//! Statistics of a made-up run with several seeds, several sets of exemplars and items that
//! share a text: what the files say of them, and that it is what was made up.

mod fabricate;

use std::path::Path;

use compare::{Changes, Comparison, Verdict};
use fabricate::{BASE, EMOTION, Mind, SNLI, answers, lines, put};
use schema::{AnswerRecord, Language};

const LANGUAGES: [Language; 5] = [
    Language::En,
    Language::Zh,
    Language::De,
    Language::Ja,
    Language::Sw,
];

fn records(
    shape: &fabricate::Shape,
    mind: Mind,
    adapter: Option<&str>,
    few_shot: &str,
) -> Vec<AnswerRecord> {
    let all = LANGUAGES
        .iter()
        .flat_map(|language| answers(shape, *language, mind, adapter));
    all.map(|record| AnswerRecord {
        few_shot: few_shot.to_owned(),
        ..record
    })
    .collect()
}

fn compare(folder: &Path, before: &[AnswerRecord], after: &[AnswerRecord]) -> Comparison {
    let (a, b) = (folder.join("a.jsonl"), folder.join("b.jsonl"));
    put(&a, &lines(before));
    put(&b, &lines(after));
    let read = |path: &Path| compare::read_answers(path).expect("answers");
    compare::compare((&a, read(&a)), (&b, read(&b))).expect("a comparison")
}

fn changes_of(shape: &fabricate::Shape, before: Mind, after: Mind) -> Changes {
    let folder = tempfile::tempdir().expect("a folder");
    let (before, after) = (
        records(shape, before, None, "head:2"),
        records(shape, after, Some("x"), "head:2"),
    );
    compare(folder.path(), &before, &after).changes
}

#[test]
fn causes_that_were_made_up_are_named() {
    let long = fabricate::Shape {
        items: 240,
        ..EMOTION
    };
    let only_prior = changes_of(
        &long,
        BASE,
        Mind {
            preference: 0.1,
            ..BASE
        },
    );
    assert_eq!(
        only_prior.mean.attribution.verdict,
        Verdict::Prior,
        "{:?}",
        only_prior.mean
    );
    assert!(only_prior.mean.change.rises());
    let only_skill = changes_of(
        &long,
        Mind {
            preference: 0.0,
            ..BASE
        },
        Mind {
            preference: 0.0,
            separation: 1.6,
            ..BASE
        },
    );
    assert_eq!(
        only_skill.mean.attribution.verdict,
        Verdict::Discrimination,
        "{:?}",
        only_skill.mean
    );
    let both = changes_of(
        &long,
        BASE,
        Mind {
            preference: 0.1,
            separation: 1.6,
            seed: 1,
        },
    );
    assert_eq!(
        both.mean.attribution.verdict,
        Verdict::DiscriminationAndPrior,
        "{:?}",
        both.mean
    );
    let nothing = changes_of(&long, BASE, BASE);
    assert_eq!(nothing.mean.attribution.verdict, Verdict::Unresolved);
    assert_eq!(
        (
            nothing.mean_p.expect("joint").exact,
            nothing.languages[0].p.mid
        ),
        (1.0, 1.0)
    );
    let worse = changes_of(
        &long,
        BASE,
        Mind {
            separation: 0.2,
            ..BASE
        },
    );
    assert_eq!(
        worse.mean.attribution.verdict,
        Verdict::DiscriminationLoss,
        "{:?}",
        worse.mean
    );
}

#[test]
fn items_that_share_a_text_are_clusters() {
    let changes = changes_of(
        &SNLI,
        BASE,
        Mind {
            separation: 1.5,
            ..BASE
        },
    );
    for of in &changes.languages {
        assert_eq!((of.items, of.reliability.clusters), (42, 14));
        let robust = of.reliability.robust.expect("clusters");
        assert!((robust.value - of.change.value).abs() < 1e-12);
        let (right, wrong) = of.reliability.discordant;
        assert!((right - wrong - of.change.value).abs() < 1e-12);
    }
    let alone = changes_of(
        &EMOTION,
        BASE,
        Mind {
            separation: 1.5,
            ..BASE
        },
    );
    assert!(
        alone
            .languages
            .iter()
            .all(|of| of.reliability.clusters == 40)
    );
    let effects = || {
        alone
            .languages
            .iter()
            .map(|of| of.reliability.design_effect)
    };
    assert!(
        effects().all(|effect| effect.is_nan() || (effect - 1.0).abs() < 1e-9),
        "NaN: no item changed"
    );
    assert!(effects().any(|effect| !effect.is_nan()));
}

#[test]
fn groups_gap_and_agreement_are_those_of_the_records() {
    let changes = changes_of(
        &EMOTION,
        BASE,
        Mind {
            separation: 1.9,
            ..BASE
        },
    );
    let groups: Vec<String> = changes
        .groups
        .iter()
        .map(|group| format!("{}: {}", group.kind, group.name))
        .collect();
    for expected in [
        "resource: high in the paper",
        "resource: other in the paper",
        "script: Latin",
        "family: Germanic",
    ] {
        assert!(groups.iter().any(|group| group == expected), "{groups:?}");
    }
    let class: Vec<usize> = changes
        .groups
        .iter()
        .filter(|g| g.kind == "resource class")
        .map(|g| g.languages.len())
        .collect();
    assert_eq!(class, [4, 1]);
    let level = |code: &str| {
        changes
            .languages
            .iter()
            .find(|of| of.language.code() == code)
            .map(|of| of.after.value)
            .expect("compared")
    };
    let gap = changes.gap.expect("English is there");
    let others = ["zh", "de", "ja", "sw"].map(level).iter().sum::<f64>() / 4.0;
    assert!((gap.after.value - (level("en") - others)).abs() < 1e-12);
    assert!(gap.after.low <= gap.after.value && gap.after.value <= gap.after.high);

    let consistency = changes.consistency.expect("five languages");
    let chosen = |language: Language| -> Vec<String> {
        answers(&EMOTION, language, BASE, None)
            .into_iter()
            .map(|record| record.chosen)
            .collect()
    };
    let all: Vec<Vec<String>> = LANGUAGES.iter().map(|language| chosen(*language)).collect();
    let alike = |item: &usize| all.iter().all(|of| of[*item] == all[0][*item]);
    let share = (0..40).filter(alike).count() as f64 / 40.0;
    assert!((consistency.all_alike.measured.before.value - share).abs() < 1e-12);
    let with_chinese = (0..40).filter(|&item| all[0][item] == all[1][item]).count() as f64 / 40.0;
    let chinese = &consistency.with_english[0];
    assert!((chinese.alike.measured.before.value - with_chinese).abs() < 1e-12);
    // with two labels RankC follows from the share of items answered alike
    let from_share = 0.268_941_421_369_995_1 + (1.0 - 0.268_941_421_369_995_1) * with_chinese;
    assert!((chinese.rank_consistency.measured.before.value - from_share).abs() < 1e-12);
    assert_eq!(consistency.with_english.len(), 4);
}

#[test]
fn exemplar_sets_are_paired_with_their_own_and_their_variance_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let sets = |mind: Mind, adapter: Option<&str>| {
        let harder = Mind {
            separation: mind.separation - 0.6,
            ..mind
        };
        [
            records(&EMOTION, mind, adapter, "head:2"),
            records(&EMOTION, harder, adapter, "seed:1:2"),
        ]
        .concat()
    };
    let (before, after) = (
        sets(BASE, None),
        sets(
            Mind {
                separation: 1.9,
                ..BASE
            },
            Some("x"),
        ),
    );
    let comparison = compare(folder.path(), &before, &after);
    assert_eq!(comparison.changes.few_shots, ["head:2", "seed:1:2"]);
    let mean = comparison.changes.reliability.as_ref().expect("two sets");
    assert_eq!(
        (mean.seeds, mean.exemplar_sets, mean.change.seed),
        (1, 2, None)
    );
    assert!(mean.change.exemplars.is_some() && mean.wide.high - mean.wide.low > 0.0);
    // the levels are means over the sets
    let right = |few_shot: &str| {
        let of = before
            .iter()
            .filter(|r| r.language == Language::De && r.few_shot == few_shot);
        of.filter(|record| record.correct).count() as f64 / 40.0
    };
    let german = comparison
        .changes
        .languages
        .iter()
        .find(|of| of.language == Language::De)
        .expect("compared");
    assert!((german.before.value - (right("head:2") + right("seed:1:2")) / 2.0).abs() < 1e-12);

    // a set that only one has is left out and told; other items are left out of all sets
    let only_first: Vec<AnswerRecord> = after
        .iter()
        .filter(|r| r.few_shot == "head:2")
        .cloned()
        .collect();
    let comparison = compare(folder.path(), &before, &only_first);
    assert_eq!(comparison.changes.few_shots, ["head:2"]);
    assert!(
        comparison
            .gaps
            .iter()
            .any(|gap| gap.contains("`seed:1:2`; left out")),
        "{:?}",
        comparison.gaps
    );
    let shorter = |records: &[AnswerRecord]| -> Vec<AnswerRecord> {
        records
            .iter()
            .filter(|r| r.few_shot == "head:2" || r.item > 3)
            .cloned()
            .collect()
    };
    let comparison = compare(folder.path(), &shorter(&before), &shorter(&after));
    assert!(comparison.changes.languages.iter().all(|of| of.items == 36));
}
