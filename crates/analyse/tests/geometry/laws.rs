//! What holds for any states.

use analyse::geometry::{Draws, LayerSpace, LayerStates, pairs, pca};
use proptest::prelude::*;
use schema::inside::{Measure, PairRecord};

use crate::states::{Normal, States, languages};

const PERMUTATIONS: usize = 37;

/// Three languages that share some of what they are; sometimes more dimensions than rows,
/// sometimes fewer.
fn states() -> impl Strategy<Value = States> {
    (
        5_usize..12,
        prop_oneof![2_usize..9, 40_usize..50],
        any::<u64>(),
    )
        .prop_map(|(n, width, seed)| {
            let mut random = Normal::new(seed);
            let mut states = States::unrelated(3, n, width, &mut random);
            let shared: Vec<f32> = random
                .vector(n * width)
                .iter()
                .map(|value| 2.0 * *value as f32)
                .collect();
            states
                .values
                .iter_mut()
                .for_each(|values| values.iter_mut().zip(&shared).for_each(|(v, s)| *v += s));
            states
        })
}

/// Values and intervals agree; p-values are of other draws.
fn near(found: &[PairRecord], expected: &[PairRecord], within: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        prop_assert_eq!(
            (found.a, found.b, found.measure),
            (expected.a, expected.b, expected.measure)
        );
        let ends = |record: &PairRecord| [Some(record.value), record.low, record.high, record.null];
        for (one, other) in ends(found).into_iter().zip(ends(expected)) {
            prop_assert_eq!(one.is_some(), other.is_some());
            let apart = one
                .zip(other)
                .map_or(0.0, |(one, other)| (one - other).abs());
            prop_assert!(apart < within, "{:?} {:?}", found, expected);
        }
    }
    Ok(())
}

fn of(space: &LayerSpace) -> Vec<PairRecord> {
    pairs(
        space,
        &Measure::ALL,
        Draws {
            seed: 5,
            permutations: PERMUTATIONS,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn order_of_languages_decides_nothing(states in states()) {
        let items: Vec<usize> = (0..states.items()).collect();
        let rows: Vec<LayerStates<'_>> = languages(3).into_iter().zip(states.tokens.iter().zip(&states.values))
            .map(|(language, (tokens, values))| LayerStates { language, items: &items, tokens, values }).collect();
        let turned = LayerSpace::prepare(0, states.width, &[rows[2], rows[0], rows[1]]).expect("sound states");
        prop_assert_eq!(of(&turned), of(&states.space()));
        prop_assert_eq!(pca(&turned), pca(&states.space()));
    }

    #[test]
    fn order_of_items_decides_nothing(states in states(), by in 1_usize..4) {
        let mut turned = states.clone();
        turned.tokens.iter_mut().for_each(|tokens| tokens.rotate_left(by));
        turned.values.iter_mut().for_each(|values| values.rotate_left(by * states.width));
        near(&of(&turned.space()), &of(&states.space()), 1e-5)?;
        let (found, expected) = (pca(&turned.space()), pca(&states.space()));
        for (found, expected) in found.iter().zip(&expected) {
            for (language, points) in &found.points {
                let mut expected = expected.points[language].clone();
                expected.rotate_left(by);
                let apart = points.iter().zip(&expected).map(|(a, b)| (a[0] - b[0]).abs()).fold(0.0, f32::max);
                prop_assert!(apart < 1e-3, "{}", apart);
            }
        }
    }

    #[test]
    fn threads_decide_nothing(states in states()) {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| (of(&states.space()), pca(&states.space())))
        };
        prop_assert_eq!(on(1), on(3));
    }

    #[test]
    fn larger_states_are_no_other_states(states in states()) {
        let mut larger = states.clone();
        larger.values.iter_mut().flatten().for_each(|value| *value *= 4.0);
        near(&of(&larger.space()), &of(&states.space()), 1e-9)?;
    }

    #[test]
    fn cka_knows_neither_place_nor_size_nor_turn(states in states(), size in 0.1_f32..10.0) {
        let mut turned = states.clone();
        for (at, row) in turned.values[1].chunks_exact_mut(states.width).enumerate() {
            prop_assert!(at < states.items());
            row.reverse();
            row.iter_mut().enumerate().for_each(|(d, value)| *value = *value * size + d as f32);
        }
        let [found, expected] = [&turned, &states].map(|states| states.value(Measure::Cka));
        prop_assert!((found - expected).abs() < 1e-4, "{} {}", found, expected);
    }

    #[test]
    fn intervals_hold_their_values(states in states()) {
        for record in states.pairs(PERMUTATIONS) {
            let (low, high) = record.low.zip(record.high).expect("ends");
            prop_assert!(low <= record.value && record.value <= high, "{:?}", record);
            prop_assert!(record.p.is_none_or(|p| p >= 1.0 / (1.0 + PERMUTATIONS as f64) && p <= 1.0), "{:?}", record);
            prop_assert_eq!(record.p.is_none(), record.measure == Measure::Centroid);
        }
    }
}
