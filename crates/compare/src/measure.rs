//! One language's answers of one model as plain columns: right, right after calibration,
//! rankings, label shares.

use std::collections::{BTreeMap, BTreeSet};

use schema::{Language, Scoring};

use crate::{
    answers::AnswerSet,
    columns::AnswerColumns,
    rescore::{Rescored, rescore},
    stats::{
        calibration::{batch_prior, choose_calibrated, normalise},
        labels::confusion,
        mean,
        ranking::Separation,
    },
};

/// The answers of one model in one language, item by item.
pub(crate) struct Measured {
    /// Item numbers, rising.
    pub items: Vec<usize>,
    /// The text that each item shares with others, by number.
    pub groups: Vec<Option<u64>>,
    /// 1 where the answer counts as right (Eq. 4).
    pub right: Vec<i8>,
    /// As `right`, after contextual calibration; `None` where a record has no prior.
    pub contextual: Option<Vec<i8>>,
    /// As `right`, after batch calibration; `None` where a label never has a score.
    pub batch: Option<Vec<i8>>,
    /// The answers by every scoring that was measured.
    pub scorings: BTreeMap<Scoring, Rescored>,
    /// For AUC.
    pub separation: Separation,
    /// The labels of each item, the best first.
    pub rankings: Rankings,
    /// Share of each label among the chosen ones.
    pub chosen_share: Vec<f64>,
    /// Share of each label among the gold ones.
    pub gold_share: Vec<f64>,
    /// `confusion[gold][chosen]`: items.
    pub confusion: Vec<Vec<f64>>,
    /// Answers whose two best scores are equal.
    pub tied: usize,
}

/// The languages of one model, in the order of the paper's tables.
pub(crate) type MeasuredLanguages = BTreeMap<Language, Measured>;

/// Labels that can never be right in a language, by protocol (a gold word that the released
/// scorer does not know).
pub(crate) type NeverRight = BTreeSet<(Language, String)>;

/// Items of each language that all compared evaluations have.
pub(crate) type CommonItems = BTreeMap<Language, Vec<usize>>;

/// The labels of each item, the best first.
pub(crate) struct Rankings {
    labels: usize,
    /// Items lie next to each other.
    places: Vec<u32>,
}

impl Rankings {
    /// Of each item.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.places.chunks(self.labels.max(1))
    }
}

/// The labels that were chosen, were gold and still did not count, in any of `sets`.
pub(crate) fn find_never_right<'a>(sets: impl IntoIterator<Item = &'a AnswerSet>) -> NeverRight {
    let mut never_right = NeverRight::new();
    for set in sets {
        for (language, of) in &set.languages {
            let rows = 0..of.items.len();
            let refused = rows.filter(|&row| of.chosen[row] == of.gold[row] && !of.correct[row]);
            let labels: BTreeSet<u32> = refused.map(|row| of.gold[row]).collect();
            let names = labels.iter().map(|&label| &set.label_names[label as usize]);
            never_right.extend(names.map(|name| (*language, name.clone())));
        }
    }
    never_right
}

/// Measures every language of a set that is in `common`, on the items there.
pub(crate) fn measure(
    set: &AnswerSet,
    never_right: &NeverRight,
    common: &CommonItems,
) -> MeasuredLanguages {
    let mut measured = MeasuredLanguages::new();
    for (language, columns) in &set.languages {
        let Some(items) = common.get(language) else {
            continue;
        };
        let can_be_right: Vec<bool> = set
            .label_names
            .iter()
            .map(|name| !never_right.contains(&(*language, name.clone())))
            .collect();
        let of_language = if *items == columns.items {
            measure_language(columns, &can_be_right)
        } else {
            measure_language(&columns.of_items(items), &can_be_right)
        };
        measured.insert(*language, of_language);
    }
    measured
}

/// `can_be_right` is by label.
fn measure_language(columns: &AnswerColumns, can_be_right: &[bool]) -> Measured {
    let labels = can_be_right.len();
    let as_places = |column: &[u32]| column.iter().map(|&l| l as usize).collect::<Vec<_>>();
    let (gold, chosen) = (as_places(&columns.gold), as_places(&columns.chosen));
    let shares: Vec<f64> = columns.scores.rows().flat_map(normalise).collect();
    let shares: Vec<&[f64]> = shares.chunks(labels.max(1)).collect();
    let is_right =
        |item: usize, choice: usize| i8::from(choice == gold[item] && can_be_right[gold[item]]);
    let contextual = (0..chosen.len()).map(|item| {
        let (scores, prior) = (columns.scores.row(item), columns.prior.row(item));
        Some(is_right(
            item,
            choose_calibrated(scores, prior, chosen[item])?,
        ))
    });
    let prior = batch_prior(&shares, labels);
    let batch = (0..chosen.len()).map(|item| {
        Some(is_right(
            item,
            choose_calibrated(shares[item], &prior, chosen[item])?,
        ))
    });
    let ranked = columns.scores.rows().zip(&chosen);
    Measured {
        items: columns.items.clone(),
        groups: columns.groups.clone(),
        right: columns.correct.iter().map(|&is| i8::from(is)).collect(),
        contextual: contextual.collect(),
        batch: batch.collect(),
        scorings: rescore(columns, is_right),
        separation: Separation::new(&shares, &gold, labels),
        rankings: Rankings {
            labels,
            places: ranked
                .flat_map(|(scores, &chosen)| rank(scores, chosen))
                .collect(),
        },
        chosen_share: label_shares(&chosen, labels),
        gold_share: label_shares(&gold, labels),
        confusion: confusion(&gold, &chosen, labels),
        tied: columns.tied.iter().filter(|tied| **tied).count(),
    }
}

/// Labels by falling score, the chosen one before those that equal it.
fn rank(scores: &[f64], chosen: usize) -> Vec<u32> {
    let mut labels: Vec<u32> = (0..scores.len() as u32).collect();
    labels.sort_by(|&a, &b| {
        let (a, b) = (a as usize, b as usize);
        scores[b]
            .total_cmp(&scores[a])
            .then((b == chosen).cmp(&(a == chosen)))
    });
    labels
}

fn label_shares(labels: &[usize], count: usize) -> Vec<f64> {
    (0..count)
        .map(|label| mean(labels.iter().map(|&l| f64::from(u8::from(l == label)))))
        .collect()
}

impl Measured {
    /// Accuracy (Eq. 4).
    pub(crate) fn accuracy(&self) -> f64 {
        mean(self.right.iter().copied().map(f64::from))
    }

    /// The chosen label of each item.
    pub(crate) fn chosen(&self) -> Vec<usize> {
        self.rankings
            .rows()
            .filter_map(|ranking| Some(*ranking.first()? as usize))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_label_is_ranked_first_among_equals() {
        assert_eq!(rank(&[0.2, 0.4, 0.4], 2), [2, 1, 0]);
        assert_eq!(rank(&[0.2, 0.4, 0.4], 1), [1, 2, 0]);
        assert_eq!(rank(&[0.3, 0.1, 0.2], 0), [0, 2, 1]);
    }
}
