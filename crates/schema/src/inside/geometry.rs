//! Where languages lie in the residual stream, and how alike they lie.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::Language;

/// Two principal components of one layer, fitted on all languages together: a line of
/// `pca.<task>.<pooling>.jsonl`. Where no state differs from another (the embedding of a last
/// token that all prompts share) there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PcaRecord {
    /// The layer.
    pub layer: usize,
    /// Whether each language's own mean was taken out before the fit, so that no component
    /// distinguishes languages by it.
    pub centred: bool,
    /// Share of the variance of all rows that each component explains.
    pub explained: [f64; 2],
    /// Indices of the items, in the order of `points`; the same in every language.
    pub items: Vec<usize>,
    /// One point for each item. A component's sign is such that the entry of its axis that is
    /// largest in size is positive.
    pub points: BTreeMap<Language, Vec<[f32; 2]>>,
}

/// A measure of two languages on the same items. Where it is undefined, since states or lengths
/// do not vary, there is no record of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Pearson's correlation of the first component of the joint fit (tables 8-11). -1 to 1. A
    /// component is one for all languages, so that its sign and its scale do not matter.
    Pearson,
    /// The same with each language's mean taken out before the fit.
    PearsonCentred,
    /// Debiased linear CKA (arXiv 2010.15327). -1 to 1; 0 is expected of unrelated states, 1 of
    /// a turned, scaled or moved copy.
    Cka,
    /// Share of items whose parallel is nearer, by cosine, than any other item in either
    /// direction (MEXA, arXiv 2410.05873); an equal cosine is not nearer. It falls with the
    /// number of items.
    Retrieval,
    /// Mean cosine of parallel items; `null` is that of items that are not parallel.
    Cosine,
    /// The same with each language's mean taken out.
    CosineCentred,
    /// Distance of the two means through the root mean square distance of items from their own
    /// language's mean. The squared distance is taken without its upward bias; where that is
    /// below 0, so is this.
    Centroid,
    /// Share of the variance of the parallel cosines that the logarithms of both prompts'
    /// lengths in tokens explain (arXiv 2605.07345), adjusted so that 0 is expected of lengths
    /// that explain nothing. At most 1.
    Length,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pearson,
        Self::PearsonCentred,
        Self::Cka,
        Self::Retrieval,
        Self::Cosine,
        Self::CosineCentred,
        Self::Centroid,
        Self::Length,
    ];
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pearson => "pearson",
            Self::PearsonCentred => "pearson-centred",
            Self::Cka => "cka",
            Self::Retrieval => "retrieval",
            Self::Cosine => "cosine",
            Self::CosineCentred => "cosine-centred",
            Self::Centroid => "centroid",
            Self::Length => "length",
        })
    }
}

/// One measure of two languages at one layer: a line of `pairs.<task>.<pooling>.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRecord {
    /// The layer.
    pub layer: usize,
    /// The language that comes first in [`Language`]'s order.
    pub a: Language,
    /// The other.
    pub b: Language,
    /// What was measured.
    pub measure: Measure,
    /// Its value.
    pub value: f64,
    /// 95 % interval, items taken for a sample: Fisher's for the correlations, with the fit
    /// held; Wilson's for retrieval, each item's rivals held; by a jackknife over items for the
    /// others. `None` where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Its upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Mean of the measure with the items of one language permuted (of [`Measure::Length`], the
    /// lengths); `None` for the distance of the means, which no permutation changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null: Option<f64>,
    /// Share of the permutations whose measure is at least the value (of the correlations: in
    /// size, whatever the sign), the value itself among them. The components need no new fit,
    /// since it does not depend on which rows are parallel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
}

/// How an adapter changed a measure: a line of `changes.<task>.<pooling>.jsonl` of the adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// The layer.
    pub layer: usize,
    /// The language that comes first.
    pub a: Language,
    /// The other.
    pub b: Language,
    /// What was measured.
    pub measure: Measure,
    /// Of the base model.
    pub before: f64,
    /// With the adapter.
    pub after: f64,
    /// 95 % interval of after minus before, by a jackknife in which both are without the same
    /// item; each fit is held, and for retrieval each item's rivals.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}
