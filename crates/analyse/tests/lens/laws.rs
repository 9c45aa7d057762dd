//! What must hold of every record, and what must not change one.

use analyse::{AnalyseError, lens};
use schema::{
    Language,
    inside::{LensKind, LensRecord},
};

use super::{Bench, LAYERS, WIDTH, with_threads};

fn same_curves(a: &LensRecord, b: &LensRecord) -> bool {
    LensRecord {
        lens: LensKind::Raw,
        ..a.clone()
    } == LensRecord {
        lens: LensKind::Raw,
        ..b.clone()
    }
}

#[test]
fn no_value_depends_on_the_batch_or_the_threads() {
    let bench = Bench::new();
    let tuned = bench.translators(&vec![(vec![0.05; WIDTH * WIDTH], vec![0.1; WIDTH]); LAYERS]);
    // More prompts than rows that go through the head at once.
    let prompts = bench.numbered(Language::Ru, 150);
    let whole = with_threads(3, || {
        bench.read(&prompts, Language::Ru, Some(&tuned), 100_000)
    });
    assert_eq!(whole.len(), 300);
    for (threads, budget) in [(1, 1), (2, 40), (3, 777)] {
        let found = with_threads(threads, || {
            bench.read(&prompts, Language::Ru, Some(&tuned), budget)
        });
        assert!(found == whole, "{threads} threads, {budget} tokens a batch");
    }
    // Nor on what stands beside it in the file, but for the prefix, which is run apart.
    let raw = bench.read(&prompts, Language::Ru, None, 512);
    assert!(
        raw.iter()
            .zip(whole.iter().step_by(2))
            .all(|(raw, both)| raw == both)
    );
}

#[test]
fn sums_contain_each_other() {
    let bench = Bench::new();
    let near = |a: f32, b: f32| (a - b).abs() <= 1e-6;
    for language in [Language::En, Language::Ru, Language::Zh] {
        // Each question with either gold label: the two curves of right answers make up the sum
        // of all.
        let question = |n: usize| format!("one day\nIs: \"bread\"\nthe sea and {n}\nIs: \"");
        let texts: Vec<_> = (0..6).map(|n| (question(n / 2), n % 2)).collect();
        let records = bench.read(&bench.prompts(language, &texts), language, None, 64);
        for pair in records.chunks(2) {
            for at in 0..=LAYERS {
                let [first, second] = [0, 1].map(|gold: usize| pair[gold].correct[at]);
                let possible = pair[0].possible[at];
                assert!(possible == pair[1].possible[at] && possible <= 1.0 + 1e-6);
                assert!(
                    possible + 1e-6 >= first.max(second) && possible <= first + second + 1e-6,
                    "{language} {at}"
                );
                // These words share no token.
                assert!(
                    near(possible, first + second),
                    "{language} {at}: {possible}, {first} {second}"
                );
                assert!((0.0..=640f32.log2() + 1e-4).contains(&pair[0].entropy[at]));
            }
            if language == Language::En {
                assert!(
                    pair.iter()
                        .all(|r| !r.is_dropped() && r.correct == r.correct_english)
                );
                assert!(pair.iter().all(|r| r.possible == r.possible_english));
            } else {
                assert!(pair.iter().all(|r| r.correct != r.correct_english && r.possible != r.possible_english));
            }
        }
    }
}

#[test]
fn a_translator_of_zeros_is_the_raw_lens_and_after_the_last_layer_there_is_none() {
    let bench = Bench::new();
    let prompts = bench.numbered(Language::Zh, 9);
    let zeros = bench.translators(&vec![(vec![0.0; WIDTH * WIDTH], vec![0.0; WIDTH]); LAYERS]);
    let records = bench.read(&prompts, Language::Zh, Some(&zeros), 64);
    assert!(
        records
            .chunks(2)
            .all(|pair| same_curves(&pair[0], &pair[1]))
    );
    let ones = bench.translators(&vec![(vec![0.0; WIDTH * WIDTH], vec![1.0; WIDTH]); LAYERS]);
    for pair in bench
        .read(&prompts, Language::Zh, Some(&ones), 64)
        .chunks(2)
    {
        assert_eq!(
            (pair[0].lens, pair[1].lens),
            (LensKind::Raw, LensKind::Tuned)
        );
        let equal: Vec<bool> = pair[0]
            .entropy
            .iter()
            .zip(&pair[1].entropy)
            .map(|(a, b)| a == b)
            .collect();
        assert_eq!(equal, [false, false, true]);
    }
}

#[test]
fn a_stop_and_what_is_not_finite_are_errors() {
    let bench = Bench::new();
    let (prompts, labels) = (bench.numbered(Language::Ru, 12), bench.labels(Language::Ru));
    let mut seen = Vec::new();
    let stopped = lens::read(&bench.model, &prompts, &labels, None, 1, &mut |done| {
        seen.push(done);
        done < 5
    });
    assert!(matches!(
        stopped,
        Err(AnalyseError::Stopped {
            done: 5,
            total: 12,
            unit: "prompts"
        })
    ));
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    let ends = lens::read(&bench.model, &prompts, &labels, None, 1, &mut |done| {
        done < 12
    });
    assert_eq!(ends.expect("nothing is left to stop").len(), 12);
    let mut huge = vec![(vec![0.0; WIDTH * WIDTH], vec![0.0; WIDTH]); LAYERS];
    huge[1].1[3] = f32::MAX;
    let huge = bench.translators(&huge);
    let error = lens::read(
        &bench.model,
        &prompts,
        &labels,
        Some(&huge),
        1000,
        &mut |_| true,
    )
    .expect_err("overflows");
    assert!(
        error.to_string().starts_with("the lens of item "),
        "{error}"
    );
    assert!(
        error.to_string().contains("after layer 1 is not finite"),
        "{error}"
    );
}
