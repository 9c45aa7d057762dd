//! The loss in accuracy when the neurons of a language are switched off (arXiv 2402.16438,
//! which measures perplexity; here the accuracy on questions), beside as many others of each
//! block drawn by lot. Never here: finding neurons.
//!
//! Each language's neurons and their control are switched off in turn, and every language is
//! asked: with L languages 2 L + 1 evaluations of L languages, of at most `items` questions
//! each.

mod control;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::Decoder;
use schema::{
    Language,
    inside::{NeuronsRecord, SilencedKind, SilencingRecord},
};

use crate::{
    bootstrap::ItemBootstrap,
    capture::OnProgress,
    error::AnalyseError,
    labelled_prompts::{LabelledPrompts, ModelAnswer, report_answered},
};

/// How the effect of switching neurons off is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silencing {
    /// Questions of each language, from the first; those that there are, where these are fewer.
    pub items: usize,
    /// Draws of every bootstrap.
    pub resamples: usize,
    /// Decides the draws, and which neurons are the controls.
    pub seed: u64,
}

impl Silencing {
    fn items_of(&self, asked: &LabelledPrompts<'_>) -> usize {
        self.items.min(asked.prompts.len())
    }
}

/// Neurons that are off together.
struct SilencedSet {
    language: Language,
    kind: SilencedKind,
    neurons: Vec<(usize, u32)>,
}

/// The answers of the whole model in one language.
struct UnsilencedAnswers {
    answers: Vec<ModelAnswer>,
    resampling: ItemBootstrap,
}

/// Asks every language of `asked` with all neurons on, with those that `found` has of each
/// language off, and with each control off. Where a language has no neurons nothing is
/// run, for nothing changes. `watch` counts questions.
///
/// # Errors
/// Neurons of another model; a block with too few others for a control; fewer than two
/// questions in a language; a score that is not finite; `watch` said no.
pub fn silence(
    model: &Decoder,
    found: &NeuronsRecord,
    asked: &BTreeMap<Language, LabelledPrompts<'_>>,
    silencing: Silencing,
    watch: &mut OnProgress<'_>,
) -> Result<Vec<SilencingRecord>, AnalyseError> {
    check(model, found, asked, silencing)?;
    let mut sets = Vec::new();
    for (&language, own) in &found.selected {
        let control = control::draw(found, language, silencing.seed)?;
        sets.push(SilencedSet {
            language,
            kind: SilencedKind::Language,
            neurons: own.clone(),
        });
        sets.push(SilencedSet {
            language,
            kind: SilencedKind::Random,
            neurons: control,
        });
    }
    measure(model, &sets, asked, silencing, watch)
}

fn check(
    model: &Decoder,
    found: &NeuronsRecord,
    asked: &BTreeMap<Language, LabelledPrompts<'_>>,
    silencing: Silencing,
) -> Result<(), AnalyseError> {
    let config = model.config();
    let (layers, width) = (config.num_hidden_layers, config.intermediate_size);
    if found.layers.len() != layers || found.layers.iter().any(|layer| layer.neurons != width) {
        return Err(AnalyseError::unusable(
            "neurons",
            format!("not those of a model of {layers} blocks with {width} each; select them again"),
        ));
    }
    if silencing.resamples == 0 {
        return Err(AnalyseError::unusable(
            "resamples",
            "an interval needs at least one; set `analyse.resamples`",
        ));
    }
    for (&language, one) in asked {
        one.check(language, model)?;
        if silencing.items.min(one.prompts.len()) < 2 {
            return Err(AnalyseError::unusable(
                format!("questions in {language}"),
                "an interval needs two; raise `analyse.silenced_items` or `analyse.limit`",
            ));
        }
    }
    Ok(())
}

/// Asks with each of `sets` off.
fn measure(
    model: &Decoder,
    sets: &[SilencedSet],
    asked: &BTreeMap<Language, LabelledPrompts<'_>>,
    silencing: Silencing,
    watch: &mut OnProgress<'_>,
) -> Result<Vec<SilencingRecord>, AnalyseError> {
    let runs = 1 + sets.iter().filter(|set| !set.neurons.is_empty()).count();
    let (mut done, total) = (
        0,
        runs * asked
            .values()
            .map(|one| silencing.items_of(one))
            .sum::<usize>(),
    );
    let mut answered = |count: usize| {
        done += count;
        report_answered(watch, done, total)
    };
    let all_on = model.silence(&[])?;
    let mut whole = BTreeMap::new();
    for (&language, asked) in asked {
        let answers = asked.ask(language, &all_on, silencing.items_of(asked), &mut answered)?;
        let resampling = ItemBootstrap::new(answers.len(), silencing.resamples, silencing.seed);
        whole.insert(
            language,
            UnsilencedAnswers {
                answers,
                resampling,
            },
        );
    }
    let mut records = Vec::with_capacity(sets.len() * asked.len());
    for off in sets {
        let silenced = model.silence(&off.neurons)?;
        for (&language, asked) in asked {
            let before = &whole[&language];
            let after = match off.neurons.is_empty() {
                true => before.answers.clone(),
                false => asked.ask(
                    language,
                    &silenced,
                    silencing.items_of(asked),
                    &mut answered,
                )?,
            };
            records.push(compare(
                off,
                language,
                asked.prompts.golds(),
                before,
                &after,
            ));
        }
    }
    Ok(records)
}

fn compare(
    off: &SilencedSet,
    asked: Language,
    golds: &[usize],
    whole: &UnsilencedAnswers,
    after: &[ModelAnswer],
) -> SilencingRecord {
    let before = &whole.answers;
    let (right_before, right_after) = (score(before, golds), score(after, golds));
    let changes: Vec<f64> = right_before
        .iter()
        .zip(&right_after)
        .map(|(before, after)| after - before)
        .collect();
    let (low, high) = whole.resampling.interval(&changes);
    let pairs = before.iter().zip(after);
    let gold_changes: Vec<f64> = pairs
        .clone()
        .zip(golds)
        .map(|((before, after), &gold)| after.shares[gold] - before.shares[gold])
        .collect();
    SilencingRecord {
        silenced: off.language,
        kind: off.kind,
        neurons: off.neurons.len(),
        asked,
        items: after.len(),
        accuracy_before: mean(&right_before),
        accuracy_after: mean(&right_after),
        low,
        high,
        gold_change: mean(&gold_changes),
        changed_answers: pairs
            .filter(|(before, after)| before.chosen != after.chosen)
            .count() as f64
            / after.len() as f64,
    }
}

/// 1 for each right answer, 0 for each wrong one.
fn score(answers: &[ModelAnswer], golds: &[usize]) -> Vec<f64> {
    let answers = answers.iter().zip(golds);
    answers
        .map(|(answer, &gold)| f64::from(u8::from(answer.chosen == gold)))
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
