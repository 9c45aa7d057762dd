//! The recipe as checked: one declarative experiment. What is written in TOML is [`file`](crate::recipe), read raw,
//! checked whole in one place, then trusted. Anything that changes a number is here, not a flag.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    language::Language,
    setting::Setting,
    task::{FewShot, LabelSet, Precision, Protocol, Scoring},
};

/// A checked experiment: languages x settings x tasks x label sets x seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Name of the run folder.
    pub name: String,
    /// One line for the report's head.
    pub title: String,
    /// Catalogue name, folder, `.gguf` file or hub id.
    pub model: String,
    /// Number format of the weights.
    pub dtype: Precision,
    /// Every setting is trained once per seed.
    pub seeds: Vec<u64>,
    /// Where data is read from.
    pub data: DataRecipe,
    /// How adapters are trained; `None`: only the base model is evaluated.
    pub train: Option<TrainRecipe>,
    /// What is asked.
    pub eval: EvalRecipe,
}

/// `[data]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecipe {
    /// Folder in the released layout.
    pub dir: PathBuf,
}

/// `[train]`; defaults are the paper's (section 4.1, appendix A; LLaMA-Factory's where the paper is silent).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainRecipe {
    /// Settings, each trained alone: `zh/de=>en`.
    pub settings: Vec<Setting>,
    /// Tasks whose questions are translated; each is trained alone.
    pub tasks: Vec<String>,
    /// Pairs drawn per source language.
    pub pairs: usize,
    /// Passes over the training split; ignored if `max_steps` is given.
    pub epochs: f64,
    /// Optimiser updates.
    pub max_steps: Option<usize>,
    /// Pairs per optimiser update.
    pub batch_size: usize,
    /// Tokens run through the model at once; changes memory and speed, not the result beyond rounding.
    pub micro_batch_tokens: usize,
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
    /// The adapter.
    pub lora: LoraRecipe,
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

/// `[eval]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalRecipe {
    /// Task names; an adapter is evaluated on all of them, so other tasks than the trained one make Table 5.
    pub tasks: Vec<String>,
    /// Languages of the questions.
    pub languages: Vec<Language>,
    /// Label sets, each evaluated alone.
    pub labels: Vec<LabelSet>,
    /// Scoring rule.
    pub scoring: Scoring,
    /// Rules for defective data; `None`: such data is refused.
    pub protocol: Option<Protocol>,
    /// Exemplars; `None`: `head:K` with the task's K.
    pub few_shot: Option<FewShot>,
    /// Scored items per language; `None`: all.
    pub limit: Option<usize>,
    /// Question tokens run through the model at once; changes memory and speed, never a result.
    pub tokens_per_batch: usize,
}
