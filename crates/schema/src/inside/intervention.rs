//! What changes in the answers when something inside the model is changed.

use serde::{Deserialize, Serialize};

use crate::Language;

/// Which neurons were switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilencedKind {
    /// Those selected for a language.
    Language,
    /// As many of each block, drawn by lot from those selected for no language: the control.
    Random,
}

/// Answers to one language's questions with neurons switched off: a line of
/// `silencing.<task>.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilencingRecord {
    /// Language whose neurons were switched off, or after whose number the control was drawn.
    pub silenced: Language,
    /// Those or the control.
    pub kind: SilencedKind,
    /// How many.
    pub neurons: usize,
    /// Language of the questions.
    pub asked: Language,
    /// Questions.
    pub items: usize,
    /// Share answered rightly by the whole model.
    pub accuracy_before: f64,
    /// With the neurons off.
    pub accuracy_after: f64,
    /// 95 % interval of the change (paired bootstrap over items, expanded percentiles: as wide
    /// as Student's t).
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Mean change of the gold label's share of the scores.
    pub gold_change: f64,
    /// Share of questions to which another label is chosen.
    pub changed_answers: f64,
}

/// What was done to the last token's residual vector after one layer. English has `PatchSame`
/// alone: of the others it is the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterventionKind {
    /// Replaced by that of the same item's English run.
    PatchParallel,
    /// Replaced by that of an English item with another gold label; the effect is on that
    /// label.
    PatchOther,
    /// Replaced by that of the same other item in the same language; the effect is on that
    /// item's label.
    PatchSame,
    /// English mean minus the language's mean added, both over the other items.
    Steer,
    /// A vector of the same length added, of a random direction that is each item's and layer's
    /// own: the control.
    SteerRandom,
}

/// The effect of an intervention at one layer in one language: a line of
/// `patching.<task>.jsonl`. The score of a label is its share of the labels' prefix sums.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterventionRecord {
    /// Language of the questions.
    pub language: Language,
    /// What was done.
    pub kind: InterventionKind,
    /// After which layer.
    pub layer: usize,
    /// Questions.
    pub items: usize,
    /// Mean score, without it, of the label on which the effect is: the item's gold, or that of
    /// the item patched in.
    pub before: f64,
    /// With it.
    pub after: f64,
    /// 95 % interval of after minus before (bootstrap over items, as in
    /// [`SilencingRecord::low`]).
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Share of questions in which the label is chosen, without it.
    pub chosen_before: f64,
    /// With it.
    pub chosen_after: f64,
}
