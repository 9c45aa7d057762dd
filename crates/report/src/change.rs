//! The paired change from one model's answers to another's: per language, over all, over those seen in training.

use schema::Language;
use serde::Serialize;

use crate::{
    measure::{Measured, Measures},
    stats::{
        Estimate,
        bootstrap::{Resampling, counted_mean},
        mean,
        paired::{holm, sign_flip_p},
        proportion::wilson,
    },
};

/// A number before and after, and its change with an interval over items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BeforeAfter {
    /// Before.
    pub before: f64,
    /// After; the mean over seeds.
    pub after: f64,
    /// `after - before`, paired bootstrap.
    pub change: Estimate,
}

/// What changed in one language.
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
    /// Accuracy after, the mean over seeds, Wilson's interval.
    pub after: Estimate,
    /// Accuracy after of each seed.
    pub after_seeds: Vec<f64>,
    /// Change of the accuracy, paired bootstrap.
    pub change: Estimate,
    /// Exact McNemar p-value (sign flips of the items' changes where there are several seeds).
    pub p: f64,
    /// The same, Holm-adjusted over the languages.
    pub p_holm: f64,
    /// Area under the ROC curve; `None` where all items have one gold label.
    pub auc: Option<BeforeAfter>,
    /// Accuracy of the calibrated answers; `None` where a record lacks its prior.
    pub calibrated: Option<BeforeAfter>,
    /// Share of each label among the gold ones.
    pub gold_share: Vec<f64>,
    /// Share of each label among those chosen before.
    pub share_before: Vec<f64>,
    /// Share of each label among those chosen after.
    pub share_after: Vec<f64>,
}

/// Means over a group of languages (Eq. 5), each language counted once; bootstrap intervals over items.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeanChange {
    /// Languages in the group.
    pub languages: usize,
    /// Mean accuracy before.
    pub before: Estimate,
    /// Mean accuracy after.
    pub after: Estimate,
    /// Its change.
    pub change: Estimate,
    /// Mean AUC of the languages that have one.
    pub auc: Option<BeforeAfter>,
    /// Mean calibrated accuracy of the languages that have one.
    pub calibrated: Option<BeforeAfter>,
}

/// Everything that changed between two models' answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changes {
    /// English label names, in the order of the shares.
    pub labels: Vec<String>,
    /// In the order of the paper's tables.
    pub languages: Vec<LanguageChange>,
    /// Over all languages.
    pub mean: MeanChange,
    /// Over the languages seen in training, if there are both kinds.
    pub seen: Option<MeanChange>,
    /// Over the others.
    pub unseen: Option<MeanChange>,
    /// Change of the mean accuracy of each seed.
    pub seed_changes: Vec<f64>,
    /// Half the summed absolute difference between chosen and gold shares, mean over languages: before and after.
    pub share_distance: (f64, f64),
    /// Whether all languages have the same items, so that one draw of items serves all.
    pub joint: bool,
}

/// One language of both models.
struct Pair<'a> {
    language: Language,
    before: &'a Measured,
    seeds: Vec<&'a Measured>,
    /// Seeds right after minus seeds right before, per item.
    changes: Vec<i32>,
}

impl Pair<'_> {
    /// Mean over the seeds.
    fn over_seeds(&self, value: impl Fn(&Measured) -> f64) -> f64 {
        mean(self.seeds.iter().map(|seed| value(seed)))
    }
}

/// Pairs `before` with every seed of `after` in `languages`, which all of them have, with the same items.
pub(crate) fn measure_changes(
    labels: &[String],
    languages: &[Language],
    before: &Measures,
    after: &[&Measures],
    seen: &[Language],
) -> Changes {
    let pairs: Vec<Pair> = languages.iter().map(|language| pair(*language, before, after)).collect();
    let items: Vec<&[usize]> = pairs.iter().map(|pair| pair.before.items.as_slice()).collect();
    let resampling = Resampling::new(&items);
    let (of_seen, of_unseen): (Vec<usize>, Vec<usize>) =
        (0..pairs.len()).partition(|&l| seen.contains(&pairs[l].language));
    let has_both = !of_seen.is_empty() && !of_unseen.is_empty();

    let mut groups: Vec<Vec<usize>> = (0..pairs.len()).map(|l| vec![l]).collect();
    groups.extend([(0..pairs.len()).collect(), of_seen, of_unseen]);
    let mut of_groups = measure_groups(&pairs, &groups, &resampling);
    let of_all = of_groups.split_off(pairs.len());
    let optional = |index: usize| has_both.then(|| of_all[index].clone());
    Changes {
        labels: labels.to_vec(),
        languages: describe_languages(&pairs, seen, &of_groups),
        mean: of_all[0].clone(),
        seen: optional(1),
        unseen: optional(2),
        seed_changes: (0..after.len())
            .map(|seed| mean(pairs.iter().map(|p| p.seeds[seed].accuracy() - p.before.accuracy())))
            .collect(),
        share_distance: (
            mean(pairs.iter().map(|p| share_distance(p.before))),
            mean(pairs.iter().map(|p| p.over_seeds(share_distance))),
        ),
        joint: resampling.is_joint(),
    }
}

fn pair<'a>(language: Language, before: &'a Measures, after: &[&'a Measures]) -> Pair<'a> {
    let (before, seeds) = (&before[&language], after.iter().map(|seed| &seed[&language]).collect::<Vec<_>>());
    let change = |(item, right): (usize, &i32)| seeds.iter().map(|seed| seed.right[item] - right).sum();
    let changes = before.right.iter().enumerate().map(change).collect();
    Pair { language, before, seeds, changes }
}

/// The means of every group of languages; an empty group's are NaN.
fn measure_groups(pairs: &[Pair], groups: &[Vec<usize>], resampling: &Resampling) -> Vec<MeanChange> {
    let seeds = pairs.first().map_or(1, |pair| pair.seeds.len()) as f64;
    let before = resampling.estimate(groups, |l, counts| counted_mean(&pairs[l].before.right, counts));
    let after = resampling.estimate(groups, |l, counts| pairs[l].over_seeds(|seed| counted_mean(&seed.right, counts)));
    let change = resampling.estimate(groups, |l, counts| counted_mean(&pairs[l].changes, counts) / seeds);
    let auc = measure_optional(pairs, groups, resampling, Measured::auc, |m, counts| m.separation.area(counts));
    let calibrated = measure_optional(pairs, groups, resampling, Measured::calibrated_accuracy, |m, counts| {
        m.calibrated.as_ref().map_or(f64::NAN, |right| counted_mean(right, counts))
    });
    let of_group = |group: usize| MeanChange {
        languages: groups[group].len(),
        before: before[group].unwrap_or(Estimate::UNDEFINED),
        after: after[group].unwrap_or(Estimate::UNDEFINED),
        change: change[group].unwrap_or(Estimate::UNDEFINED),
        auc: auc[group],
        calibrated: calibrated[group],
    };
    (0..groups.len()).map(of_group).collect()
}

/// As [`measure_groups`], of a measure that some languages lack: each group's mean is over those that have it.
fn measure_optional(
    pairs: &[Pair],
    groups: &[Vec<usize>],
    resampling: &Resampling,
    value: impl Fn(&Measured) -> Option<f64>,
    resampled: impl Fn(&Measured, &[u32]) -> f64,
) -> Vec<Option<BeforeAfter>> {
    let value = |measured: &Measured| value(measured).unwrap_or(f64::NAN);
    let levels: Vec<(f64, f64)> = pairs.iter().map(|pair| (value(pair.before), pair.over_seeds(value))).collect();
    let has = |l: &usize| !levels[*l].0.is_nan() && !levels[*l].1.is_nan();
    let groups: Vec<Vec<usize>> = groups.iter().map(|group| group.iter().copied().filter(has).collect()).collect();
    let changes = resampling.estimate(&groups, |l, counts| {
        pairs[l].over_seeds(|seed| resampled(seed, counts)) - resampled(pairs[l].before, counts)
    });
    let of_group = |(group, change): (&Vec<usize>, Option<Estimate>)| {
        let before = mean(group.iter().map(|&l| levels[l].0));
        Some(BeforeAfter { before, after: mean(group.iter().map(|&l| levels[l].1)), change: change? })
    };
    groups.iter().zip(changes).map(of_group).collect()
}

/// `of_each`: the measures of every language alone.
fn describe_languages(pairs: &[Pair], seen: &[Language], of_each: &[MeanChange]) -> Vec<LanguageChange> {
    let p_values: Vec<f64> = pairs.iter().map(|pair| sign_flip_p(&pair.changes)).collect();
    let adjusted = holm(&p_values);
    let describe = |(l, pair): (usize, &Pair)| {
        let items = pair.before.items.len();
        LanguageChange {
            language: pair.language,
            seen: seen.contains(&pair.language),
            items,
            before: wilson(pair.before.accuracy(), items),
            after: wilson(pair.over_seeds(Measured::accuracy), items),
            after_seeds: pair.seeds.iter().map(|seed| seed.accuracy()).collect(),
            change: of_each[l].change,
            p: p_values[l],
            p_holm: adjusted[l],
            auc: of_each[l].auc,
            calibrated: of_each[l].calibrated,
            gold_share: pair.before.gold_share.clone(),
            share_before: pair.before.chosen_share.clone(),
            share_after: (0..pair.before.chosen_share.len())
                .map(|label| pair.over_seeds(|seed| seed.chosen_share[label]))
                .collect(),
        }
    };
    pairs.iter().enumerate().map(describe).collect()
}

/// Half the summed absolute difference between what was chosen and what was gold.
fn share_distance(measured: &Measured) -> f64 {
    let differences = measured.chosen_share.iter().zip(&measured.gold_share).map(|(a, b)| (a - b).abs());
    differences.sum::<f64>() / 2.0
}
