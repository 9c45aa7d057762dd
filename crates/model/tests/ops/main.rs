//! Every op: the fused CPU version against the one composed of candle operations, the
//! written-out backward against candle's autograd and against finite differences in f64, and
//! the laws that evaluation and training rest on.
//!
//! The yardstick is computed in f64 from the same f32 values. Never here: whole models.

mod attend;
mod gradients;
mod laws;
mod refusals;
mod rowwise;

use candle_core::{DType, Device, Tensor};
use model::{Weight, ops::linear::Projected};

/// A failing case is printed, not kept in a file.
fn cases(count: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        failure_persistence: None,
        ..proptest::test_runner::Config::with_cases(count)
    }
}

/// Values in [-1, 1) that depend on the seed alone.
fn noise(shape: impl Into<candle_core::Shape>, seed: u64) -> Tensor {
    let shape = shape.into();
    let mut state = seed;
    let values: Vec<f32> = (0..shape.elem_count())
        .map(|_| {
            // SplitMix64 (Steele, Lea, Flood 2014).
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("noise")
}

/// A weight in f32 or bf16.
fn weight(shape: (usize, usize), bf16: bool, seed: u64) -> Tensor {
    noise(shape, seed)
        .to_dtype(if bf16 { DType::BF16 } else { DType::F32 })
        .expect("weight")
}

/// The same values in f64.
fn wide(x: &Tensor) -> Tensor {
    x.to_dtype(DType::F64).expect("f64")
}

/// As a product with this weight sees rows or gradients of rows, in f64: rounded where it
/// multiplies bf16 pairs.
fn seen(x: &Tensor, weight: &Tensor) -> Tensor {
    let rounded = weight.dtype() == DType::BF16 && model::instruction_set().rounds_rows();
    wide(&if rounded {
        x.to_dtype(DType::BF16).expect("bf16")
    } else {
        x.clone()
    })
}

/// The matrix as the ops take it: packed where it is f32 or bf16.
fn frozen(x: &Tensor) -> Weight {
    Weight::new(x.clone()).expect("a weight")
}

/// A projection without bias or update.
fn plain(weight: &Weight) -> Projected<'_> {
    Projected {
        weight,
        bias: None,
        update: None,
    }
}

fn norm(x: &Tensor) -> f64 {
    let values = values(x);
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn values(x: &Tensor) -> Vec<f64> {
    wide(x)
        .flatten_all()
        .and_then(|x| x.to_vec1())
        .expect("values")
}

fn bits(x: &Tensor) -> Vec<u32> {
    let values: Vec<f32> = x
        .flatten_all()
        .and_then(|x| x.to_vec1())
        .expect("f32 values");
    values.into_iter().map(f32::to_bits).collect()
}

/// Fails unless |got - want| <= bound, by the norm of the whole tensor.
#[track_caller]
fn check_within(what: &str, got: &Tensor, want: &Tensor, bound: f64) {
    assert_eq!(got.shape(), want.shape(), "{what}");
    let off = norm(&(wide(got) - wide(want)).expect("one shape"));
    assert!(
        off <= bound,
        "{what}: off by {off} of {}, more than {bound}",
        norm(want)
    );
}

/// The same relative to the norm of `want`.
#[track_caller]
fn check_close(what: &str, got: &Tensor, want: &Tensor, tolerance: f64) {
    check_within(what, got, want, tolerance * norm(want).max(1e-6));
}
