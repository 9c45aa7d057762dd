//! Dropout on the update's inputs in training. Element `i` of row `n` is kept or dropped by a
//! hash of the seed and its place, so backward recomputes the mask and no random state is kept.

use candle_core::Tensor;
use kernels::lora::{dropout_mask, mix};

use crate::{error::Result, ops::view};

/// Which of the update's inputs are dropped; kept values are scaled by 1 / (1 - p).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Share dropped, in [0, 1).
    pub share: f64,
    /// Changes with the step, the layer and the projection.
    pub seed: u64,
}

impl Dropout {
    /// The same share with a seed of its own for each `number`: of a step, a micro-batch, a
    /// place.
    pub fn derive(&self, number: u64) -> Self {
        Self {
            seed: mix(self.seed ^ mix(number)),
            ..*self
        }
    }

    /// `x` (N, in) with the mask applied; its own backward is the same call on the gradient.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, inner) = x.dims2()?;
        let mask = dropout_mask(rows, inner, self.share, self.seed);
        let mask = view::tensor(mask, (rows, inner))?
            .to_device(x.device())?
            .to_dtype(x.dtype())?;
        Ok((x * mask)?)
    }
}
