//! How far raw and tuned lens are from the model on text that no translator was trained on.
//! Never here: training.

use candle_core::Tensor;
use model::{Decoder, ModelError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schema::inside::TunedLensRecord;

use super::{CHUNK, learner::Learner, token_states::TokenStates};
use crate::error::AnalyseError;

/// Stream of the seed that draws prompts again.
const RESAMPLE_STREAM: u64 = 3 << 40;

/// Sums over the tokens of one prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct DivergenceSums {
    tokens: f64,
    raw: f64,
    tuned: f64,
}

/// The divergences of each layer on the rows of `states`, of `prompts` prompts, and 95 %
/// intervals of how much the tuned lens gains: percentiles of `resamples` draws of as many
/// prompts, the same ones for all layers.
pub(super) fn score(
    model: &Decoder,
    learners: &[Learner],
    states: &TokenStates,
    prompts: usize,
    resamples: usize,
    seed: u64,
) -> Result<Vec<TunedLensRecord>, AnalyseError> {
    let sums = add_up(model, learners, states, prompts)?;
    let draws = draw(prompts, resamples, seed);
    let record = |(layer, sums): (usize, Vec<DivergenceSums>)| {
        let total = sums.iter().fold(DivergenceSums::default(), |total, sums| {
            total.plus(sums, 1.0)
        });
        let gain = |counts: &Vec<u32>| {
            let drawn = sums
                .iter()
                .zip(counts)
                .fold(DivergenceSums::default(), |all, (s, &n)| {
                    all.plus(s, f64::from(n))
                });
            (drawn.raw - drawn.tuned) / drawn.tokens
        };
        let mut gains: Vec<f64> = draws.iter().map(gain).collect();
        gains.sort_by(f64::total_cmp);
        TunedLensRecord {
            layer,
            tokens: states.owners.len(),
            raw_kl: total.raw / total.tokens,
            tuned_kl: total.tuned / total.tokens,
            gain_low: percentile(&gains, 0.025),
            gain_high: percentile(&gains, 0.975),
        }
    };
    Ok(sums.into_iter().enumerate().map(record).collect())
}

impl DivergenceSums {
    fn plus(self, other: &Self, times: f64) -> Self {
        Self {
            tokens: self.tokens + times * other.tokens,
            raw: self.raw + times * other.raw,
            tuned: self.tuned + times * other.tuned,
        }
    }
}

/// For each layer the sums of every prompt.
fn add_up(
    model: &Decoder,
    learners: &[Learner],
    states: &TokenStates,
    prompts: usize,
) -> Result<Vec<Vec<DivergenceSums>>, AnalyseError> {
    let mut sums = vec![vec![DivergenceSums::default(); prompts]; learners.len()];
    let Some(last) = states.layers.last() else {
        return Ok(sums);
    };
    for (start, owners) in (0..).step_by(CHUNK).zip(states.owners.chunks(CHUNK)) {
        let part = |layer: &Tensor| layer.narrow(0, start, owners.len());
        let shares = model.shares(&part(last)?)?;
        for (layer, (learner, sums)) in learners.iter().zip(&mut sums).enumerate() {
            let rows = part(&states.layers[layer])?;
            let raw = model.divergence(&rows, &shares, false)?.each;
            let tuned = model
                .divergence(&learner.translate(&rows)?, &shares, false)?
                .each;
            for ((&owner, raw), tuned) in owners.iter().zip(raw).zip(tuned) {
                if !(raw.is_finite() && tuned.is_finite()) {
                    return Err(ModelError::NotFinite(format!(
                        "the divergence of the lens after layer {layer}"
                    ))
                    .into());
                }
                sums[owner] = sums[owner].plus(
                    &DivergenceSums {
                        tokens: 1.0,
                        raw,
                        tuned,
                    },
                    1.0,
                );
            }
        }
    }
    Ok(sums)
}

/// How often each of `count` prompts comes up in each of `resamples` draws.
fn draw(count: usize, resamples: usize, seed: u64) -> Vec<Vec<u32>> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(RESAMPLE_STREAM);
    let one = |_| {
        let mut counts = vec![0; count];
        (0..count).for_each(|_| counts[generator.random_range(0..count)] += 1);
        counts
    };
    (0..resamples).map(one).collect()
}

/// Linear between the two nearest ranks of `sorted`; NaN of nothing.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = share * sorted.len().saturating_sub(1) as f64;
    let value = |rank: f64| sorted.get(rank as usize).copied().unwrap_or(f64::NAN);
    value(rank.floor()) + (value(rank.ceil()) - value(rank.floor())) * rank.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numpys() {
        // np.percentile([1, 2, 4, 8, 16], [2.5, 50, 97.5])
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        let found = [0.025, 0.5, 0.975].map(|share| percentile(&sorted, share));
        assert_eq!(found.map(|x| (x * 1e9_f64).round() / 1e9), [1.1, 4.0, 15.2]);
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn draws_are_of_as_many_prompts_and_of_the_seed() {
        let draws = draw(7, 300, 3);
        assert!(draws.len() == 300 && draws.iter().all(|counts| counts.iter().sum::<u32>() == 7));
        let of_each: Vec<u32> = (0..7)
            .map(|at| draws.iter().map(|counts| counts[at]).sum())
            .collect();
        assert!(
            of_each.iter().all(|&count| count.abs_diff(300) < 80),
            "{of_each:?}"
        );
        assert!(draw(7, 300, 3) == draws && draw(7, 300, 4) != draws);
    }
}
