//! The lens: what the model would say if it stopped after a layer.

use serde::{Deserialize, Serialize};

/// Which lens was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LensKind {
    /// Final norm and head on the residual stream as it is (arXiv 2402.10588).
    Raw,
    /// After the layer's translator (arXiv 2303.08112).
    Tuned,
}

/// One question through the lens at its last token: a line of `lens.<task>.<language>.jsonl`.
/// Each curve has L + 1 values, one a layer. A probability is a sum over the tokens that speak
/// for a label by the paper's rule (every vocabulary entry that is a beginning of the word);
/// tokens that speak for two labels count once in a sum over labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LensRecord {
    /// Index of the item in its file, from 0.
    pub item: usize,
    /// The right label, by its English name.
    pub gold: String,
    /// Which lens.
    pub lens: LensKind,
    /// Tokens that speak for the gold label both in the language and in English. If there are
    /// any the item is dropped, as the paper does, and its curves are empty: the two curves
    /// could not be distinguished. Never in English itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_tokens: Vec<u32>,
    /// Probability of the right answer in the question's language (the paper's orange curve).
    pub correct: Vec<f32>,
    /// Of the right answer in English (green).
    pub correct_english: Vec<f32>,
    /// Of all answers in the question's language (blue, `all_possible_out`).
    pub possible: Vec<f32>,
    /// Of all answers in English (red, `all_possible_latent`).
    pub possible_english: Vec<f32>,
    /// Entropy of the whole distribution, bits.
    pub entropy: Vec<f32>,
}

impl LensRecord {
    /// Whether the item stays out of the curves.
    pub fn is_dropped(&self) -> bool {
        !self.shared_tokens.is_empty()
    }
}

/// How far a lens is from the model's own last distribution on text that no translator was
/// trained on: a line of `tuned-lens.<task>.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedLensRecord {
    /// The layer.
    pub layer: usize,
    /// Tokens compared.
    pub tokens: usize,
    /// Mean KL divergence of the raw lens from the model, nats a token.
    pub raw_kl: f64,
    /// Of the tuned one.
    pub tuned_kl: f64,
    /// 95 % interval of raw minus tuned (bootstrap over prompts).
    pub gain_low: f64,
    /// Its upper end.
    pub gain_high: f64,
}
