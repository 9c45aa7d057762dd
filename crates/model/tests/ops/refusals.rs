//! What an op cannot take is refused by name and shape, never computed in part.

use candle_core::{DType, Tensor};
use model::{
    ModelError, Rows,
    ops::{
        add,
        attend::{self, Heads, Scores},
        cross_entropy,
        divergence::{self, Shares},
        gated,
        glu::{self, GateActivation},
        layer_norm,
        linear::{self, Projected, Share, Update},
        logit_cap::{self, LogitCap},
        lora, rms_norm, rope,
        xielu::{self, Xielu},
    },
};

use super::{frozen, noise, plain};

#[track_caller]
fn check_refused<T>(result: Result<T, ModelError>, parts: &[&str]) {
    let Err(error) = result else {
        panic!("was not refused: {parts:?}")
    };
    let error = error.to_string();
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn shapes_that_do_not_fit() {
    let x = noise((4, 6), 1);
    check_refused(
        linear::forward(&x, &frozen(&noise((3, 5), 2)), None),
        &["linear", "[4, 6]", "[3, 5]"],
    );
    check_refused(
        linear::forward(&x, &frozen(&noise((3, 6), 2)), Some(&noise(2, 3))),
        &["linear", "bias", "[2]"],
    );
    check_refused(
        linear::backward(&x, &frozen(&noise((5, 6), 2))),
        &["linear", "[4, 6]", "[5, 6]"],
    );
    check_refused(
        add::forward(&x, &noise((4, 5), 2)),
        &["add", "[4, 6]", "[4, 5]"],
    );
    check_refused(
        glu::forward(GateActivation::Silu, &x, &noise((4, 5), 2)),
        &["glu", "[4, 6]", "[4, 5]"],
    );
    check_refused(
        glu::backward(GateActivation::Silu, &x, &x, &noise((3, 6), 2)),
        &["glu", "[4, 6]", "[3, 6]"],
    );
    check_refused(
        rms_norm::forward(&x, &noise(5, 2), 1e-5),
        &["rms_norm", "[4, 6]", "[5]"],
    );
    check_refused(
        rms_norm::backward(&x, &noise(6, 2), 1e-5, &noise((3, 6), 3), None),
        &["rms_norm", "[4, 6]", "[3, 6]"],
    );
    check_refused(
        layer_norm::forward(&x, &noise((2, 4), 2), 1e-5),
        &["layer_norm", "[4, 6]", "[2, 4]"],
    );
    check_refused(
        layer_norm::backward(&x, &noise((2, 3), 2), 1e-5, &noise((3, 6), 3), None),
        &["layer_norm", "[4, 6]", "[3, 6]"],
    );
    let xielu = Xielu {
        positive: 1.0,
        negative: 1.0,
        linear: 0.5,
    };
    check_refused(
        xielu::backward(&xielu, &x, &noise((3, 6), 2)),
        &["xielu", "[4, 6]", "[3, 6]"],
    );
    let cap = LogitCap {
        cap: 1.0,
        shift: Some(noise(5, 2)),
    };
    check_refused(
        logit_cap::forward(&x, &cap),
        &["logit_cap", "[4, 6]", "[5]"],
    );
    check_refused(
        add::forward_scaled(&x, &noise((3, 6), 2), 0.5),
        &["add", "[4, 6]", "[3, 6]"],
    );
    let angles = |n, half| rope::Angles {
        cos: noise((n, half), 1),
        sin: noise((n, half), 2),
        size: 2 * half,
        pairs: rope::RopePairs::Halves,
    };
    check_refused(
        rope::rotate(&x, &angles(4, 2), rope::Rotation::Forward),
        &["rope", "[4, 6]", "[4, 2]"],
    );
    check_refused(
        rope::rotate(&x, &angles(3, 3), rope::Rotation::Forward),
        &["rope", "[4, 6]", "[3, 3]"],
    );
    let (a, b, w) = (
        noise((2, 6), 1),
        noise((3, 2), 2),
        frozen(&noise((3, 6), 3)),
    );
    check_refused(
        lora::forward(&x, &noise((2, 5), 1), 1.0),
        &["lora", "[4, 6]", "[2, 5]"],
    );
    check_refused(
        lora::backward_low(&x, &b, 1.0),
        &["lora", "[4, 6]", "[3, 2]"],
    );
    let (low, dy) = (lora::forward(&x, &a, 1.0).expect("fits"), noise((4, 3), 4));
    check_refused(
        lora::backward(&x, &noise((3, 2), 1), &low, &dy),
        &["lora", "[4, 6]", "[3, 2]"],
    );
    check_refused(lora::raise(&low, &b), &["lora", "[4, 2]", "[3, 2]"]);
    let update = Some(Update { low: &low, b: &a });
    let projected = Projected {
        update,
        ..plain(&w)
    };
    check_refused(
        linear::forward_all(&x, &[projected], None),
        &["linear", "update", "[2, 6]"],
    );
    check_refused(
        linear::forward_all(&x, &[plain(&w)], Some(&x)),
        &["linear", "residual", "[4, 6]"],
    );
    let share = Share {
        dy: &dy,
        weight: &w,
        update: Some((&low, &b)),
    };
    check_refused(
        linear::backward_all(&[share], None),
        &["linear", "update", "[3, 2]"],
    );
    check_refused(
        linear::backward_all(
            &[Share {
                update: None,
                ..share
            }],
            Some(&dy),
        ),
        &["linear", "residual", "[4, 3]"],
    );
    check_refused(linear::backward_all(&[], None), &["linear", "no share"]);
    let narrow = frozen(&noise((2, 6), 1));
    check_refused(
        gated::forward(GateActivation::Silu, &x, &plain(&w), &plain(&narrow), true),
        &["gated", "(3, 6)", "(2, 6)"],
    );
}

#[test]
fn attention_that_does_not_fit() {
    let heads = Heads {
        query: 2,
        key_value: 1,
        size: 4,
        window: None,
        scores: Scores::of_size(4),
    };
    let rows = Rows::new([3], 0);
    let (q, k) = (noise((3, 8), 1), noise((3, 4), 2));
    check_refused(
        attend::forward(&heads, &rows, &q, &q, &k, None),
        &["attend", "k [3, 8]"],
    );
    check_refused(
        attend::forward(&heads, &Rows::new([3], 2), &q, &k, &k, None),
        &["attend", "prefix None", "3 rows after 2"],
    );
    let prefix = attend::LayerKv::new(noise((2, 4), 3), noise((1, 4), 4));
    check_refused(
        attend::forward(&heads, &Rows::new([3], 2), &q, &k, &k, Some(&prefix)),
        &["attend", "prefix"],
    );
    let prefix = attend::LayerKv::new(noise((2, 3), 3), noise((2, 3), 4));
    check_refused(
        attend::forward(&heads, &Rows::new([3], 2), &q, &k, &k, Some(&prefix)),
        &["attend", "prefix"],
    );
    let (_, saved) = attend::forward(&heads, &rows, &q, &k, &k, None).expect("fits");
    check_refused(
        attend::backward(&heads, &rows, &q, &k, &k, &saved, &noise((2, 8), 1)),
        &["attend", "[2, 8]"],
    );
}

#[test]
fn targets_and_dtypes_that_do_not_fit() {
    let (hidden, head) = (noise((2, 4), 1), noise((9, 4), 2));
    let loss = |hidden: &Tensor, head: &Tensor, targets: &[u32]| {
        cross_entropy::forward_backward(hidden, &frozen(head), targets, true)
    };
    check_refused(
        loss(&hidden, &head, &[1, 9]),
        &["token id 9 is not in the vocabulary of 9"],
    );
    check_refused(
        loss(&hidden, &head, &[1]),
        &["cross_entropy", "2 rows, 1 targets"],
    );
    check_refused(
        loss(&hidden, &noise((9, 5), 2), &[1, 2]),
        &["cross_entropy", "[2, 4]", "[9, 5]"],
    );
    let shares = Shares::of(&noise((2, 9), 3)).expect("finite");
    let divergence =
        |hidden: &Tensor| divergence::forward_backward(hidden, &frozen(&head), &shares, false);
    check_refused(
        divergence(&noise((3, 4), 1)),
        &["divergence", "[3, 4]", "[2, 9]"],
    );
    check_refused(
        divergence(&noise((2, 5), 1)),
        &["divergence", "[2, 5]", "[2, 9]"],
    );
    let mut logits = noise((2, 9), 3).to_vec2::<f32>().expect("values").concat();
    logits[12] = f32::NAN;
    for dtype in [DType::F32, DType::F64] {
        let logits =
            Tensor::from_slice(&logits, (2, 9), head.device()).and_then(|x| x.to_dtype(dtype));
        check_refused(
            Shares::of(&logits.expect("logits")),
            &["the distribution of row 1 is not finite"],
        );
    }
    let f16 = head.to_dtype(DType::F16).expect("f16");
    check_refused(
        loss(&hidden, &f16, &[1, 2]),
        &["cross_entropy", "F16", "f32 or bf16"],
    );
    check_refused(
        linear::forward(&hidden, &frozen(&f16), None),
        &["linear", "F16", "f32 or bf16"],
    );
    let strided = noise((4, 2), 1).t().expect("a view");
    check_refused(
        linear::forward(&strided, &frozen(&head), None),
        &["linear", "not contiguous"],
    );
}
