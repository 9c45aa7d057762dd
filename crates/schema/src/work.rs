//! What a process at work in a run folder says of itself, again every few seconds: so a page or
//! another program sees a run while it works. Never here: anything that a result depends on.

use serde::{Deserialize, Serialize};

/// `.work/<process>.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkRecord {
    /// When it was written, seconds since 1970.
    pub written: u64,
    /// The stage's name, as in the manifest; empty before the first.
    pub stage: String,
    /// Its place among the stages that are to be done, from 1.
    pub place: usize,
    /// How many there are.
    pub of: usize,
    /// The piece of work in hand.
    pub label: String,
    /// `done` of `total` of `unit`, as `steps`.
    pub done: usize,
    /// See [`Self::done`].
    pub total: usize,
    /// See [`Self::done`].
    pub unit: String,
    /// What there is to say about it, as a loss.
    pub remark: String,
    /// How long this and all later stages will take, seconds; `None` while nothing is known.
    pub seconds_left: Option<f64>,
    /// Whether there is a later stage of a kind of which none is done: then it takes longer.
    pub is_at_least: bool,
}
