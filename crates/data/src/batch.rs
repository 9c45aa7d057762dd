//! Which example is learnt when: the validation split, the order of each epoch, batches, and
//! micro-batches cut by a token budget. All deterministic in the seed.

use std::collections::BTreeSet;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Streams of the one seed: what draws from one never shifts what draws from another.
const VALIDATION_STREAM: u64 = 1 << 40;
const EPOCH_STREAM: u64 = 2 << 40;

/// Generator of one stream of `seed`.
pub fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}

/// Takes a seeded random share of `examples` for validation: `(training, validation)`, each in
/// the given order.
///
/// The validation part has ceil(`val_size` x n) examples, as `datasets` and so LLaMA-Factory
/// count, but at least one example is left for training.
pub fn split_validation<T>(examples: Vec<T>, val_size: f64, seed: u64) -> (Vec<T>, Vec<T>) {
    let share = (val_size.clamp(0.0, 1.0) * examples.len() as f64).ceil() as usize;
    let count = share.min(examples.len().saturating_sub(1));
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.shuffle(&mut generator(seed, VALIDATION_STREAM));
    let mut kept_for_validation = vec![false; examples.len()];
    for &index in &order[..count] {
        kept_for_validation[index] = true;
    }
    let (mut training, mut validation) = (Vec::new(), Vec::new());
    for (example, is_validation) in examples.into_iter().zip(kept_for_validation) {
        if is_validation {
            validation.push(example)
        } else {
            training.push(example)
        }
    }
    (training, validation)
}

/// As [`split_validation`], by groups: `groups` has the group of each example, and a group is
/// never divided. The validation part has ceil(`val_size` x groups) groups; at least one is
/// left for training.
pub fn split_groups<T>(
    examples: Vec<T>,
    groups: &[usize],
    val_size: f64,
    seed: u64,
) -> (Vec<T>, Vec<T>) {
    let all: BTreeSet<usize> = groups.iter().copied().collect();
    let validation: BTreeSet<usize> = split_validation(all.into_iter().collect(), val_size, seed)
        .1
        .into_iter()
        .collect();
    let (mut training, mut kept) = (Vec::new(), Vec::new());
    for (example, group) in examples.into_iter().zip(groups) {
        if validation.contains(group) {
            kept.push(example)
        } else {
            training.push(example)
        }
    }
    (training, kept)
}

/// The order in which epoch `epoch` (from 0) goes through `n` examples.
pub fn epoch_order(n: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut generator(seed, EPOCH_STREAM + epoch as u64));
    order
}

/// Cuts an order into batches of `batch_size` (0 counts as 1); the last may be smaller.
pub fn batches(order: &[usize], batch_size: usize) -> Vec<Vec<usize>> {
    order
        .chunks(batch_size.max(1))
        .map(<[usize]>::to_vec)
        .collect()
}

/// Cuts one batch, given the token count of each of its examples, into micro-batches of at most
/// `token_budget` tokens, longest examples first. An example longer than the budget is alone in
/// its micro-batch. The result holds indices into `lengths`, each once.
pub fn micro_batches(lengths: &[usize], token_budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for index in order {
        match parts.last_mut() {
            Some(part) if lengths[index] <= room => part.push(index),
            _ => {
                room = token_budget;
                parts.push(vec![index]);
            }
        }
        room = room.saturating_sub(lengths[index]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_seed_decides() {
        assert_eq!(epoch_order(100, 7, 0), epoch_order(100, 7, 0));
        assert_ne!(epoch_order(100, 7, 0), epoch_order(100, 7, 1));
        assert_ne!(epoch_order(100, 7, 0), epoch_order(100, 8, 0));
        let split = |seed| split_validation((0..100).collect::<Vec<_>>(), 0.05, seed).1;
        assert_eq!(split(1), split(1));
        assert_ne!(split(1), split(2));
    }

    #[test]
    fn groups_stay_whole() {
        let groups: Vec<usize> = (0..100).map(|i| i * 7 % 20).collect();
        let (training, validation) = split_groups(groups.clone(), &groups, 0.11, 3);
        let distinct = |part: &[usize]| part.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(
            (distinct(&training).len(), distinct(&validation).len()),
            (17, 3)
        );
        assert!(distinct(&training).is_disjoint(&distinct(&validation)));
        assert_eq!((training.len(), validation.len()), (85, 15));
        assert_eq!(
            split_groups(vec![1, 2], &[5, 5], 0.5, 1),
            (vec![1, 2], Vec::new())
        );
    }

    #[test]
    fn sizes() {
        assert_eq!(split_validation(vec![0; 20_000], 0.05, 1).1.len(), 1000);
        assert_eq!(split_validation(vec![0; 21], 0.05, 1).1.len(), 2);
        assert_eq!(split_validation(vec![0; 21], 0.0, 1).1.len(), 0);
        assert_eq!(split_validation(vec![0; 1], 0.5, 1).0.len(), 1);
        assert_eq!(
            batches(&[4, 2, 0, 1, 3], 2),
            [vec![4, 2], vec![0, 1], vec![3]]
        );
        assert_eq!(
            micro_batches(&[3, 9, 4, 2, 2], 7),
            [vec![1], vec![2, 0], vec![3, 4]]
        );
    }

    proptest! {
        #[test]
        fn micro_batches_hold_each_example_once_within_the_budget(
            lengths in prop::collection::vec(1usize..50, 0..40), budget in 0usize..120,
        ) {
            let parts = micro_batches(&lengths, budget);
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
            for part in &parts {
                let tokens: usize = part.iter().map(|&index| lengths[index]).sum();
                prop_assert!(part.len() == 1 || tokens <= budget);
            }
        }

        #[test]
        fn a_split_loses_nothing(n in 0usize..200, val_size in 0.0f64..1.0, seed in 0u64..50) {
            let (training, validation) = split_validation((0..n).collect::<Vec<_>>(), val_size, seed);
            prop_assert!(training.is_sorted() && validation.is_sorted());
            prop_assert!(n == 0 || !training.is_empty());
            let mut all = [training, validation].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..n).collect::<Vec<_>>());
        }
    }
}
