//! The geometry of languages in the residual stream, and measures of their similarity (section 6.2
//! of the paper, appendices C and D, and more robust measures): captured states of parallel items
//! in, records of [`schema::inside`] out.
//!
//! [`LayerSpace::prepare`] takes the states of one layer; [`pca`], [`pairs`] and [`changes`] read
//! it. Sums are in f64 and in an order that their own length decides. Never here: capture,
//! files, drawing.

mod cloud;
mod components;
mod cross;
mod eigenpairs;
mod jackknife;
mod joint_rows;
mod kernel;
mod language_pair;
mod layer_space;
mod null;
mod scalar;
mod vector;

use schema::inside::PcaRecord;

pub use cloud::LayerStates;
pub use language_pair::{changes, pairs};
pub use layer_space::{FEWEST_ITEMS, LayerSpace};

/// How nulls are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// Of the recipe; each layer draws from a stream of its own.
    pub seed: u64,
    /// Permutations of each null; with 0 there are no p-values.
    pub permutations: usize,
}

/// The two components of one layer: the joint fit, then that with each language's mean taken
/// out. A fit of states that do not vary has no record.
pub fn pca(space: &LayerSpace) -> Vec<PcaRecord> {
    space.components()
}
