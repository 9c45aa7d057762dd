//! Neurons of the mlps, by the languages whose tokens activate them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Language;

/// One model's neurons: `neurons.<task>.json`. A neuron is one of the F values between gate and
/// down projection of a block; it is active on a token where its gate is above 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuronsRecord {
    /// Question tokens of each language that were looked at.
    pub tokens: BTreeMap<Language, u64>,
    /// Share of all neurons that were asked for as language-specific: those of lowest entropy
    /// (LAPE, arXiv 2402.16438) of the ones that are active in any language; fewer where these
    /// are fewer.
    pub share: f64,
    /// Activation probability above which a neuron counts as active in a language: the 95th
    /// percentile of those of all neurons in all languages.
    pub threshold: f64,
    /// By block, from 1.
    pub layers: Vec<LayerNeurons>,
    /// For each two languages.
    pub overlap: Vec<NeuronOverlap>,
    /// The neurons of each language: block from 1, index from 0.
    pub selected: BTreeMap<Language, Vec<(usize, u32)>>,
}

/// The neurons of one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerNeurons {
    /// The block, from 1.
    pub layer: usize,
    /// F.
    pub neurons: usize,
    /// Neurons selected for each language (LAPE); one may be several languages'.
    pub selected: BTreeMap<Language, usize>,
    /// Neurons active in exactly one language (arXiv 2505.21505), selected or not.
    pub specific: usize,
    /// In several, but not in all.
    pub related: usize,
    /// In all.
    pub general: usize,
    /// In none.
    pub inactive: usize,
    /// Mean entropy of the activation probabilities over languages, bits, of the neurons that
    /// any token activates; 0 where there are none.
    pub mean_entropy: f64,
}

/// How many neurons two languages share (arXiv 2402.18815).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuronOverlap {
    /// The language that comes first.
    pub a: Language,
    /// The other.
    pub b: Language,
    /// Neurons selected for both.
    pub shared: usize,
    /// Shared through those of either; 0 where neither has any.
    pub jaccard: f64,
}
