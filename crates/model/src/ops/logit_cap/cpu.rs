//! `logit_cap` by the CPU's kernels.

use candle_core::Tensor;
use kernels::cross_entropy::{self, LogitCap as Cap};

use super::LogitCap;
use crate::{
    error::Result,
    ops::view::{self, View, floats, floats_if},
};

/// The shift as the kernels read it.
pub(in crate::ops) struct CapViews<'a> {
    cap: f32,
    shift: Option<View<'a, f32>>,
}

impl<'a> CapViews<'a> {
    pub(in crate::ops) fn new(cap: &'a LogitCap) -> Result<Self> {
        Ok(Self {
            cap: cap.cap as f32,
            shift: floats_if(cap.shift.as_ref(), "logit_cap")?,
        })
    }

    pub(in crate::ops) fn cap(&self) -> Cap<'_> {
        Cap {
            cap: self.cap,
            shift: self.shift.as_deref(),
        }
    }
}

/// As [`super::forward`].
pub(super) fn forward(x: &Tensor, cap: &LogitCap) -> Result<Tensor> {
    let vocab = x.dims2()?.1;
    let views = CapViews::new(cap)?;
    let y = cross_entropy::cap_logits(&floats(x, "logit_cap")?, vocab, &views.cap());
    view::tensor(y, x.shape())
}
