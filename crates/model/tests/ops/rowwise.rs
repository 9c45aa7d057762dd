//! Fused equals composed for the ops that see one row at a time; tails of every kind: rows past a tile of 14, columns
//! past a panel of 32, depths past a stretch of 576.

use candle_core::{DType, Tensor};
use model::ops::{add, cross_entropy, linear, lora, rms_norm, rope, softmax, swiglu};
use proptest::prelude::*;

use super::{check_close, check_within, noise, norm, rounded, values, wide};

/// Of a sum in f32, relative to the sum of its terms' magnitudes.
const ROUNDING: f64 = 1e-6;

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
    #![proptest_config(crate::cases(40))]

    #[test]
    fn linear_forward(n in rows(), inner in width(), out in 1usize..150, bf16: bool, with_bias: bool, seed: u64) {
        let (x, w, b) = (noise((n, inner), seed), weight((out, inner), bf16, seed ^ 1), noise(out, seed ^ 2));
        let bias = with_bias.then_some(&b);
        let yardstick = |x: &Tensor, w: &Tensor, b: &Tensor| {
            let y = x.matmul(&w.t()?)?;
            if with_bias { y.broadcast_add(b) } else { Ok(y) }
        };
        let [wx, ww, wb] = [seen(&x, &w), wide(&w), wide(&b)];
        let want = yardstick(&wx, &ww, &wb)?;
        let bound = ROUNDING * norm(&yardstick(&wx.abs()?, &ww.abs()?, &wb.abs()?)?);
        check_within("fused", &linear::forward(&x, &w, bias)?, &want, bound);
        check_within("composed", &linear::forward_composed(&x, &w, bias)?, &want, bound);
        // In f64 with f32 weights only: f64 rounds to bf16 in two steps, and ties go another way.
        if !bf16 { check_close("composed f64", &linear::forward_composed(&wide(&x), &w, bias)?, &want, 1e-9); }
    }

    #[test]
    fn linear_backward(n in rows(), inner in width(), out in width(), bf16: bool, seed: u64) {
        let (dy, w) = (noise((n, out), seed), weight((out, inner), bf16, seed ^ 1));
        let (wdy, ww) = (seen(&dy, &w), wide(&w));
        let want = wdy.matmul(&ww)?;
        let bound = ROUNDING * norm(&wdy.abs()?.matmul(&ww.abs()?)?);
        check_within("fused", &linear::backward(&dy, &w)?, &want, bound);
        if !bf16 { check_close("composed", &linear::backward(&wide(&dy), &w)?, &want, 1e-9); }
    }

    #[test]
    fn lora_both_ways(n in rows(), inner in width(), out in 1usize..150, rank in 1usize..20, scale in -4.0f64..4.0, seed: u64) {
        let (x, y) = (noise((n, inner), seed), noise((n, out), seed ^ 1));
        let (a, b) = (noise((rank, inner), seed ^ 2), noise((out, rank), seed ^ 3));
        let (dy, dx) = (noise((n, out), seed ^ 4), noise((n, inner), seed ^ 5));
        let inputs = [&x, &y, &a, &b, &dy, &dx].map(wide);
        let all = |[x, y, a, b, dy, dx]: [Tensor; 6], scale: f64| -> model::Result<[Tensor; 4]> {
            let (sum, saved) = lora::forward_composed(&x, &a, &b, scale, &y)?;
            let (grads, dx) = lora::backward_composed(&x, &a, &b, scale, &saved, &dy, Some(dx))?;
            Ok([sum, grads.a, grads.b, dx.expect("asked for")])
        };
        let want = all(inputs.clone(), scale)?;
        let bounds = all(inputs.map(|t| t.abs().expect("abs")), scale.abs())?.map(|t| ROUNDING * norm(&t));
        let (sum, saved) = lora::forward(&x, &a, &b, scale, y.clone())?;
        let (alone, none) = lora::backward(&x, &a, &b, scale, &saved, &dy, None)?;
        prop_assert!(none.is_none());
        let (grads, got_dx) = lora::backward(&x, &a, &b, scale, &saved, &dy, Some(dx.clone()))?;
        let fused = [sum, grads.a, grads.b, got_dx.expect("asked for")];
        let composed = all([x, y, a, b, dy, dx], scale)?;
        for (i, what) in ["forward", "dA", "dB", "dx"].into_iter().enumerate() {
            check_within(what, &fused[i], &want[i], bounds[i]);
            check_within(&format!("composed {what}"), &composed[i], &want[i], bounds[i]);
        }
        check_within("dA without dx", &alone.a, &want[1], bounds[1]);
    }

    #[test]
    fn rms_norm_both_ways(n in rows(), width in width(), seed: u64, small: bool) {
        // Rows far below the root of eps too, where eps decides.
        let x = (noise((n, width), seed) * if small { 1e-3 } else { 3.0 })?;
        let (w, dy) = (noise(width, seed ^ 1), noise((n, width), seed ^ 2));
        let [wx, ww, wdy] = [&x, &w, &dy].map(wide);
        check_close("forward", &rms_norm::forward(&x, &w, 1e-5)?, &rms_norm::forward_composed(&wx, &ww, 1e-5)?, 1e-5);
        let want = rms_norm::backward_composed(&wx, &ww, 1e-5, &wdy)?;
        // Of a narrow row little is left when the second term is taken from the first.
        let first_term = wdy.broadcast_mul(&ww)?;
        let root = (wx.sqr()?.mean_keepdim(candle_core::D::Minus1)? + 1e-5)?.sqrt()?;
        let bound = 3.0 * ROUNDING * norm(&first_term.broadcast_div(&root)?);
        check_within("backward", &rms_norm::backward(&x, &w, 1e-5, &dy)?, &want, bound);
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
            check_close("turn", &rope::turn(&x, &angles, way)?, &rope::turn_composed(&wide(&x), &angles, way)?, 1e-5);
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
    #![proptest_config(crate::cases(24))]

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
            let (d, want) = (loss.d_hidden.as_ref().expect("asked for"), want.d_hidden.as_ref().expect("asked for"));
            // The gradient of a sure row is small and the difference of two large terms.
            let bound = 1e-5 * norm(want) + ROUNDING * norm(&head) * (n as f64).sqrt();
            check_within(what, d, want, bound);
        }
        let alone = cross_entropy::forward_backward(&hidden, &head, &targets, false)?;
        prop_assert_eq!(alone.sum, got.sum);
        prop_assert!(alone.d_hidden.is_none());
    }
}
