//! Items that share a text are not independent: clusters of items, the cluster-robust standard
//! error of a mean (Liang & Zeger 1986, with the factor G / (G - 1)) and the design effect
//! (Kish 1965).

use std::collections::BTreeMap;

use super::{Estimate, distribution::t_critical, mean};

/// Which items belong together; an item alone is a cluster of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Clusters {
    /// Cluster of each item, from 0.
    of_item: Vec<usize>,
    count: usize,
}

impl Clusters {
    /// `groups[language][item]`. Two items that share a number in any language are together,
    /// and so are those that a chain of such items links: one draw must serve all languages.
    pub(crate) fn new(items: usize, groups: &[&[Option<u64>]]) -> Self {
        let mut parent: Vec<usize> = (0..items).collect();
        for of_language in groups {
            let mut first = BTreeMap::new();
            for (item, group) in of_language.iter().enumerate() {
                if let Some(group) = group {
                    let other = *first.entry(group).or_insert(item);
                    let (a, b) = (root(&mut parent, item), root(&mut parent, other));
                    parent[a.max(b)] = a.min(b);
                }
            }
        }
        let mut numbers = BTreeMap::new();
        let of_item = (0..items).map(|item| {
            let next = numbers.len();
            *numbers.entry(root(&mut parent, item)).or_insert(next)
        });
        let of_item = of_item.collect();
        Self {
            of_item,
            count: numbers.len(),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Whether any two items are together.
    pub(crate) fn share_texts(&self) -> bool {
        self.count < self.of_item.len()
    }

    /// The cluster of each item.
    pub(crate) fn of_items(&self) -> &[usize] {
        &self.of_item
    }

    /// Sum of `values`, one an item, in each cluster.
    pub(crate) fn sums<T: Copy + std::ops::AddAssign + Default>(&self, values: &[T]) -> Vec<T> {
        let mut sums = vec![T::default(); self.count];
        for (&cluster, &value) in self.of_item.iter().zip(values) {
            sums[cluster] += value;
        }
        sums
    }
}

/// The first item of `item`'s cluster; paths are halved on the way.
fn root(parent: &mut [usize], mut item: usize) -> usize {
    while parent[item] != item {
        parent[item] = parent[parent[item]];
        item = parent[item];
    }
    item
}

/// A mean over items with an error that knows the clusters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RobustMean {
    pub mean: f64,
    pub standard_error: f64,
    /// Its variance over that of as many independent items; 1 without clusters, NaN where no
    /// item differs.
    pub design_effect: f64,
    /// Degrees of freedom for Student's t: clusters less one.
    pub degrees: f64,
}

impl RobustMean {
    /// 95 % interval by Student's t.
    pub(crate) fn interval(&self) -> Estimate {
        let half = t_critical(self.degrees) * self.standard_error;
        Estimate {
            value: self.mean,
            low: self.mean - half,
            high: self.mean + half,
        }
    }
}

/// `None` with fewer than two clusters.
pub(crate) fn robust_mean(values: &[f64], clusters: &Clusters) -> Option<RobustMean> {
    let (items, count) = (values.len() as f64, clusters.count() as f64);
    if clusters.count() < 2 {
        return None;
    }
    let centre = mean(values.iter().copied());
    let deviations: Vec<f64> = values.iter().map(|value| value - centre).collect();
    let squares = |of: &[f64]| of.iter().map(|value| value * value).sum::<f64>();
    let variance = count / (count - 1.0) * squares(&clusters.sums(&deviations)) / (items * items);
    let independent = squares(&deviations) / (items - 1.0) / items;
    let design_effect = if independent > 0.0 {
        variance / independent
    } else {
        f64::NAN
    };
    Some(RobustMean {
        mean: centre,
        standard_error: variance.sqrt(),
        design_effect,
        degrees: count - 1.0,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equals_statsmodels_least_squares_on_a_constant() {
        let right = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0];
        let groups: Vec<Option<u64>> = [0, 0, 0, 3, 3, 5, 5, 5, 8, 8, 10, 10].map(Some).to_vec();
        let clusters = Clusters::new(12, &[&groups]);
        let found = robust_mean(&right, &clusters).expect("five clusters");
        assert!((found.mean - 0.583_333_333_333_333_3).abs() < 1e-12);
        assert!(
            (found.standard_error - 0.138_454_180_815_117_32).abs() < 1e-12,
            "{found:?}"
        );
        assert!(
            (found.design_effect - 0.867_559_523_809_524_3).abs() < 1e-9,
            "{found:?}"
        );
        let interval = found.interval();
        assert!(
            (interval.low - 0.198_922_900_7).abs() < 1e-6
                && (interval.high - 0.967_743_765_9).abs() < 1e-6
        );
    }

    #[test]
    fn groups_of_several_languages_are_joined() {
        let (first, second) = (
            [Some(0), Some(0), None, None, None],
            [None, Some(1), Some(1), None, Some(4)],
        );
        let clusters = Clusters::new(5, &[&first, &second]);
        assert_eq!(clusters.of_items(), [0, 0, 0, 1, 2]);
        assert_eq!(clusters.sums(&[1, 2, 3, 4, 5]), [6, 4, 5]);
        assert!(clusters.share_texts() && !Clusters::new(5, &[]).share_texts());
        assert_eq!(
            robust_mean(&[1.0, 0.0], &Clusters::new(2, &[&[Some(7), Some(7)]])),
            None
        );
    }

    proptest! {
        #[test]
        fn singletons_give_the_ordinary_error_and_copies_cost_their_number(values in prop::collection::vec(0_u8..2, 3..40)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            prop_assume!(values.iter().any(|v| *v != values[0]));
            let alone = robust_mean(&values, &Clusters::new(values.len(), &[])).expect("three or more");
            prop_assert!((alone.design_effect - 1.0).abs() < 1e-9);
            let doubled = [values.clone(), values.clone()].concat();
            let groups: Vec<Option<u64>> = (0..doubled.len()).map(|i| Some((i % values.len()) as u64)).collect();
            let copied = robust_mean(&doubled, &Clusters::new(doubled.len(), &[&groups])).expect("as many clusters");
            prop_assert!((copied.standard_error - alone.standard_error).abs() < 1e-12);
        }
    }
}
