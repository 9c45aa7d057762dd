//! Fused equals composed for the ops that see one row at a time; tails of every kind: rows past
//! a tile of 14, columns past a panel of 32, depths past a stretch of 768.

use candle_core::Tensor;
use model::ops::{
    add, cross_entropy, gated,
    glu::{self, GateActivation},
    layer_norm,
    linear::{self, Projected, Share, Update},
    logit_cap::{self, Head, LogitCap},
    lora, rms_norm,
    rope::{self, RopePairs},
    softmax,
    xielu::{self, Xielu},
};
use proptest::prelude::*;

use super::{check_close, check_within, frozen, noise, norm, plain, seen, values, weight, wide};

/// Of a sum in f32, relative to the sum of its terms' magnitudes.
const ROUNDING: f64 = 1e-6;

fn rows() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1), 1usize..64, 200usize..260]
}

fn width() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..100, 1 => 560usize..1200]
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
        let packed = frozen(&w);
        check_within("fused", &linear::forward(&x, &packed, bias)?, &want, bound);
        let wide_weight = frozen(&ww);
        let projected = Projected { bias, ..plain(&wide_weight) };
        check_close("composed", &linear::composed::forward(&wx, &projected, None)?, &want, 1e-9);
    }

    #[test]
    fn linear_backward(n in rows(), inner in width(), out in width(), bf16: bool, seed: u64) {
        let (dy, w) = (noise((n, out), seed), weight((out, inner), bf16, seed ^ 1));
        let (wdy, ww) = (seen(&dy, &w), wide(&w));
        let want = wdy.matmul(&ww)?;
        let bound = ROUNDING * norm(&wdy.abs()?.matmul(&ww.abs()?)?);
        check_within("fused", &linear::backward(&dy, &frozen(&w))?, &want, bound);
        check_close("composed", &linear::backward(&wdy, &frozen(&ww))?, &want, 1e-9);
    }

    /// Several projections of the same rows with bias, update and residual, and the sum of
    /// their gradients.
    #[test]
    fn projections_together(
        n in rows(), inner in width(), outs in prop::collection::vec(1usize..150, 1..4), rank in 1usize..20,
        bf16: bool, with_update: bool, with_bias: bool, with_residual: bool, seed: u64,
    ) {
        let x = noise((n, inner), seed);
        let residual = noise((n, outs[0]), seed ^ 1);
        // Every projection adds the same residual, so all have one width where there is one.
        let outs: Vec<usize> = if with_residual { vec![outs[0]; outs.len()] } else { outs };
        let parts: Vec<[Tensor; 5]> = (1u64..).zip(&outs).map(|(i, &out)| {
            let part = |shape: (usize, usize), k: u64| noise(shape, seed ^ (i << 8) ^ k);
            [weight((out, inner), bf16, seed ^ (i << 8)), noise(out, seed ^ i << 9), part((n, rank), 2),
             part((out, rank), 3), part((rank, inner), 4)]
        }).collect();
        let dys: Vec<Tensor> = outs.iter().zip(9..).map(|(&out, k)| noise((n, out), seed ^ k)).collect();
        let run = |x: &Tensor, parts: &[[Tensor; 5]], residual: &Tensor, dys: &[Tensor]| -> model::Result<Vec<Tensor>> {
            let weights: Vec<_> = parts.iter().map(|p| frozen(&p[0])).collect();
            let projections: Vec<_> = weights.iter().zip(parts).map(|(weight, [_, bias, low, b, _])| Projected {
                weight,
                bias: with_bias.then_some(bias),
                update: with_update.then_some(Update { low, b }),
            }).collect();
            let mut all = linear::forward_all(x, &projections, with_residual.then_some(residual))?;
            let shares: Vec<_> = weights.iter().zip(parts).zip(dys).map(|((weight, [_, _, low, _, a]), dy)| Share {
                dy, weight, update: with_update.then_some((low, a)),
            }).collect();
            all.push(linear::backward_all(&shares, with_residual.then_some(x))?);
            Ok(all)
        };
        let fused = run(&x, &parts, &residual, &dys)?;
        let of = |f: &dyn Fn(&Tensor) -> Tensor| -> model::Result<Vec<Tensor>> {
            let parts: Vec<_> = parts.iter().map(|p| [0, 1, 2, 3, 4].map(|i| f(&p[i]))).collect();
            run(&f(&x), &parts, &f(&residual), &dys.iter().map(f).collect::<Vec<_>>())
        };
        let want = of(&wide)?;
        let bounds = of(&|t| wide(t).abs().expect("abs"))?;
        for (i, got) in fused.iter().enumerate() {
            // Rows rounded to bf16 for dot instructions are off by their rounding.
            let rounded = bf16 && model::instruction_set().rounds_rows();
            let bound = if rounded { 4e-3 } else { ROUNDING } * norm(&bounds[i]);
            check_within(&format!("output {i}"), got, &want[i], bound);
        }
    }

    #[test]
    fn gated_is_its_parts(n in rows(), inner in width(), width in width(), bf16: bool, seed: u64) {
        let (x, dy) = (noise((n, inner), seed), noise((n, inner), seed ^ 1));
        let [gate, up] = [2, 3].map(|k| weight((width, inner), bf16, seed ^ k));
        let down = weight((inner, width), bf16, seed ^ 4);
        let [gate, up, down] = [gate, up, down].map(|w| frozen(&w));
        let got = gated::forward(GateActivation::Silu, &x, &plain(&gate), &plain(&up), true)?;
        let (got_gate, got_up) = got.parts.expect("kept");
        let alone = gated::forward(GateActivation::Silu, &x, &plain(&gate), &plain(&up), false)?;
        prop_assert!(alone.parts.is_none());
        prop_assert_eq!(values(&alone.act), values(&got.act));
        let (g, u) = (linear::forward(&x, &gate, None)?, linear::forward(&x, &up, None)?);
        prop_assert_eq!(values(&got_gate), values(&g));
        prop_assert_eq!(values(&got_up), values(&u));
        prop_assert_eq!(values(&got.act), values(&glu::forward(GateActivation::Silu, &g, &u)?));
        let (d_gate, d_up) = gated::backward(GateActivation::Silu, &Share { dy: &dy, weight: &down, update: None }, &g, &u)?;
        let want = glu::backward(GateActivation::Silu, &g, &u, &linear::backward(&dy, &down)?)?;
        prop_assert_eq!(values(&d_gate), values(&want.0));
        prop_assert_eq!(values(&d_up), values(&want.1));
    }

    #[test]
    fn lora_both_ways(n in rows(), inner in width(), out in 1usize..150, rank in 1usize..20, scale in -4.0f64..4.0, seed: u64) {
        let inputs = [
            noise((n, inner), seed), noise((rank, inner), seed ^ 2), noise((out, rank), seed ^ 3), noise((n, out), seed ^ 4),
        ];
        let all = |[x, a, b, dy]: &[Tensor; 4], scale: f64| -> model::Result<[Tensor; 5]> {
            let (low, d_low) = (lora::forward(x, a, scale)?, lora::backward_low(dy, b, scale)?);
            let grads = lora::backward(x, &low, &d_low, dy)?;
            let raised = lora::raise(&d_low, a)?;
            Ok([low, d_low, grads.a, grads.b, raised])
        };
        let want = all(&inputs.each_ref().map(wide), scale)?;
        let bounds = all(&inputs.each_ref().map(|t| wide(t).abs().expect("abs")), scale.abs())?;
        let fused = all(&inputs, scale)?;
        for (i, what) in ["low", "d_low", "dA", "dB", "dx"].into_iter().enumerate() {
            check_within(what, &fused[i], &want[i], 2.0 * ROUNDING * norm(&bounds[i]));
        }
    }

    #[test]
    fn rms_norm_both_ways(n in rows(), width in width(), seed: u64, small: bool) {
        // Rows far below the root of eps too, where eps decides.
        let x = (noise((n, width), seed) * if small { 1e-3 } else { 3.0 })?;
        let (w, dy) = (noise(width, seed ^ 1), noise((n, width), seed ^ 2));
        let [wx, ww, wdy] = [&x, &w, &dy].map(wide);
        check_close("forward", &rms_norm::forward(&x, &w, 1e-5)?, &rms_norm::composed::forward(&wx, &ww, 1e-5)?, 1e-5);
        let want = rms_norm::composed::backward(&wx, &ww, 1e-5, &wdy, None)?;
        // Of a narrow row little is left when the second term is taken from the first.
        let first_term = wdy.broadcast_mul(&ww)?;
        let root = (wx.sqr()?.mean_keepdim(candle_core::D::Minus1)? + 1e-5)?.sqrt()?;
        let bound = 3.0 * ROUNDING * norm(&first_term.broadcast_div(&root)?);
        check_within("backward", &rms_norm::backward(&x, &w, 1e-5, &dy, None)?, &want, bound);
        let added = rms_norm::backward(&x, &w, 1e-5, &dy, Some(&x))?;
        check_within("backward of the residual stream", &added, &(want + wx)?, bound + ROUNDING * norm(&x));
    }

    #[test]
    fn glu_both_ways(n in rows(), width in width(), seed: u64, size in 0.1..40.0, tanh: bool) {
        let activation = if tanh { GateActivation::GeluTanh } else { GateActivation::Silu };
        let gate = (noise((n, width), seed) * size)?;
        let (up, dy) = (noise((n, width), seed ^ 1), noise((n, width), seed ^ 2));
        let [wg, wu, wdy] = [&gate, &up, &dy].map(wide);
        check_close("forward", &glu::forward(activation, &gate, &up)?, &glu::composed::forward(activation, &wg, &wu)?, 1e-5);
        let (got, want) = (glu::backward(activation, &gate, &up, &dy)?, glu::composed::backward(activation, &wg, &wu, &wdy)?);
        check_close("dgate", &got.0, &want.0, 1e-5);
        check_close("dup", &got.1, &want.1, 1e-5);
    }

    #[test]
    fn rope_both_ways(n in rows(), heads in 1usize..6, half in 1usize..70, rest in 0usize..9, neighbours: bool, seed: u64) {
        let x = noise((n, heads * (2 * half + rest)), seed);
        let pairs = if neighbours { RopePairs::Neighbours } else { RopePairs::Halves };
        let angles = rope::Angles { cos: noise((n, half), seed ^ 1), sin: noise((n, half), seed ^ 2), size: 2 * half + rest, pairs };
        for way in [rope::Rotation::Forward, rope::Rotation::Backward] {
            check_close("rotate", &rope::rotate(&x, &angles, way)?, &rope::composed::rotate(&wide(&x), &angles, way)?, 1e-5);
        }
    }

    #[test]
    fn layer_norm_both_ways(n in rows(), pieces in 1usize..4, width in width(), seed: u64, with_start: bool) {
        let (x, w) = (noise((n, pieces * width), seed), noise((pieces, width), seed ^ 1));
        let (dy, start) = (noise(x.shape(), seed ^ 2), with_start.then(|| noise(x.shape(), seed ^ 3)));
        let wide_start = start.as_ref().map(wide);
        let [wx, ww, wdy] = [&x, &w, &dy].map(wide);
        let eps = 1e-3;
        check_close("forward", &layer_norm::forward(&x, &w, eps)?, &layer_norm::composed::forward(&wx, &ww, eps)?, 1e-5);
        let got = layer_norm::backward(&x, &w, eps, &dy, start.as_ref())?;
        check_close("backward", &got, &layer_norm::composed::backward(&wx, &ww, eps, &wdy, wide_start.as_ref())?, 1e-4);
    }

    #[test]
    fn xielu_both_ways(n in rows(), width in width(), seed: u64, size in 0.01..20.0) {
        let (x, dy) = ((noise((n, width), seed) * size)?, noise((n, width), seed ^ 1));
        let xielu = Xielu { positive: 0.8, negative: 1.3, linear: 0.5 };
        check_close("forward", &xielu::forward(&xielu, &x)?, &xielu::composed::forward(&xielu, &wide(&x))?, 1e-5);
        let want = xielu::composed::backward(&xielu, &wide(&x), &wide(&dy))?;
        check_close("backward", &xielu::backward(&xielu, &x, &dy)?, &want, 1e-5);
    }

    #[test]
    fn capped_logits(n in rows(), width in width(), seed: u64, cap in 0.5..40.0, shifted: bool) {
        let x = (noise((n, width), seed) * 20.0)?;
        let cap = LogitCap { cap, shift: shifted.then(|| noise(width, seed ^ 1)) };
        check_close("cap", &logit_cap::forward(&x, &cap)?, &logit_cap::composed::forward(&wide(&x), &cap)?, 1e-5);
    }

    #[test]
    fn a_scaled_sum(n in rows(), width in width(), seed: u64) {
        let (a, b) = (noise((n, width), seed), noise((n, width), seed ^ 1));
        let want = add::composed::forward_scaled(&wide(&a), &wide(&b), 0.3)?;
        check_close("sum", &add::forward_scaled(&a, &b, 0.3)?, &want, 1e-6);
    }

    #[test]
    fn softmax_of_both_kinds(n in rows(), width in width(), seed: u64, size in 0.1..60.0) {
        let x = (noise((n, width), seed) * size)?;
        check_close("softmax", &softmax::softmax(&x)?, &softmax::composed::softmax(&wide(&x))?, 1e-5);
        check_close("log_softmax", &softmax::log_softmax(&x)?, &softmax::composed::log_softmax(&wide(&x))?, 1e-5);
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

    /// Rows past a chunk of 256, vocabularies past a slice of 4096, columns past a group of
    /// 512.
    #[test]
    fn cross_entropy_with_gradient(n in prop_oneof![0usize..20, 180usize..420], width in prop_oneof![6 => 1usize..60, 1 => 500usize..560],
        vocab in prop_oneof![6 => 2usize..300, 1 => 4000usize..4300], bf16: bool, capped: bool, seed: u64) {
        let hidden = (noise((n, width), seed) * 3.0)?;
        let head = weight((vocab, width), bf16, seed ^ 1);
        let targets: Vec<u32> = (0..n).map(|i| ((seed >> (i % 48)) % vocab as u64) as u32).collect();
        let packed = frozen(&head);
        let cap = LogitCap { cap: 2.5, shift: Some(noise(vocab, seed ^ 3)) };
        let packed = Head { weight: &packed, cap: capped.then_some(&cap) };
        let got = cross_entropy::forward_backward(&hidden, packed, &targets, true)?;
        let want = cross_entropy::composed::forward_backward(&seen(&hidden, &head), &wide(&head), packed.cap, &targets, true)?;
        prop_assert!((got.sum - want.sum).abs() <= 1e-5 * want.sum.max(1.0), "{} not {}", got.sum, want.sum);
        let (d, want) = (got.d_hidden.as_ref().expect("asked for"), want.d_hidden.as_ref().expect("asked for"));
        // The gradient of a sure row is small and the difference of two large terms.
        // Where gradients of rows are rounded, those of the logits are.
        let rounding = if bf16 && model::instruction_set().rounds_rows() { 2.0f64.powi(-9) } else { ROUNDING };
        let bound = 1e-5 * norm(want) + rounding * norm(&head) * (n as f64).sqrt();
        check_within("gradient", d, want, bound);
        let alone = cross_entropy::forward_backward(&hidden, packed, &targets, false)?;
        prop_assert_eq!(alone.sum, got.sum);
        prop_assert!(alone.d_hidden.is_none());
    }
}
