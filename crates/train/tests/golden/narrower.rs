//! Weights in fewer bits give what those in f32 do but for rounding, with every set of kernels.

use candle_core::Tensor;
use model::{Adapter, InstructionSet, Rows};
use schema::task::Precision;
use train::step;

use super::{Golden, with_every_set};

fn norm(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|&v| f64::from(v).powi(2))
        .sum::<f64>()
        .sqrt()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor
        .flatten_all()
        .and_then(|t| t.to_vec1())
        .expect("values")
}

/// Distance relative to `want`.
fn distance(got: &[f32], want: &[f32]) -> f64 {
    let off: Vec<f32> = got.iter().zip(want).map(|(g, w)| g - w).collect();
    norm(&off) / norm(want)
}

/// Logits of all rows, mean loss, and every gradient one after another.
fn everything(golden: &Golden, precision: Precision) -> (Vec<f32>, f64, Vec<f32>) {
    let mut model = golden.model_in(precision);
    let adapter = Adapter::read(&golden.dir.join("adapter"), model.config()).expect("adapter");
    model.set_adapter(Some(&adapter)).expect("fits");
    let ids = golden.ids();
    let hidden = model
        .hidden(&ids.concat(), &Rows::new(ids.iter().map(Vec::len), 0), None)
        .expect("runs");
    let examples = golden.examples();
    let (loss, gradients) =
        step::loss_and_gradients(&model, &examples.iter().collect::<Vec<_>>(), 1000, None)
            .expect("steps");
    let all = adapter.weights.keys().flat_map(|&place| {
        let got = gradients.get(place).expect("a gradient");
        [flat(&got.a), flat(&got.b)].concat()
    });
    (
        flat(&model.logits(&hidden).expect("logits")),
        loss.mean(),
        all.collect(),
    )
}

/// Weights in 16 bits give what those in f32 do but for rounding, those in 4 bits (a random
/// model suffers more from them than a trained one) are no nonsense, in every set of kernels;
/// and a set differs from another by rounding alone: f32 sums in another order, or rows in bf16
/// where dot instructions want them so.
#[test]
fn narrower_weights_are_near_in_every_set() {
    for name in ["tiny_llama", "tiny_mistral", "tiny_qwen2"] {
        let golden = Golden::open(name);
        let want = everything(&golden, Precision::F32);
        let bounds = [
            (Precision::Bf16, 0.03, 0.1),
            (Precision::Packed, 1e-5, 1e-5),
            (Precision::Nf4, 0.8, 1.6),
        ];
        for (precision, most, most_gradients) in bounds {
            let mut first: Option<(Vec<f32>, f64, Vec<f32>)> = None;
            let runs = std::cell::RefCell::new(Vec::new());
            with_every_set(|set| {
                runs.borrow_mut()
                    .push((set, everything(&golden, precision)))
            });
            for (set, got) in runs.into_inner() {
                let (logits, gradients) = (distance(&got.0, &want.0), distance(&got.2, &want.2));
                println!(
                    "{name} {precision} {set}: logits {logits:.1e}, gradients {gradients:.1e}"
                );
                assert!(
                    logits <= most && gradients <= most_gradients,
                    "{name} {precision} {set}: {logits} {gradients}"
                );
                if precision != Precision::Packed {
                    assert!(
                        logits > 1e-4,
                        "{name} {precision} {set}: nothing was rounded"
                    );
                }
                if let Some(first) = &first {
                    let apart = if set == InstructionSet::Avx512Bf16 {
                        0.02
                    } else {
                        1e-4
                    };
                    assert!(
                        distance(&got.0, &first.0) <= apart,
                        "{name} {precision} {set}: another set's logits"
                    );
                    assert!(
                        (got.1 - first.1).abs() <= apart * first.1,
                        "{name} {precision} {set}: loss"
                    );
                } else {
                    first = Some(got);
                }
            }
        }
    }
}
