//! A run's records as results: one block per task, label set and form of the prompts, in it one entry per setting,
//! seeds joined.
//!
//! Never here: drawing, text for the page.

use std::collections::BTreeMap;

use schema::{LabelSet, Language, PromptForm, Protocol, Setting, caveats::describe_training};
use serde::Serialize;
use serde_json::Value;

use crate::{
    adapter_name::AdapterName,
    answers::AnswerSet,
    caveats::{self, LanguageLevel},
    change::{Changes, ComparedAnswers, mean_shares, measure_changes},
    error::CompareError,
    folder::BASE,
    forms::{FormResult, compare_forms},
    levels::{LevelSeries, accuracy},
    measure::{Measured, MeasuredLanguages, NeverRight, find_never_right, measure},
    pairing::{Pairing, common_items},
    run_records::{AskedAs, RunRecords},
    stats::{
        Estimate, mean,
        resample::{Resampling, Series, Stop},
    },
};

/// All results that come from answers.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// One per task, label set and form of the prompts.
    pub blocks: Vec<ResultBlock>,
    /// The same model asked in another form than the plain one, against its plain answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forms: Vec<FormResult>,
    /// The results that could not be computed, and why, in sentences.
    pub gaps: Vec<String>,
    /// What makes a result worth less than it looks, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<String>,
}

/// One task with one label set, asked in one form.
#[derive(Clone, Debug, Serialize)]
pub struct ResultBlock {
    /// Task name.
    pub task: String,
    /// The label words that were scored.
    pub labels: LabelSet,
    /// The form of the prompts; left out where it is plain.
    #[serde(skip_serializing_if = "PromptForm::is_plain")]
    pub prompt: PromptForm,
    /// English label names, sorted.
    pub label_names: Vec<String>,
    /// Rules for defective data.
    pub protocol: Option<Protocol>,
    /// The model without an adapter.
    pub base: Levels,
    /// The tuned ones, in the recipe's order.
    pub settings: Vec<SettingResult>,
}

impl ResultBlock {
    /// The label set, and the form of the prompts where it is not the plain one.
    pub fn asked_with(&self) -> String {
        match self.prompt {
            PromptForm::Plain => self.labels.to_string(),
            form => format!("{}, {form}", self.labels),
        }
    }

    /// The same as part of a file's name.
    pub fn slug(&self) -> String {
        match self.prompt {
            PromptForm::Plain => format!("{}.{}", self.task, self.labels),
            form => format!("{}.{}.{form}", self.task, self.labels),
        }
    }
}

/// One model's accuracies.
#[derive(Clone, Debug, Serialize)]
pub struct Levels {
    /// Each language.
    pub languages: Vec<Level>,
    /// Mean over the languages (Eq. 5), bootstrap interval.
    pub mean: Estimate,
    /// Answers whose two best scores are equal.
    pub tied: usize,
}

/// One model in one language.
#[derive(Clone, Debug, Serialize)]
pub struct Level {
    /// The language.
    pub language: Language,
    /// Scored items.
    pub items: usize,
    /// Accuracy (Eq. 4), Wilson's interval.
    pub accuracy: Estimate,
    /// Area under the ROC curve.
    pub auc: Option<Estimate>,
    /// Accuracy after contextual calibration.
    pub calibrated: Option<Estimate>,
    /// Accuracy after batch calibration.
    pub batch: Option<Estimate>,
    /// Share of each label among the gold ones.
    pub gold_share: Vec<f64>,
    /// Share of each label among those chosen.
    pub share: Vec<f64>,
}

/// One training setting against the base model, its seeds joined.
#[derive(Clone, Debug, Serialize)]
pub struct SettingResult {
    /// As the paper prints it, with the training task where it is another one: `zh/de=>en`.
    pub name: String,
    /// For file names and anchors: `zh-de-en`.
    pub slug: String,
    /// Adapters, one per seed.
    pub adapters: Vec<String>,
    /// Against the base.
    pub changes: Changes,
}

/// Computes every block.
///
/// # Errors
/// Answers that cannot be compared; [`CompareError::Stopped`].
pub fn compute(
    records: &RunRecords,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Results, CompareError> {
    let order = recipe_settings(&records.manifest);
    let mut results = Results {
        blocks: Vec::new(),
        forms: Vec::new(),
        gaps: Vec::new(),
        caveats: Vec::new(),
    };
    let mut caveats = Caveats::default();
    if records.manifest.is_null() {
        results.gaps.push(
            "There is no `manifest.json`: recipe, versions and hashes are unknown.".to_owned(),
        );
    }
    if records.answers.is_empty() {
        let shown = if records.inside.is_empty() {
            "only training is shown"
        } else {
            "what is inside the models is shown"
        };
        results
            .gaps
            .push(format!("There are no answers yet: {shown}."));
    }
    for (question, models) in &records.answers {
        caveats.add_answers(question, models);
        results
            .forms
            .extend(compare_forms(records, question, stop)?);
        match models.get(BASE) {
            Some(base) => {
                let block =
                    compute_block(question, (base, models), &order, &mut results.gaps, stop)?;
                caveats.add_block(&describe_question(question), &block);
                results.blocks.push(block);
            }
            None => results.gaps.extend(
                models
                    .iter()
                    .map(|(model, sets)| describe_no_base(question, model, sets)),
            ),
        }
    }
    results.caveats = caveats.base;
    results.caveats.extend(caveats.tuned);
    results.caveats.extend(list_training_caveats(records));
    Ok(results)
}

/// What is to be said of the base model, which all comparisons share, and of the tuned ones.
#[derive(Default)]
struct Caveats {
    base: Vec<String>,
    tuned: Vec<String>,
}

impl Caveats {
    /// What is counted from answers.
    fn add_answers(&mut self, question: &AskedAs, models: &BTreeMap<String, Vec<AnswerSet>>) {
        for (model, sets) in models {
            for set in sets {
                let who = format!("{}, {model}", describe_question(question));
                let who = match sets.len() {
                    1 => who,
                    _ => format!("{who}, exemplars {}", set.head.few_shot),
                };
                let of = match model == BASE {
                    true => &mut self.base,
                    false => &mut self.tuned,
                };
                of.extend(set.caveats(&who));
            }
        }
    }

    /// What follows from the levels.
    fn add_block(&mut self, question: &str, block: &ResultBlock) {
        let base = block.base.languages.iter().map(|level| LanguageLevel {
            language: level.language,
            accuracy: level.accuracy,
            auc: level.auc,
            batch: level.batch,
        });
        let base: Vec<LanguageLevel> = base.collect();
        let said = caveats::describe_levels(&format!("{question}, base"), &base);
        self.base.extend(said);
        for setting in &block.settings {
            let tuned = setting.changes.languages.iter().map(LanguageLevel::from);
            let who = format!("{question}, {}", setting.name);
            let said = caveats::describe_levels(&who, &tuned.collect::<Vec<_>>());
            self.tuned.extend(said);
        }
    }
}

fn list_training_caveats(records: &RunRecords) -> Vec<String> {
    let mut caveats = Vec::new();
    for (adapter, log) in &records.train_logs {
        let notes = &records.manifest["stages"][format!("train.{adapter}")]["notes"];
        let cut = notes["cut_examples"].as_u64().unwrap_or(0) as usize;
        let said = describe_training(log, cut);
        caveats.extend(said.into_iter().map(|one| format!("{adapter}: {one}")));
    }
    caveats
}

/// The recipe's settings by slug, in its order; empty if the manifest does not list them.
pub fn recipe_settings(manifest: &Value) -> Vec<String> {
    let settings = manifest
        .pointer("/recipe/train/settings")
        .and_then(Value::as_array);
    let parsed = settings
        .into_iter()
        .flatten()
        .filter_map(|text| text.as_str()?.parse::<Setting>().ok());
    parsed.map(|setting| setting.slug()).collect()
}

fn describe_no_base(question: &AskedAs, model: &str, sets: &[AnswerSet]) -> String {
    let (task, labels, form) = question;
    let form = match form {
        PromptForm::Plain => String::new(),
        form => format!(" ({form})"),
    };
    let accuracies = sets
        .iter()
        .flat_map(|set| set.languages.values())
        .map(|columns| mean(columns.correct.iter().map(|&is| f64::from(u8::from(is)))));
    format!(
        "`{model}` answered {task} with {labels} labels{form} (mean accuracy {:.1} % over {} languages), but the base model \
         did not: its change is unknown. Evaluate the base as well.",
        100.0 * mean(accuracies),
        sets.iter()
            .map(|set| set.languages.len())
            .max()
            .unwrap_or(0)
    )
}

fn compute_block(
    question: &AskedAs,
    (base, models): (&[AnswerSet], &BTreeMap<String, Vec<AnswerSet>>),
    order: &[String],
    gaps: &mut Vec<String>,
    stop: Stop,
) -> Result<ResultBlock, CompareError> {
    let (task, labels, prompt) = question;
    let never_right = find_never_right(models.values().flatten());
    let mut groups: BTreeMap<AdapterName, Vec<(&String, &[AnswerSet])>> = BTreeMap::new();
    for (model, sets) in models.iter().filter(|(model, _)| *model != BASE) {
        groups
            .entry(AdapterName::parse(model))
            .or_default()
            .push((model, sets.as_slice()));
    }
    let mut ordered: Vec<_> = groups.iter().collect();
    ordered.sort_by_key(|(name, _)| name.position_in(order));
    let names = &base[0].label_names;
    let mut settings = Vec::new();
    for (name, seeds) in ordered {
        let pairing = pair_in_run(&describe_question(question), base, seeds, gaps)?;
        let sets = pairing.measure(&never_right, stop)?;
        settings.push(SettingResult {
            name: name.title(task),
            slug: name.group.replace(['.', '/', ' '], "-"),
            adapters: seeds
                .iter()
                .map(|(adapter, _)| (*adapter).clone())
                .collect(),
            changes: measure_changes(&ComparedAnswers {
                labels: names,
                few_shots: &pairing.few_shots,
                languages: &pairing.languages,
                sets: &sets,
                seen: &name.seen(),
                stop,
            })?,
        });
    }
    let before = measure_base(base, &never_right, stop)?;
    note_gaps(&describe_question(question), &before, &settings, gaps);
    Ok(ResultBlock {
        task: task.clone(),
        labels: *labels,
        prompt: *prompt,
        label_names: names.clone(),
        protocol: base[0].head.protocol,
        base: describe_levels(&before, stop)?,
        settings,
    })
}

/// Pairs base and seeds, which within a run differ in nothing but the adapter, and notes the
/// languages and exemplars that are left out.
fn pair_in_run<'a>(
    question: &str,
    base: &'a [AnswerSet],
    seeds: &[(&String, &'a [AnswerSet])],
    gaps: &mut Vec<String>,
) -> Result<Pairing<'a>, CompareError> {
    let after: Vec<&[AnswerSet]> = seeds.iter().map(|(_, sets)| *sets).collect();
    let pairing = Pairing::new(base, &after)?;
    for (a, b) in pairing.pairs() {
        let mut differences = a.head.differences(&b.head);
        differences.retain(|(key, _)| *key != "adapter");
        if let Some((_, difference)) = differences.into_iter().next() {
            return Err(a.not_comparable(b, difference));
        }
        let adapter = b.head.adapter.as_deref().unwrap_or(BASE);
        let unanswered = [
            (format!("`{adapter}`"), languages_only_in(a, b)),
            (
                format!("the base, unlike `{adapter}`,"),
                languages_only_in(b, a),
            ),
        ];
        for (model, missing) in unanswered {
            let gap = format!(
                "{question}: {model} has no answers in {}; left out of the comparison.",
                missing.join(", ")
            );
            if !missing.is_empty() && !gaps.contains(&gap) {
                gaps.push(gap);
            }
        }
    }
    gaps.extend(pairing.gaps.iter().map(|gap| format!("{question}: {gap}.")));
    Ok(pairing)
}

/// Codes of the languages that `a` has and `b` has not.
fn languages_only_in(a: &AnswerSet, b: &AnswerSet) -> Vec<&'static str> {
    a.languages
        .keys()
        .filter(|language| !b.languages.contains_key(language))
        .map(|language| language.code())
        .collect()
}

/// The base after every set of exemplars, in the languages and on the items that all sets have.
pub(crate) fn measure_base(
    base: &[AnswerSet],
    never_right: &NeverRight,
    stop: Stop,
) -> Result<Vec<MeasuredLanguages>, CompareError> {
    let sets: Vec<&AnswerSet> = base.iter().collect();
    let mut languages: Vec<Language> = base[0].languages.keys().copied().collect();
    languages.retain(|language| base.iter().all(|set| set.languages.contains_key(language)));
    let common = common_items(&sets, &languages);
    base.iter()
        .map(|set| measure(set, never_right, &common, stop))
        .collect()
}

/// Task, label set and form, for people.
fn describe_question((task, labels, form): &AskedAs) -> String {
    match form {
        PromptForm::Plain => format!("{task}, {labels} labels"),
        form => format!("{task}, {labels} labels, {form}"),
    }
}

fn note_gaps(
    question: &str,
    before: &[MeasuredLanguages],
    settings: &[SettingResult],
    gaps: &mut Vec<String>,
) {
    let no_prior: Vec<&str> = before[0]
        .iter()
        .filter(|(_, measured)| measured.contextual.is_none())
        .map(|(language, _)| language.code())
        .collect();
    if !no_prior.is_empty() {
        gaps.push(format!(
            "{question}: no prior above 0 was recorded in {}; no contextual calibration there.",
            no_prior.join(", ")
        ));
    }
    if settings.iter().any(|setting| !setting.changes.joint) {
        gaps.push(format!(
            "{question}: the languages do not have the same items; they are resampled apart, which makes \
             the interval of the mean too narrow if items are translations of each other."
        ));
    }
}

/// `sets[exemplars]`: the model's languages, the same in each.
pub(crate) fn describe_levels(
    sets: &[MeasuredLanguages],
    stop: Stop,
) -> Result<Levels, CompareError> {
    let languages: Vec<Language> = sets[0].keys().copied().collect();
    let cells: Vec<Vec<&Measured>> = languages
        .iter()
        .map(|language| sets.iter().map(|set| &set[language]).collect())
        .collect();
    let items: Vec<_> = cells
        .iter()
        .map(|c| (c[0].items.as_slice(), c[0].groups.as_slice()))
        .collect();
    let resampling = Resampling::new(&items, stop);
    let series: Vec<LevelSeries> = cells
        .iter()
        .enumerate()
        .map(|(l, cells)| LevelSeries::new(&resampling, l, cells))
        .collect();
    let levels = languages.iter().enumerate().map(|(l, language)| Level {
        language: *language,
        items: cells[l][0].items.len(),
        accuracy: accuracy(&resampling, l, &cells[l]),
        auc: series[l].auc.estimate(),
        calibrated: series[l].contextual.as_ref().and_then(Series::estimate),
        batch: series[l].batch.as_ref().and_then(Series::estimate),
        gold_share: cells[l][0].gold_share.clone(),
        share: mean_shares(&cells[l]),
    });
    let raw = Series::mean_of(series.iter().map(|of| &of.raw));
    let levels = Levels {
        languages: levels.collect(),
        mean: raw
            .and_then(|raw| raw.estimate())
            .unwrap_or(Estimate::UNDEFINED),
        tied: cells.iter().flatten().map(|measured| measured.tied).sum(),
    };
    resampling.unless_stopped(levels)
}
