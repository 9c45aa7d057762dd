//! Laws of the ops: packed is alone, prefix + suffix is the whole, a sequence of a forest is
//! the whole text, threads and neighbours change no bit, merged is unmerged, dropout keeps its
//! share.

use candle_core::Tensor;
use model::{
    Parent, Rows, Weight,
    ops::{
        attend::{self, Heads, LayerKv, Scores},
        cross_entropy,
        glu::{self, GateActivation},
        linear::{self, Projected, Update},
        lora::{self, Dropout},
        rms_norm, softmax,
    },
};
use proptest::prelude::*;

use super::{
    attend::{Case, forest, heads},
    bits, check_close, frozen, noise, values, weight,
};

/// Runs on its own pool.
fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("a pool")
        .install(run)
}

fn cut(x: &Tensor, from: usize, n: usize) -> Tensor {
    x.narrow(0, from, n)
        .and_then(|x| x.contiguous())
        .expect("rows")
}

/// The rows of one sequence as a case of their own.
fn alone(case: &Case, sequence: usize) -> Case {
    let range = case.rows.range(sequence);
    let part = |x: &Tensor| cut(x, range.start, range.len());
    let rows = Rows::new([range.len()], case.rows.prefix());
    Case {
        heads: case.heads,
        rows,
        q: part(&case.q),
        k: part(&case.k),
        v: part(&case.v),
        prefix: case.prefix.clone(),
    }
}

/// The output of a sequence's rows where all that it sees is one sequence without a prefix.
fn whole(case: &Case, sequence: usize) -> Tensor {
    let range = case.rows.range(sequence);
    let stretches = case.rows.stretches(Parent {
        sequence,
        rows: range.len(),
    });
    let first = case.rows.first_position(sequence);
    let join = |before: Option<&Tensor>, own: &Tensor| {
        let own = stretches
            .iter()
            .map(|stretch| cut(own, stretch.start, stretch.len()));
        Tensor::cat(
            &before.cloned().into_iter().chain(own).collect::<Vec<_>>(),
            0,
        )
        .expect("joined")
    };
    let before = case.prefix();
    let width = case.heads.query * case.heads.size;
    // Rows of the prefix have no query in the case; their output is not looked at.
    let q = join(
        before
            .as_ref()
            .map(|_| noise((case.rows.prefix(), width), 1))
            .as_ref(),
        &case.q,
    );
    let (k, v) = (
        join(before.as_ref().map(|kv| &kv.k), &case.k),
        join(before.as_ref().map(|kv| &kv.v), &case.v),
    );
    let rows = Rows::new([first + range.len()], 0);
    cut(
        &Case {
            heads: case.heads,
            rows,
            q,
            k,
            v,
            prefix: None,
        }
        .run(),
        first,
        range.len(),
    )
}

fn gradients(case: &Case, d_out: &Tensor) -> [Tensor; 3] {
    let (_, saved) =
        attend::forward(&case.heads, &case.rows, &case.q, &case.k, &case.v, None).expect("forward");
    let g = attend::backward(
        &case.heads,
        &case.rows,
        &case.q,
        &case.k,
        &case.v,
        &saved,
        d_out,
    )
    .expect("backward");
    [g.q, g.k, g.v]
}

proptest! {
    #![proptest_config(crate::cases(24))]

    #[test]
    fn packed_attention_is_bitwise_that_of_each_alone(heads in heads(), lengths in prop::collection::vec(1usize..90, 1..5), prefix in 0usize..70, seed: u64) {
        let case = Case::new(heads, Rows::new(lengths, prefix), seed);
        let together = case.run();
        for s in 0..case.rows.sequences() {
            let range = case.rows.range(s);
            prop_assert_eq!(bits(&alone(&case, s).run()), bits(&cut(&together, range.start, range.len())));
        }
    }

    #[test]
    fn packed_gradients_are_bitwise_those_of_each_alone(heads in heads(), lengths in prop::collection::vec(1usize..90, 1..5), seed: u64) {
        let case = Case::new(heads, Rows::new(lengths, 0), seed);
        let d_out = noise(case.q.shape(), seed ^ 9);
        let together = gradients(&case, &d_out);
        for s in 0..case.rows.sequences() {
            let range = case.rows.range(s);
            let own = gradients(&alone(&case, s), &cut(&d_out, range.start, range.len()));
            for (own, all) in own.iter().zip(&together) {
                prop_assert_eq!(bits(own), bits(&cut(all, range.start, range.len())));
            }
        }
    }

    #[test]
    fn prefix_and_suffix_are_the_whole(heads in heads(), n in 2usize..330, at: prop::sample::Index, seed: u64) {
        let whole = Case::new(heads, Rows::new([n], 0), seed);
        let prefix = at.index(n);
        let part = |x: &Tensor| cut(x, prefix, n - prefix);
        let suffix = Case {
            heads,
            rows: Rows::new([n - prefix], prefix),
            q: part(&whole.q),
            k: part(&whole.k),
            v: part(&whole.v),
            prefix: Some((cut(&whole.k, 0, prefix), cut(&whole.v, 0, prefix))),
        };
        prop_assert_eq!(bits(&suffix.run()), bits(&cut(&whole.run(), prefix, n - prefix)));
    }

    /// A row's bits do not tell which of the rows before it are a prefix, an ancestor's or its
    /// own sequence's.
    #[test]
    fn a_sequence_of_a_forest_is_bitwise_the_whole_text(heads in heads(), rows in forest(true), seed: u64) {
        let case = Case::new(heads, rows, seed);
        let together = case.run();
        for sequence in (0..case.rows.sequences()).filter(|&sequence| !case.rows.range(sequence).is_empty()) {
            let range = case.rows.range(sequence);
            prop_assert_eq!(bits(&whole(&case, sequence)), bits(&cut(&together, range.start, range.len())));
        }
    }

    /// Packed once, as a cache is, or by the call.
    #[test]
    fn a_packed_prefix_is_the_prefix(heads in heads(), rows in forest(true), seed: u64) {
        let case = Case::new(heads, rows, seed);
        let mut prefix = case.prefix();
        if let Some(prefix) = &mut prefix {
            prefix.pack(&heads)?;
        }
        let (packed, _) = attend::forward(&heads, &case.rows, &case.q, &case.k, &case.v, prefix.as_ref())?;
        prop_assert_eq!(bits(&packed), bits(&case.run()));
    }

    #[test]
    fn gradients_of_a_forest_are_the_same_on_any_number_of_threads(heads in heads(), rows in forest(false), seed: u64) {
        let case = Case::new(heads, rows, seed);
        let d_out = noise(case.q.shape(), seed ^ 9);
        let run = || gradients(&case, &d_out).map(|x| bits(&x));
        let one = on_threads(1, run);
        prop_assert_eq!(&one, &on_threads(2, run));
        prop_assert_eq!(&one, &on_threads(5, run));
    }

    #[test]
    fn merged_is_unmerged(n in 1usize..50, inner in 1usize..90, out in 1usize..90, rank in 1usize..9, alpha in 1.0f64..64.0, seed: u64) {
        // The scale alpha / rank is another than 1, so that one on the base or left out is
        // seen.
        let scale = alpha / rank as f64;
        prop_assume!(f64::abs(scale - 1.0) > 0.1);
        let (x, w) = (noise((n, inner), seed), noise((out, inner), seed ^ 1));
        let (a, b, bias) = (noise((rank, inner), seed ^ 2), noise((out, rank), seed ^ 3), noise(out, seed ^ 4));
        let merged = (&w + (b.matmul(&a)? * scale)?)?;
        let (packed, low) = (frozen(&w), lora::forward(&x, &a, scale)?);
        let projected = Projected { weight: &packed, bias: Some(&bias), update: Some(Update { low: &low, b: &b }) };
        let got = linear::forward_all(&x, &[projected], None)?.remove(0);
        check_close("merged", &got, &linear::forward(&x, &frozen(&merged), Some(&bias))?, 1e-5);
    }

    /// One thread, two and three; each op whose rows or panels are shared out.
    #[test]
    fn threads_change_no_bit(heads in heads(), n in 1usize..300, bf16: bool, seed: u64) {
        let case = Case::new(heads, Rows::new([n, 20], 30), seed);
        let width = heads.query * heads.size;
        let w = frozen(&weight((heads.size, width), bf16, seed ^ 7));
        let run = || {
            let out = case.run();
            let y = linear::forward(&out, &w, None).expect("linear");
            let y = glu::forward(GateActivation::Silu, &y, &y).expect("glu");
            let y = rms_norm::forward(&y, &noise(heads.size, 8), 1e-5).expect("norm");
            let (sum, _) = updated(&out, &w, &noise((3, width), 9), &noise((heads.size, 3), 10), Some(&y));
            let d = linear::backward(&sum, &w).expect("backward");
            let head = frozen(&weight((300, width), bf16, 11));
            let targets: Vec<u32> = (0..d.dims()[0] as u32).map(|i| i * 7 % 300).collect();
            let loss = cross_entropy::forward_backward(&d, &head, &targets, true).expect("loss");
            let mut all = bits(&softmax::log_softmax(&sum).expect("softmax"));
            all.extend(bits(&loss.d_hidden.expect("asked for")));
            (all, loss.sum.to_bits())
        };
        let one = on_threads(1, run);
        prop_assert_eq!(&one, &on_threads(2, run));
        prop_assert_eq!(&one, &on_threads(3, run));
    }
}

/// A projection with its update.
fn updated(
    x: &Tensor,
    weight: &Weight,
    a: &Tensor,
    b: &Tensor,
    residual: Option<&Tensor>,
) -> (Tensor, Tensor) {
    let low = lora::forward(x, a, 1.5).expect("lora");
    let projected = Projected {
        weight,
        bias: None,
        update: Some(Update { low: &low, b }),
    };
    (
        linear::forward_all(x, &[projected], residual)
            .expect("linear")
            .remove(0),
        low,
    )
}

/// Rows of every op but attention come out the same bits whoever stands beside them.
#[test]
fn neighbours_change_no_bit() {
    for bf16 in [false, true] {
        let (x, w) = (noise((301, 70), 1), frozen(&weight((45, 70), bf16, 2)));
        let (a, b) = (noise((5, 70), 3), noise((45, 5), 4));
        let run = |x: &Tensor| {
            let (y, _) = updated(x, &w, &a, &b, None);
            let y = glu::forward(GateActivation::Silu, &y, &y).expect("glu");
            let y = rms_norm::forward(&y, &noise(45, 5), 1e-6).expect("norm");
            softmax::softmax(&linear::backward(&y, &w).expect("backward")).expect("softmax")
        };
        let together = run(&x);
        for i in [0, 1, 13, 14, 15, 16, 31, 32, 33, 120, 287, 288, 299, 300] {
            assert_eq!(
                bits(&run(&cut(&x, i, 1))),
                bits(&cut(&together, i, 1)),
                "row {i} alone, bf16: {bf16}"
            );
        }
        assert_eq!(
            bits(&run(&cut(&x, 100, 37))),
            bits(&cut(&together, 100, 37))
        );
    }
}

#[test]
fn dropout_keeps_its_share_and_the_expectation() {
    let ones = Tensor::ones(
        (400, 250),
        candle_core::DType::F32,
        &candle_core::Device::Cpu,
    )
    .expect("ones");
    for share in [0.05, 0.3, 0.8] {
        let mask = values(&Dropout { share, seed: 99 }.apply(&ones).expect("mask"));
        let kept = mask.iter().filter(|&&m| m != 0.0).count() as f64 / mask.len() as f64;
        // Five standard deviations of 100 000 draws.
        let off = 5.0 * (share * (1.0 - share) / mask.len() as f64).sqrt();
        assert!((kept - (1.0 - share)).abs() < off, "kept {kept} at {share}");
        let mean = mask.iter().sum::<f64>() / mask.len() as f64;
        assert!(
            (mean - 1.0).abs() < off / (1.0 - share),
            "mean {mean} at {share}"
        );
        assert!(
            mask.iter()
                .all(|&m| m == 0.0 || (m - 1.0 / (1.0 - share)).abs() < 1e-6)
        );
    }
    assert_eq!(
        values(
            &Dropout {
                share: 0.0,
                seed: 99
            }
            .apply(&ones)
            .expect("mask")
        ),
        values(&ones)
    );
}

/// Two seeds agree as often as two independent draws do, neighbours in a row or column too.
#[test]
fn dropout_masks_are_independent() {
    let ones = Tensor::ones(
        (300, 300),
        candle_core::DType::F32,
        &candle_core::Device::Cpu,
    )
    .expect("ones");
    let mask = |seed| values(&Dropout { share: 0.5, seed }.apply(&ones).expect("mask"));
    let agree = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len().min(b.len()) as f64
    };
    let first = mask(7);
    assert_eq!(first, mask(7));
    for (what, share) in [
        ("next seed", agree(&first, &mask(6))),
        ("another layer", agree(&first, &mask(7 ^ 256))),
        ("next column", agree(&first, &first[1..])),
        ("next row", agree(&first, &first[300..])),
    ] {
        assert!((share - 0.5).abs() < 0.01, "{what}: {share}");
    }
}

/// No gradient flows through a prefix: asking for one is refused, not answered wrongly.
#[test]
fn no_gradient_through_a_prefix() {
    let heads = Heads {
        query: 1,
        key_value: 1,
        size: 8,
        window: None,
        scores: Scores::of_size(8),
    };
    let case = Case::new(heads, Rows::new([3], 2), 1);
    let prefix: Option<LayerKv> = case.prefix();
    let (out, saved) = attend::forward(
        &heads,
        &case.rows,
        &case.q,
        &case.k,
        &case.v,
        prefix.as_ref(),
    )
    .expect("forward");
    let refused = attend::backward(&heads, &case.rows, &case.q, &case.k, &case.v, &saved, &out);
    assert_eq!(
        refused.err().expect("refused").to_string(),
        "attend: no gradient through a shared prefix"
    );
}
