//! The recipe as checked: one declarative experiment. Anything that changes a number is here,
//! not a flag.
//!
//! `file` holds it as written (TOML and `--set`), `section` walks that, `check` turns it into
//! [`Recipe`] in one place and reports every problem at once, `render` writes it out again. A
//! checked recipe is trusted by all other crates. Never here: whether data, models or few-shot
//! files exist.

mod analyse;
mod build;
mod check;
mod file;
#[cfg(test)]
mod laws;
mod problem;
mod render;
mod section;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

pub use analyse::AnalyseRecipe;
pub use build::{BuildRecipe, Control, Directions, Removal, Split};
pub use check::read_labels;
pub use problem::{Origin, Problem, RecipeError};

use serde::{Deserialize, Serialize};

use crate::{
    asking::AskingRecipe,
    finding::Kind,
    language::Language,
    setting::Setting,
    task::{ActivationCheckpointing, Precision, Task, UnknownWord},
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

    /// As [`Recipe::read`], from the text of a file that would stand at `path`.
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
    /// the same recipe, but for `overrides`: they are applied already and stand in a comment.
    pub fn render(&self) -> String {
        render::render(self)
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

/// `[data]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecipe {
    /// Folder in the released layout; if relative, to the current folder of the program.
    pub dir: PathBuf,
    /// Kinds of findings whose errors do not stop a run; see
    /// [`crate::finding::AuditRecord::refused`].
    #[serde(default)]
    pub accept: Vec<Kind>,
}

/// `[train]`; defaults are the paper's (section 4, appendix B; LLaMA-Factory's where the paper
/// is silent).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainRecipe {
    /// Settings, each trained alone: `zh/de=>en`.
    pub settings: Vec<Setting>,
    /// Tasks whose questions are translated; each is trained alone.
    pub tasks: Vec<String>,
    /// Pairs drawn per source language; 0: all.
    pub pairs: usize,
    /// Passes over the training split; ignored if `max_steps` is given. The paper's 3, and its
    /// 1 where only `paws` is trained (appendix B: less overfitting).
    pub epochs: f64,
    /// Optimiser updates.
    pub max_steps: Option<usize>,
    /// Pairs per optimiser update.
    pub batch_size: usize,
    /// Tokens run through the model at once; changes memory and speed, not the result beyond
    /// rounding.
    pub micro_batch_tokens: usize,
    /// Whether blocks keep only their input for backward; changes memory and speed, never a
    /// result.
    #[serde(default = "decide_by_estimate")]
    pub activation_checkpointing: ActivationCheckpointing,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// How the rate falls after warm-up.
    pub schedule: Schedule,
    /// Share of the updates with a rising rate.
    pub warmup_ratio: f64,
    /// Decoupled weight decay (arXiv 1711.05101).
    pub weight_decay: f64,
    /// Largest norm of all gradients together; 0: no clipping.
    pub max_grad_norm: f64,
    /// Share of the pairs kept for validation.
    pub val_size: f64,
    /// Updates between validations.
    pub eval_steps: usize,
    /// Updates between checkpoints to resume from.
    pub save_steps: usize,
    /// Longest example in tokens; longer ones are cut as LLaMA-Factory cuts.
    pub cutoff_len: usize,
    /// How pairs are made of the files. Records of the default leave it out, as those from
    /// before there was a choice.
    #[serde(
        default = "BuildRecipe::paper",
        skip_serializing_if = "BuildRecipe::is_paper"
    )]
    pub build: BuildRecipe,
    /// The adapter.
    pub lora: LoraRecipe,
}

impl TrainRecipe {
    /// The paper's training of `tasks` in `settings`.
    pub fn paper(settings: Vec<Setting>, tasks: Vec<String>) -> Self {
        let only_paws = !tasks.is_empty() && tasks.iter().all(|task| task == "paws");
        Self {
            settings,
            tasks,
            pairs: 10_000,
            epochs: if only_paws { 1.0 } else { 3.0 },
            max_steps: None,
            batch_size: 16,
            micro_batch_tokens: 640,
            activation_checkpointing: ActivationCheckpointing::Auto,
            learning_rate: 5e-5,
            schedule: Schedule::Cosine,
            warmup_ratio: 0.1,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            val_size: 0.05,
            eval_steps: 50,
            save_steps: 50,
            cutoff_len: 2048,
            build: BuildRecipe::paper(),
            lora: LoraRecipe::paper(),
        }
    }
}

/// Recipes recorded before there was a choice.
fn decide_by_estimate() -> ActivationCheckpointing {
    ActivationCheckpointing::Auto
}

/// `[train.lora]` (arXiv 2106.09685)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoraRecipe {
    /// Rank of the update.
    pub rank: usize,
    /// The update is scaled by alpha / rank.
    pub alpha: f64,
    /// Share of the adapter's inputs set to zero in training.
    pub dropout: f64,
    /// Projections with an adapter, by their weight name: `q_proj`, ...
    pub targets: Vec<String>,
}

impl LoraRecipe {
    /// Every projection of a decoder block that can carry an adapter.
    pub const TARGETS: &[&str] = &[
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    ];

    /// The paper's adapter; its targets are in the authors' instructions, not in the text.
    pub fn paper() -> Self {
        Self {
            rank: 8,
            alpha: 16.0,
            dropout: 0.0,
            targets: vec!["q_proj".to_owned(), "v_proj".to_owned()],
        }
    }
}

/// How the learning rate falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Half a cosine to zero.
    Cosine,
    /// A line to zero.
    Linear,
    /// It stays.
    Constant,
}

impl Schedule {
    /// Every schedule, as it is written.
    pub const WORDS: &[&str] = &["cosine", "linear", "constant"];
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cosine => "cosine",
            Self::Linear => "linear",
            Self::Constant => "constant",
        })
    }
}

impl FromStr for Schedule {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "cosine" => Ok(Self::Cosine),
            "linear" => Ok(Self::Linear),
            "constant" => Ok(Self::Constant),
            _ => Err(UnknownWord {
                word: text.to_owned(),
                known: Self::WORDS,
            }),
        }
    }
}

/// `[eval]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalRecipe {
    /// Shipped names or paths of task files; an adapter is evaluated on all of them, so other
    /// tasks than the trained one make Table 5.
    pub tasks: Vec<String>,
    /// Languages of the questions. The paper's twenty are `all`: those that the task has and of
    /// which there is a file.
    pub languages: Vec<Language>,
    /// How they are asked.
    #[serde(flatten)]
    pub asking: AskingRecipe,
    /// Question tokens run through the model at once; changes memory and speed, never a result.
    pub tokens_per_batch: usize,
}

impl EvalRecipe {
    /// The shipped tasks, the paper's three first.
    pub const TASKS: &[&str] = &[
        "emotion",
        "snli",
        "paws",
        "xnli",
        "paws_x",
        "belebele",
        "xcopa",
        "xstorycloze",
        "global_mmlu",
    ];

    /// Whether `languages` was not narrowed.
    pub fn asks_all(&self) -> bool {
        self.languages == Language::ALL
    }

    /// The paper's questions about `tasks`: all languages, English labels, all items.
    pub fn paper(tasks: Vec<String>) -> Self {
        Self {
            tasks,
            languages: Language::ALL.to_vec(),
            asking: AskingRecipe::paper(),
            tokens_per_batch: 2048,
        }
    }
}
