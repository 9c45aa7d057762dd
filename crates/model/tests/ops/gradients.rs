//! The written-out backward of every op, fused in f32 and composed in f64, against candle's
//! autograd of the composed forward and against central differences of it, both in f64.

use candle_core::{D, DType, Tensor, Var};
use model::{
    Parent, Rows,
    ops::{
        attend::{self, Heads, Scores},
        cross_entropy,
        divergence::{self, Shares},
        dora,
        glu::{self, GateActivation},
        layer_norm,
        linear::{self, Projected, Share, Update},
        logit_cap::{Head, LogitCap},
        lora::{self, Dropout},
        rms_norm, rope, softmax,
        xielu::{self, Xielu},
    },
};

use super::{check_close, frozen, noise, plain, values, wide};

type Op<'a> = &'a dyn Fn(&[Tensor]) -> Tensor;

/// Sum of the elementwise product.
fn dot(a: &Tensor, b: &Tensor) -> f64 {
    values(a).iter().zip(values(b)).map(|(a, b)| a * b).sum()
}

/// What `backward` (of the f32 inputs, or the same in f64, and dy) returns per input, against
/// the two yardsticks of `forward`, which must be differentiable when its inputs are in f64.
#[track_caller]
fn check(
    what: &str,
    inputs: &[Tensor],
    forward: Op<'_>,
    backward: &dyn Fn(&[Tensor], &Tensor) -> Vec<Tensor>,
) {
    let inputs64: Vec<Tensor> = inputs.iter().map(wide).collect();
    let dy = noise(forward(&inputs64).shape(), 0xD1);
    let autograd = autograd(&inputs64, forward, &wide(&dy));
    check_differences(what, &inputs64, forward, &wide(&dy), &autograd);
    let composed = backward(&inputs64, &wide(&dy));
    let fused = backward(inputs, &dy);
    assert_eq!(
        (composed.len(), fused.len()),
        (inputs.len(), inputs.len()),
        "{what}"
    );
    for (i, want) in autograd.iter().enumerate() {
        check_close(
            &format!("{what}, composed, input {i}"),
            &composed[i],
            want,
            1e-9,
        );
        check_close(&format!("{what}, fused, input {i}"), &fused[i], want, 1e-4);
    }
}

fn autograd(inputs: &[Tensor], forward: Op<'_>, dy: &Tensor) -> Vec<Tensor> {
    let vars: Vec<Var> = inputs
        .iter()
        .map(|x| Var::from_tensor(x).expect("a variable"))
        .collect();
    let tracked: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let loss = (forward(&tracked) * dy)
        .and_then(|p| p.sum_all())
        .expect("loss");
    let store = loss.backward().expect("autograd");
    vars.iter()
        .map(|v| {
            store
                .get(v.as_tensor())
                .expect("every input is reached")
                .clone()
        })
        .collect()
}

/// Along one random direction per input.
#[track_caller]
fn check_differences(
    what: &str,
    inputs: &[Tensor],
    forward: Op<'_>,
    dy: &Tensor,
    grads: &[Tensor],
) {
    let step = 1e-5;
    for (i, grad) in grads.iter().enumerate() {
        let direction = wide(&noise(inputs[i].shape(), 0xD2 + i as u64));
        let at = |h: f64| {
            let mut moved = inputs.to_vec();
            moved[i] = (&moved[i] + (&direction * h).expect("scaled")).expect("moved");
            dot(&forward(&moved), dy)
        };
        let (slope, want) = ((at(step) - at(-step)) / (2.0 * step), dot(grad, &direction));
        assert!(
            (slope - want).abs() <= 1e-6 * want.abs().max(1.0),
            "{what}, input {i}: slope {slope}, gradient {want}"
        );
    }
}

#[test]
fn linear_backward() {
    for (n, inner, out) in [(1, 1, 1), (17, 40, 33), (3, 700, 5)] {
        let (x, w, b) = (noise((n, inner), 1), noise((out, inner), 2), noise(out, 3));
        let (packed, wide) = (frozen(&w), frozen(&wide(&w)));
        let of = |x: &Tensor| {
            if x.dtype() == DType::F32 {
                &packed
            } else {
                &wide
            }
        };
        let forward = |x: &[Tensor]| linear::forward(&x[0], of(&x[0]), Some(&b)).expect("linear");
        check("linear", &[x], &forward, &|_, dy| {
            vec![linear::backward(dy, of(dy)).expect("backward")]
        });
    }
}

/// Gradients of rows, A and B of an update beside a frozen product; the scale is not 1.
#[test]
fn lora_backward() {
    for (n, inner, out, rank) in [(1, 3, 2, 1), (29, 45, 37, 6)] {
        let inputs = [
            noise((n, inner), 1),
            noise((rank, inner), 2),
            noise((out, rank), 3),
        ];
        let w = noise((out, inner), 4);
        let (packed, wide) = (frozen(&w), frozen(&wide(&w)));
        let of = |x: &Tensor| {
            if x.dtype() == DType::F32 {
                &packed
            } else {
                &wide
            }
        };
        let run = |x: &[Tensor]| {
            let low = lora::forward(&x[0], &x[1], 2.5).expect("lora");
            let update = Some(Update {
                low: &low,
                b: &x[2],
            });
            let mut all = linear::forward_all(
                &x[0],
                &[Projected {
                    update,
                    ..plain(of(&x[0]))
                }],
                None,
            )
            .expect("linear");
            (all.remove(0), low)
        };
        check("lora", &inputs, &|x| run(x).0, &|x, dy| {
            let d_low = lora::backward_low(dy, &x[2], 2.5).expect("backward");
            let grads = lora::backward(&x[0], &run(x).1, &d_low, dy).expect("backward");
            let share = Share {
                dy,
                weight: of(dy),
                update: Some((&d_low, &x[1])),
            };
            vec![
                linear::backward_all(&[share], None).expect("backward"),
                grads.a,
                grads.b,
            ]
        });
    }
}

#[test]
fn dora_backward() {
    for (n, width) in [(1, 1), (37, 131)] {
        let inputs = [noise((n, width), 1), noise(width, 2)];
        let (bias, residual) = (noise(width, 3), noise((n, width), 4));
        let forward = |x: &[Tensor]| {
            let like = |t: &Tensor| t.to_dtype(x[0].dtype()).expect("a float");
            let (bias, residual) = (like(&bias), like(&residual));
            dora::forward(&x[0], &x[1], Some(&bias), Some(&residual)).expect("dora")
        };
        let fused = forward(&inputs);
        let composed = forward(&inputs.each_ref().map(wide));
        check_close("dora", &fused, &composed, 1e-6);
        check("dora", &inputs, &forward, &|x, dy| {
            let (product, factor) = dora::backward(&x[0], &x[1], dy).expect("backward");
            vec![product, factor]
        });
    }
}

#[test]
fn rms_norm_backward() {
    for (n, width, eps) in [(1, 1, 1e-5), (19, 48, 1e-5), (2, 37, 0.5)] {
        let w = noise(width, 2);
        let forward = |x: &[Tensor]| rms_norm::forward(&x[0], &w, eps).expect("norm");
        check("rms_norm", &[noise((n, width), 1)], &forward, &|x, dy| {
            vec![rms_norm::backward(&x[0], &w, eps, dy, None).expect("backward")]
        });
    }
}

#[test]
fn layer_norm_backward() {
    for (n, pieces, width, eps) in [(3, 1, 2, 1e-2), (19, 1, 48, 1e-5), (5, 3, 37, 0.5)] {
        let w = noise((pieces, width), 2);
        let forward = |x: &[Tensor]| layer_norm::forward(&x[0], &w, eps).expect("norm");
        let x = noise((n, pieces * width), 1);
        check("layer_norm", &[x], &forward, &|x, dy| {
            vec![layer_norm::backward(&x[0], &w, eps, dy, None).expect("backward")]
        });
    }
}

#[test]
fn glu_backward() {
    for activation in [GateActivation::Silu, GateActivation::GeluTanh] {
        for (n, width) in [(1, 1), (23, 61)] {
            let inputs = [
                (noise((n, width), 1) * 6.0).expect("scaled"),
                noise((n, width), 2),
            ];
            check(
                &format!("{activation:?}"),
                &inputs,
                &|x| glu::forward(activation, &x[0], &x[1]).expect("glu"),
                &|x, dy| {
                    let (gate, up) = glu::backward(activation, &x[0], &x[1], dy).expect("backward");
                    vec![gate, up]
                },
            );
        }
    }
}

#[test]
fn xielu_backward() {
    let xielu = Xielu {
        positive: 0.8,
        negative: 1.3,
        linear: 0.5,
    };
    for (n, width) in [(1, 1), (23, 61)] {
        check(
            "xielu",
            &[(noise((n, width), 1) * 6.0).expect("scaled")],
            &|x| xielu::forward(&xielu, &x[0]).expect("xielu"),
            &|x, dy| vec![xielu::backward(&xielu, &x[0], dy).expect("backward")],
        );
    }
}

#[test]
fn rope_backward_is_the_turn_back() {
    for (n, heads, half, rest, pairs) in [
        (1, 1, 1, 0, rope::RopePairs::Halves),
        (13, 3, 20, 0, rope::RopePairs::Halves),
        (13, 3, 5, 7, rope::RopePairs::Halves),
        (13, 3, 5, 7, rope::RopePairs::Neighbours),
    ] {
        // Cosine and sine of no angle, as YaRN's factor makes them: the backward is the
        // transpose, not the inverse.
        let angles = rope::Angles {
            cos: noise((n, half), 1),
            sin: noise((n, half), 2),
            size: 2 * half + rest,
            pairs,
        };
        let turn = |x: &Tensor, way| rope::rotate(x, &angles, way).expect("turn");
        check(
            "rope",
            &[noise((n, heads * angles.size), 3)],
            &|x| turn(&x[0], rope::Rotation::Forward),
            &|_, dy| vec![turn(dy, rope::Rotation::Backward)],
        );
    }
}

/// A sequence's length, and the sequence that it continues and how many of its rows.
type Sequence = (usize, Option<(usize, usize)>);

fn attend_heads(key_value: usize, group: usize, size: usize, window: Option<usize>) -> Heads {
    Heads {
        query: key_value * group,
        key_value,
        size,
        window,
        scores: Scores::of_size(size),
    }
}

/// The same with another scale and a cap that most scores feel.
fn capped(heads: Heads) -> Heads {
    let scores = Scores {
        scale: 0.2,
        soft_cap: Some(1.5),
    };
    Heads { scores, ..heads }
}

#[test]
fn attend_backward() {
    let cases: [(Heads, &[Sequence]); 7] = [
        (attend_heads(1, 1, 8, None), &[(1, None), (4, None)]),
        (
            attend_heads(2, 3, 10, None),
            &[(70, None), (3, None), (1, None)],
        ),
        (attend_heads(1, 4, 64, Some(9)), &[(33, None), (61, None)]),
        (attend_heads(3, 1, 128, Some(300)), &[(20, None), (5, None)]),
        (attend_heads(1, 2, 16, Some(40)), &[(290, None)]),
        (
            attend_heads(2, 2, 12, None),
            &[
                (80, None),
                (9, Some((0, 75))),
                (30, Some((0, 3))),
                (70, Some((1, 4))),
                (2, Some((3, 70))),
            ],
        ),
        (
            attend_heads(1, 3, 16, Some(20)),
            &[
                (66, None),
                (0, Some((0, 64))),
                (70, Some((1, 0))),
                (5, Some((2, 1))),
                (6, Some((2, 1))),
            ],
        ),
    ];
    let capped = cases.map(|(heads, sequences)| (capped(heads), sequences));
    for (heads, sequences) in cases.into_iter().chain(capped) {
        let parent = |parent: Option<(usize, usize)>| {
            parent.map(|(sequence, rows)| Parent { sequence, rows })
        };
        let rows = Rows::forest(
            sequences.iter().map(|&(length, of)| (parent(of), length)),
            0,
        )
        .expect("fits");
        let (q, kv) = (heads.query * heads.size, heads.key_value * heads.size);
        let part = |width, seed| (noise((rows.len(), width), seed) * 2.0).expect("scaled");
        let run = |x: &[Tensor]| {
            attend::forward(&heads, &rows, &x[0], &x[1], &x[2], None).expect("attend")
        };
        let inputs = [part(q, 1), part(kv, 2), part(kv, 3)];
        check(
            &format!("attend {heads:?}, {rows:?}"),
            &inputs,
            &|x| run(x).0,
            &|x, dy| {
                let grads = attend::backward(&heads, &rows, &x[0], &x[1], &x[2], &run(x).1, dy)
                    .expect("backward");
                vec![grads.q, grads.k, grads.v]
            },
        );
    }
}

/// Logits of products in f64, capped or not.
fn limited(products: Tensor, cap: Option<&LogitCap>) -> Tensor {
    match cap {
        None => products,
        Some(cap) => (products / cap.cap)
            .and_then(|x| x.tanh()? * cap.cap)
            .expect("capped"),
    }
}

#[test]
fn cross_entropy_backward() {
    check_cross_entropy(None);
    let (cap, shift) = (1.5, None);
    check_cross_entropy(Some(&LogitCap { cap, shift }));
}

fn check_cross_entropy(cap: Option<&LogitCap>) {
    for (n, width, vocab) in [(1, 1, 2), (31, 20, 70), (200, 6, 5)] {
        let (hidden, head) = (
            (noise((n, width), 1) * 3.0).expect("scaled"),
            noise((vocab, width), 2),
        );
        let targets: Vec<u32> = (0..n).map(|i| (i * i % vocab) as u32).collect();
        let index = Tensor::new(targets.as_slice(), hidden.device())
            .and_then(|t| t.unsqueeze(1))
            .expect("index");
        let losses = |x: &[Tensor]| {
            let logits = x[0]
                .matmul(&wide(&head).t().expect("a view"))
                .expect("logits");
            let log_p = softmax::composed::log_softmax(&limited(logits, cap));
            log_p
                .expect("log p")
                .gather(&index, D::Minus1)
                .and_then(|p| p.neg()?.sum_all())
                .expect("loss")
        };
        let inputs64 = [wide(&hidden)];
        let one = Tensor::new(1f64, hidden.device()).expect("one");
        let want = autograd(&inputs64, &losses, &one);
        check_differences("cross_entropy", &inputs64, &losses, &one, &want);
        for (x, head, tolerance) in [
            (&inputs64[0], wide(&head), 1e-9),
            (&hidden, head.clone(), 1e-5),
        ] {
            let weight = &frozen(&head);
            let head = Head { weight, cap };
            let got = cross_entropy::forward_backward(x, head, &targets, true).expect("loss");
            let sum = values(&losses(&inputs64))[0];
            assert!(
                (got.sum - sum).abs() <= tolerance * sum,
                "{} not {sum}",
                got.sum
            );
            check_close(
                "cross_entropy",
                &got.d_hidden.expect("asked for"),
                &want[0],
                tolerance,
            );
        }
    }
}

#[test]
fn divergence_backward() {
    check_divergence(None);
    let (cap, shift) = (1.5, None);
    check_divergence(Some(&LogitCap { cap, shift }));
}

fn check_divergence(cap: Option<&LogitCap>) {
    for (n, width, vocab) in [(1, 1, 2), (31, 20, 70), (300, 6, 5)] {
        let (hidden, head) = (
            (noise((n, width), 1) * 3.0).expect("scaled"),
            noise((vocab, width), 2),
        );
        let own = (noise((n, vocab), 3) * 4.0).expect("scaled");
        let log_p = softmax::composed::log_softmax(&wide(&own)).expect("log p");
        let each = |x: &Tensor| {
            let logits = x.matmul(&wide(&head).t().expect("a view")).expect("logits");
            let log_q = softmax::composed::log_softmax(&limited(logits, cap)).expect("log q");
            (log_p.exp().expect("p") * (&log_p - log_q).expect("a difference"))
                .and_then(|kl| kl.sum(D::Minus1))
        };
        let total = |x: &[Tensor]| each(&x[0]).and_then(|kl| kl.sum_all()).expect("a sum");
        let inputs64 = [wide(&hidden)];
        let one = Tensor::new(1f64, hidden.device()).expect("one");
        let want = autograd(&inputs64, &total, &one);
        check_differences("divergence", &inputs64, &total, &one, &want);
        for (x, head, own, tolerance) in [
            (&inputs64[0], wide(&head), wide(&own), 1e-9),
            (&hidden, head.clone(), own.clone(), 1e-5),
        ] {
            let shares = Shares::of(&own).expect("shares");
            let weight = &frozen(&head);
            let head = Head { weight, cap };
            let got = divergence::forward_backward(x, head, &shares, true).expect("a divergence");
            let found = Tensor::new(got.each.as_slice(), hidden.device()).expect("a list");
            check_close(
                "divergence",
                &found,
                &each(&inputs64[0]).expect("each"),
                tolerance,
            );
            check_close(
                "divergence",
                &got.d_hidden.expect("asked for"),
                &want[0],
                tolerance,
            );
            let without =
                divergence::forward_backward(x, head, &shares, false).expect("a divergence");
            assert!(without.d_hidden.is_none() && without.each == got.each);
        }
    }
}

#[test]
fn dropout_backward_uses_the_mask_of_the_forward() {
    let dropout = Dropout {
        share: 0.3,
        seed: 12345,
    };
    check(
        "dropout",
        &[noise((21, 34), 1)],
        &|x| dropout.apply(&x[0]).expect("mask"),
        &|_, dy| vec![dropout.apply(dy).expect("mask")],
    );
}
