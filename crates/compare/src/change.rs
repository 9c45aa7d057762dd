//! The paired change from one model's answers to another's: per language, and over groups of
//! them.

use schema::Language;
use serde::Serialize;

use crate::{
    consistency::{Consistency, measure_consistency},
    error::CompareError,
    groups::{GapToEnglish, GroupChange, measure_gaps, measure_groups},
    levels::{BeforeAfter, LevelSeries, accuracy},
    means::{MeanChange, PairedSeries, measure_mean},
    measure::Measured,
    paired_cells::PairedCells,
    pairing::MeasuredSets,
    reliability::{LanguageReliability, MeanReliability, language_reliability, mean_reliability},
    scorings::{ScoringChange, measure_scorings},
    stats::{
        Estimate,
        labels::{distance, entropy},
        mean,
        paired::{PairedP, benjamini_hochberg, holm, sign_flip},
        resample::{Resampling, Stop},
    },
    verdict::{Attribution, attribute},
};

/// The change in one language.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LanguageChange {
    /// The language.
    pub language: Language,
    /// Whether it is a source or the target of the training pairs.
    pub seen: bool,
    /// Scored items.
    pub items: usize,
    /// Accuracy before, Wilson's interval.
    pub before: Estimate,
    /// Accuracy after, the mean over seeds and exemplar sets, Wilson's interval.
    pub after: Estimate,
    /// Accuracy after of each seed.
    pub after_seeds: Vec<f64>,
    /// Change of the accuracy, paired bootstrap of items, or of clusters where items share a
    /// text.
    pub change: Estimate,
    /// McNemar's exact test; with several seeds, or items that share a text, sign flips of
    /// whole units.
    pub p: PairedP,
    /// `p.exact`, Holm-adjusted over the languages.
    pub p_holm: f64,
    /// `p.exact`, adjusted after Benjamini and Hochberg.
    pub p_bh: f64,
    /// Area under the ROC curve; `None` where all items have one gold label.
    pub auc: Option<BeforeAfter>,
    /// Accuracy after contextual calibration; `None` where a record lacks its prior.
    pub calibrated: Option<BeforeAfter>,
    /// Accuracy after batch calibration.
    pub batch: Option<BeforeAfter>,
    /// Discrimination, label prior, or both.
    pub attribution: Attribution,
    /// The labels that are chosen, against the right ones.
    pub labels: LabelUse,
    /// Clusters, other seeds, the smallest change that the sample can show.
    pub reliability: LanguageReliability,
    /// Against English.
    pub gap: Option<GapToEnglish>,
}

/// The labels chosen before and after, against the right ones; in the order of
/// [`Changes::labels`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelUse {
    /// Share of each label among the gold ones.
    pub gold: Vec<f64>,
    /// Share of each label among those chosen before.
    pub before: Vec<f64>,
    /// Share of each label among those chosen after.
    pub after: Vec<f64>,
    /// `[gold][chosen]`: items before, the mean over exemplar sets.
    pub confusion_before: Vec<Vec<f64>>,
    /// `[gold][chosen]`: items after, the mean over seeds and exemplar sets.
    pub confusion_after: Vec<Vec<f64>>,
    /// Entropy of the chosen shares in bits, before and after.
    pub entropy: (f64, f64),
    /// Half the summed absolute difference between chosen and gold shares, before and after.
    pub distance: (f64, f64),
}

/// Everything that changed between two models' answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changes {
    /// English label names, in the order of the shares.
    pub labels: Vec<String>,
    /// Sets of exemplars that the answers came after.
    pub few_shots: Vec<String>,
    /// In the order of the paper's tables.
    pub languages: Vec<LanguageChange>,
    /// Over all languages.
    pub mean: MeanChange,
    /// Exact sign-flip test of the mean; `None` where the languages have different items.
    pub mean_p: Option<PairedP>,
    /// Over the languages seen in training, if there are both kinds.
    pub seen: Option<MeanChange>,
    /// Over the others.
    pub unseen: Option<MeanChange>,
    /// By resource, script and family, where there are at least two groups of a kind.
    pub groups: Vec<GroupChange>,
    /// Mean gap to English of the other languages.
    pub gap: Option<GapToEnglish>,
    /// Change of the mean accuracy of each seed.
    pub seed_changes: Vec<f64>,
    /// Half the summed absolute difference between chosen and gold shares, mean over languages:
    /// before and after.
    pub share_distance: (f64, f64),
    /// Variance by seed, exemplar set and item; `None` with one of each.
    pub reliability: Option<MeanReliability>,
    /// Whether the languages get the same answers; `None` with one language.
    pub consistency: Option<Consistency>,
    /// By every scoring that was measured.
    pub scorings: Vec<ScoringChange>,
    /// Whether all languages have the same items, so that one draw of items serves all.
    pub joint: bool,
}

/// Answers before and after, measured, with all that describes them.
pub(crate) struct ComparedAnswers<'a> {
    /// English label names, in the order of the shares.
    pub labels: &'a [String],
    /// Sets of exemplars that the answers came after.
    pub few_shots: &'a [String],
    /// The languages to compare; all sets have them, with the same items.
    pub languages: &'a [Language],
    /// The measured answers.
    pub sets: &'a MeasuredSets,
    /// Sources and target of the training pairs.
    pub seen: &'a [Language],
    /// Whether to stop.
    pub stop: Stop<'a>,
}

/// Measures the change in each language and over groups of them.
///
/// # Errors
/// [`CompareError::Stopped`].
pub(crate) fn measure_changes(compared: &ComparedAnswers) -> Result<Changes, CompareError> {
    let ComparedAnswers {
        labels,
        few_shots,
        languages,
        sets,
        seen,
        stop,
    } = *compared;
    let pairs: Vec<PairedCells> = languages
        .iter()
        .map(|language| PairedCells::new(*language, sets))
        .collect();
    let items: Vec<_> = pairs
        .iter()
        .map(|p| (p.before[0].items.as_slice(), p.before[0].groups.as_slice()))
        .collect();
    let resampling = Resampling::new(&items, stop);
    let series: Vec<PairedSeries> = pairs
        .iter()
        .enumerate()
        .map(|(l, pair)| PairedSeries {
            before: LevelSeries::new(&resampling, l, &pair.before),
            after: LevelSeries::new(&resampling, l, &pair.cells()),
        })
        .collect();
    let (of_seen, of_unseen): (Vec<usize>, Vec<usize>) =
        (0..pairs.len()).partition(|&l| seen.contains(&pairs[l].language));
    let has_both = !of_seen.is_empty() && !of_unseen.is_empty();
    let all: Vec<usize> = (0..pairs.len()).collect();
    let described = describe_languages(&pairs, &resampling, &series, seen);
    let changes = Changes {
        labels: labels.to_vec(),
        few_shots: few_shots.to_vec(),
        mean: measure_mean(&series, &all),
        mean_p: resampling
            .is_joint()
            .then(|| test_mean(&pairs, &resampling)),
        seen: has_both.then(|| measure_mean(&series, &of_seen)),
        unseen: has_both.then(|| measure_mean(&series, &of_unseen)),
        groups: measure_groups(languages, &series),
        gap: measure_gaps(languages, &series).mean,
        seed_changes: seed_changes(&pairs),
        share_distance: (
            mean(described.iter().map(|l| l.labels.distance.0)),
            mean(described.iter().map(|l| l.labels.distance.1)),
        ),
        reliability: resampling
            .is_joint()
            .then(|| mean_reliability(&pairs, resampling.clusters(0), stop))
            .flatten(),
        consistency: measure_consistency(&pairs, &resampling, labels.len()),
        scorings: measure_scorings(&pairs, &resampling),
        joint: resampling.is_joint(),
        languages: described,
    };
    resampling.unless_stopped(changes)
}

/// Sign flips of the items' changes summed over all languages, by cluster.
fn test_mean(pairs: &[PairedCells], resampling: &Resampling) -> PairedP {
    let items = pairs[0].changes.len();
    let sums: Vec<i32> = (0..items)
        .map(|item| pairs.iter().map(|pair| pair.changes[item]).sum())
        .collect();
    sign_flip(&resampling.clusters(0).sums(&sums))
}

/// The change of the mean accuracy of each seed.
fn seed_changes(pairs: &[PairedCells]) -> Vec<f64> {
    let seeds = pairs.first().map_or(0, |pair| pair.after.len());
    (0..seeds)
        .map(|seed| {
            let changes = pairs
                .iter()
                .map(|pair| mean_accuracy(&pair.after[seed]) - mean_accuracy(&pair.before));
            mean(changes)
        })
        .collect()
}

fn mean_accuracy(cells: &[&Measured]) -> f64 {
    mean(cells.iter().map(|cell| cell.accuracy()))
}

fn describe_languages(
    pairs: &[PairedCells],
    resampling: &Resampling,
    series: &[PairedSeries],
    seen: &[Language],
) -> Vec<LanguageChange> {
    let tests: Vec<PairedP> = pairs
        .iter()
        .enumerate()
        .map(|(l, pair)| sign_flip(&resampling.clusters(l).sums(&pair.changes)))
        .collect();
    let exact: Vec<f64> = tests.iter().map(|p| p.exact).collect();
    let (holm, hochberg) = (holm(&exact), benjamini_hochberg(&exact));
    let languages: Vec<Language> = pairs.iter().map(|pair| pair.language).collect();
    let gaps = measure_gaps(&languages, series).each;
    let mut described = Vec::new();
    for (l, pair) in pairs.iter().enumerate() {
        let PairedSeries { before, after } = &series[l];
        let cells = pair.cells();
        described.push(LanguageChange {
            language: pair.language,
            seen: seen.contains(&pair.language),
            items: pair.changes.len(),
            before: accuracy(resampling, l, &pair.before),
            after: accuracy(resampling, l, &cells),
            after_seeds: pair
                .after
                .iter()
                .map(|cells| mean_accuracy(cells))
                .collect(),
            change: after
                .raw
                .minus(&before.raw)
                .estimate()
                .unwrap_or(Estimate::UNDEFINED),
            p: tests[l],
            p_holm: holm[l],
            p_bh: hochberg[l],
            auc: BeforeAfter::of(&before.auc, &after.auc),
            calibrated: BeforeAfter::of_both(before.contextual.as_ref(), after.contextual.as_ref()),
            batch: BeforeAfter::of_both(before.batch.as_ref(), after.batch.as_ref()),
            attribution: attribute(before, after),
            labels: use_of_labels(&pair.before, &cells),
            reliability: language_reliability(pair, resampling.clusters(l)),
            gap: gaps[l],
        });
    }
    described
}

/// Shares and confusion matrices before and after, means over cells.
fn use_of_labels(before: &[&Measured], after: &[&Measured]) -> LabelUse {
    let gold = before[0].gold_share.clone();
    let of_before = mean_shares(before);
    let of_after = mean_shares(after);
    LabelUse {
        entropy: (entropy(&of_before), entropy(&of_after)),
        distance: (mean_distance(before, &gold), mean_distance(after, &gold)),
        confusion_before: mean_confusion(before),
        confusion_after: mean_confusion(after),
        before: of_before,
        after: of_after,
        gold,
    }
}

/// The share of each label among the chosen ones, the mean over cells.
pub(crate) fn mean_shares(cells: &[&Measured]) -> Vec<f64> {
    (0..cells[0].chosen_share.len())
        .map(|label| mean(cells.iter().map(|cell| cell.chosen_share[label])))
        .collect()
}

/// The confusion matrix, the mean over cells.
fn mean_confusion(cells: &[&Measured]) -> Vec<Vec<f64>> {
    let mut means = cells[0].confusion.clone();
    for (gold, row) in means.iter_mut().enumerate() {
        for (chosen, value) in row.iter_mut().enumerate() {
            *value = mean(cells.iter().map(|cell| cell.confusion[gold][chosen]));
        }
    }
    means
}

/// How far the chosen shares are from the gold ones, the mean over cells.
fn mean_distance(cells: &[&Measured], gold: &[f64]) -> f64 {
    mean(cells.iter().map(|cell| distance(&cell.chosen_share, gold)))
}
