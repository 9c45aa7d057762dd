//! `softmax`, `log_softmax`: for scoring and the lens; no backward is needed.

pub mod composed;
mod cpu;

use candle_core::Tensor;

use super::Backend;
use crate::{
    error::Result,
    profile::{Op, enter},
};

/// Probabilities of each row: (N, V) -> (N, V).
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    let _running = enter(Op::Softmax, 0);
    match Backend::of(x) {
        Backend::Cpu => cpu::softmax(x),
        Backend::Composed => composed::softmax(x),
    }
}

/// Logarithms of the probabilities of each row: (N, V) -> (N, V).
pub fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let _running = enter(Op::Softmax, 0);
    match Backend::of(x) {
        Backend::Cpu => cpu::log_softmax(x),
        Backend::Composed => composed::log_softmax(x),
    }
}
