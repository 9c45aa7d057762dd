//! A planted translator is found, its gradient is that of the loss, states are those of whole
//! prompts. Never here: what stands on disk (`tests/lens`).

use std::path::Path;

use candle_core::{Device, Tensor};
use hub::ModelFiles;
use model::{Decoder, Rows};
use schema::task::Precision;

use super::learner::{Gradient, Learner};

fn tiny() -> Decoder {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny_llama");
    let files = ModelFiles::Folder {
        weights: vec![dir.join("model.safetensors")],
        dir,
    };
    Decoder::load(&files, Precision::F32, &Device::Cpu).expect("loads")
}

/// Values in [-1, 1) that depend on the seed alone.
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn rows(n: usize, width: usize, seed: u64) -> Tensor {
    Tensor::from_vec(noise(n * width, seed), (n, width), &Device::Cpu).expect("rows")
}

/// A learner of these values.
fn learner(weight: Vec<f32>, bias: Vec<f32>) -> Learner {
    let mut learner = Learner::new(bias.len(), &Device::Cpu).expect("a learner");
    learner.set(weight, bias, &Device::Cpu).expect("values");
    learner
}

/// Mean divergence of the learner's lens.
fn loss(model: &Decoder, learner: &Learner, rows: &Tensor, last: &Tensor) -> f64 {
    let shares = model.shares(last).expect("shares");
    let translated = learner.translate(rows).expect("translates");
    let each = model
        .divergence(&translated, &shares, false)
        .expect("a divergence")
        .each;
    each.iter().sum::<f64>() / each.len() as f64
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    let model = tiny();
    let width = model.config().hidden_size;
    let (states, last) = (
        rows(40, width, 1),
        (rows(40, width, 2) * 2.0).expect("scaled"),
    );
    let scaled =
        |values: Vec<f32>, by: f32| values.into_iter().map(|v| v * by).collect::<Vec<f32>>();
    let (weight, bias) = (
        scaled(noise(width * width, 3), 0.1),
        scaled(noise(width, 4), 0.1),
    );
    let here = learner(weight.clone(), bias.clone());
    let shares = model.shares(&last).expect("shares");
    let d_rows = here.backward(&model, &states, &shares).expect("a gradient");
    let gradient = Gradient::of(&states, &d_rows).expect("a gradient");
    for (what, share_of_weight, share_of_bias) in [("W", 1.0, 0.0), ("b", 0.0, 1.0)] {
        let direction = [
            scaled(noise(width * width, 5), share_of_weight),
            scaled(noise(width, 6), share_of_bias),
        ];
        let moved = |step: f32| {
            let add = |values: &[f32], along: &[f32]| {
                values
                    .iter()
                    .zip(along)
                    .map(|(v, d)| v + step * d)
                    .collect()
            };
            loss(
                &model,
                &learner(add(&weight, &direction[0]), add(&bias, &direction[1])),
                &states,
                &last,
            )
        };
        let slope = (moved(4e-3) - moved(-4e-3)) / 8e-3;
        let dot = |a: &[f32], b: &[f32]| {
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum::<f64>()
        };
        let want = dot(&gradient.weight, &direction[0]) + dot(&gradient.bias, &direction[1]);
        assert!(
            want.abs() > 1e-3 && (slope - want).abs() <= 2e-3 * want.abs().max(0.1),
            "{what}: {slope}, not {want}"
        );
    }
}

#[test]
fn a_planted_translator_is_found() {
    let model = tiny();
    let width = model.config().hidden_size;
    let planted: Vec<f32> = noise(width * width, 1)
        .into_iter()
        .map(|v| 0.3 * v)
        .collect();
    let planted = learner(planted, noise(width, 2));
    let pair = |seed: u64| {
        let states = rows(128, width, seed);
        let last = planted.translate(&states).expect("translates");
        (states, last)
    };
    let mut found = Learner::new(width, &Device::Cpu).expect("a learner");
    let (states, last) = pair(7);
    let raw = loss(&model, &found, &states, &last);
    let updates = 2000;
    for at in 0..updates {
        let (states, last) = pair(100 + at as u64);
        let shares = model.shares(&last).expect("shares");
        let d_rows = found
            .backward(&model, &states, &shares)
            .expect("a gradient");
        found
            .update((at, updates), 0, &states, &d_rows)
            .expect("updates");
    }
    let tuned = loss(&model, &found, &states, &last);
    assert!(raw > 0.05 && tuned < raw / 20.0, "raw {raw}, tuned {tuned}");
    let right = loss(&model, &planted, &states, &last);
    assert!(right.abs() < 1e-6, "the planted one is exact: {right}");
}

#[test]
fn a_gradient_is_clipped_by_its_norm_and_refused_where_it_is_not_finite() {
    let gradient = |weight: Vec<f32>, bias: Vec<f32>| Gradient { weight, bias };
    let long = gradient(vec![2.0, 0.0, 0.0, 1.0], vec![2.0, 4.0])
        .clipped()
        .expect("finite");
    assert_eq!(
        (long.weight, long.bias),
        (vec![0.4, 0.0, 0.0, 0.2], vec![0.4, 0.8])
    );
    let short = gradient(vec![0.1; 4], vec![0.2; 2])
        .clipped()
        .expect("finite");
    assert_eq!((short.weight, short.bias), (vec![0.1; 4], vec![0.2; 2]));
    assert!(
        gradient(vec![0.0, f32::NAN, 0.0, 0.0], vec![0.0; 2])
            .clipped()
            .is_none()
    );
    assert!(
        gradient(vec![0.0; 4], vec![f32::INFINITY, 0.0])
            .clipped()
            .is_none()
    );
}

#[test]
fn one_row_alone_and_rows_of_a_model_have_one_divergence() {
    let model = tiny();
    let ids: Vec<u32> = (0..12).map(|i| i * 19 % 257).collect();
    let mut layers = Vec::new();
    let keep = &mut |_, residual: &Tensor| {
        layers.push(residual.clone());
        Ok(())
    };
    model
        .walk(&ids, &Rows::new([ids.len()], 0), None, keep)
        .expect("runs");
    let [first, .., last] = layers.as_slice() else {
        panic!("no layers")
    };
    let shares = model.shares(last).expect("shares");
    let all = model
        .divergence(first, &shares, false)
        .expect("a divergence")
        .each;
    let own = model
        .divergence(last, &shares, false)
        .expect("a divergence")
        .each;
    assert!(
        own.iter().all(|kl| kl.abs() < 1e-6) && all.iter().all(|&kl| kl > 1e-3),
        "{own:?}, {all:?}"
    );
    for (row, kl) in all.iter().enumerate() {
        let alone = |x: &Tensor| x.narrow(0, row, 1).expect("a row");
        let shares = model.shares(&alone(last)).expect("shares");
        let each = model
            .divergence(&alone(first), &shares, false)
            .expect("a divergence")
            .each;
        assert_eq!(each, [*kl], "row {row}");
    }
}
