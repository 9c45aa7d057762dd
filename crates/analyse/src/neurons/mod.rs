//! Which neurons which languages activate: counts over the tokens of their questions, and the
//! neurons that they select by the entropy of their activation probabilities (LAPE, arXiv
//! 2402.16438).
//!
//! A neuron is one of the F values between gate and down projection of a block. It is active on
//! a token where its gate, before its activation function, is above 0: silu(x) is above 0 just
//! there. Never here: switching neurons off.

mod count;
mod select;
#[cfg(test)]
mod tests;

pub use count::{Counts, count};
pub use select::select;
