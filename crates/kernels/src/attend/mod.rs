//! `attend`: causal grouped-query attention over flat rows, with a shared prefix read in place,
//! sequences that continue others, and an optional sliding window. Online softmax: no N x N
//! matrix in memory; backward recomputes the weights from the saved log-sum-exp (flash
//! attention, arXiv 2205.14135).
//!
//! Row i sees key j where 0 <= position(i) - position(j) < window.

mod backward;
mod blocks;
mod forward;
mod packs;

use std::ops::Range;

pub use backward::{AttendGradients, AttendSaved, backward};
pub use forward::{Attended, PackedPrefix, PrefixKv, forward};

/// Shape of the heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// H, query heads.
    pub query: usize,
    /// G, key and value heads; divides H.
    pub key_value: usize,
    /// D, the size of a head.
    pub size: usize,
    /// Sliding window; `None`: everything before.
    pub window: Option<usize>,
    /// What becomes of a product of query and key.
    pub scores: Scores,
}

/// From a product of query and key to the score that the softmax sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Factor of the product.
    pub scale: f32,
    /// c of c · tanh(score / c) (arXiv 2408.00118); `None`: the score as it is.
    pub soft_cap: Option<f32>,
}

impl Scores {
    /// 1 / sqrt(D), and no cap.
    pub fn of_size(size: usize) -> Self {
        Self {
            scale: 1.0 / (size as f32).sqrt(),
            soft_cap: None,
        }
    }
}

impl Heads {
    /// Query heads that share one key head.
    pub fn group(&self) -> usize {
        self.query / self.key_value
    }

    /// Key positions that a row at `position` sees.
    pub fn visible(&self, position: usize) -> Range<usize> {
        let from = self.window.map_or(0, |w| (position + 1).saturating_sub(w));
        from..position + 1
    }

    /// Panics unless there are `rows` rows of queries, of keys and of values.
    fn check(&self, rows: usize, q: &[f32], k: &[f32], v: &[f32]) {
        let width = self.key_value * self.size;
        assert!(
            self.query.is_multiple_of(self.key_value)
                && q.len() == rows * self.query * self.size
                && k.len() == rows * width
                && v.len() == rows * width,
            "queries {}, keys {}, values {} of {rows} rows, {self:?}",
            q.len(),
            k.len(),
            v.len()
        );
    }
}
