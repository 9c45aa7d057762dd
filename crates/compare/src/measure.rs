//! One language's answers of one model as plain columns: right, right after calibration,
//! rankings, label shares.

use std::collections::{BTreeMap, BTreeSet};

use schema::{AnswerRecord, Language, Scoring};

use crate::{
    answers::AnswerSet,
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
    /// Which text each item shares with others.
    pub groups: Vec<Option<u64>>,
    /// 1 where the answer counts as right (Eq. 4).
    pub right: Vec<i32>,
    /// As `right`, after contextual calibration; `None` where a record has no prior.
    pub contextual: Option<Vec<i32>>,
    /// As `right`, after batch calibration; `None` where a label never has a score.
    pub batch: Option<Vec<i32>>,
    /// What every scoring that was measured says.
    pub scorings: BTreeMap<Scoring, Rescored>,
    /// For AUC.
    pub separation: Separation,
    /// The labels of each item, the best first.
    pub rankings: Vec<Vec<usize>>,
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
pub(crate) type CommonItems = BTreeMap<Language, BTreeSet<usize>>;

/// The labels that were chosen, were gold and still did not count, in any of `sets`.
pub(crate) fn find_never_right<'a>(sets: impl IntoIterator<Item = &'a AnswerSet>) -> NeverRight {
    let records = sets
        .into_iter()
        .flat_map(|set| set.languages.values().flatten());
    let refused = records.filter(|record| record.chosen == record.gold && !record.correct);
    refused
        .map(|record| (record.language, record.gold.clone()))
        .collect()
}

/// MeasuredLanguages every language of a set that is in `common`, on the items there.
pub(crate) fn measure(
    set: &AnswerSet,
    never_right: &NeverRight,
    common: &CommonItems,
) -> MeasuredLanguages {
    let measure = |(language, records): (&Language, &Vec<AnswerRecord>)| {
        let items = common.get(language)?;
        let records: Vec<&AnswerRecord> = records
            .iter()
            .filter(|record| items.contains(&record.item))
            .collect();
        Some((
            *language,
            measure_language(&records, &set.label_names, never_right),
        ))
    };
    set.languages.iter().filter_map(measure).collect()
}

fn measure_language(
    records: &[&AnswerRecord],
    names: &[String],
    never_right: &NeverRight,
) -> Measured {
    let index = |label: &String| {
        names
            .iter()
            .position(|name| name == label)
            .unwrap_or_default()
    }; // checked when read
    let gold: Vec<usize> = records.iter().map(|record| index(&record.gold)).collect();
    let chosen: Vec<usize> = records.iter().map(|record| index(&record.chosen)).collect();
    let scores: Vec<Vec<f64>> = records
        .iter()
        .map(|record| record.scores.values().copied().collect())
        .collect();
    let shares: Vec<Vec<f64>> = scores.iter().map(|scores| normalise(scores)).collect();
    let is_right = |item: usize, choice: usize| {
        let can_be_right =
            !never_right.contains(&(records[item].language, records[item].gold.clone()));
        i32::from(choice == gold[item] && can_be_right)
    };
    let contextual = (0..records.len()).map(|item| {
        let prior: Vec<f64> = records[item].prior.values().copied().collect();
        Some(is_right(
            item,
            choose_calibrated(&scores[item], &prior, chosen[item])?,
        ))
    });
    let prior = batch_prior(&shares, names.len());
    let batch = (0..records.len()).map(|item| {
        Some(is_right(
            item,
            choose_calibrated(&shares[item], &prior, chosen[item])?,
        ))
    });
    Measured {
        items: records.iter().map(|record| record.item).collect(),
        groups: records.iter().map(|record| record.group).collect(),
        right: records
            .iter()
            .map(|record| i32::from(record.correct))
            .collect(),
        contextual: contextual.collect(),
        batch: batch.collect(),
        scorings: rescore(records, &chosen, is_right),
        separation: Separation::new(&shares, &gold, names.len()),
        rankings: scores
            .iter()
            .zip(&chosen)
            .map(|(scores, &chosen)| rank(scores, chosen))
            .collect(),
        chosen_share: label_shares(&chosen, names.len()),
        gold_share: label_shares(&gold, names.len()),
        confusion: confusion(&gold, &chosen, names.len()),
        tied: records.iter().filter(|record| record.tied).count(),
    }
}

/// Labels by falling score, the chosen one before those that equal it.
fn rank(scores: &[f64], chosen: usize) -> Vec<usize> {
    let mut labels: Vec<usize> = (0..scores.len()).collect();
    labels.sort_by(|&a, &b| {
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
        self.rankings.iter().map(|ranking| ranking[0]).collect()
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
