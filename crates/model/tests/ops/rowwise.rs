//! Fused equals composed for the ops that see one row at a time; tails of every kind: rows past a tile of 14, columns
//! past a panel of 32, depths past a stretch of 576.

use candle_core::{DType, Tensor};
use model::ops::{add, cross_entropy, linear, lora, rms_norm, rope, softmax, swiglu};
use proptest::prelude::*;

use super::{check_close, noise, rounded, values, wide};

fn rows() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1), 1usize..64, 200usize..260]
}

fn width() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..100, 1 => 560usize..1200]
}

/// A weight in f32 or bf16, and the rows as its product sees them in f64.
fn weight(shape: (usize, usize), bf16: bool, seed: u64) -> Tensor {
    noise(shape, seed).to_dtype(if bf16 { DType::BF16 } else { DType::F32 }).expect("weight")
}

fn seen(x: &Tensor, weight: &Tensor) -> Tensor {
    if weight.dtype() == DType::BF16 { rounded(x) } else { wide(x) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn linear_forward(n in rows(), inner in width(), out in 1usize..150, bf16: bool, with_bias: bool, seed: u64) {
        let (x, w, b) = (noise((n, inner), seed), weight((out, inner), bf16, seed ^ 1), noise(out, seed ^ 2));
        let bias = with_bias.then_some(&b);
        let mut want = seen(&x, &w).matmul(&wide(&w).t()?)?;
        if with_bias { want = want.broadcast_add(&wide(&b))?; }
        check_close("fused", &linear::forward(&x, &w, bias)?, &want, 1e-5);
        check_close("composed", &linear::forward_composed(&x, &w, bias)?, &want, 1e-5);
        check_close("composed f64", &linear::forward_composed(&wide(&x), &w, bias)?, &want, 1e-12);
    }

    #[test]
    fn linear_backward(n in rows(), inner in width(), out in width(), bf16: bool, seed: u64) {
        let (dy, w) = (noise((n, out), seed), weight((out, inner), bf16, seed ^ 1));
        let want = seen(&dy, &w).matmul(&wide(&w))?;
        check_close("fused", &linear::backward(&dy, &w)?, &want, 1e-5);
        check_close("composed", &linear::backward(&wide(&dy), &w)?, &want, 1e-12);
    }

    #[test]
    fn lora_both_ways(n in rows(), inner in width(), out in 1usize..150, rank in 1usize..20, scale in -4.0..4.0, seed: u64) {
        let (x, y) = (noise((n, inner), seed), noise((n, out), seed ^ 1));
        let (a, b) = (noise((rank, inner), seed ^ 2), noise((out, rank), seed ^ 3));
        let (dy, dx) = (noise((n, out), seed ^ 4), noise((n, inner), seed ^ 5));
        let [wx, wy, wa, wb, wdy, wdx] = [&x, &y, &a, &b, &dy, &dx].map(wide);
        let (want, want_saved) = lora::forward_composed(&wx, &wa, &wb, scale, &wy)?;
        let (got, saved) = lora::forward(&x, &a, &b, scale, y.clone())?;
        check_close("forward", &got, &want, 1e-5);
        check_close("composed f32", &lora::forward_composed(&x, &a, &b, scale, &y)?.0, &want, 1e-5);
        let (want, want_dx) = lora::backward_composed(&wx, &wa, &wb, scale, &want_saved, &wdy, Some(wdx))?;
        let (got, got_dx) = lora::backward(&x, &a, &b, scale, &saved, &dy, Some(dx))?;
        check_close("dA", &got.a, &want.a, 1e-5);
        check_close("dB", &got.b, &want.b, 1e-5);
        check_close("dx", &got_dx.expect("asked for"), &want_dx.expect("asked for"), 1e-5);
        let (got, none) = lora::backward(&x, &a, &b, scale, &saved, &dy, None)?;
        check_close("dA alone", &got.a, &want.a, 1e-5);
        prop_assert!(none.is_none());
    }

    #[test]
    fn rms_norm_both_ways(n in rows(), width in width(), seed: u64, small: bool) {
        // Rows far below the root of eps too, where eps decides.
        let x = (noise((n, width), seed) * if small { 1e-3 } else { 3.0 })?;
        let (w, dy) = (noise(width, seed ^ 1), noise((n, width), seed ^ 2));
        let [wx, ww, wdy] = [&x, &w, &dy].map(wide);
        check_close("forward", &rms_norm::forward(&x, &w, 1e-5)?, &rms_norm::forward_composed(&wx, &ww, 1e-5)?, 1e-5);
        let want = rms_norm::backward_composed(&wx, &ww, 1e-5, &wdy)?;
        check_close("backward", &rms_norm::backward(&x, &w, 1e-5, &dy)?, &want, 1e-4);
    }

    #[test]
    fn swiglu_both_ways(n in rows(), width in width(), seed: u64, size in 0.1..40.0) {
        let gate = (noise((n, width), seed) * size)?;
        let (up, dy) = (noise((n, width), seed ^ 1), noise((n, width), seed ^ 2));
        let [wg, wu, wdy] = [&gate, &up, &dy].map(wide);
        check_close("forward", &swiglu::forward(&gate, &up)?, &swiglu::forward_composed(&wg, &wu)?, 1e-5);
        let (got, want) = (swiglu::backward(&gate, &up, &dy)?, swiglu::backward_composed(&wg, &wu, &wdy)?);
        check_close("dgate", &got.0, &want.0, 1e-5);
        check_close("dup", &got.1, &want.1, 1e-5);
    }

    #[test]
    fn rope_both_ways(n in rows(), heads in 1usize..6, half in 1usize..70, seed: u64) {
        let x = noise((n, heads * 2 * half), seed);
        let angles = rope::Angles { cos: noise((n, half), seed ^ 1), sin: noise((n, half), seed ^ 2) };
        for way in [rope::Turn::Forward, rope::Turn::Backward] {
            check_close("turn", &rope::turn(&x, &angles, way)?, &rope::turn_composed(&wide(&x), &angles, way)?, 1e-6);
        }
    }

    #[test]
    fn softmax_of_both_kinds(n in rows(), width in width(), seed: u64, size in 0.1..60.0) {
        let x = (noise((n, width), seed) * size)?;
        check_close("softmax", &softmax::softmax(&x)?, &softmax::softmax_composed(&wide(&x))?, 1e-5);
        check_close("log_softmax", &softmax::log_softmax(&x)?, &softmax::log_softmax_composed(&wide(&x))?, 1e-5);
        for row in softmax::softmax(&x)?.to_vec2::<f32>()? {
            prop_assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn add_is_the_sum(n in rows(), width in width(), seed: u64) {
        let (a, b) = (noise((n, width), seed), noise((n, width), seed ^ 1));
        prop_assert_eq!(values(&add::forward(&a, &b)?), values(&(a + b)?));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Rows past a chunk of 192 too.
    #[test]
    fn cross_entropy_with_gradient(n in prop_oneof![0usize..20, 180usize..420], width in 1usize..60, vocab in 2usize..300, bf16: bool, seed: u64) {
        let hidden = (noise((n, width), seed) * 3.0)?;
        let head = weight((vocab, width), bf16, seed ^ 1);
        let targets: Vec<u32> = (0..n).map(|i| ((seed >> (i % 48)) % vocab as u64) as u32).collect();
        let got = cross_entropy::forward_backward(&hidden, &head, &targets, true)?;
        // The yardstick: the f32 product of the dequantised weight and the rounded rows; the gradient is not rounded.
        let want = cross_entropy::composed(&seen(&hidden, &head), &wide(&head), &targets, true)?;
        let composed = cross_entropy::composed(&hidden, &head, &targets, true)?;
        for (what, loss) in [("fused", &got), ("composed", &composed)] {
            prop_assert!((loss.sum - want.sum).abs() <= 1e-5 * want.sum.max(1.0), "{what}: {} not {}", loss.sum, want.sum);
            let (d, want) = (loss.d_hidden.as_ref(), want.d_hidden.as_ref());
            check_close(what, d.expect("asked for"), want.expect("asked for"), 1e-4);
        }
        let alone = cross_entropy::forward_backward(&hidden, &head, &targets, false)?;
        prop_assert_eq!(alone.sum, got.sum);
        prop_assert!(alone.d_hidden.is_none());
    }
}
