//! `logit_cap`: c · tanh(x / c) of the logits (arXiv 2408.00118), and the head that they come
//! from. Its backward is part of `cross_entropy` and `divergence`.

pub mod composed;
pub(super) mod cpu;

use candle_core::Tensor;

use super::{Backend, check_shapes, weight::Weight};
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// What becomes of a product of row and head before the softmax.
#[derive(Clone, Debug)]
pub struct LogitCap {
    /// c
    pub cap: f64,
    /// Added to the capped logits: (V).
    pub shift: Option<Tensor>,
}

/// The output embedding (V, E), and what becomes of its products.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The matrix.
    pub weight: &'a Weight,
    /// `None`: a product is a logit.
    pub cap: Option<&'a LogitCap>,
}

impl<'a> From<&'a Weight> for Head<'a> {
    fn from(weight: &'a Weight) -> Self {
        Self { weight, cap: None }
    }
}

/// Of products (n, V): the logits.
pub fn forward(x: &Tensor, cap: &LogitCap) -> Result<Tensor> {
    let _running = enter(Op::Elementwise, 0);
    let (_, vocab) = x.dims2()?;
    if let Some(shift) = &cap.shift {
        check_shapes("logit_cap", shift.dims() == [vocab], &[x, shift])?;
    }
    match Backend::of(x) {
        Backend::Cpu => cpu::forward(x, cap),
        Backend::Composed => composed::forward(x, cap),
    }
}
