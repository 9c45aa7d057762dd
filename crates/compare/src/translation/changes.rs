//! What training made of translation: levels of the base, and changes of each setting with
//! intervals over lines and tests, beside the change of accuracy in the same language.
//!
//! A corpus' score is no mean over lines, so its interval is of scores of resampled corpora
//! (Koehn 2004). The test of chrF++ is over lines: whether their changes, in tenths of a point,
//! have a sign by chance.

use std::collections::BTreeMap;

use schema::{LabelSet, Language, record::TranslationRecord};
use serde::Serialize;

use super::{
    BleuCounts, CHRF_SIGNATURE, ChrfCounts, Tokenisation, bleu_signature,
    read::{TranslatedBy, TranslationTask},
};
use crate::{
    adapter_name::AdapterName,
    error::CompareError,
    folder::BASE,
    levels::BeforeAfter,
    results::{ResultBlock, recipe_settings},
    run_records::RunRecords,
    stats::{
        Estimate,
        paired::{holm, sign_flip},
        resample::{Resampling, Series, Stop, counted_mean},
    },
};

/// Languages from which the change of translation and that of accuracy are compared.
const FEWEST: usize = 4;

/// Translation of one task's questions.
#[derive(Clone, Debug, Serialize)]
pub struct TranslationBlock {
    /// The task.
    pub task: String,
    /// sacrebleu's signatures of the scores.
    pub signatures: Vec<String>,
    /// The model without an adapter.
    pub base: Vec<TranslationLevel>,
    /// The tuned ones, in the recipe's order.
    pub settings: Vec<TranslationSetting>,
    /// What is missing, in sentences.
    pub gaps: Vec<String>,
}

/// One model in one direction. Scores are fractions of 1.
#[derive(Clone, Debug, Serialize)]
pub struct TranslationLevel {
    /// Language of the sources.
    pub from: Language,
    /// Language asked for.
    pub into: Language,
    /// Lines.
    pub lines: usize,
    /// chrF++ of the corpus.
    pub chrf: Option<Estimate>,
    /// BLEU of the corpus.
    pub bleu: Option<Estimate>,
    /// Share of answers that are certain to be in another language; `None` where the identifier
    /// does not know the one asked for.
    pub wrong_language: Option<Estimate>,
    /// Share of answers that are their source again.
    pub copied: Option<Estimate>,
    /// Answers that were cut off.
    pub without_end: usize,
    /// Lines that an adapter was validated with.
    pub validated: usize,
}

/// One training setting against the base, its seeds joined.
#[derive(Clone, Debug, Serialize)]
pub struct TranslationSetting {
    /// As the paper prints it: `zh/de=>en`.
    pub name: String,
    /// For file names and anchors.
    pub slug: String,
    /// Adapters, one per seed.
    pub adapters: Vec<String>,
    /// Each direction.
    pub directions: Vec<TranslationChange>,
    /// Mean chrF++ over the directions.
    pub chrf_mean: Option<BeforeAfter>,
    /// Spearman's correlation, over the languages, of the change of chrF++ with that of accuracy;
    /// `None` for fewer than four, or where one of the two is the same in all.
    pub with_accuracy: Option<f64>,
}

/// What became of one direction. Scores are fractions of 1.
#[derive(Clone, Debug, Serialize)]
pub struct TranslationChange {
    /// Language of the sources.
    pub from: Language,
    /// Language asked for.
    pub into: Language,
    /// Whether pairs of these two languages were learnt.
    pub seen: bool,
    /// Lines.
    pub lines: usize,
    /// chrF++ of the corpus.
    pub chrf: Option<BeforeAfter>,
    /// Exact sign-flip test of the lines' changes of chrF++, in tenths of a point.
    pub chrf_p: f64,
    /// The same, Holm-adjusted over the directions.
    pub chrf_p_holm: f64,
    /// BLEU of the corpus.
    pub bleu: Option<BeforeAfter>,
    /// Share of answers in another language.
    pub wrong_language: Option<BeforeAfter>,
    /// McNemar's exact test of it; with several seeds sign flips of whole lines.
    pub wrong_language_p: Option<f64>,
    /// Share of answers that are their source again.
    pub copied: Option<BeforeAfter>,
    /// As `wrong_language_p`.
    pub copied_p: f64,
    /// Change of the accuracy on the task's questions in the language that is not the target.
    pub accuracy: Option<Estimate>,
}

/// Measures of the lines of one model in one direction.
struct LineMeasures {
    chrf: Vec<ChrfCounts>,
    bleu: Vec<BleuCounts>,
    /// chrF++ of each line in tenths of a point.
    tenths: Vec<i32>,
    wrong: Option<Vec<u8>>,
    copied: Vec<u8>,
}

/// chrF++, BLEU, share of other languages, share of copies.
type Measured = [Series; 4];

impl LineMeasures {
    fn of(lines: &[&TranslationRecord], tokenisation: Tokenisation) -> Self {
        let chrf: Vec<ChrfCounts> = lines
            .iter()
            .map(|line| ChrfCounts::of(&line.answer, &line.reference))
            .collect();
        let wrong: Option<Vec<u8>> = lines
            .iter()
            .map(|line| line.wrong_language.map(u8::from))
            .collect();
        Self {
            tenths: chrf
                .iter()
                .map(|counts| (10.0 * counts.score()).round() as i32)
                .collect(),
            bleu: lines
                .iter()
                .map(|line| BleuCounts::of(&line.answer, &line.reference, tokenisation))
                .collect(),
            copied: lines.iter().map(|line| u8::from(line.copied)).collect(),
            chrf,
            wrong,
        }
    }

    fn series(&self, resampling: &Resampling<'_>, at: usize) -> Measured {
        resampling.series_of(at, |counts| {
            let (mut chrf, mut bleu) = (ChrfCounts::default(), BleuCounts::default());
            for (line, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                chrf.add(&self.chrf[line], u64::from(count));
                bleu.add(&self.bleu[line], u64::from(count));
            }
            let wrong = self.wrong.as_ref();
            [
                chrf.score() / 100.0,
                bleu.score() / 100.0,
                wrong.map_or(f64::NAN, |wrong| counted_mean(wrong, counts)),
                counted_mean(&self.copied, counts),
            ]
        })
    }
}

/// What was translated of one task.
type TaskSets<'a> = Vec<(&'a TranslationTask, &'a TranslatedBy)>;

/// Measures everything that was translated.
///
/// # Errors
/// [`CompareError::Stopped`].
pub fn measure_translations(
    records: &RunRecords,
    blocks: &[ResultBlock],
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<TranslationBlock>, CompareError> {
    let order = recipe_settings(&records.manifest);
    let mut tasks: BTreeMap<&str, TaskSets<'_>> = BTreeMap::new();
    for set in &records.translations {
        tasks.entry(&set.0.0).or_default().push(set);
    }
    tasks
        .into_iter()
        .map(|(task, sets)| measure_task(task, &sets, blocks, &order, stop))
        .collect()
}

fn measure_task(
    task: &str,
    sets: &TaskSets<'_>,
    blocks: &[ResultBlock],
    order: &[String],
    stop: Stop,
) -> Result<TranslationBlock, CompareError> {
    let mut groups: BTreeMap<AdapterName, Vec<String>> = BTreeMap::new();
    let mut gaps = Vec::new();
    for &((_, from, into), models) in sets {
        for model in models.keys().filter(|model| *model != BASE) {
            let seeds = groups.entry(AdapterName::parse(model)).or_default();
            if !seeds.contains(model) {
                seeds.push(model.clone());
            }
        }
        if !models.contains_key(BASE) {
            gaps.push(format!(
                "{task}, {from} to {into}: the base model did not translate; its change is unknown."
            ));
        }
    }
    let mut ordered: Vec<_> = groups.iter().collect();
    ordered.sort_by_key(|(name, _)| name.position_in(order));
    let settings = ordered
        .into_iter()
        .map(|(name, seeds)| measure_setting(task, (name, seeds), sets, blocks, stop))
        .collect::<Result<_, _>>()?;
    let mut signatures = vec![CHRF_SIGNATURE.to_owned()];
    for &((_, _, into), _) in sets {
        let signature = bleu_signature(Tokenisation::of(*into));
        if !signatures.contains(&signature) {
            signatures.push(signature);
        }
    }
    Ok(TranslationBlock {
        task: task.to_owned(),
        signatures,
        base: measure_base(sets, stop)?,
        settings,
        gaps,
    })
}

fn measure_base(sets: &TaskSets<'_>, stop: Stop) -> Result<Vec<TranslationLevel>, CompareError> {
    let mut levels = Vec::new();
    for &((_, from, into), models) in sets {
        let Some(base) = models.get(BASE) else {
            continue;
        };
        let items: Vec<usize> = base.keys().copied().collect();
        let lines: Vec<&TranslationRecord> = base.values().collect();
        let groups = vec![None; items.len()];
        let resampling = Resampling::new(&[(&items, &groups)], stop);
        let [chrf, bleu, wrong_language, copied] =
            LineMeasures::of(&lines, Tokenisation::of(*into)).series(&resampling, 0);
        levels.push(resampling.unless_stopped(TranslationLevel {
            from: *from,
            into: *into,
            lines: items.len(),
            chrf: chrf.estimate(),
            bleu: bleu.estimate(),
            wrong_language: wrong_language.estimate(),
            copied: copied.estimate(),
            without_end: lines.iter().filter(|line| !line.ended).count(),
            validated: lines.iter().filter(|line| line.validated).count(),
        })?);
    }
    Ok(levels)
}

/// One direction of a setting: the lines that the base and all its seeds translated.
struct Direction<'a> {
    key: &'a TranslationTask,
    items: Vec<usize>,
    before: LineMeasures,
    after: Vec<LineMeasures>,
}

fn list_directions<'a>(sets: &TaskSets<'a>, seeds: &[String]) -> Vec<Direction<'a>> {
    let mut directions = Vec::new();
    for &(key, models) in sets {
        let after: Option<Vec<_>> = seeds.iter().map(|seed| models.get(seed)).collect();
        let (Some(base), Some(after)) = (models.get(BASE), after) else {
            continue;
        };
        let mut items: Vec<usize> = base.keys().copied().collect();
        items.retain(|item| after.iter().all(|lines| lines.contains_key(item)));
        let tokenisation = Tokenisation::of(key.2);
        let of = |lines: &BTreeMap<usize, TranslationRecord>| {
            let lines: Vec<_> = items.iter().filter_map(|item| lines.get(item)).collect();
            LineMeasures::of(&lines, tokenisation)
        };
        if !items.is_empty() {
            directions.push(Direction {
                key,
                before: of(base),
                after: after.into_iter().map(of).collect(),
                items,
            });
        }
    }
    directions
}

fn measure_setting(
    task: &str,
    (name, seeds): (&AdapterName, &[String]),
    sets: &TaskSets<'_>,
    blocks: &[ResultBlock],
    stop: Stop,
) -> Result<TranslationSetting, CompareError> {
    let directions = list_directions(sets, seeds);
    let groups: Vec<Vec<Option<u64>>> = directions
        .iter()
        .map(|direction| vec![None; direction.items.len()])
        .collect();
    let items: Vec<_> = directions
        .iter()
        .zip(&groups)
        .map(|(direction, groups)| (direction.items.as_slice(), groups.as_slice()))
        .collect();
    let resampling = Resampling::new(&items, stop);
    let slug = name.group.replace(['.', '/', ' '], "-");
    let (mut changes, mut before, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for (at, direction) in directions.iter().enumerate() {
        let series = measure_direction(&resampling, at, direction);
        changes.push(describe_change(direction, &series, name, |language| {
            find_accuracy(blocks, task, &slug, language)
        }));
        let (first, second) = series;
        before.extend(first.into_iter().next());
        after.extend(second.into_iter().next());
    }
    let p_values: Vec<f64> = changes.iter().map(|change| change.chrf_p).collect();
    for (change, adjusted) in changes.iter_mut().zip(holm(&p_values)) {
        change.chrf_p_holm = adjusted;
    }
    let means = Series::mean_of(&before).zip(Series::mean_of(&after));
    resampling.unless_stopped(TranslationSetting {
        name: name.title(task),
        slug,
        adapters: seeds.to_vec(),
        with_accuracy: correlate(&changes),
        directions: changes,
        chrf_mean: means.and_then(|(before, after)| BeforeAfter::of(&before, &after)),
    })
}

/// One direction; `accuracy`: the change of accuracy in a language.
fn describe_change(
    direction: &Direction<'_>,
    (before, after): &(Measured, Vec<Series>),
    name: &AdapterName,
    accuracy: impl Fn(Language) -> Option<Estimate>,
) -> TranslationChange {
    let (from, into) = (direction.key.1, direction.key.2);
    let [chrf, bleu, wrong_language, copied] =
        [0, 1, 2, 3].map(|of: usize| BeforeAfter::of(&before[of], &after[of]));
    let seen = name.seen();
    let target = name.setting.as_ref().map_or(into, |setting| setting.target);
    TranslationChange {
        from,
        into,
        seen: seen.contains(&from) && seen.contains(&into),
        lines: direction.items.len(),
        chrf,
        chrf_p: direction.test(|lines| lines.tenths.clone()),
        chrf_p_holm: 1.0,
        bleu,
        wrong_language_p: wrong_language
            .map(|_| direction.test(|lines| widen(lines.wrong.as_deref().unwrap_or_default()))),
        wrong_language,
        copied,
        copied_p: direction.test(|lines| widen(&lines.copied)),
        accuracy: accuracy(if into == target { from } else { into }),
    }
}

/// Before, and the mean over seeds after.
fn measure_direction(
    resampling: &Resampling<'_>,
    at: usize,
    direction: &Direction<'_>,
) -> (Measured, Vec<Series>) {
    let before = direction.before.series(resampling, at);
    let seeds: Vec<Measured> = direction
        .after
        .iter()
        .map(|lines| lines.series(resampling, at))
        .collect();
    let after = (0..before.len())
        .filter_map(|of| Series::mean_of(seeds.iter().map(|seed| &seed[of])))
        .collect();
    (before, after)
}

impl Direction<'_> {
    /// Exact p-value of the lines' changes, summed over seeds.
    fn test(&self, value: impl Fn(&LineMeasures) -> Vec<i32>) -> f64 {
        let before = value(&self.before);
        let mut changes = vec![0; before.len()];
        for after in &self.after {
            for (change, (after, before)) in
                changes.iter_mut().zip(value(after).iter().zip(&before))
            {
                *change += after - before;
            }
        }
        sign_flip(&changes).exact
    }
}

fn widen(shares: &[u8]) -> Vec<i32> {
    shares.iter().map(|&is| i32::from(is)).collect()
}

/// The change of a setting's accuracy in a language, with English labels where it was asked so.
fn find_accuracy(
    blocks: &[ResultBlock],
    task: &str,
    slug: &str,
    language: Language,
) -> Option<Estimate> {
    let of_task = || blocks.iter().filter(|block| block.task == task);
    let block = of_task()
        .find(|block| block.labels == LabelSet::English)
        .or_else(|| of_task().next())?;
    let setting = block.settings.iter().find(|setting| setting.slug == slug)?;
    let mut languages = setting.changes.languages.iter();
    languages
        .find(|change| change.language == language)
        .map(|change| change.change)
}

/// Spearman's correlation of the changes of chrF++ and of accuracy.
fn correlate(changes: &[TranslationChange]) -> Option<f64> {
    let both: Vec<(f64, f64)> = changes
        .iter()
        .filter_map(|change| Some((change.chrf?.change.value, change.accuracy?.value)))
        .collect();
    if both.len() < FEWEST {
        return None;
    }
    let (translation, accuracy): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
    spearman(&translation, &accuracy)
}

/// `None` where all values of one are the same.
fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let [a, b] = [a, b].map(ranks);
    let centre = (a.len() as f64 + 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| -> f64 {
        let pairs = x.iter().zip(y);
        pairs.map(|(x, y)| (x - centre) * (y - centre)).sum()
    };
    let spread = (product(&a, &a) * product(&b, &b)).sqrt();
    (spread > 0.0).then(|| product(&a, &b) / spread)
}

/// From 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let of = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    };
    values.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spearman_is_that_of_scipy() {
        // scipy.stats.spearmanr
        let found = spearman(&[1.0, 2.0, 2.0, 5.0, 3.0], &[0.1, 0.4, 0.3, 0.3, 0.9]);
        let expected = 0.5;
        assert!(
            found.is_some_and(|found| (found - expected).abs() < 1e-12),
            "{found:?}"
        );
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
    }
}
