//! The labels' probabilities and the entropy of logits, in f64. Never here: a
//! model.

use std::f64::consts::LN_2;

use schema::inside::LensRecord;

use super::LabelTokens;

/// One row's point on each curve, in the order of [`LensRecord`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) correct: f64,
    pub(super) correct_english: f64,
    pub(super) possible: f64,
    pub(super) possible_english: f64,
    /// Bits.
    pub(super) entropy: f64,
}

impl Point {
    /// Of the softmax of `logits` (V); `None` where one is not finite.
    pub(super) fn of(logits: &[f32], labels: &LabelTokens, gold: usize) -> Option<Self> {
        let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let (mut total, mut weighted) = (0.0, 0.0);
        for &logit in logits {
            let below = f64::from(logit) - max;
            let share = below.exp();
            total += share;
            weighted += share * below;
        }
        let [correct, correct_english, possible, possible_english] = [
            labels.own(gold),
            labels.english(gold),
            labels.any_own(),
            labels.any_english(),
        ]
        .map(|ids| {
            let shares = ids
                .iter()
                .map(|&id| (f64::from(logits[id as usize]) - max).exp());
            shares.sum::<f64>() / total
        });
        let point = Self {
            correct,
            correct_english,
            possible,
            possible_english,
            // Never below 0 by rounding.
            entropy: ((total.ln() - weighted / total) / LN_2).max(0.0),
        };
        (total.is_finite() && weighted.is_finite()).then_some(point)
    }

    /// Adds it to a record's curves, as those of the next layer.
    pub(super) fn push(&self, record: &mut LensRecord) {
        record.correct.push(self.correct as f32);
        record.correct_english.push(self.correct_english as f32);
        record.possible.push(self.possible as f32);
        record.possible_english.push(self.possible_english as f32);
        record.entropy.push(self.entropy as f32);
    }
}
