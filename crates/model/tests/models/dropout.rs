//! Dropout through the whole decoder, and the gradients of an adapter by differences of the
//! loss.

use candle_core::Tensor;
use model::{Adapter, Decoder, Gradients, Rows, ops::lora::Dropout};

use super::{NAMES, Random, ids, load, random_adapter};

/// Small enough for the loss to be straight, large enough for f32.
const STEP: f64 = 3e-4;

/// Rows of three sequences, learnt at some of them.
struct Batch {
    input_ids: Vec<u32>,
    rows: Rows,
    learnt: Vec<u32>,
    targets: Vec<u32>,
}

fn batch() -> Batch {
    let learnt: Vec<u32> = (0..44).filter(|i| i % 3 != 0).collect();
    Batch {
        input_ids: ids(45, 1),
        rows: Rows::new([20, 1, 24], 0),
        targets: ids(learnt.len(), 2),
        learnt,
    }
}

fn loss(model: &mut Decoder, adapter: &Adapter, batch: &Batch, dropout: Option<Dropout>) -> f64 {
    model.set_adapter(Some(adapter)).expect("fits");
    let (hidden, _) = model
        .forward(&batch.input_ids, &batch.rows, dropout)
        .expect("forward");
    model
        .loss(&hidden, &batch.learnt, &batch.targets, false)
        .expect("loss")
        .0
}

fn gradients(
    model: &mut Decoder,
    adapter: &Adapter,
    batch: &Batch,
    dropout: Option<Dropout>,
) -> Gradients {
    model.set_adapter(Some(adapter)).expect("fits");
    let (hidden, saved) = model
        .forward(&batch.input_ids, &batch.rows, dropout)
        .expect("forward");
    let (_, d_hidden) = model
        .loss(&hidden, &batch.learnt, &batch.targets, true)
        .expect("loss");
    let mut gradients = Gradients::default();
    model
        .backward(saved, &d_hidden.expect("asked for"), &mut gradients)
        .expect("backward");
    gradients
}

/// The adapter moved by `step` times a random direction, and the slope that the gradients give
/// along it.
fn moved(adapter: &Adapter, gradients: &Gradients, step: f64, seed: u64) -> (Adapter, f64) {
    let (mut random, mut slope, mut moved) = (Random(seed), 0.0, adapter.clone());
    for (&place, weights) in &mut moved.weights {
        let grads = gradients.get(place).expect("every place has a gradient");
        for (matrix, grad) in [(&mut weights.a, &grads.a), (&mut weights.b, &grads.b)] {
            let way: Vec<f32> = (0..matrix.elem_count()).map(|_| random.uniform()).collect();
            let way = Tensor::from_vec(way, matrix.shape(), matrix.device()).expect("direction");
            let product = (&way * grad)
                .and_then(|p| p.sum_all()?.to_scalar::<f32>())
                .expect("slope");
            slope += f64::from(product);
            *matrix = (&*matrix + (way * step).expect("scaled")).expect("moved");
        }
    }
    (moved, slope)
}

/// Central differences of the f32 loss. A mask that differed between forward and backward would
/// be off by tens of percent.
fn check(name: &str, dropout: Option<Dropout>) {
    let (mut model, batch) = (load(name), batch());
    let adapter = random_adapter(&model, 3, 7.0, 3);
    let gradients = gradients(&mut model, &adapter, &batch, dropout);
    let (mut off, mut all) = (0.0, 0.0);
    for seed in 0..6 {
        let (up, want) = moved(&adapter, &gradients, STEP, seed);
        let (down, _) = moved(&adapter, &gradients, -STEP, seed);
        let slope = (loss(&mut model, &up, &batch, dropout)
            - loss(&mut model, &down, &batch, dropout))
            / (2.0 * STEP);
        off += (slope - want).powi(2);
        all += want.powi(2);
    }
    let share = (off / all).sqrt();
    assert!(
        share < 0.01,
        "{name} {dropout:?}: slopes and gradients differ by {share}"
    );
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for name in NAMES {
        check(name, None);
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss_with_dropout() {
    for name in NAMES {
        check(
            name,
            Some(Dropout {
                share: 0.4,
                seed: 77,
            }),
        );
    }
}

#[test]
fn dropout_falls_on_updates_in_training_alone() {
    let (mut model, batch) = (load("tiny_llama"), batch());
    let adapter = random_adapter(&model, 3, 7.0, 3);
    let dropout = |share, seed| Some(Dropout { share, seed });
    let plain = loss(&mut model, &adapter, &batch, None);
    assert_eq!(loss(&mut model, &adapter, &batch, dropout(0.0, 1)), plain);
    let dropped = loss(&mut model, &adapter, &batch, dropout(0.5, 1));
    assert_ne!(dropped, plain);
    assert_eq!(
        loss(&mut model, &adapter, &batch, dropout(0.5, 1)),
        dropped,
        "the seed decides"
    );
    assert_ne!(loss(&mut model, &adapter, &batch, dropout(0.5, 2)), dropped);
    let hidden = model
        .hidden(&batch.input_ids, &batch.rows, None)
        .expect("runs");
    let evaluated = model
        .loss(&hidden, &batch.learnt, &batch.targets, false)
        .expect("loss")
        .0;
    assert_eq!(evaluated, plain, "evaluation drops nothing");
    model.set_adapter(None).expect("removes");
    let (hidden, _) = model
        .forward(&batch.input_ids, &batch.rows, dropout(0.5, 1))
        .expect("forward");
    let base = model
        .hidden(&batch.input_ids, &batch.rows, None)
        .expect("runs");
    assert_eq!(
        super::bits(&super::values(&hidden)),
        super::bits(&super::values(&base)),
        "no update, nothing dropped"
    );
}

/// With the forward run again the gradients are the same to the last bit, whatever is dropped.
#[test]
fn activation_checkpointing_changes_no_bit_of_a_gradient() {
    for name in NAMES {
        for dropout in [
            None,
            Some(Dropout {
                share: 0.4,
                seed: 77,
            }),
        ] {
            let (mut model, batch) = (load(name), batch());
            let adapter = random_adapter(&model, 3, 7.0, 3);
            let whole = gradients(&mut model, &adapter, &batch, dropout);
            model.set_activation_checkpointing(true);
            let again = gradients(&mut model, &adapter, &batch, dropout);
            let bits = |x: &Tensor| super::bits(&super::values(x));
            for &place in adapter.weights.keys() {
                let (x, y) = (
                    whole.get(place).expect("a gradient"),
                    again.get(place).expect("a gradient"),
                );
                assert!(
                    bits(&x.a).iter().any(|&b| b != 0),
                    "{name} {place}: nothing to compare"
                );
                assert_eq!(
                    (bits(&x.a), bits(&x.b)),
                    (bits(&y.a), bits(&y.b)),
                    "{name} {place} {dropout:?}"
                );
            }
        }
    }
}

/// Packed in one batch or one at a time, the gradients add up to the same.
#[test]
fn packed_gradients_are_the_sum_of_each_alone() {
    let (mut model, all) = (load("tiny_mistral"), batch());
    let adapter = random_adapter(&model, 3, 7.0, 3);
    let together = gradients(&mut model, &adapter, &all, None);
    let mut sum = Gradients::default();
    for s in 0..all.rows.sequences() {
        let range = all.rows.range(s);
        let inside = |i: &&u32| range.contains(&(**i as usize));
        let learnt: Vec<u32> = all
            .learnt
            .iter()
            .filter(inside)
            .map(|i| i - range.start as u32)
            .collect();
        let targets = all
            .learnt
            .iter()
            .zip(&all.targets)
            .filter(|(i, _)| inside(i))
            .map(|(_, &t)| t)
            .collect();
        let input_ids = all.input_ids[range.clone()].to_vec();
        let part = Batch {
            rows: Rows::new([input_ids.len()], 0),
            input_ids,
            learnt,
            targets,
        };
        let (hidden, saved) = model
            .forward(&part.input_ids, &part.rows, None)
            .expect("forward");
        let (_, d_hidden) = model
            .loss(&hidden, &part.learnt, &part.targets, true)
            .expect("loss");
        model
            .backward(saved, &d_hidden.expect("asked for"), &mut sum)
            .expect("backward");
    }
    for &place in adapter.weights.keys() {
        let (a, b) = (
            together.get(place).expect("a gradient"),
            sum.get(place).expect("a gradient"),
        );
        for (x, y) in [(&a.a, &b.a), (&a.b, &b.b)] {
            let norm = |t: &Tensor| {
                t.sqr()
                    .and_then(|t| t.sum_all()?.to_scalar::<f32>())
                    .expect("norm")
                    .sqrt()
            };
            let off = norm(&(x - y).expect("one shape"));
            assert!(
                off <= 1e-5 * norm(x),
                "{place}: off by {off} of {}",
                norm(x)
            );
        }
    }
}
