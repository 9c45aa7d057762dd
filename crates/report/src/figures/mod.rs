//! Which results are drawn, and how: one file per figure of the main page.
//!
//! Never here: shapes, scales and colours, which are the crate `figure`'s; measuring.

pub(crate) mod accuracy;
pub(crate) mod loss;
pub(crate) mod overview;
pub(crate) mod probes;
pub(crate) mod shares;
