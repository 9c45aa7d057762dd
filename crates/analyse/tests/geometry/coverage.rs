//! By simulation: nulls that hold are refused no more often than they should be, and intervals
//! hold the truth about as often as they say.

use std::collections::BTreeMap;

use analyse::geometry::changes;
use schema::inside::Measure;

use crate::states::{Normal, States};

const N: usize = 30;
const E: usize = 12;
const RUNS: u64 = 400;
/// Variance of what two languages share, dimension by dimension.
const SHARED: [f64; E] = [16.0, 4.0, 3.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5];

#[test]
fn nulls_that_hold_are_refused_five_times_in_a_hundred() {
    const RUNS: u64 = 1600;
    let mut refused: BTreeMap<Measure, [u32; 2]> = BTreeMap::new();
    for run in 0..RUNS {
        // permutations of its own for each: those of one draw may lie to one side
        for record in States::unrelated(2, 16, 6, &mut Normal::new(run)).pairs_by(run, 99) {
            let Some(p) = record.p else { continue };
            let [often, half] = refused.entry(record.measure).or_default();
            *often += u32::from(p <= 0.05);
            *half += u32::from(p <= 0.5);
        }
    }
    assert_eq!(
        refused.len(),
        7,
        "all but the distance of the means have a null"
    );
    for (measure, [often, half]) in refused {
        println!("{measure}: {often} of {RUNS} refused at 0.05, {half} at 0.5");
        // 80 of 1600 are expected; two errors of that are 17
        assert!(often <= 97, "{measure}: {often} of {RUNS}");
        // and p-values are spread evenly, but for those of a count
        let least = if measure == Measure::Retrieval {
            160
        } else {
            740
        };
        assert!(
            (least..=860).contains(&half),
            "{measure}: {half} of {RUNS} at most 0.5"
        );
        assert!(
            often >= if measure == Measure::Retrieval { 0 } else { 50 },
            "{measure}: {often} of {RUNS}"
        );
    }
}

/// Two languages: what is shared, what is not in the size `noise`, and a distance of 6 between
/// the means. Lengths explain nothing.
fn related(seed: u64, noise: f64) -> States {
    let mut random = Normal::new(seed);
    let shared: Vec<f64> = (0..N * E)
        .map(|at| SHARED[at % E].sqrt() * random.draw())
        .collect();
    let mut language = |offset: f64| -> Vec<f64> {
        let place = |at: usize| if at % E == 1 { offset } else { 0.0 };
        shared
            .iter()
            .enumerate()
            .map(|(at, value)| value + noise * random.draw() + place(at))
            .collect()
    };
    let rows = [language(0.0), language(6.0)];
    States::new(
        E,
        vec![(0..N).map(|item| 10 + item * item % 11).collect(); 2],
        &rows,
    )
}

/// How often an interval held the truth, of [`RUNS`].
fn held(measure: Measure, truth: f64, mut ends: impl FnMut(u64) -> (f64, f64)) {
    let held = (0..RUNS)
        .map(&mut ends)
        .filter(|(low, high)| *low <= truth && truth <= *high)
        .count();
    // 380 are expected, more of a count
    let most = if measure == Measure::Retrieval {
        399
    } else {
        396
    };
    assert!(
        (360..=most).contains(&held),
        "{measure}: the truth, {truth}, is in {held} of {RUNS}"
    );
}

fn mean_of(measure: Measure, noise: f64) -> f64 {
    (1000..1000 + RUNS)
        .map(|seed| related(seed, noise).value(measure))
        .sum::<f64>()
        / RUNS as f64
}

fn ends(states: &States, measure: Measure) -> (f64, f64) {
    let record = states.record(measure, 0);
    record.low.zip(record.high).expect("an interval")
}

/// Of normal states with shared variances s and `noise`: the norm of s through that of s +
/// noise².
fn true_cka(noise: f64) -> f64 {
    let squares = |more: f64| SHARED.iter().map(|s| (s + more).powi(2)).sum::<f64>();
    squares(0.0) / squares(noise * noise)
}

#[test]
fn intervals_of_cka_hold_the_truth() {
    held(Measure::Cka, true_cka(2.0), |seed| {
        ends(&related(seed, 2.0), Measure::Cka)
    });
    held(Measure::Cka, true_cka(0.7), |seed| {
        ends(&related(seed, 0.7), Measure::Cka)
    });
}

#[test]
fn intervals_of_the_correlation_hold_the_truth() {
    // the first component is nearly the first dimension; what it is not moves the truth by
    // little
    let measure = Measure::PearsonCentred;
    held(measure, mean_of(measure, 1.0), |seed| {
        ends(&related(seed, 1.0), measure)
    });
}

#[test]
fn intervals_of_the_distance_hold_the_truth() {
    let spread: f64 = SHARED.iter().map(|s| s + 1.0).sum();
    held(Measure::Centroid, 6.0 / spread.sqrt(), |seed| {
        ends(&related(seed, 1.0), Measure::Centroid)
    });
}

#[test]
fn intervals_of_cosines_and_retrieval_hold_the_mean() {
    for measure in [Measure::Cosine, Measure::CosineCentred, Measure::Retrieval] {
        held(measure, mean_of(measure, 1.5), |seed| {
            ends(&related(seed, 1.5), measure)
        });
    }
}

/// Cosines that are lengths' doing to a known share.
#[test]
fn intervals_of_the_share_of_lengths_hold_the_truth() {
    for share in [0.1_f64, 0.6] {
        held(Measure::Length, share, |seed| {
            let mut random = Normal::new(seed);
            let sizes = random.vector(2 * N);
            let (one, two) = sizes.split_at(N);
            let tokens = [one, two].map(|sizes| {
                sizes
                    .iter()
                    .map(|s| (1e4 * (0.3 * s).exp()) as usize)
                    .collect()
            });
            let cosine = |item: usize| {
                let explained = (one[item] + two[item]) / 2_f64.sqrt();
                0.5 + 0.05 * (share.sqrt() * explained + (1.0 - share).sqrt() * random.draw())
            };
            let cosines: Vec<f64> = (0..N).map(cosine).collect();
            let rows = [
                cosines.iter().flat_map(|_| [1.0, 0.0]).collect(),
                cosines
                    .iter()
                    .flat_map(|c| [*c, (1.0 - c * c).sqrt()])
                    .collect(),
            ];
            ends(&States::new(2, tokens.into(), &rows), Measure::Length)
        });
    }
}

#[test]
fn intervals_of_changes_hold_the_truth() {
    for measure in [
        Measure::Cka,
        Measure::Retrieval,
        Measure::CosineCentred,
        Measure::PearsonCentred,
    ] {
        let truth = match measure {
            Measure::Cka => true_cka(0.8) - true_cka(1.6),
            _ => mean_of(measure, 0.8) - mean_of(measure, 1.6),
        };
        held(measure, truth, |seed| {
            // one seed: what is not shared is the same too, at half the size
            let spaces = [1.6, 0.8].map(|noise| related(seed, noise).space());
            let found = changes(&spaces[0], &spaces[1], &[measure]).expect("the same items");
            (found[0].low, found[0].high)
        });
    }
}
