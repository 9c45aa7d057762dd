//! Attention: fused equals composed for head sizes, groups, packed sequences, prefixes, forests
//! and windows.

use candle_core::Tensor;
use model::{
    Parent, Rows,
    ops::attend::{self, Heads, LayerKv, Scores, composed},
};
use proptest::prelude::*;

use super::{check_close, noise, norm, wide};

/// One call's inputs.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) heads: Heads,
    pub(crate) rows: Rows,
    pub(crate) q: Tensor,
    pub(crate) k: Tensor,
    pub(crate) v: Tensor,
    pub(crate) prefix: Option<(Tensor, Tensor)>,
}

impl Case {
    pub(crate) fn new(heads: Heads, rows: Rows, seed: u64) -> Self {
        let (q, kv) = (heads.query * heads.size, heads.key_value * heads.size);
        let part = |n: usize, width: usize, salt: u64| {
            (noise((n, width), seed ^ salt) * 2.0).expect("scaled")
        };
        let prefix =
            (rows.prefix() > 0).then(|| (part(rows.prefix(), kv, 4), part(rows.prefix(), kv, 5)));
        Self {
            q: part(rows.len(), q, 1),
            k: part(rows.len(), kv, 2),
            v: part(rows.len(), kv, 3),
            heads,
            rows,
            prefix,
        }
    }

    pub(crate) fn prefix(&self) -> Option<LayerKv> {
        self.prefix
            .as_ref()
            .map(|(k, v)| LayerKv::new(k.clone(), v.clone()))
    }

    pub(crate) fn run(&self) -> Tensor {
        let prefix = self.prefix();
        attend::forward(
            &self.heads,
            &self.rows,
            &self.q,
            &self.k,
            &self.v,
            prefix.as_ref(),
        )
        .expect("attends")
        .0
    }

    fn composed(&self) -> Tensor {
        let prefix = self
            .prefix
            .as_ref()
            .map(|(k, v)| LayerKv::new(wide(k), wide(v)));
        let [q, k, v] = [&self.q, &self.k, &self.v].map(wide);
        composed::forward(&self.heads, &self.rows, &q, &k, &v, prefix.as_ref()).expect("attends")
    }
}

pub(crate) fn heads() -> impl Strategy<Value = Heads> {
    let window = prop_oneof![2 => Just(None), 1 => (1usize..12).prop_map(Some), 1 => (200usize..330).prop_map(Some)];
    let scores = prop_oneof![
        2 => Just(None),
        1 => (0.05f32..0.5, 0.3f32..30.0).prop_map(Some)
    ];
    (1usize..=3, 1usize..=4, 4usize..=64, window, scores).prop_map(
        |(key_value, group, half, window, scores)| Heads {
            query: key_value * group,
            key_value,
            size: 2 * half,
            window,
            scores: scores.map_or(Scores::of_size(2 * half), |(scale, cap)| Scores {
                scale,
                soft_cap: Some(cap),
            }),
        },
    )
}

/// Lengths about the blocks of 64 and of 256 positions.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![1 => Just(0), 6 => 1usize..20, 3 => 50usize..64, 2 => 240usize..300]
}

/// Roots and sequences that continue any earlier one, to any depth.
pub(crate) fn forest(with_prefix: bool) -> impl Strategy<Value = Rows> {
    let prefix = prop_oneof![2 => Just(0), 2 => 1usize..40, 1 => 250usize..270, 1 => 500usize..640];
    let branches = prop::collection::vec(
        (
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            length(),
        ),
        0..6,
    );
    (
        prop::collection::vec(length(), 0..3),
        1usize..30,
        prefix,
        branches,
    )
        .prop_map(move |(mut lengths, last, prefix, branches)| {
            lengths.push(last);
            let mut rows = Rows::new(lengths, if with_prefix { prefix } else { 0 });
            for (sequence, seen, length) in branches {
                let sequence = sequence.index(rows.sequences());
                let seen = seen.index(rows.range(sequence).len() + 1);
                rows.branch(
                    Parent {
                        sequence,
                        rows: seen,
                    },
                    length,
                )
                .expect("continues an earlier one");
            }
            rows
        })
}

proptest! {
    #![proptest_config(crate::cases(48))]

    #[test]
    fn forward_equals_composed(heads in heads(), rows in forest(true), seed: u64) {
        let case = Case::new(heads, rows, seed);
        check_close("attend", &case.run(), &case.composed(), 1e-5);
    }

    #[test]
    fn backward_equals_composed(heads in heads(), rows in forest(false), seed: u64) {
        let case = Case::new(heads, rows, seed);
        let (_, saved) = attend::forward(&case.heads, &case.rows, &case.q, &case.k, &case.v, None)?;
        let d_out = noise(case.q.shape(), seed ^ 9);
        let got = attend::backward(&case.heads, &case.rows, &case.q, &case.k, &case.v, &saved, &d_out)?;
        let [q, k, v, wide_d] = [&case.q, &case.k, &case.v, &d_out].map(wide);
        let want = composed::backward(&case.heads, &case.rows, &q, &k, &v, &wide_d)?;
        // Of scores as long as the usual ones, which are divided by the root of the size.
        let stretch = (f64::from(case.heads.scores.scale) * (case.heads.size as f64).sqrt()).max(1.0);
        let scale = norm(&d_out) * stretch;
        check_gradients("backward", [&got.q, &got.k, &got.v], [&want.q, &want.k, &want.v], scale);
    }
}

/// A row that sees itself alone has weight 1 whatever q and k are, so its gradients are
/// rounding: `scale` is d_out's norm, times how much longer scores are than usual.
#[track_caller]
fn check_gradients(what: &str, got: [&Tensor; 3], want: [&Tensor; 3], scale: f64) {
    for ((name, got), want) in ["dq", "dk", "dv"].iter().zip(got).zip(want) {
        let off = norm(&(wide(got) - wide(want)).expect("one shape"));
        assert!(
            off <= 2e-5 * norm(want) + 1e-6 * scale,
            "{what}, {name}: off by {off} of {}",
            norm(want)
        );
    }
}

/// Sequences of several blocks of keys, with windows below, at and above the block of 256 and
/// across it.
#[test]
fn long_sequences_and_windows() {
    for (seed, window) in [
        None,
        Some(1),
        Some(31),
        Some(256),
        Some(257),
        Some(600),
        Some(5000),
    ]
    .into_iter()
    .enumerate()
    {
        let heads = Heads {
            query: 2,
            key_value: 1,
            size: 16,
            window,
            scores: Scores::of_size(16),
        };
        for prefix in [0, 300, 700] {
            let case = Case::new(heads, Rows::new([650, 3], prefix), seed as u64);
            check_close(
                &format!("window {window:?}, prefix {prefix}"),
                &case.run(),
                &case.composed(),
                1e-5,
            );
        }
        let case = Case::new(heads, Rows::new([5, 650], 0), seed as u64);
        let (_, saved) = attend::forward(&case.heads, &case.rows, &case.q, &case.k, &case.v, None)
            .expect("attends");
        let d_out = noise(case.q.shape(), 77);
        let got = attend::backward(
            &case.heads,
            &case.rows,
            &case.q,
            &case.k,
            &case.v,
            &saved,
            &d_out,
        )
        .expect("backward");
        let [q, k, v, wide_d] = [&case.q, &case.k, &case.v, &d_out].map(wide);
        let want =
            composed::backward(&case.heads, &case.rows, &q, &k, &v, &wide_d).expect("backward");
        let what = format!("window {window:?}");
        check_gradients(
            &what,
            [&got.q, &got.k, &got.v],
            [&want.q, &want.k, &want.v],
            norm(&d_out),
        );
    }
}

/// An empty prefix is no prefix.
#[test]
fn an_empty_prefix_changes_nothing() {
    let heads = Heads {
        query: 4,
        key_value: 2,
        size: 8,
        window: None,
        scores: Scores::of_size(8),
    };
    let case = Case::new(heads, Rows::new([9, 2], 0), 3);
    let none = noise((0, 16), 0);
    let prefix = LayerKv::new(none.clone(), none);
    let (with, _) = attend::forward(&heads, &case.rows, &case.q, &case.k, &case.v, Some(&prefix))
        .expect("attends");
    assert_eq!(super::bits(&with), super::bits(&case.run()));
}

/// The window is 0 <= i - j < window, counted over the prefix too: rows that see the same keys
/// give the same output.
#[test]
fn a_window_sees_exactly_its_keys() {
    let (window, prefix, n) = (5, 7, 4);
    let heads = Heads {
        query: 1,
        key_value: 1,
        size: 8,
        window: Some(window),
        scores: Scores::of_size(8),
    };
    let case = Case::new(heads, Rows::new([n], prefix), 11);
    let out = values_of(&case.run());
    let (pk, pv) = case.prefix.as_ref().expect("a prefix");
    let (keys, vals) = (
        Tensor::cat(&[pk, &case.k], 0).expect("keys"),
        Tensor::cat(&[pv, &case.v], 0).expect("values"),
    );
    for (i, row) in out.iter().enumerate() {
        let from = prefix + i + 1 - window;
        let alone = Heads {
            window: None,
            ..heads
        };
        let cut = |t: &Tensor, a: usize, n: usize| t.narrow(0, a, n).expect("rows");
        let before = LayerKv::new(cut(&keys, from, window - 1), cut(&vals, from, window - 1));
        let (q, k, v) = (
            cut(&case.q, i, 1),
            cut(&keys, prefix + i, 1),
            cut(&vals, prefix + i, 1),
        );
        let (want, _) = attend::forward(
            &alone,
            &Rows::new([1], window - 1),
            &q,
            &k,
            &v,
            Some(&before),
        )
        .expect("attends");
        for (got, want) in row.iter().zip(&values_of(&want)[0]) {
            assert!((got - want).abs() < 1e-5, "row {i}: {got} not {want}");
        }
    }
}

fn values_of(x: &Tensor) -> Vec<Vec<f32>> {
    x.to_vec2().expect("rows")
}
