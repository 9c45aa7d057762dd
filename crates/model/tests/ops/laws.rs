//! Laws of the ops: packed is alone, prefix + suffix is the whole, a branch is the concatenated sequence, threads and
//! neighbours change no bit, merged is unmerged, dropout keeps its share.

use candle_core::Tensor;
use model::{
    Parent, Rows, Weight,
    ops::{
        attend::{self, Heads},
        cross_entropy,
        linear::{self, Projected, Update},
        lora::{self, Dropout},
        rms_norm, softmax, swiglu,
    },
};
use proptest::prelude::*;

use super::{
    attend::{Case, heads},
    bits, check_close, frozen, noise, values,
};

/// Runs on its own pool.
fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(run)
}

fn cut(x: &Tensor, from: usize, n: usize) -> Tensor {
    x.narrow(0, from, n).and_then(|x| x.contiguous()).expect("rows")
}

/// The rows of one sequence as a case of their own.
fn alone(case: &Case, sequence: usize) -> Case {
    let range = case.rows.range(sequence);
    let part = |x: &Tensor| cut(x, range.start, range.len());
    let rows = Rows::new([range.len()], case.rows.prefix());
    Case { heads: case.heads, rows, q: part(&case.q), k: part(&case.k), v: part(&case.v), prefix: case.prefix.clone() }
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
        let gradients = |case: &Case, d_out: &Tensor| {
            let (_, saved) = attend::forward(&case.heads, &case.rows, &case.q, &case.k, &case.v, None).expect("forward");
            let g = attend::backward(&case.heads, &case.rows, &case.q, &case.k, &case.v, &saved, d_out).expect("backward");
            [g.q, g.k, g.v]
        };
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
        check_close("suffix", &suffix.run(), &cut(&whole.run(), prefix, n - prefix), 1e-5);
    }

    #[test]
    fn a_branch_is_the_concatenated_sequence(heads in heads(), n in 1usize..80, seen: prop::sample::Index, length in 1usize..30, prefix in 0usize..60, seed: u64) {
        let mut rows = Rows::new([3, n], prefix);
        let parent = Parent { sequence: 1, rows: seen.index(n + 1) };
        let branch = rows.branch(parent, length).expect("fits");
        let case = Case::new(heads, rows, seed);
        let range = case.rows.range(branch);
        let join = |x: &Tensor| Tensor::cat(&[cut(x, 3, parent.rows), cut(x, range.start, length)], 0).expect("joined");
        let joined = Case {
            heads,
            rows: Rows::new([parent.rows + length], prefix),
            q: join(&case.q),
            k: join(&case.k),
            v: join(&case.v),
            prefix: case.prefix.clone(),
        };
        let want = cut(&joined.run(), parent.rows, length);
        check_close("branch", &cut(&case.run(), range.start, length), &want, 1e-5);
    }

    #[test]
    fn merged_is_unmerged(n in 1usize..50, inner in 1usize..90, out in 1usize..90, rank in 1usize..9, alpha in 1.0f64..64.0, seed: u64) {
        // The scale alpha / rank is another than 1, so that one on the base or left out is seen.
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
    fn threads_change_no_bit(heads in heads(), n in 1usize..300, seed: u64) {
        let case = Case::new(heads, Rows::new([n, 20], 30), seed);
        let width = heads.query * heads.size;
        let w = frozen(&noise((heads.size, width), seed ^ 7));
        let run = || {
            let out = case.run();
            let y = linear::forward(&out, &w, None).expect("linear");
            let y = swiglu::forward(&y, &y).expect("swiglu");
            let y = rms_norm::forward(&y, &noise(heads.size, 8), 1e-5).expect("norm");
            let (sum, _) = updated(&out, &w, &noise((3, width), 9), &noise((heads.size, 3), 10), Some(&y));
            let d = linear::backward(&sum, &w).expect("backward");
            let head = frozen(&noise((300, width), 11));
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
fn updated(x: &Tensor, weight: &Weight, a: &Tensor, b: &Tensor, residual: Option<&Tensor>) -> (Tensor, Tensor) {
    let low = lora::forward(x, a, 1.5).expect("lora");
    let projected = Projected { weight, bias: None, update: Some(Update { low: &low, b }) };
    (linear::forward_all(x, &[projected], residual).expect("linear").remove(0), low)
}

/// Rows of every op but attention come out the same bits whoever stands beside them.
#[test]
fn neighbours_change_no_bit() {
    let (x, w) = (noise((301, 70), 1), frozen(&noise((45, 70), 2)));
    let (a, b) = (noise((5, 70), 3), noise((45, 5), 4));
    let run = |x: &Tensor| {
        let (y, _) = updated(x, &w, &a, &b, None);
        let y = swiglu::forward(&y, &y).expect("swiglu");
        softmax::softmax(&rms_norm::forward(&y, &noise(45, 5), 1e-6).expect("norm")).expect("softmax")
    };
    let together = run(&x);
    for i in [0, 1, 13, 14, 15, 120, 299, 300] {
        assert_eq!(bits(&run(&cut(&x, i, 1))), bits(&cut(&together, i, 1)), "row {i} alone");
    }
    assert_eq!(bits(&run(&cut(&x, 100, 37))), bits(&cut(&together, 100, 37)));
}

#[test]
fn dropout_keeps_its_share_and_the_expectation() {
    let ones = Tensor::ones((400, 250), candle_core::DType::F32, &candle_core::Device::Cpu).expect("ones");
    for share in [0.05, 0.3, 0.8] {
        let mask = values(&Dropout { share, seed: 99 }.apply(&ones).expect("mask"));
        let kept = mask.iter().filter(|&&m| m != 0.0).count() as f64 / mask.len() as f64;
        // Five standard deviations of 100 000 draws.
        let off = 5.0 * (share * (1.0 - share) / mask.len() as f64).sqrt();
        assert!((kept - (1.0 - share)).abs() < off, "kept {kept} at {share}");
        let mean = mask.iter().sum::<f64>() / mask.len() as f64;
        assert!((mean - 1.0).abs() < off / (1.0 - share), "mean {mean} at {share}");
        assert!(mask.iter().all(|&m| m == 0.0 || (m - 1.0 / (1.0 - share)).abs() < 1e-6));
    }
    assert_eq!(values(&Dropout { share: 0.0, seed: 99 }.apply(&ones).expect("mask")), values(&ones));
}

/// Two seeds agree as often as two independent draws do, neighbours in a row or column too.
#[test]
fn dropout_masks_are_independent() {
    let ones = Tensor::ones((300, 300), candle_core::DType::F32, &candle_core::Device::Cpu).expect("ones");
    let mask = |seed| values(&Dropout { share: 0.5, seed }.apply(&ones).expect("mask"));
    let agree =
        |a: &[f64], b: &[f64]| a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len().min(b.len()) as f64;
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

/// No gradient flows through a prefix or a branch: asking for one is refused, not answered wrongly.
#[test]
fn no_gradient_through_a_prefix_or_a_branch() {
    let heads = Heads { query: 1, key_value: 1, size: 8, window: None };
    let mut branched = Rows::new([3], 0);
    branched.branch(Parent { sequence: 0, rows: 2 }, 1).expect("fits");
    for rows in [Rows::new([3], 2), branched] {
        let case = Case::new(heads, rows, 1);
        let prefix = case.prefix();
        let (out, saved) =
            attend::forward(&heads, &case.rows, &case.q, &case.k, &case.v, prefix.as_ref()).expect("forward");
        let refused = attend::backward(&heads, &case.rows, &case.q, &case.k, &case.v, &saved, &out);
        let error = refused.err().expect("refused").to_string();
        assert_eq!(error, "attend: no gradient through a shared prefix or branches");
    }
}
