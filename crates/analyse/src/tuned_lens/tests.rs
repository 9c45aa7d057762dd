//! A planted translator is found, its gradient is that of the loss, states are those of whole
//! prompts. Never here: what stands on disk (`tests/lens`).

use std::path::Path;

use candle_core::{Device, Tensor};
use hub::ModelFiles;
use model::{Decoder, Rows, SampledHead};
use schema::task::Precision;

use super::{
    learner::{Gradient, Learner},
    vocabulary,
};

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

/// Every token, counted once.
fn whole(model: &Decoder) -> SampledHead {
    let vocab = model.config().vocab_size;
    let ids: Vec<u32> = (0..vocab as u32).collect();
    model.sample_head(&ids, &vec![0.0; vocab]).expect("a head")
}

/// About `size` tokens, by the model's shares at the rows `last`.
fn drawn(model: &Decoder, last: &Tensor, size: usize, step: usize) -> SampledHead {
    let mean = model.shares(last).expect("shares").mean().expect("a mean");
    vocabulary::draw(model, &mean, size, 1, step).expect("a head")
}

/// Gradient of W by the tokens of `head`.
fn gradient_of(
    model: &Decoder,
    learner: &Learner,
    (rows, last): (&Tensor, &Tensor),
    head: &SampledHead,
) -> Vec<f32> {
    let shares = model.sampled_shares(last, head).expect("shares");
    let d_rows = learner
        .backward(model, rows, head, &shares)
        .expect("a gradient");
    Gradient::of(rows, &d_rows).expect("a gradient").weight
}

/// Length of a - b over that of b.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let apart = &mut a.iter().zip(b).map(|(a, b)| f64::from(a - b));
    (square(apart) / square(&mut b.iter().map(|&b| f64::from(b)))).sqrt()
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
    let head = whole(&model);
    let shares = model.sampled_shares(&last, &head).expect("shares");
    let d_rows = here
        .backward(&model, &states, &head, &shares)
        .expect("a gradient");
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
    let pair = |seed: u64, count: usize| {
        let states = rows(count, width, seed);
        let last = planted.translate(&states).expect("translates");
        (states, last)
    };
    let mut found = Learner::new(width, &Device::Cpu).expect("a learner");
    let (states, last) = pair(7, 128);
    let raw = loss(&model, &found, &states, &last);
    let (first, its_last) = pair(8, 400);
    found.start(&first, &its_last).expect("starts");
    let started = loss(&model, &found, &states, &last);
    let updates = 1000;
    for at in 0..updates {
        let (states, last) = pair(100 + at as u64, 128);
        let head = drawn(&model, &last, 128, at);
        let shares = model.sampled_shares(&last, &head).expect("shares");
        let d_rows = found
            .backward(&model, &states, &head, &shares)
            .expect("a gradient");
        found
            .update((at, updates), 0, &states, &d_rows)
            .expect("updates");
    }
    let tuned = loss(&model, &found, &states, &last);
    assert!(
        started < raw / 10.0 && tuned < started / 4.0,
        "raw {raw}, started {started}, tuned {tuned}"
    );
    let right = loss(&model, &planted, &states, &last);
    assert!(right.abs() < 1e-6, "the planted one is exact: {right}");
}

#[test]
fn gradients_by_drawn_tokens_are_right_on_the_average() {
    let model = tiny();
    let width = model.config().hidden_size;
    let states = rows(40, width, 1);
    let last = (rows(40, width, 2) * 2.0).expect("scaled");
    let learner = learner(vec![0.0; width * width], vec![0.0; width]);
    let gradient = |head: &SampledHead| gradient_of(&model, &learner, (&states, &last), head);
    let right = gradient(&whole(&model));
    assert!(distance(&gradient(&drawn(&model, &last, 257, 0)), &right) < 1e-5);
    let (mut mean, draws) = (vec![0.0; width * width], 300);
    for step in 0..draws {
        let one = gradient(&drawn(&model, &last, 200, step));
        if step == 0 {
            let off = distance(&one, &right);
            assert!(off > 0.15, "a part of the vocabulary is exact: {off}");
        }
        mean.iter_mut()
            .zip(one)
            .for_each(|(mean, one)| *mean += one / draws as f32);
    }
    let off = distance(&mean, &right);
    assert!(off < 0.08, "{off}");
}

#[test]
fn where_lens_and_model_agree_no_drawn_token_pulls() {
    let model = tiny();
    let width = model.config().hidden_size;
    let states = rows(40, width, 1);
    let learner = learner(vec![0.0; width * width], vec![0.0; width]);
    let away = rows(40, width, 2);
    for step in 0..4 {
        let head = drawn(&model, &states, 64, step);
        let pull = |last| {
            let gradient = gradient_of(&model, &learner, (&states, last), &head);
            gradient.iter().fold(0.0f32, |most, g| most.max(g.abs()))
        };
        let (none, some) = (pull(&states), pull(&away));
        assert!(none < 1e-6 && some > 1e-4, "{none}, {some}");
    }
}

#[test]
fn the_start_finds_a_linear_map() {
    let model = tiny();
    let width = model.config().hidden_size;
    // Rows of one length, mapped by a reversal of their entries, which keeps it; one entry is
    // large, one never changes.
    let values: Vec<Vec<f32>> = noise(400 * width, 1)
        .chunks(width)
        .map(|row| {
            let mut row = row.to_vec();
            row[9] = 0.5;
            let size = (row.iter().map(|v| v * v).sum::<f32>() / width as f32).sqrt();
            row.iter().map(|v| v / size).collect()
        })
        .collect();
    let mut states = values.clone();
    for row in &mut states {
        row[5] *= 70.0;
        row[9] = -3.0;
    }
    let last: Vec<f32> = values
        .iter()
        .flat_map(|row| row.iter().rev().copied())
        .collect();
    let tensor =
        |values: Vec<f32>| Tensor::from_vec(values, (400, width), &Device::Cpu).expect("rows");
    let (states, last) = (tensor(states.concat()), tensor(last));
    let mut learner = Learner::new(width, &Device::Cpu).expect("a learner");
    let raw = loss(&model, &learner, &states, &last);
    learner.start(&states, &last).expect("starts");
    let found = loss(&model, &learner, &states, &last);
    assert!(found < raw / 20.0, "raw {raw}, found {found}");
    // A last state's size is not learnt.
    let said: Vec<f32> = learner
        .translate(&states)
        .and_then(|rows| Ok(rows.flatten_all()?.to_vec1()?))
        .expect("translates");
    let goal: Vec<f32> = last.flatten_all().and_then(|t| t.to_vec1()).expect("rows");
    let scale = said.iter().zip(&goal).map(|(a, b)| a * b).sum::<f32>()
        / said.iter().map(|a| a * a).sum::<f32>();
    let scaled: Vec<f32> = said.iter().map(|v| v * scale).collect();
    let off = distance(&scaled, &goal);
    assert!(off < 0.05, "{off}");
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
