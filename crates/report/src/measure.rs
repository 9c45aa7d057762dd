//! One language's answers of one model as plain columns: right, right after calibration, ranking, label shares.

use std::collections::{BTreeMap, BTreeSet};

use schema::{AnswerRecord, Language};

use crate::{
    answers::AnswerSet,
    stats::{
        calibration::{choose_calibrated, normalise},
        mean,
        ranking::Separation,
    },
};

/// The answers of one model in one language, item by item.
pub(crate) struct Measured {
    /// Item numbers, rising.
    pub items: Vec<usize>,
    /// 1 where the answer counts as right (Eq. 4).
    pub right: Vec<i32>,
    /// As `right`, of the calibrated answers; `None` where a record has no prior.
    pub calibrated: Option<Vec<i32>>,
    /// For AUC.
    pub separation: Separation,
    /// Share of each label among the chosen ones.
    pub chosen_share: Vec<f64>,
    /// Share of each label among the gold ones.
    pub gold_share: Vec<f64>,
    /// Answers whose two best scores are equal.
    pub tied: usize,
}

/// The languages of one model, in the order of the paper's tables.
pub(crate) type Measures = BTreeMap<Language, Measured>;

/// Labels that can never be right in a language, by protocol (a gold word that the released scorer does not know).
pub(crate) type NeverRight = BTreeSet<(Language, String)>;

/// The labels that were chosen, were gold and still did not count, in any of `sets`.
pub(crate) fn find_never_right<'a>(sets: impl IntoIterator<Item = &'a AnswerSet>) -> NeverRight {
    let records = sets.into_iter().flat_map(|set| set.languages.values().flatten());
    let refused = records.filter(|record| record.chosen == record.gold && !record.correct);
    refused.map(|record| (record.language, record.gold.clone())).collect()
}

/// Measures every language of a set.
pub(crate) fn measure(set: &AnswerSet, never_right: &NeverRight) -> Measures {
    let measure = |(language, records): (&Language, &Vec<AnswerRecord>)| {
        (*language, measure_language(records, &set.label_names, never_right))
    };
    set.languages.iter().map(measure).collect()
}

fn measure_language(records: &[AnswerRecord], names: &[String], never_right: &NeverRight) -> Measured {
    let index = |label: &String| names.iter().position(|name| name == label).unwrap_or_default(); // checked when read
    let gold: Vec<usize> = records.iter().map(|record| index(&record.gold)).collect();
    let chosen: Vec<usize> = records.iter().map(|record| index(&record.chosen)).collect();
    let scores: Vec<Vec<f64>> = records.iter().map(|record| record.scores.values().copied().collect()).collect();
    let shares: Vec<Vec<f64>> = scores.iter().map(|scores| normalise(scores)).collect();
    let calibrated = (0..records.len()).map(|i| {
        let prior: Vec<f64> = records[i].prior.values().copied().collect();
        let choice = choose_calibrated(&scores[i], &prior, chosen[i])?;
        let can_be_right = !never_right.contains(&(records[i].language, records[i].gold.clone()));
        Some(i32::from(choice == gold[i] && can_be_right))
    });
    Measured {
        items: records.iter().map(|record| record.item).collect(),
        right: records.iter().map(|record| i32::from(record.correct)).collect(),
        calibrated: calibrated.collect(),
        separation: Separation::new(&shares, &gold, names.len()),
        chosen_share: label_shares(&chosen, names.len()),
        gold_share: label_shares(&gold, names.len()),
        tied: records.iter().filter(|record| record.tied).count(),
    }
}

fn label_shares(labels: &[usize], count: usize) -> Vec<f64> {
    (0..count).map(|label| mean(labels.iter().map(|&l| f64::from(u8::from(l == label))))).collect()
}

impl Measured {
    /// Accuracy (Eq. 4).
    pub(crate) fn accuracy(&self) -> f64 {
        mean(self.right.iter().copied().map(f64::from))
    }

    /// Accuracy of the calibrated answers.
    pub(crate) fn calibrated_accuracy(&self) -> Option<f64> {
        self.calibrated.as_ref().map(|right| mean(right.iter().copied().map(f64::from)))
    }

    /// AUC; `None` where all items have one gold label.
    pub(crate) fn auc(&self) -> Option<f64> {
        Some(self.separation.area(&vec![1; self.items.len()])).filter(|area| !area.is_nan())
    }
}
