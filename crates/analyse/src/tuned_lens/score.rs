//! How far raw and tuned lens are from the model on text that no translator was trained on.
//! Never here: training.

use model::{Decoder, ModelError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schema::inside::TunedLensRecord;

use super::{CHUNK, learner::Learner, token_states::TokenStates};
use crate::{bootstrap::percentile, error::AnalyseError};

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
    let records = sums.iter().enumerate().map(|(layer, sums)| {
        let total = DivergenceSums::add_up(sums.iter().map(|sums| (sums, 1.0)));
        let mut gains: Vec<f64> = draws.iter().map(|counts| gain(sums, counts)).collect();
        gains.sort_by(f64::total_cmp);
        TunedLensRecord {
            layer,
            tokens: states.owners.len(),
            raw_kl: total.raw / total.tokens,
            tuned_kl: total.tuned / total.tokens,
            gain_low: percentile(&gains, 0.025),
            gain_high: percentile(&gains, 0.975),
        }
    });
    Ok(records.collect())
}

/// How much nearer the tuned lens is per token of the drawn prompts.
fn gain(sums: &[DivergenceSums], counts: &[u32]) -> f64 {
    let drawn = sums
        .iter()
        .zip(counts.iter().map(|&count| f64::from(count)));
    let drawn = DivergenceSums::add_up(drawn);
    (drawn.raw - drawn.tuned) / drawn.tokens
}

impl DivergenceSums {
    /// Of sums, each counted so many times.
    fn add_up<'a>(all: impl Iterator<Item = (&'a Self, f64)>) -> Self {
        all.fold(Self::default(), |total, (sums, times)| {
            total.plus(sums, times)
        })
    }

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
        let shares = model.shares(&last.narrow(0, start, owners.len())?)?;
        for (layer, (learner, sums)) in learners.iter().zip(&mut sums).enumerate() {
            let rows = states.layers[layer].narrow(0, start, owners.len())?;
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
    let mut draws = vec![vec![0; count]; resamples];
    for counts in &mut draws {
        (0..count).for_each(|_| counts[generator.random_range(0..count)] += 1);
    }
    draws
}

#[cfg(test)]
mod tests {
    use super::*;

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
