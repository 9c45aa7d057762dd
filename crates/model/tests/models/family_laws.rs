//! Laws of every family's tiny model: a row's bits are the same alone, after a prefix, in a forest
//! and in any batch; checkpointing changes no bit of a gradient; neurons can be seen and switched
//! off; the head over a part of the vocabulary is the head. Never here: comparison with
//! transformers (crate `train`).

use candle_core::Tensor;
use model::{
    Decoder, Gradients, LayerView, Parent, Rows, WalkDetail, config::properties::MlpActivation,
    generate, ops::lora::Dropout,
};
use schema::task::Precision;

use super::{
    bits, distance, families, folder,
    folder::{self as files, read_weights},
    ids, logits, random_adapter, try_load, values, whole,
};

fn load(name: &str, precision: Precision) -> Decoder {
    let made = tempfile::tempdir().expect("a folder");
    families::write(name, made.path());
    try_load(&folder(made.path()), precision).expect("loads")
}

/// All of them.
fn models() -> impl Iterator<Item = (String, Decoder)> {
    families::names().into_iter().map(|name| {
        let model = load(&name, Precision::F32);
        (name, model)
    })
}

/// Prefixes about the window of 16 and the blocks of 64 positions, and past a stretch of 256.
#[test]
fn a_prefix_and_what_follows_are_the_whole() {
    for (name, model) in models() {
        let input_ids = ids(300, 1);
        let all = whole(&model, &input_ids);
        let least = model.config().rope.short_context().unwrap_or(0);
        for prefix in [1, 16, 17, 63, 65, 130, 257]
            .into_iter()
            .filter(|p| *p > least)
        {
            let (cache, hidden) = model.prefill(&input_ids[..prefix], None).expect("prefills");
            let got = values(&model.logits(&hidden).expect("logits"));
            assert_eq!(bits(&got), bits(&all[..prefix]), "{name}, prefix {prefix}");
            let rows = Rows::new([300 - prefix], prefix);
            let got = logits(&model, &input_ids[prefix..], &rows, Some(&cache));
            assert_eq!(bits(&got), bits(&all[prefix..]), "{name} after {prefix}");
            let last = model
                .hidden_at(
                    &input_ids[prefix..],
                    &rows,
                    Some(&cache),
                    &[299 - prefix as u32],
                )
                .expect("runs");
            let got = values(&model.logits(&last).expect("logits"));
            assert_eq!(bits(&got), bits(&all[299..]), "{name}, the last row alone");
        }
    }
}

#[test]
fn a_row_is_the_same_in_a_forest_and_in_any_batch() {
    for (name, model) in models() {
        let texts = [ids(70, 2), ids(80, 3), ids(90, 4)];
        let mut rows = Rows::new([70, 80], 0);
        let parent = Parent {
            sequence: 0,
            rows: 66,
        };
        rows.branch(parent, 90).expect("fits");
        let run = || logits(&model, &texts.concat(), &rows, None);
        let together = run();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
        let on_three = pool.build().expect("a pool").install(run);
        assert_eq!(bits(&on_three), bits(&together), "{name} on three threads");
        for (sequence, text) in [
            (0, texts[0].clone()),
            (1, texts[1].clone()),
            (2, [&texts[0][..66], &texts[2]].concat()),
        ] {
            let alone = whole(&model, &text);
            let own = rows.range(sequence);
            assert_eq!(
                bits(&alone[text.len() - own.len()..]),
                bits(&together[own]),
                "{name}, sequence {sequence}"
            );
        }
    }
}

/// Texts that reach the window of 16 and the blocks of 64 positions while they are continued.
#[test]
fn texts_side_by_side_go_on_as_each_alone() {
    for (name, model) in models() {
        let most = model.config().rope.short_context().unwrap_or(usize::MAX);
        let texts: Vec<Vec<u32>> = [(14, 3), (60, 5), (1, 9), (130, 7)]
            .into_iter()
            .filter(|(length, _)| length + 5 < most)
            .map(|(length, seed)| ids(length, seed))
            .collect();
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let made = generate::greedy_each(&model, &texts, 5, &mut |_, _| false).expect("generates");
        for (text, made) in texts.into_iter().zip(made) {
            let all = [text, &made].concat();
            let logits = whole(&model, &all);
            for (token, row) in made.iter().zip(&logits[text.len() - 1..]) {
                let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
                assert_eq!(best, Some(*token as usize), "{name} after {}", text.len());
            }
        }
    }
}

#[test]
fn bf16_is_near_f32() {
    for (name, exact) in models() {
        let input_ids = ids(50, 7);
        let want = whole(&exact, &input_ids).concat();
        let got = whole(&load(&name, Precision::Bf16), &input_ids).concat();
        let norm = |values: &mut dyn Iterator<Item = f32>| -> f64 {
            values.map(|v| f64::from(v * v)).sum::<f64>().sqrt()
        };
        let off = norm(&mut got.iter().zip(&want).map(|(a, b)| a - b));
        let share = off / norm(&mut want.iter().copied());
        assert!((1e-5..6e-2).contains(&share), "{name}: {share}");
    }
}

/// Beginnings that a short text and a long one share have the angles of one of them.
#[test]
fn longrope_refuses_a_beginning_of_both_lengths() {
    let model = load("phi3_long", Precision::F32);
    let input_ids = ids(100, 5);
    let (cache, _) = model.prefill(&input_ids[..20], None).expect("prefills");
    let short = model.hidden(&input_ids[20..64], &Rows::new([44], 20), Some(&cache));
    assert!(short.is_ok(), "64 tokens are a short text");
    let long = model.hidden(&input_ids[20..], &Rows::new([80], 20), Some(&cache));
    let message = long.expect_err("refused").to_string();
    let want = "a text of 100 tokens shares its beginning";
    assert!(
        message.contains(want) && message.contains("use texts of at most 64 tokens"),
        "{message}"
    );
}

/// Gradients of every matrix, one after another.
fn gradients(model: &Decoder, dropout: Option<Dropout>) -> Vec<f32> {
    let input_ids = ids(90, 6);
    let rows = Rows::new([60, 30], 0);
    let (hidden, saved) = model.forward(&input_ids, &rows, dropout).expect("forward");
    let learnt: Vec<u32> = (20..59).chain(70..89).collect();
    let targets: Vec<u32> = learnt
        .iter()
        .map(|&at| input_ids[at as usize + 1])
        .collect();
    let (_, d_hidden) = model.loss(&hidden, &learnt, &targets, true).expect("loss");
    let mut gradients = Gradients::default();
    model
        .backward(saved, &d_hidden.expect("asked for"), &mut gradients)
        .expect("backward");
    let places = random_adapter(model, 3, 7.0, 8).weights.into_keys();
    let matrices = places.flat_map(|place| {
        let got = gradients.get(place).expect("a gradient");
        [got.a.clone(), got.b.clone()]
    });
    matrices
        .flat_map(|m: Tensor| {
            m.flatten_all()
                .and_then(|m| m.to_vec1::<f32>())
                .expect("values")
        })
        .collect()
}

#[test]
fn checkpointing_changes_no_bit_of_a_gradient() {
    for (name, mut model) in models() {
        let adapter = random_adapter(&model, 3, 7.0, 8);
        model.set_adapter(Some(&adapter)).expect("fits");
        let dropout = Dropout {
            share: 0.3,
            seed: 4,
        };
        for dropout in [None, Some(dropout)] {
            model.set_activation_checkpointing(false);
            let kept = gradients(&model, dropout);
            model.set_activation_checkpointing(true);
            let again = gradients(&model, dropout);
            assert_eq!(bits(&[kept]), bits(&[again]), "{name}, {dropout:?}");
        }
    }
}

#[test]
fn neurons_are_shown_and_can_be_switched_off() {
    for (name, model) in models() {
        let (input_ids, rows) = (ids(9, 7), Rows::new([9], 0));
        let mut shown = Vec::new();
        let look = &mut |seen: LayerView<'_>| {
            shown.push(seen.neurons()?);
            Ok(None)
        };
        let plain = model
            .walk_through(&input_ids, &rows, None, WalkDetail::Neurons, look)
            .expect("walks");
        let width = model.config().intermediate_size;
        assert!(shown[0].is_none(), "{name}: the embedding has none");
        for neurons in &shown[1..] {
            let neurons = neurons.as_ref().expect("shown");
            assert_eq!(neurons.dims(), [9, width], "{name}");
        }
        let off = |neurons: &[(usize, u32)]| {
            let silenced = model.silence(neurons).expect("silences");
            values(&silenced.hidden(&input_ids, &rows, None).expect("runs"))
        };
        assert_eq!(bits(&off(&[])), bits(&values(&plain)), "{name}");
        let one = distance(&off(&[(4, 3)]), &values(&plain));
        assert!(one > 1e-4, "{name}: a neuron says something: {one}");
    }
}

/// The values of an mlp without a gate, from the parameters in the file.
#[test]
fn xielu_is_that_of_its_parameters() {
    let made = tempfile::tempdir().expect("a folder");
    families::write("apertus", made.path());
    let model = try_load(&folder(made.path()), Precision::F32).expect("loads");
    assert_eq!(model.config().activation, MlpActivation::Xielu);
    let weights = read_weights(&made.path().join("model.safetensors"));
    let parameter = |name: &str| {
        let value = weights[&format!("model.layers.2.mlp.act_fn.{name}")].values[0];
        f64::from(value).exp().ln_1p()
    };
    let (positive, negative) = (parameter("alpha_p"), 0.5 + parameter("alpha_n"));
    let mut compared = 0;
    let look = &mut |seen: LayerView<'_>| {
        if seen.layer == model::Layer::After(3) {
            let up = seen.mlp.expect("shown").1.to_vec2::<f32>()?.concat();
            let neurons = seen.neurons()?.expect("shown").to_vec2::<f32>()?.concat();
            for (x, y) in up.into_iter().zip(neurons) {
                let x = f64::from(x);
                let want = match x > 0.0 {
                    true => positive * x * x + 0.5 * x,
                    false => negative * (x.exp_m1() - x) + 0.5 * x,
                };
                assert!((f64::from(y) - want).abs() < 1e-5 * want.abs().max(1.0));
                compared += 1;
            }
        }
        Ok(None)
    };
    let (input_ids, rows) = (ids(9, 7), Rows::new([9], 0));
    model
        .walk_through(&input_ids, &rows, None, WalkDetail::Neurons, look)
        .expect("walks");
    assert_eq!(compared, 9 * 80);
}

/// All tokens drawn, each counting once, are the head; with caps and multipliers too.
#[test]
fn the_head_over_every_token_is_the_head() {
    for name in ["gemma2", "granite", "cohere2", "qwen3"] {
        let model = load(name, Precision::F32);
        let all: Vec<u32> = (0..257).collect();
        let head = model.sample_head(&all, &[0.0; 257]).expect("a head");
        let run = |seed| {
            let rows = Rows::new([20], 0);
            model.hidden(&ids(20, seed), &rows, None).expect("runs")
        };
        let (own, other) = (run(8), run(9));
        let want = model.shares(&own).expect("shares");
        let drawn = model.sampled_shares(&own, &head).expect("shares");
        let of_all = model.divergence(&other, &want, true).expect("a divergence");
        let of_drawn = model
            .sampled_divergence(&other, &head, &drawn)
            .expect("a divergence");
        for (a, b) in of_all.each.iter().zip(&of_drawn.each) {
            assert!((a - b).abs() <= 1e-4 * a.abs().max(1.0), "{name}: {a}, {b}");
        }
        let gradient = |found: &model::ops::divergence::Divergence| {
            values(found.d_hidden.as_ref().expect("asked for"))
        };
        let (a, b) = (gradient(&of_all), gradient(&of_drawn));
        let largest = a.iter().flatten().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(distance(&a, &b) <= 1e-4 * largest, "{name}");
    }
}

/// Where a file holds the parameters alone, as older ones do.
#[test]
fn constants_of_the_activation_may_be_missing() {
    let made = tempfile::tempdir().expect("a folder");
    families::write("apertus", made.path());
    let file = made.path().join("model.safetensors");
    let whole_model = try_load(&folder(made.path()), Precision::F32).expect("loads");
    let mut weights = read_weights(&file);
    weights.retain(|name, _| !name.ends_with(".beta") && !name.ends_with(".eps"));
    let bytes = files::serialize(&weights, safetensors::Dtype::F32);
    std::fs::write(&file, bytes).expect("writes");
    let without = try_load(&folder(made.path()), Precision::F32).expect("loads");
    let input_ids = ids(12, 1);
    assert_eq!(
        bits(&whole(&without, &input_ids)),
        bits(&whole(&whole_model, &input_ids))
    );
}
