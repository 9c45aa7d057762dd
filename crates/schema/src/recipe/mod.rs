//! The recipe as checked: one declarative experiment. Anything that changes a number is here,
//! not in a flag.
//!
//! A section's file (`data`, `train`, `build`, `probe`, `eval`, `asking`, `translation`, `analyse`, `report`) lists its
//! keys, each once: meaning, type, default and rule (`keys`). `file` holds the recipe as written (TOML and `--set`),
//! `section` walks that, `check` turns it into a [`Recipe`] and reports every problem at once,
//! `render` writes it out again. A checked recipe is trusted by all other crates. Never here:
//! whether data, models or few-shot files exist.

mod analyse;
mod asking;
mod build;
mod check;
mod data;
mod entry;
mod eval;
mod file;
mod foreign;
mod grid;
mod keys;
#[cfg(test)]
mod laws;
mod optional;
mod page;
mod probe;
mod problem;
mod reference;
mod render;
mod report;
mod section;
#[cfg(test)]
mod tests;
mod train;
mod translation;
mod values;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

pub use analyse::AnalyseRecipe;
pub use asking::AskingRecipe;
pub use build::{BuildRecipe, Control, Directions, Removal, Split};
pub use data::DataRecipe;
pub use entry::KeyEntry;
pub use eval::EvalRecipe;
pub use grid::{Grid, GridMember};
pub use probe::ProbeRecipe;
pub use problem::{Problem, RecipeError, ValueOrigin};
pub use reference::list_keys;
pub use report::ReportRecipe;
pub use train::{LoraInit, LoraRecipe, Schedule, TrainRecipe};
pub use translation::TranslationRecipe;
pub use values::read_labels;

use serde::{Deserialize, Serialize};

use crate::{
    language::Language,
    setting::Setting,
    task::{Precision, Task},
};

/// A checked experiment: languages x settings x tasks x label sets x seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Name of the run folder; the file's stem if none is given.
    pub name: String,
    /// One line for the report's head; the name if none is given.
    pub title: String,
    /// Catalogue name, folder, `.gguf` file or hub id. A relative folder starts with `./` or
    /// `../`.
    pub model: String,
    /// Number format of the weights.
    pub dtype: Precision,
    /// Every setting is trained once per seed.
    pub seeds: Vec<u64>,
    /// Languages that it makes known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub languages: BTreeMap<Language, LanguageRecipe>,
    /// Where data is read from.
    pub data: DataRecipe,
    /// How adapters are trained; `None`: only the base model is evaluated.
    pub train: Option<TrainRecipe>,
    /// What is asked.
    pub eval: EvalRecipe,
    /// What is looked at inside; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analyse: Option<AnalyseRecipe>,
    /// What the report shows.
    #[serde(
        default = "ReportRecipe::usual",
        skip_serializing_if = "ReportRecipe::is_usual"
    )]
    pub report: ReportRecipe,
    /// What `--set` changed, as given: `train.epochs=1`. Already applied to the fields above.
    #[serde(default)]
    pub overrides: Vec<String>,
}

impl Recipe {
    /// Reads and checks the file at `path`, with `--set key=value` pairs applied in their
    /// order.
    ///
    /// # Errors
    /// No such file, no TOML, or every problem of the recipe at once.
    pub fn read(path: &Path, overrides: &[(String, String)]) -> Result<Self, RecipeError> {
        check::check(file::RecipeFile::read(path, overrides)?)
    }

    /// As [`Recipe::read`], from the text of a file at `path`, which need not exist.
    ///
    /// # Errors
    /// No TOML, or every problem of the recipe at once.
    pub fn parse(
        path: &Path,
        text: &str,
        overrides: &[(String, String)],
    ) -> Result<Self, RecipeError> {
        check::check(file::RecipeFile::parse(path, text, overrides)?)
    }

    /// The recipe as TOML with every default written out. Read from the current folder it gives
    /// the same recipe, but for `overrides`: they are applied already and are in a comment.
    pub fn render(&self) -> String {
        render::render(self)
    }

    /// The task files of the user's own that it names, each once.
    pub fn own_task_files(&self) -> BTreeSet<&str> {
        let learnt = self.train.iter().flat_map(|train| &train.tasks);
        let asked = self.eval.tasks.iter();
        let looked_at = self.analyse.iter().map(|analyse| &analyse.task);
        let tasks = learnt.chain(asked).chain(looked_at);
        tasks
            .map(String::as_str)
            .filter(|task| values::is_file(task))
            .collect()
    }

    /// The same with its task files in other places; `None`: where it is.
    #[must_use]
    pub fn with_task_files_at(mut self, place: impl Fn(&str) -> Option<String>) -> Self {
        let learnt = self.train.iter_mut().flat_map(|train| &mut train.tasks);
        let looked_at = self.analyse.iter_mut().map(|analyse| &mut analyse.task);
        for task in learnt.chain(&mut self.eval.tasks).chain(looked_at) {
            if let Some(other) = values::is_file(task).then(|| place(task)).flatten() {
                *task = other;
            }
        }
        self
    }

    /// Every adapter that is trained: tasks x settings x seeds, in this order; empty without
    /// `[train]`.
    pub fn adapters(&self) -> Vec<AdapterPlan> {
        let mut plans = Vec::new();
        let Some(train) = &self.train else {
            return plans;
        };
        for task in &train.tasks {
            for setting in &train.settings {
                for &seed in &self.seeds {
                    let name = format!("{}.{}.seed{seed}", Task::name_of(task), setting.slug());
                    plans.push(AdapterPlan {
                        name,
                        setting: setting.clone(),
                        task: task.clone(),
                        seed,
                    });
                }
            }
        }
        plans
    }
}

/// One adapter to be trained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterPlan {
    /// Name of its folder and files: `<task>.<setting slug>.seed<seed>`.
    pub name: String,
    /// What is translated into what.
    pub setting: Setting,
    /// Task whose questions are translated: a shipped name or the path of a file.
    pub task: String,
    /// Seed of the draw, the split, the shuffles and the adapter's first values.
    pub seed: u64,
}

/// `[languages.xx]`: a language that the program does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanguageRecipe {
    /// English name.
    pub name: String,
    /// ISO 15924 code of its script.
    pub script: String,
}
