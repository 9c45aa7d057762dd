//! Made-up states of which the answers are known, and states that are refused.

use analyse::geometry::{Draws, LayerSpace, LayerStates, changes, pairs, pca};
use schema::inside::Measure;

use crate::states::{Normal, States, languages};

const N: usize = 60;
const E: usize = 40;

/// `items` (N, shared) times `directions` (shared, E), with noise.
fn embed(
    items: &[f64],
    directions: &[f64],
    shared: usize,
    noise: f64,
    random: &mut Normal,
) -> Vec<f64> {
    let at = |item: usize, d: usize| {
        (0..shared)
            .map(|k| items[item * shared + k] * directions[k * E + d])
            .sum::<f64>()
    };
    (0..N * E)
        .map(|place| at(place / E, place % E) + noise * random.draw())
        .collect()
}

fn tokens(count: usize) -> Vec<Vec<usize>> {
    vec![(0..N).map(|item| 10 + item % 7).collect(); count]
}

/// Two languages in one subspace of three dimensions, and a third that is turned out of it and
/// made larger.
fn related(seed: u64) -> States {
    let mut random = Normal::new(seed);
    let (items, directions) = (random.vector(N * 3), random.vector(3 * E));
    let a = embed(&items, &directions, 3, 0.3, &mut random);
    let b = embed(&items, &directions, 3, 0.3, &mut random);
    // reversing and negating every second dimension is a rotation or a reflection
    let turn = |row: &[f64]| {
        let signed = row
            .iter()
            .rev()
            .enumerate()
            .map(|(d, value)| if d % 2 == 0 { *value } else { -value });
        signed.map(|value| 2.5 * value).collect::<Vec<_>>()
    };
    let c = a.chunks_exact(E).flat_map(turn).collect();
    States::new(E, tokens(3), &[a, b, c])
}

fn only(states: &States, a: usize, b: usize) -> States {
    let values = vec![states.values[a].clone(), states.values[b].clone()];
    States {
        width: states.width,
        tokens: tokens(2),
        values,
    }
}

#[test]
fn a_shared_subspace_is_seen_by_every_measure() {
    let shared = only(&related(1), 0, 1);
    for (measure, least) in [
        (Measure::Pearson, 0.95),
        (Measure::PearsonCentred, 0.95),
        (Measure::Cka, 0.9),
        (Measure::Retrieval, 0.6),
        (Measure::Cosine, 0.9),
        (Measure::CosineCentred, 0.9),
    ] {
        let found = shared.record(measure, 99);
        let (low, high) = (found.low.expect("an end"), found.high.expect("an end"));
        assert!(
            found.value > least && low < found.value && found.value < high,
            "{measure}: {found:?}"
        );
        assert!(
            found.p == Some(0.01) && found.null.expect("a null") < 0.1,
            "{measure}: {found:?}"
        );
    }
}

#[test]
fn a_turned_copy_has_cka_one_and_no_correlation_to_speak_of() {
    let turned = only(&related(1), 0, 2);
    let cka = turned.record(Measure::Cka, 99);
    assert!(
        (cka.value - 1.0).abs() < 1e-6 && cka.high.expect("an end") >= cka.value,
        "{cka:?}"
    );
    assert!(turned.value(Measure::Pearson).abs() < 0.7);
    assert!(turned.value(Measure::Retrieval) < 0.2);
}

#[test]
fn unrelated_states_have_nothing_in_common() {
    // narrow states: plain CKA of 60 items and 40 dimensions would be about 0.4
    let unrelated = States::unrelated(2, N, E, &mut Normal::new(3));
    assert!(unrelated.value(Measure::Cka).abs() < 0.05);
    let retrieval = unrelated.record(Measure::Retrieval, 0);
    assert!(retrieval.value < 0.1 && retrieval.null.expect("a null") <= 1.0 / N as f64);
    assert!(unrelated.value(Measure::CosineCentred).abs() < 0.1);
    // one direction makes all cosines high, parallel or not
    let cosine = unrelated.record(Measure::Cosine, 0);
    assert!(
        cosine.value > 0.15 && (cosine.value - cosine.null.expect("a null")).abs() < 0.03,
        "{cosine:?}"
    );
    assert!(
        unrelated.value(Measure::Centroid).abs() < 0.2
            && unrelated.value(Measure::Length).abs() < 0.15
    );
}

#[test]
fn a_planted_offset_is_found() {
    let mut random = Normal::new(4);
    let mut rows = [random.vector(N * E), random.vector(N * E)];
    // an offset of 2 in nine dimensions: 6, where items are sqrt(E) from their mean
    rows[1]
        .chunks_exact_mut(E)
        .for_each(|row| row[..9].iter_mut().for_each(|value| *value += 2.0));
    let found = States::new(E, tokens(2), &rows).record(Measure::Centroid, 9);
    assert!(
        (found.value - 6.0 / (E as f64).sqrt()).abs() < 0.05,
        "{found:?}"
    );
    assert_eq!((found.null, found.p), (None, None));
    let rows = rows.map(|rows| {
        rows.chunks_exact(E)
            .flat_map(|row| [&row[..9], &[9.0; E - 9]].concat())
            .collect()
    });
    let states = States::new(E, tokens(2), &rows);
    let [joint, centred] = <[_; 2]>::try_from(pca(&states.space())).expect("both fits");
    // the offset is the first component of the joint fit, and gone from the other
    let means = |record: &schema::inside::PcaRecord| {
        languages(2)
            .iter()
            .map(|l| record.points[l].iter().map(|p| p[0]).sum::<f32>() / N as f32)
            .collect::<Vec<_>>()
    };
    assert!(
        (means(&joint)[0] - means(&joint)[1]).abs() > 5.5 && joint.explained[0] > 0.5,
        "{joint:?}"
    );
    assert!((means(&centred)[0] - means(&centred)[1]).abs() < 1e-4 && centred.explained[0] < 0.3);
}

#[test]
fn lengths_that_make_the_cosines_are_found() {
    let mut random = Normal::new(5);
    let lengths: Vec<usize> = (0..N)
        .map(|_| (50.0 * (0.5 * random.draw()).exp()) as usize + 5)
        .collect();
    let cosine = |length: &usize| 0.3 + 0.1 * (*length as f64).ln();
    let a = lengths.iter().flat_map(|_| [1.0, 0.0]).collect();
    let b = lengths
        .iter()
        .map(cosine)
        .flat_map(|c| [c, (1.0 - c * c).sqrt()])
        .collect();
    let states = States::new(2, vec![lengths.clone(), vec![20; N]], &[a, b]);
    let found = states.record(Measure::Length, 99);
    assert!(
        found.value > 0.999 && found.p == Some(0.01) && found.null == Some(0.0),
        "{found:?}"
    );
    // lengths that are the same in both languages are one regressor
    let noisy = |length: &usize| cosine(length) + 0.05 * random.draw();
    let rows = [
        lengths.iter().flat_map(|_| [1.0, 0.0]).collect(),
        lengths
            .iter()
            .map(noisy)
            .flat_map(|c| [c, (1.0 - c * c).sqrt()])
            .collect(),
    ];
    let share = |tokens: Vec<usize>| {
        States::new(2, vec![lengths.clone(), tokens], &rows).value(Measure::Length)
    };
    let (one, both) = (share(vec![20; N]), share(lengths.clone()));
    assert!((one - both).abs() < 1e-12 && one < 0.9, "{one} {both}");
}

/// The last token of a prompt is the same in every prompt, so its embedding does not vary.
#[test]
fn what_does_not_vary_has_no_record() {
    // their mean is rounded, and so not quite what each of them is
    let constant = States::new(
        3,
        vec![vec![7; 11]; 2],
        &[[0.3, 0.1, 0.7].repeat(11), [0.2, 0.5, 0.1].repeat(11)],
    );
    assert!(
        pca(&constant.space()).iter().all(|record| !record.centred),
        "only the languages differ"
    );
    let found: Vec<Measure> = constant
        .pairs(9)
        .iter()
        .map(|record| record.measure)
        .collect();
    assert_eq!(found, [Measure::Retrieval, Measure::Cosine]);
    let same = States::new(
        3,
        vec![vec![7; 11]; 2],
        &[[0.3, 0.1, 0.7].repeat(11), [0.3, 0.1, 0.7].repeat(11)],
    );
    assert!(pca(&same.space()).is_empty());
    // equal cosines are not above each other
    assert_eq!(same.value(Measure::Retrieval), 0.0);
    let zero = States::new(
        3,
        vec![vec![7; 6]; 2],
        &[vec![0.0; 18], [0.3, 0.1, 0.7].repeat(6)],
    );
    assert_eq!(zero.pairs(9), []);
    // cosines of copies are 1 but for rounding, which lengths do not explain
    let rows = Normal::new(6).vector(N * 3);
    let mut copies = States::new(
        3,
        tokens(2),
        &[rows.clone(), rows.iter().map(|value| 3.0 * value).collect()],
    );
    copies.tokens[1][0] += 5;
    assert!(
        copies
            .pairs(9)
            .iter()
            .all(|record| record.measure != Measure::Length && record.value <= 1.0)
    );
}

#[test]
fn states_that_cannot_be_compared_are_refused() {
    let all = languages(2);
    let (items, others, tokens, values) = ([0, 1, 2, 3, 4], [0, 1, 2, 3, 5], [3; 5], [0.5_f32; 10]);
    let good = LayerStates {
        language: all[0],
        items: &items,
        tokens: &tokens,
        values: &values,
    };
    let other = LayerStates {
        language: all[1],
        ..good
    };
    let infinite = [&values[..7], &[f32::INFINITY, 0.0, 0.0]].concat();
    let message = |rows: &[LayerStates<'_>]| {
        LayerSpace::prepare(3, 2, rows)
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(
        message(&[]),
        "layer 3: no language has states; capture some"
    );
    assert_eq!(
        message(&[good, good]),
        "layer 3, en: is there twice; name it once"
    );
    assert_eq!(
        message(&[
            LayerStates {
                items: &others,
                ..other
            },
            good
        ]),
        "layer 3, zh: its items are not those of en, in their order; take the items that all have"
    );
    assert_eq!(
        message(&[LayerStates {
            items: &items[..4],
            tokens: &tokens[..4],
            values: &values[..8],
            ..good
        }]),
        "layer 3, en: 4 items; 5 or more are needed, so raise the limit"
    );
    assert_eq!(
        message(&[
            good,
            LayerStates {
                values: &values[..8],
                ..other
            }
        ]),
        "layer 3, zh: 5 lengths and 8 values for 5 items of width 2; capture them again"
    );
    assert_eq!(
        message(&[LayerStates {
            tokens: &[3, 3, 0, 3, 3],
            ..good
        }]),
        "layer 3, en: item 2 has no tokens; capture it again"
    );
    assert_eq!(
        message(&[
            good,
            LayerStates {
                values: &infinite,
                ..other
            }
        ]),
        "layer 3, zh: item 3, dimension 1, is inf; capture it again"
    );
    let [one, two] =
        [3, 4].map(|layer| LayerSpace::prepare(layer, 2, &[good, other]).expect("sound"));
    assert_eq!(
        changes(&one, &two, &Measure::ALL)
            .expect_err("refused")
            .to_string(),
        "layer 4: the states before and after differ in layer, width, items or languages; capture both \
         with one recipe"
    );
}

#[test]
fn fewest_items_are_enough_for_every_measure() {
    let few = States::unrelated(2, 5, 8, &mut Normal::new(8));
    let records = pairs(
        &few.space(),
        &Measure::ALL,
        Draws {
            seed: 2,
            permutations: 999,
        },
    );
    assert_eq!(records.len(), 8);
    for record in records {
        let ends = record.low.zip(record.high).expect("an interval");
        assert!(
            ends.0 <= record.value && record.value <= ends.1,
            "{record:?}"
        );
        // of 120 orders one is the order itself, so about 8 of 999 reach the value at least
        assert!(record.p.is_none_or(|p| p > 0.003), "{record:?}");
    }
}
