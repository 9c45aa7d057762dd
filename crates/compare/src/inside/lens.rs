//! Lens records to curves: mean and interval by layer, added up line by line, so that no line is
//! kept.
//!
//! Source: arXiv 2402.10588 (bands of 1.96 standard errors over items). Never here: drawing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use schema::{
    Language,
    inside::{LensKind, LensRecord, TunedLensRecord},
};
use serde::Serialize;

use crate::{
    error::CompareError,
    record_lines::{check_finite, check_within, each_record},
    stats::{Estimate, distribution::Z},
};

/// Rounding of a sum of f32 probabilities.
const SLACK: f64 = 1e-3;

/// One lens in one language: means over items with bands of 1.96 standard errors, one value per
/// layer.
#[derive(Clone, Debug, Serialize)]
pub struct LensCurves {
    /// L: each curve has L + 1 values.
    pub layers: usize,
    /// Items in the curves.
    pub kept: usize,
    /// Items left out, because one token stands for the right answer in both languages.
    pub dropped: usize,
    /// Probability of the right answer, in the language.
    pub correct: Vec<Estimate>,
    /// Probability of the right answer, in English.
    pub correct_english: Vec<Estimate>,
    /// Probability of all answers together, in the language.
    pub possible: Vec<Estimate>,
    /// Probability of all answers together, in English.
    pub possible_english: Vec<Estimate>,
    /// Bits.
    pub entropy: Vec<Estimate>,
    /// The right answer in English less that in the language, by item.
    pub lead: Vec<Estimate>,
    /// The numbers that are compared before and after, by item, sorted.
    #[serde(skip)]
    pub items: Vec<LensItem>,
}

/// One item's numbers that are compared before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LensItem {
    /// Its number.
    pub item: usize,
    /// Mean over the layers of the probability of the right answer in English: the area under
    /// its curve.
    pub area: f64,
    /// The right answer's share of all answers in the language, after the last layer; NaN where
    /// all have none.
    pub share: f64,
}

/// A running mean and sum of squared distances from it (Welford).
#[derive(Clone, Copy, Default)]
struct RunningMoments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl RunningMoments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }

    /// One item has no spread and so no interval.
    fn estimate(&self) -> Estimate {
        let reach = Z * (self.squares / (self.count - 1.0) / self.count).sqrt();
        Estimate {
            value: self.mean,
            low: self.mean - reach,
            high: self.mean + reach,
        }
    }
}

fn estimate_all(moments: &[RunningMoments]) -> Vec<Estimate> {
    moments.iter().map(RunningMoments::estimate).collect()
}

/// The order of the curves in [`Gathering::curves`].
const CURVES: [&str; 5] = [
    "correct",
    "correct_english",
    "possible",
    "possible_english",
    "entropy",
];

/// One lens while its lines are read.
#[derive(Default)]
struct Gathering {
    curves: [Vec<RunningMoments>; 5],
    lead: Vec<RunningMoments>,
    dropped: usize,
    items: Vec<LensItem>,
    seen: BTreeSet<usize>,
}

fn curves_of(record: &LensRecord) -> [&[f32]; 5] {
    [
        &record.correct,
        &record.correct_english,
        &record.possible,
        &record.possible_english,
        &record.entropy,
    ]
}

/// Reads `lens.<task>.<language>.jsonl`.
pub(super) fn read(
    path: &Path,
    language: Language,
) -> Result<BTreeMap<LensKind, LensCurves>, CompareError> {
    let mut length = None;
    let mut gathered: BTreeMap<LensKind, Gathering> = BTreeMap::new();
    each_record(path, |_, record: LensRecord| {
        let of = gathered.entry(record.lens).or_default();
        if !of.seen.insert(record.item) {
            return Err(format!("duplicate item {} with this lens", record.item));
        }
        if record.is_dropped() {
            of.dropped += 1;
            return check_dropped(&record, language);
        }
        check(&record)?;
        let layers = record.correct.len();
        if *length.get_or_insert(layers) != layers {
            return Err(format!(
                "item {} has {layers} layers, the first one {}",
                record.item,
                length.unwrap_or(0)
            ));
        }
        of.add(&record);
        Ok(())
    })?;
    let layers = length.unwrap_or(1) - 1;
    Ok(gathered
        .into_iter()
        .map(|(kind, of)| (kind, of.finish(layers)))
        .collect())
}

fn check_dropped(record: &LensRecord, language: Language) -> Result<(), String> {
    if language == Language::En {
        return Err(format!(
            "item {} is dropped, in English itself",
            record.item
        ));
    }
    match curves_of(record).iter().all(|curve| curve.is_empty()) {
        true => Ok(()),
        false => Err(format!("item {} is dropped, yet has curves", record.item)),
    }
}

/// How a record contradicts itself.
fn check(record: &LensRecord) -> Result<(), String> {
    let item = record.item;
    let curves = curves_of(record);
    let length = curves[0].len();
    if curves.iter().any(|curve| curve.len() != length) || length < 2 {
        let lengths: Vec<String> = curves.iter().map(|curve| curve.len().to_string()).collect();
        return Err(format!(
            "item {item} has curves of {} values; each has one per layer",
            lengths.join(", ")
        ));
    }
    for layer in 0..length {
        check_layer(curves.map(|curve| f64::from(curve[layer])))
            .map_err(|problem| format!("item {item}, layer {layer}: {problem}"))?;
    }
    Ok(())
}

/// The five curves at one layer.
fn check_layer(at: [f64; 5]) -> Result<(), String> {
    check_within(
        0.0,
        1.0 + SLACK,
        &[0, 1, 2, 3].map(|curve| (CURVES[curve], at[curve])),
    )?;
    check_within(0.0, 64.0, &[("entropy", at[4])])?;
    for (part, whole) in [(0, 2), (1, 3)] {
        if at[part] > at[whole] + SLACK {
            let [a, b] = [CURVES[part], CURVES[whole]];
            return Err(format!(
                "`{a}` is {}, more than `{b}`, {}",
                at[part], at[whole]
            ));
        }
    }
    Ok(())
}

impl Gathering {
    fn add(&mut self, record: &LensRecord) {
        let curves = curves_of(record);
        let length = curves[0].len();
        for (moments, curve) in self.curves.iter_mut().zip(curves) {
            moments.resize(length, RunningMoments::default());
            moments
                .iter_mut()
                .zip(curve)
                .for_each(|(moments, value)| moments.add(f64::from(*value)));
        }
        self.lead.resize(length, RunningMoments::default());
        for (moments, (english, own)) in self.lead.iter_mut().zip(curves[1].iter().zip(curves[0])) {
            moments.add(f64::from(*english) - f64::from(*own));
        }
        let sum: f64 = curves[1].iter().map(|value| f64::from(*value)).sum();
        let [right, all] = [curves[0][length - 1], curves[2][length - 1]].map(f64::from);
        self.items.push(LensItem {
            item: record.item,
            area: sum / length as f64,
            share: right / all,
        });
    }

    fn finish(mut self, layers: usize) -> LensCurves {
        self.items.sort_by_key(|item| item.item);
        let [
            correct,
            correct_english,
            possible,
            possible_english,
            entropy,
        ] = [0, 1, 2, 3, 4].map(|curve| estimate_all(&self.curves[curve]));
        LensCurves {
            layers,
            kept: self.items.len(),
            dropped: self.dropped,
            correct,
            correct_english,
            possible,
            possible_english,
            entropy,
            lead: estimate_all(&self.lead),
            items: self.items,
        }
    }
}

/// Reads `tuned-lens.<task>.jsonl`, sorted by layer.
pub(super) fn read_tuned(path: &Path) -> Result<Vec<TunedLensRecord>, CompareError> {
    let mut records: Vec<TunedLensRecord> = Vec::new();
    each_record(path, |_, record: TunedLensRecord| {
        if records.iter().any(|other| other.layer == record.layer) {
            return Err(format!("duplicate layer {}", record.layer));
        }
        let numbers = [("raw_kl", record.raw_kl), ("tuned_kl", record.tuned_kl)]
            .map(|(name, number)| (name, Some(number)));
        check_finite(&numbers)?;
        check_finite(&[
            ("gain_low", Some(record.gain_low)),
            ("gain_high", Some(record.gain_high)),
        ])?;
        records.push(record);
        Ok(())
    })?;
    records.sort_by_key(|record| record.layer);
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_196_standard_errors_and_one_item_has_none() {
        let mut moments = RunningMoments::default();
        [0.1, 0.4, 0.3, 0.6]
            .into_iter()
            .for_each(|value| moments.add(value));
        let estimate = moments.estimate();
        // numpy: mean 0.35, std(ddof=1) / 2 = 0.10408329997330663
        assert!((estimate.value - 0.35).abs() < 1e-15);
        assert!(
            (estimate.high - estimate.value - 1.959_963_984_540_054 * 0.104_083_299_973_306_63)
                .abs()
                < 1e-15
        );
        let mut one = RunningMoments::default();
        one.add(0.7);
        assert!(one.estimate().value == 0.7 && one.estimate().low.is_nan());
    }
}
