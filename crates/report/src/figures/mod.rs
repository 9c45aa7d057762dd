//! Which results are drawn, and how: one file per figure of the main page.
//!
//! Never here: shapes, scales and colours, which are the crate `figure`'s; measuring.

pub(crate) mod accuracy;
pub(crate) mod changes;
pub(crate) mod loss;
pub(crate) mod overview;
pub(crate) mod probes;
mod rates;
pub(crate) mod shares;

use compare::{Direction, direction, stats::Estimate};

/// The class of a change's colour: grey where its interval holds 0, so that a loss is a loss.
fn colour_of(change: &Estimate) -> &'static str {
    match direction(change) {
        Direction::Rises => "rise",
        Direction::Falls => "fall",
        Direction::Unclear => "unclear",
    }
}
