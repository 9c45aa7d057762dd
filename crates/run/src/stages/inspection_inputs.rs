//! On what the files of each analysis depend: hashes of the model, its adapter, the prompts and
//! the keys of the recipe that change a number in them.

use std::collections::BTreeMap;

use schema::{
    LabelSet, Language,
    inside::{Analysis, Pooling},
};

use super::{
    answers::exemplar_inputs,
    inspection::{AnalysisStep, Inspection},
};
use crate::{
    error::Result,
    experiment::{Experiment, PromptHashes},
    manifest::hash,
};

/// Hashes of what the states of prompts depend on.
struct Origins<'a> {
    /// The adapter's files; empty for the base.
    adapter: String,
    hashes: &'a PromptHashes,
}

impl Origins<'_> {
    /// One hash for the states of all languages, after the adapter `adapter`.
    fn of_all(&self, adapter: &str) -> String {
        let mut parts: Vec<String> = self.hashes.prompts.values().cloned().collect();
        parts.push(adapter.to_owned());
        hash(&parts)
    }

    /// For the states of one language.
    fn of(&self, language: Language, hashes: &BTreeMap<Language, String>) -> Vec<String> {
        vec![
            hashes.get(&language).cloned().unwrap_or_default(),
            self.adapter.clone(),
        ]
    }
}

impl Inspection {
    /// Everything that a step's files depend on.
    pub(super) fn inputs(
        &self,
        experiment: &Experiment,
        step: AnalysisStep,
    ) -> Result<Vec<String>> {
        let adapter = match &self.plan {
            Some(plan) => hash(&experiment.adapter_inputs(Some(plan))?),
            None => String::new(),
        };
        let origins = Origins {
            adapter,
            hashes: self.prompt_hashes(experiment)?,
        };
        Ok(self.inputs_from(&origins, step))
    }

    fn inputs_from(&self, origins: &Origins<'_>, step: AnalysisStep) -> Vec<String> {
        let recipe = &self.recipe;
        let draws = format!("seed {}, {} resamples", self.seed, recipe.resamples);
        let of_all = origins.of_all(&origins.adapter);
        let known: Vec<String> = match step {
            AnalysisStep::Capture(language) => [
                origins.of(language, &origins.hashes.prompts),
                recipe.poolings.iter().map(Pooling::to_string).collect(),
            ]
            .concat(),
            AnalysisStep::Map(pooling) => vec![
                format!("seed {}, {} permutations", self.seed, recipe.permutations),
                format!("{:?}", self.measures()),
                pooling.to_string(),
                of_all,
            ],
            AnalysisStep::Change(pooling) => vec![
                format!("{:?}", self.measures()),
                pooling.to_string(),
                of_all,
                origins.of_all(""),
            ],
            AnalysisStep::TunedLens => vec![
                draws,
                format!(
                    "{} updates of {}, {} of the vocabulary, from a regression",
                    recipe.lens_steps, recipe.lens_tokens, recipe.lens_vocabulary
                ),
                of_all,
            ],
            AnalysisStep::Lens(language) => {
                let mut known = origins.of(language, &origins.hashes.own);
                if recipe.asks(Analysis::TunedLens) {
                    known.push(hash(&self.inputs_from(origins, AnalysisStep::TunedLens)));
                }
                known
            }
            AnalysisStep::Neurons => vec![format!("share {}", recipe.neuron_share), of_all],
            AnalysisStep::Silencing => vec![
                draws,
                format!(
                    "{} items, share {}",
                    recipe.silenced_items, recipe.neuron_share
                ),
                of_all,
            ],
            AnalysisStep::Patching => {
                vec![draws, format!("{} items", recipe.patched_items), of_all]
            }
        };
        [vec![self.stage_name(step)], known].concat()
    }

    fn prompt_hashes<'a>(&self, experiment: &'a Experiment) -> Result<&'a PromptHashes> {
        if let Some(known) = experiment.prompt_hashes.get() {
            return Ok(known);
        }
        let made = PromptHashes {
            prompts: self.hash_prompts(experiment, self.asking.labels)?,
            own: self.hash_prompts(experiment, LabelSet::Same)?,
        };
        Ok(experiment.prompt_hashes.get_or_init(|| made))
    }

    fn hash_prompts(
        &self,
        experiment: &Experiment,
        labels: LabelSet,
    ) -> Result<BTreeMap<Language, String>> {
        let mut hashes = BTreeMap::new();
        for &language in &self.languages {
            hashes.insert(language, self.hash_language(experiment, labels, language)?);
        }
        Ok(hashes)
    }

    fn hash_language(
        &self,
        experiment: &Experiment,
        labels: LabelSet,
        language: Language,
    ) -> Result<String> {
        let protocol = experiment.recipe.eval.asking.protocol;
        let (task, limit) = (self.task, self.limit);
        let mut inputs = experiment.base_inputs();
        inputs.extend([
            serde_json::to_string(task)?,
            labels.to_string(),
            language.to_string(),
        ]);
        let few_shot = &self.asking.few_shot;
        inputs.extend([format!("{protocol:?} {limit:?}"), few_shot.to_string()]);
        inputs.extend(experiment.form_inputs(self.asking.prompt));
        let dir = &experiment.recipe.data.dir;
        inputs.extend(eval::hash_data(dir, task, language, protocol)?);
        inputs.extend(exemplar_inputs(experiment, task, few_shot, language)?);
        Ok(hash(&inputs))
    }
}
