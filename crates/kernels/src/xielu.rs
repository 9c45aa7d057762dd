//! `xielu`: the activation of an mlp without a gate (arXiv 2411.13010): p x² + b x above 0, n
//! (e^x - 1 - x) + b x below.

use rayon::prelude::*;

use crate::{math, memory};

/// Elements that a thread takes at a time.
const CHUNK: usize = 8192;

/// The function's parameters, of one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xielu {
    /// Of the square above 0.
    pub positive: f32,
    /// Of the exponential below.
    pub negative: f32,
    /// Slope at 0.
    pub linear: f32,
}

/// Of each value.
pub fn forward(xielu: &Xielu, x: &[f32]) -> Vec<f32> {
    let mut y = memory::float_room(x.len());
    y.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(y, x)| math::xielu(x, xielu.positive, xielu.negative, xielu.linear, y));
    // SAFETY: every chunk was written.
    unsafe { memory::written(y) }
}

/// Gradient of the values for `dy`, of one length.
pub fn backward(xielu: &Xielu, x: &[f32], dy: &[f32]) -> Vec<f32> {
    assert_eq!(x.len(), dy.len());
    let mut dx = dy.to_vec();
    dx.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(d, x)| {
            math::xielu_backward(x, xielu.positive, xielu.negative, xielu.linear, d);
        });
    dx
}
