//! What the stages leave behind, one JSON object a line. `report` computes everything from these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    language::Language,
    task::{LabelSet, Protocol, Scoring},
};

/// One answered question: a line of `answers/<model>/<task>.<language>.jsonl` and of `eval --out`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// The model as the user named it.
    pub model: String,
    /// The adapter's folder or setting; `None` for the base model.
    pub adapter: Option<String>,
    /// Task name: `emotion`, `snli`, `paws`.
    pub task: String,
    /// Language of the question.
    pub language: Language,
    /// Index of the item in its file, from 0.
    pub item: usize,
    /// Items with the same number share a text (SNLI's premise), so their answers are not independent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u64>,
    /// The right label, by its English name. Under [`Protocol::Paper`] it is what the gold word means.
    pub gold: String,
    /// The label with the highest score, by its English name; the first in task order where two are equal.
    pub chosen: String,
    /// Whether the protocol counts the answer as right.
    pub correct: bool,
    /// Score of each label, keyed by English name; probabilities, see [`Scoring`].
    pub scores: BTreeMap<String, f64>,
    /// Share of each label in the scores of content-free questions after the same exemplars, their mean: the label's
    /// prior (contextual calibration, arXiv 2102.09690). Empty where it was not measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prior: BTreeMap<String, f64>,
    /// Whether the two best scores are equal.
    #[serde(default)]
    pub tied: bool,
    /// How the scores were made.
    pub scoring: Scoring,
    /// Which label words were scored.
    pub labels: LabelSet,
    /// Which rules for defective data; `None`: such data is refused.
    pub protocol: Option<Protocol>,
    /// Where the exemplars came from, as in `--few-shot`.
    pub few_shot: String,
    /// Tokens of the whole prompt, shared prefix included.
    pub prompt_tokens: usize,
}

/// One optimiser update: a line of `train/<setting>.jsonl` with `"kind": "step"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Optimiser updates so far, from 1.
    pub step: usize,
    /// Epochs so far, as a fraction.
    pub epoch: f64,
    /// Mean cross-entropy over all target tokens of the batch (Eq. 2), nats.
    pub loss: f64,
    /// Learning rate of this update.
    pub learning_rate: f64,
    /// Norm of all gradients before clipping.
    pub grad_norm: f64,
    /// Tokens run through the model.
    pub tokens: usize,
    /// Tokens with a loss.
    pub target_tokens: usize,
    /// Wall-clock seconds of the update.
    pub seconds: f64,
}

/// One pass over the validation split: a line of `train/<setting>.jsonl` with `"kind": "validation"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationRecord {
    /// Optimiser updates so far; 0 is before training.
    pub step: usize,
    /// Mean cross-entropy over all target tokens of the split, nats.
    pub loss: f64,
    /// Whether it is the lowest so far.
    pub best: bool,
}

/// A line of `train/<setting>.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TrainRecord {
    /// An optimiser update.
    Step(StepRecord),
    /// A validation pass.
    Validation(ValidationRecord),
}
