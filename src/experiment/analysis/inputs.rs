//! On what the files of each look depend: hashes of the model, its adapter, the prompts and the
//! keys of the recipe that change a number in them. Made once a model, as every file is read
//! for it.

use std::collections::BTreeMap;

use anyhow::Result;
use data::{tasks, testset};
use schema::{
    FewShot, LabelSet, Language, Task,
    inside::{Analysis, Pooling},
    recipe::AdapterPlan,
};

use super::{Look, Step};
use crate::{experiment::Experiment, manifest::hash};

/// Hashes of what the states of prompts depend on.
pub(super) struct Origins {
    /// The adapter's files; empty for the base.
    adapter: String,
    /// The prompts with the labels that are evaluated, and the model that reads them.
    prompts: BTreeMap<Language, String>,
    /// The prompts with labels in the question's language, for the lens.
    own: BTreeMap<Language, String>,
}

impl Origins {
    /// One hash for the states of all languages.
    fn of_all(&self) -> String {
        let prompts: Vec<String> = self.prompts.values().cloned().collect();
        hash(&[prompts, vec![self.adapter.clone()]].concat())
    }

    /// The same before the adapter.
    fn of_base(&self) -> String {
        Self {
            adapter: String::new(),
            prompts: self.prompts.clone(),
            own: BTreeMap::new(),
        }
        .of_all()
    }
}

impl Look {
    /// Everything that a step's files depend on.
    pub(super) fn inputs(&self, step: Step) -> Vec<String> {
        let (recipe, origins) = (&self.recipe, &self.origins);
        let draws = format!("seed {}, {} resamples", self.seed, recipe.resamples);
        let of = |language: &Language, prompts: &BTreeMap<Language, String>| {
            vec![
                prompts.get(language).cloned().unwrap_or_default(),
                origins.adapter.clone(),
            ]
        };
        let known: Vec<String> = match step {
            Step::Capture(language) => [
                of(&language, &origins.prompts),
                recipe.poolings.iter().map(Pooling::to_string).collect(),
            ]
            .concat(),
            Step::Map(pooling) => {
                let permutations =
                    format!("seed {}, {} permutations", self.seed, recipe.permutations);
                vec![
                    permutations,
                    format!("{:?}", self.measures()),
                    pooling.to_string(),
                    origins.of_all(),
                ]
            }
            Step::Change(pooling) => {
                vec![
                    format!("{:?}", self.measures()),
                    pooling.to_string(),
                    origins.of_all(),
                    origins.of_base(),
                ]
            }
            Step::TunedLens => {
                vec![
                    draws,
                    format!("{} updates of {}", recipe.lens_steps, recipe.lens_tokens),
                    origins.of_all(),
                ]
            }
            Step::Lens(language) => {
                let tuned = recipe
                    .asks(Analysis::TunedLens)
                    .then(|| hash(&self.inputs(Step::TunedLens)));
                [of(&language, &origins.own), tuned.into_iter().collect()].concat()
            }
            Step::Neurons => vec![format!("share {}", recipe.neuron_share), origins.of_all()],
            Step::Silencing => {
                let (items, share) = (recipe.silenced_items, recipe.neuron_share);
                vec![
                    draws,
                    format!("{items} items, share {share}"),
                    origins.of_all(),
                ]
            }
            Step::Patching => vec![
                draws,
                format!("{} items", recipe.patched_items),
                origins.of_all(),
            ],
        };
        [vec![self.stage(step)], known].concat()
    }
}

impl Experiment {
    /// What the recipe wants to see inside a model; `None` if nothing.
    pub(super) fn look(&self, plan: Option<&AdapterPlan>) -> Result<Option<Look>> {
        let Some(recipe) = &self.recipe.analyse else {
            return Ok(None);
        };
        let task = tasks::task(&recipe.task)?;
        let eval = &self.recipe.eval;
        let languages = testset::asked(&self.recipe.data.dir, task, &recipe.languages)?;
        schema::language::check_known(&languages)?;
        let asking = eval.asking.first_way(task);
        let (labels, few_shot) = (asking.labels, asking.few_shot);
        let limit = recipe.limit.or(asking.limit);
        let hash_of = |labels: LabelSet| -> Result<BTreeMap<Language, String>> {
            let one = |&language: &Language| {
                Ok((
                    language,
                    self.hash_prompts(task, &few_shot, labels, limit, language)?,
                ))
            };
            languages.iter().map(one).collect()
        };
        let (prompts, own) = (hash_of(labels)?, hash_of(LabelSet::Same)?);
        let adapter = plan
            .map(|plan| Ok::<_, anyhow::Error>(hash(&self.adapter_inputs(Some(plan))?)))
            .transpose()?;
        let origins = Origins {
            adapter: adapter.unwrap_or_default(),
            prompts,
            own,
        };
        Ok(Some(Look {
            recipe: recipe.clone(),
            plan: plan.cloned(),
            seed: self.recipe.seeds.first().copied().unwrap_or(1),
            task,
            languages,
            labels,
            few_shot,
            limit,
            origins,
        }))
    }

    fn hash_prompts(
        &self,
        task: &Task,
        few_shot: &FewShot,
        labels: LabelSet,
        limit: Option<usize>,
        language: Language,
    ) -> Result<String> {
        let protocol = self.recipe.eval.asking.protocol;
        let mut inputs = self.base_inputs();
        inputs.extend([
            serde_json::to_string(task)?,
            labels.to_string(),
            language.to_string(),
        ]);
        inputs.extend([format!("{protocol:?} {limit:?}"), few_shot.to_string()]);
        inputs.extend(eval::hash_data(
            &self.recipe.data.dir,
            task,
            language,
            protocol,
        )?);
        inputs.extend(self.exemplar_inputs(task, few_shot, language)?);
        Ok(hash(&inputs))
    }
}
