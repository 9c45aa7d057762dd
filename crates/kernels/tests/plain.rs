//! The kernels of whole ops against plain loops in f64, with every instruction set that the
//! processor has. Their laws, and the ops against a tensor library, are tested in `model`.

use kernels::{
    InstructionSet, Panels,
    attend::{self, AttendSaved, Heads, Scores},
    cross_entropy::{self, LogitCap},
    force_instruction_set, instruction_set, layer_norm,
    linear::{self, FrozenGradient, FrozenProjection},
    rms_norm,
    rows::{Parent, Rows},
};

/// Values in [-1, 1) that depend on the seed alone.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    (0..count as u64)
        .map(|at| (kernels::lora::mix(seed ^ at << 8) >> 40) as f32 / 8_388_608.0 - 1.0)
        .collect()
}

/// Runs `check` with every set, then restores the choice. The sets are chosen for the whole
/// process: any of them may run a test beside this one, which is right for all.
fn with_every_set(check: impl Fn()) {
    let chosen = instruction_set();
    for set in InstructionSet::ALL {
        if set.is_available() {
            force_instruction_set(set).expect("is available");
            check();
        }
    }
    force_instruction_set(chosen).expect("was in use");
}

#[track_caller]
fn check_close(got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (at, (&got, &want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(got) - want).abs();
        assert!(off <= tolerance, "{at}: {got} instead of {want}");
    }
}

/// (rows, depth) x (depth, cols), given by element.
fn product(
    rows: usize,
    depth: usize,
    cols: usize,
    left: impl Fn(usize, usize) -> f32,
    right: impl Fn(usize, usize) -> f32,
) -> Vec<f64> {
    (0..rows * cols)
        .map(|at| {
            let (i, j) = (at / cols, at % cols);
            (0..depth)
                .map(|p| f64::from(left(i, p)) * f64::from(right(p, j)))
                .sum()
        })
        .collect()
}

/// Rows past a tile of 14, columns past a panel of 32, a depth past a stretch of 768.
#[test]
fn products_are_sums() {
    let (rows, inner, out) = (31, 801, 70);
    let (x, w, dy) = (
        noise(rows * inner, 1),
        noise(out * inner, 2),
        noise(rows * out, 3),
    );
    let bias = noise(out, 4);
    let mut want = product(
        rows,
        inner,
        out,
        |i, p| x[i * inner + p],
        |p, j| w[j * inner + p],
    );
    for (sum, at) in want.iter_mut().zip(0..) {
        *sum += f64::from(bias[at % out]);
    }
    let d_want = product(
        rows,
        out,
        inner,
        |i, p| dy[i * out + p],
        |p, j| w[p * inner + j],
    );
    let weight = Panels::from_f32(&w, out, inner);
    with_every_set(|| {
        let projection = FrozenProjection {
            weight: &weight,
            bias: Some(&bias),
            update: None,
        };
        check_close(
            &linear::forward(rows, &x, &[projection], None)[0],
            &want,
            1e-4,
        );
        let gradient = FrozenGradient {
            dy: &dy,
            weight: &weight,
            update: None,
        };
        let dx = linear::backward(rows, inner, &[gradient], None);
        check_close(&dx, &d_want, 1e-4);
    });
}

/// The loss is that of a softmax over all logits, and its gradient is the loss's slope.
#[test]
fn cross_entropy_is_a_softmax_and_its_slope() {
    check_cross_entropy(None);
    check_cross_entropy(Some(0.7));
}

fn check_cross_entropy(cap: Option<f32>) {
    let capped = |logit: f64| {
        cap.map_or(logit, |cap| {
            let cap = f64::from(cap);
            cap * (logit / cap).tanh()
        })
    };
    let (rows, width, vocab) = (5, 24, 77);
    let (hidden, head) = (noise(rows * width, 5), noise(vocab * width, 6));
    let targets = [0, 76, 31, 32, 8];
    let loss = |hidden: &[f32]| -> f64 {
        let logits = product(
            rows,
            width,
            vocab,
            |i, p| hidden[i * width + p],
            |p, j| head[j * width + p],
        );
        logits
            .chunks(vocab)
            .zip(targets)
            .map(|(row, target)| {
                let sum: f64 = row.iter().map(|&x| capped(x).exp()).sum();
                sum.ln() - capped(row[target as usize])
            })
            .sum()
    };
    let slopes: Vec<f64> = (0..hidden.len())
        .map(|at| {
            let (mut more, mut less) = (hidden.clone(), hidden.clone());
            more[at] += 1.0 / 256.0;
            less[at] -= 1.0 / 256.0;
            (loss(&more) - loss(&less)) * 128.0
        })
        .collect();
    let packed = Panels::from_f32(&head, vocab, width);
    let limit = cap.map(|cap| LogitCap { cap, shift: None });
    with_every_set(|| {
        let (sum, d_hidden) =
            cross_entropy::forward_backward(&hidden, &packed, &targets, limit, true);
        assert!((sum - loss(&hidden)).abs() < 1e-4, "{sum}");
        check_close(&d_hidden.expect("asked for"), &slopes, 1e-4);
    });
}

/// Two sequences, the second of which continues the first one's first rows.
#[test]
fn attention_is_a_softmax_over_what_a_row_sees() {
    for soft_cap in [None, Some(0.3)] {
        check_attention(Scores {
            scale: 0.4,
            soft_cap,
        });
    }
}

fn check_attention(scores: Scores) {
    let heads = Heads {
        query: 4,
        key_value: 2,
        size: 8,
        window: Some(5),
        scores,
    };
    let mut rows = Rows::new([6], 0);
    let parent = Parent {
        sequence: 0,
        rows: 4,
    };
    rows.branch(parent, 3).expect("fits");
    // The flat rows that each row's context is made of, up to itself.
    let contexts: Vec<Vec<usize>> = (0..6)
        .map(|row| (0..=row).collect())
        .chain((6..9).map(|row| (0..4).chain(6..=row).collect()))
        .collect();
    let (q, k, v) = (noise(9 * 32, 7), noise(9 * 16, 8), noise(9 * 16, 9));
    let mut want = Vec::new();
    for (row, context) in contexts.iter().enumerate() {
        for head in 0..4 {
            want.extend(attend_one(scores, [&q, &k, &v], row, head, context));
        }
    }
    with_every_set(|| {
        let attended = attend::forward(&heads, &rows, &q, &k, &v, None);
        check_close(&attended.out, &want, 1e-5);
        let saved = AttendSaved {
            q: &q,
            k: &k,
            v: &v,
            out: &attended.out,
            log_sum: &attended.log_sum,
        };
        let gradients = attend::backward(&heads, &rows, &saved, &[1.0; 9 * 32]);
        // The weights of a row sum to 1: d sum(out) / d v sums to the outputs' number.
        let sum: f64 = gradients.v.iter().map(|&d| f64::from(d)).sum();
        assert!((sum - 9.0 * 32.0).abs() < 1e-3, "{sum}");
    });
}

/// One head of 8 values of one row, in f64, with a window of 5.
fn attend_one(
    scores: Scores,
    [q, k, v]: [&[f32]; 3],
    row: usize,
    head: usize,
    context: &[usize],
) -> Vec<f64> {
    let seen = &context[context.len().saturating_sub(5)..];
    let query = &q[row * 32 + head * 8..][..8];
    let weights: Vec<f64> = seen
        .iter()
        .map(|key| {
            let key = &k[key * 16 + head / 2 * 8..][..8];
            let terms = query.iter().zip(key);
            let score: f64 = terms.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let score = score * f64::from(scores.scale);
            scores
                .soft_cap
                .map_or(score, |cap| {
                    f64::from(cap) * (score / f64::from(cap)).tanh()
                })
                .exp()
        })
        .collect();
    let total: f64 = weights.iter().sum();
    (0..8)
        .map(|at| {
            let values = seen.iter().map(|row| v[row * 16 + head / 2 * 8 + at]);
            let terms = weights.iter().zip(values);
            terms.map(|(w, v)| w * f64::from(v)).sum::<f64>() / total
        })
        .collect()
}

#[test]
fn a_norm_divides_by_the_root_of_the_mean_square() {
    let (x, weight) = (noise(3 * 40, 10), noise(40, 11));
    let want: Vec<f64> = x
        .chunks(40)
        .flat_map(|row| {
            let squares: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let root = (squares / 40.0 + 1e-5).sqrt();
            row.iter()
                .zip(&weight)
                .map(move |(&x, &w)| f64::from(x) / root * f64::from(w))
        })
        .collect();
    with_every_set(|| check_close(&rms_norm::forward(&x, &weight, 1e-5), &want, 1e-5));
}

/// Rows of two pieces, each normed with its own part of the weight.
#[test]
fn a_layer_norm_is_one_of_what_is_left_without_the_mean() {
    let (x, weight) = (noise(3 * 40, 10), noise(40, 11));
    let want: Vec<f64> = x
        .chunks(20)
        .enumerate()
        .flat_map(|(piece, x)| {
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / 20.0;
            let square: f64 = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum();
            let root = (square / 20.0 + 1e-5).sqrt();
            let weight = &weight[piece % 2 * 20..][..20];
            x.iter()
                .zip(weight)
                .map(move |(&x, &w)| (f64::from(x) - mean) / root * f64::from(w))
        })
        .collect();
    with_every_set(|| check_close(&layer_norm::forward(&x, &weight, 20, 1e-5), &want, 1e-5));
}
