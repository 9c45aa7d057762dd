//! The stages that look inside a model: hidden states captured, then what is computed from
//! them; the lens, neurons and interventions, which need the model itself. One stage a file, or
//! a kind of look.

mod inputs;
mod looks;

use std::collections::BTreeSet;

use anyhow::Result;
use data::tasks;
use schema::{
    FewShot, LabelSet, Language, Task,
    inside::{Analysis, Pooling},
    recipe::{AdapterPlan, AnalyseRecipe},
};

use super::{Experiment, Made, evaluation::BASE};
use crate::progress::note;
use inputs::Origins;

/// What is looked at inside one model, the base or an adapter.
pub(super) struct Look {
    pub(super) recipe: AnalyseRecipe,
    pub(super) plan: Option<AdapterPlan>,
    pub(super) task: &'static Task,
    pub(super) languages: Vec<Language>,
    /// Of the prompts of all looks but the lens: the first that is evaluated.
    pub(super) labels: LabelSet,
    pub(super) few_shot: FewShot,
    pub(super) limit: Option<usize>,
    /// Of every draw: the recipe's first.
    pub(super) seed: u64,
    origins: Origins,
}

/// One stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Capture(Language),
    Map(Pooling),
    Change(Pooling),
    TunedLens,
    Lens(Language),
    Neurons,
    Silencing,
    Patching,
}

impl Look {
    /// Name of the model's folders.
    pub(super) fn model(&self) -> &str {
        self.plan.as_ref().map_or(BASE, |plan| plan.name.as_str())
    }

    /// What is done, in order: a step needs what stands before it.
    fn steps(&self) -> Vec<Step> {
        let asks = |kind| self.recipe.asks(kind);
        let mut steps = Vec::new();
        if asks(Analysis::Pca) || asks(Analysis::Alignment) {
            steps.extend(
                self.languages
                    .iter()
                    .map(|&language| Step::Capture(language)),
            );
            steps.extend(
                self.recipe
                    .poolings
                    .iter()
                    .map(|&pooling| Step::Map(pooling)),
            );
            if self.plan.is_some() {
                steps.extend(
                    self.recipe
                        .poolings
                        .iter()
                        .map(|&pooling| Step::Change(pooling)),
                );
            }
        }
        if asks(Analysis::TunedLens) {
            steps.push(Step::TunedLens);
        }
        if asks(Analysis::Lens) || asks(Analysis::TunedLens) {
            steps.extend(self.lens_languages().into_iter().map(Step::Lens));
        }
        if asks(Analysis::Neurons) || asks(Analysis::Silencing) {
            steps.push(Step::Neurons);
        }
        if asks(Analysis::Silencing) {
            steps.push(Step::Silencing);
        }
        if asks(Analysis::Patching) {
            steps.push(Step::Patching);
        }
        steps
    }

    /// The languages with label words of their own, and English: only there an answer can be
    /// told from the English one.
    fn lens_languages(&self) -> Vec<Language> {
        let has_words = |language: &&Language| {
            let sets = tasks::label_sets(self.task, **language).unwrap_or_default();
            self.task.text_choices().is_empty()
                && sets.iter().any(|(set, _)| *set == LabelSet::Same)
        };
        self.languages.iter().filter(has_words).copied().collect()
    }

    /// Which languages stay out of the lens, for the user.
    fn tell_what_is_left_out(&self) {
        let with_words = self.lens_languages();
        let without: Vec<&str> = self
            .languages
            .iter()
            .filter(|language| !with_words.contains(language))
            .map(|l| l.code())
            .collect();
        if (self.recipe.asks(Analysis::Lens) || self.recipe.asks(Analysis::TunedLens))
            && !without.is_empty()
        {
            note(&format!(
                "lens: no label words of their own in {}, so not looked at",
                without.join(" ")
            ));
        }
    }

    /// A stage's name in the manifest.
    fn stage(&self, step: Step) -> String {
        let (model, task) = (self.model(), &self.task.name);
        match step {
            Step::Capture(language) => format!("capture.{model}.{task}.{language}"),
            Step::Map(pooling) => format!("map.{model}.{task}.{pooling}"),
            Step::Change(pooling) => format!("change.{model}.{task}.{pooling}"),
            Step::TunedLens => format!("tuned-lens.{model}.{task}"),
            Step::Lens(language) => format!("lens.{model}.{task}.{language}"),
            Step::Neurons => format!("neurons.{model}.{task}"),
            Step::Silencing => format!("silencing.{model}.{task}"),
            Step::Patching => format!("patching.{model}.{task}"),
        }
    }
}

impl Experiment {
    /// Looks inside one model.
    pub(super) fn analyse(&mut self, plan: Option<&AdapterPlan>) -> Result<()> {
        let Some(look) = self.look(plan)? else {
            return Ok(());
        };
        self.check_adapter(plan)?;
        look.tell_what_is_left_out();
        for step in look.steps() {
            let inputs = look.inputs(step);
            self.stage(&look.stage(step), &inputs, |this| this.take(&look, step))?;
        }
        Ok(())
    }

    /// Adds the stages of one model that are done with what the recipe asks for.
    pub(super) fn add_current_analyses(
        &self,
        plan: Option<&AdapterPlan>,
        current: &mut BTreeSet<String>,
    ) -> Result<()> {
        // Where it cannot be told on what a stage depends, a file is missing: the stage itself
        // says which.
        let Ok(Some(look)) = self.look(plan) else {
            return Ok(());
        };
        for step in look.steps() {
            if self.is_done(&look.stage(step), Ok(look.inputs(step)))? {
                current.insert(look.stage(step));
            }
        }
        Ok(())
    }

    fn take(&mut self, look: &Look, step: Step) -> Result<Made> {
        match step {
            Step::Capture(language) => self.capture(look, language),
            Step::Map(pooling) => self.map(look, pooling),
            Step::Change(pooling) => self.change(look, pooling),
            Step::TunedLens => self.tune_lens(look),
            Step::Lens(language) => self.read_lens(look, language),
            Step::Neurons => self.find_neurons(look),
            Step::Silencing => self.silence(look),
            Step::Patching => self.patch(look),
        }
    }
}
