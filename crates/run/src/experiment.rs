//! A recipe in its run folder, with the model and machine behind its numbers: what every stage's
//! inputs are taken from. Nothing in it changes while stages are made.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use hub::Model;
use schema::{
    Language, PromptForm, Recipe,
    recipe::{AdapterPlan, TrainRecipe},
    run_folder::RunFolder,
};

use crate::{
    RunError, chat,
    error::Result,
    facts::{MachineFacts, ModelFacts, adapter_files},
    machine,
    parts::Parts,
};

/// How a recipe is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The run folder; `None`: `runs/` and the recipe's name.
    pub out: Option<PathBuf>,
    /// `auto`, `cpu`, `cuda`, `cuda:N` or `metal`.
    pub device: String,
    /// The parts wanted.
    pub parts: Parts,
    /// Whether finished stages may be made again with other keys, another model or another device.
    pub redo: bool,
    /// Whether a folder is taken in which nothing is: where there is something in the one named, with a number behind its name.
    pub fresh: bool,
    /// The models wanted, by their folders' names (`base` or an adapter's), with what they need; `None`: all.
    pub cells: Option<BTreeSet<String>>,
    /// Runs whose finished stages are taken over where they were made from the same.
    pub siblings: Option<Siblings>,
}

/// Run folders where finished stages may be taken from.
#[derive(Clone, Debug)]
pub struct Siblings {
    /// The folders; the run's own may be among them.
    pub folders: Vec<PathBuf>,
    /// Folder of the locks that they share: one for each stage's inputs.
    pub locks: PathBuf,
}

impl RunOptions {
    /// Everything, in the usual folder, on the best device; what is finished is kept.
    pub fn whole() -> Self {
        Self {
            out: None,
            device: "auto".to_owned(),
            parts: Parts::ALL,
            redo: false,
            fresh: false,
            cells: None,
            siblings: None,
        }
    }
}

/// Hashes of the prompts that are looked at inside a model, by language.
#[derive(Clone, Debug)]
pub(crate) struct PromptHashes {
    /// With the labels that are evaluated.
    pub(crate) prompts: BTreeMap<Language, String>,
    /// With labels in the question's language, for the lens.
    pub(crate) own: BTreeMap<Language, String>,
}

/// A recipe in its run folder.
pub(crate) struct Experiment {
    pub(crate) recipe: Recipe,
    pub(crate) folder: RunFolder,
    pub(crate) model: ModelFacts,
    pub(crate) machine: MachineFacts,
    /// SHA-256 of the model's chat template; `None` where the recipe uses none.
    template_sha256: Option<String>,
    /// The same for every model; made once, as every test file is read for it.
    pub(crate) prompt_hashes: OnceLock<PromptHashes>,
}

impl Experiment {
    /// With the model that the recipe names, found on this machine.
    pub(crate) fn new(
        recipe: &Recipe,
        out: Option<PathBuf>,
        model: &Model,
        device: String,
    ) -> Result<Self> {
        let root = Self::root_of(recipe, out.as_deref());
        Ok(Self {
            recipe: recipe.clone(),
            folder: RunFolder::new(root),
            model: ModelFacts {
                name: model.name.clone(),
                revision: model.revision.clone(),
                fingerprint: hub::fingerprint(&model.files)?,
            },
            machine: MachineFacts {
                device,
                cpu: machine::processor(),
                instruction_set: model::instruction_set().name().into(),
                threads: rayon::current_num_threads(),
                peak_memory_bytes: None,
            },
            template_sha256: chat::check_template(recipe, &model.files)?,
            prompt_hashes: OnceLock::new(),
        })
    }

    /// What else results depend on where texts reach the model in this form.
    pub(crate) fn form_inputs(&self, form: PromptForm) -> Vec<String> {
        match &self.template_sha256 {
            Some(template) if !form.is_plain() => vec![form.to_string(), template.clone()],
            _ => Vec::new(),
        }
    }

    /// The folder `out`, or the usual one of a recipe.
    pub(crate) fn root_of(recipe: &Recipe, out: Option<&Path>) -> PathBuf {
        out.map_or_else(|| Path::new("runs").join(&recipe.name), Path::to_owned)
    }

    /// What every result depends on beside its own stage.
    pub(crate) fn base_inputs(&self) -> Vec<String> {
        vec![
            self.model.fingerprint.clone(),
            self.recipe.dtype.to_string(),
            self.machine.device.clone(),
            model::NUMERICS.into(),
        ]
    }

    /// The recipe's training.
    pub(crate) fn train_recipe(&self) -> Result<&TrainRecipe> {
        self.recipe
            .train
            .as_ref()
            .ok_or_else(|| RunError::Unfit("the recipe has no [train] section".to_owned()))
    }

    /// Hashes of an adapter's files; none for the base.
    pub(crate) fn adapter_inputs(&self, plan: Option<&AdapterPlan>) -> Result<Vec<String>> {
        let Some(plan) = plan else {
            return Ok(Vec::new());
        };
        let folder = self.folder.adapter(&plan.name);
        adapter_files(&folder)
            .iter()
            .map(|file| Ok(hub::hash_file(file)?))
            .collect()
    }

    /// The folder of an adapter; none for the base.
    pub(crate) fn adapter_folder(&self, plan: Option<&AdapterPlan>) -> Option<PathBuf> {
        plan.map(|plan| self.folder.adapter(&plan.name))
    }
}
