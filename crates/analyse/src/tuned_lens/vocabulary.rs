//! Which tokens an update sees. The sum over 49 thousand tokens is most of an update's work, and
//! few of them count: every token is drawn by itself, with a chance that grows with its share in
//! the model's own distributions, and counts one over that chance, so that sums over the drawn
//! estimate sums over all without bias. Never here: what is learnt from them.

use model::{Decoder, SampledHead};
use rand::RngExt;

use crate::{
    error::AnalyseError,
    random::{Purpose, generator},
};

/// Share of the chances that all tokens have alike: the lens may put weight where the model puts
/// none.
const UNIFORM: f64 = 0.3;

/// Draws about `size` tokens for update `step`; all of them where there are no more. `mean` (V)
/// is the mean of the model's distributions at the update's rows.
pub(super) fn draw(
    model: &Decoder,
    mean: &[f32],
    size: usize,
    seed: u64,
    step: usize,
) -> Result<SampledHead, AnalyseError> {
    let mut random = generator(seed, Purpose::Vocabulary, step as u64);
    let (ids, log_weights) = choose(&chances(mean, size), || random.random());
    Ok(model.sample_head(&ids, &log_weights)?)
}

/// Each token by its chance, with the logarithm of what it counts; `number` is uniform in [0, 1).
fn choose(chances: &[f64], mut number: impl FnMut() -> f64) -> (Vec<u32>, Vec<f32>) {
    (0..)
        .zip(chances)
        .filter(|&(_, &chance)| number() < chance)
        .map(|(id, chance)| (id, -chance.ln() as f32))
        .unzip()
}

/// The chance of each token: `size` in all, none above 1, and 1 for the likeliest, so that there
/// always is one. They grow with the root of its share: where distributions differ by a part of
/// each share, that makes the estimate's error least.
fn chances(mean: &[f32], size: usize) -> Vec<f64> {
    if size >= mean.len() {
        return vec![1.0; mean.len()];
    }
    let vocab = mean.len() as f64;
    let roots: f64 = mean.iter().map(|&share| f64::from(share).sqrt()).sum();
    let wish = |share: &f32| (1.0 - UNIFORM) * f64::from(*share).sqrt() / roots + UNIFORM / vocab;
    let mut wishes: Vec<f64> = mean.iter().map(wish).collect();
    if let Some(likeliest) = wishes.iter_mut().max_by(|a, b| a.total_cmp(b)) {
        *likeliest = f64::INFINITY;
    }
    // Those that would exceed 1 are certain; the others share what is left.
    let (mut factor, mut certain) = (size as f64, 0);
    loop {
        let open = wishes.iter().filter(|&&wish| wish * factor < 1.0);
        let (count, sum) = open.fold((0, 0.0), |(count, sum), wish| (count + 1, sum + wish));
        let found = wishes.len() - count;
        if found == certain || count == 0 {
            break;
        }
        certain = found;
        factor = (size.saturating_sub(certain)) as f64 / sum;
    }
    wishes.iter().map(|wish| (wish * factor).min(1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_at_most_one_and_add_up() {
        // Two sure tokens, the rest rare.
        let mut mean = vec![1e-6f32; 1000];
        (mean[3], mean[700]) = (0.6, 0.4);
        let found = chances(&mean, 50);
        assert!((found.iter().sum::<f64>() - 50.0).abs() < 1e-9);
        assert!(found[3] == 1.0 && found[700] == 1.0, "{:?}", &found[..4]);
        assert!(found.iter().all(|&chance| chance > 0.0 && chance <= 1.0));
        assert!((found[0] - 48.0 / 998.0).abs() < 1e-9, "{}", found[0]);
    }

    #[test]
    fn sums_over_the_drawn_are_those_over_all_on_the_average() {
        let mean: Vec<f32> = (0..200)
            .map(|id| if id < 10 { 0.09 } else { 5e-4 })
            .collect();
        let found = chances(&mean, 60);
        let mut random = generator(1, Purpose::Vocabulary, 0);
        let (mut count, mut sum, draws) = (0.0, 0.0, 2000);
        for _ in 0..draws {
            let (ids, log_weights) = choose(&found, || random.random());
            for (id, log_weight) in ids.iter().zip(log_weights) {
                count += f64::from(log_weight).exp() / f64::from(draws);
                sum += f64::from(*id) * f64::from(log_weight).exp() / f64::from(draws);
            }
        }
        // 200 tokens, whose ids add up to 19900.
        assert!((count - 200.0).abs() < 2.0, "{count}");
        assert!((sum - 19_900.0).abs() < 300.0, "{sum}");
    }

    #[test]
    fn a_token_of_four_times_the_share_has_about_twice_the_chance() {
        let mut mean = vec![1e-4f32; 10_000];
        (mean[0], mean[9]) = (4e-4, 1e-2);
        let found = chances(&mean, 100);
        assert_eq!(found[9], 1.0);
        // 0.7 of the wishes are by roots, whose sum is 0.01 for 9998 tokens, 0.02 and 0.1.
        let roots = 99.98 + 0.02 + 0.1;
        let wish = |root: f64| 0.7 * root / roots + 0.3 / 10_000.0;
        let ratio = found[0] / found[1];
        assert!((ratio - wish(0.02) / wish(0.01)).abs() < 1e-4, "{ratio}");
    }

    #[test]
    fn no_more_than_there_are_means_all() {
        for size in [4, 5, 1000] {
            assert_eq!(chances(&[0.7, 0.1, 0.1, 0.1], size), [1.0; 4]);
        }
        assert_eq!(chances(&[0.1, 0.8, 0.1], 1), [0.0, 1.0, 0.0]);
    }
}
