//! Walks that look at neurons, put other vectors in their place, and neurons that are switched
//! off.

use candle_core::Tensor;
use model::{
    Decoder, Layer, LayerView, Rows, WalkDetail,
    ops::glu::{self, GateActivation},
};

use super::{NAMES, bits, ids, load, values};

/// Residual streams of a run of its own, one a layer.
fn streams(model: &Decoder, input_ids: &[u32]) -> Vec<Tensor> {
    let mut found = Vec::new();
    let keep = &mut |_, x: &Tensor| {
        found.push(x.clone());
        Ok(())
    };
    model
        .walk(input_ids, &Rows::new([input_ids.len()], 0), None, keep)
        .expect("walks");
    found
}

#[test]
fn what_is_put_in_place_of_a_layer_goes_on() {
    for name in NAMES {
        let model = load(name);
        let (first, second) = (ids(7, 3), ids(7, 4));
        let (ours, theirs) = (streams(&model, &first), streams(&model, &second));
        for at in 0..=3 {
            let layer = if at == 0 {
                Layer::Embedding
            } else {
                Layer::After(at)
            };
            let patch =
                &mut |seen: LayerView<'_>| Ok((seen.layer == layer).then(|| theirs[at].clone()));
            let rows = Rows::new([7], 0);
            let last = model
                .walk_through(&first, &rows, None, WalkDetail::Residual, patch)
                .expect("walks");
            assert_eq!(
                bits(&values(&last)),
                bits(&values(&theirs[3])),
                "{name}: all rows replaced after {layer:?}"
            );
            assert_ne!(bits(&values(&last)), bits(&values(&ours[3])), "{name}");
        }
        let narrow = &mut |_: LayerView<'_>| Ok(Some(ours[0].narrow(0, 0, 1)?));
        let refused = model.walk_through(
            &first,
            &Rows::new([7], 0),
            None,
            WalkDetail::Residual,
            narrow,
        );
        let message = refused.expect_err("refused").to_string();
        assert!(
            message.starts_with("decoder: Embedding: [1, 48] cannot replace [7, 48]"),
            "{message}"
        );
    }
}

#[test]
fn a_prefill_shows_the_same_as_a_walk() {
    let model = load("tiny_qwen2");
    let input_ids = ids(12, 5);
    let expected = streams(&model, &input_ids);
    let mut at = 0;
    let check = &mut |seen: LayerView<'_>| {
        assert_eq!(bits(&values(seen.residual)), bits(&values(&expected[at])));
        at += 1;
        Ok(None)
    };
    model
        .prefill_through(&input_ids, None, WalkDetail::Residual, check)
        .expect("prefills");
    assert_eq!(at, 4);
}

/// Every neuron's gate, up projection and share in the block's output can be told from what is
/// shown.
#[test]
fn neurons_are_shown_and_can_be_switched_off() {
    for name in NAMES {
        let model = load(name);
        let input_ids = ids(6, 6);
        let rows = Rows::new([6], 0);
        let mut shown = Vec::new();
        let look = &mut |seen: LayerView<'_>| {
            let neurons = seen
                .mlp
                .map(|(gate, up)| glu::forward(GateActivation::Silu, gate, up))
                .transpose()?;
            shown.push((seen.residual.clone(), neurons));
            Ok(None)
        };
        let whole = model
            .walk_through(&input_ids, &rows, None, WalkDetail::Neurons, look)
            .expect("walks");
        assert!(shown[0].1.is_none() && shown[1..].iter().all(|(_, neurons)| neurons.is_some()));
        let width = model.config().intermediate_size as u32;
        let dead: Vec<(usize, u32)> = (0..width).map(|index| (3, index)).collect();
        let silenced = model.silence(&dead).expect("silences");
        let off = silenced.hidden(&input_ids, &rows, None).expect("runs");
        assert_ne!(bits(&values(&off)), bits(&values(&whole)));
        // With one neuron back on, the stream moves along that neuron's column of down_proj by
        // its activation.
        let silenced = model.silence(&dead[1..]).expect("silences");
        let one: Vec<f32> = values(
            &(silenced.hidden(&input_ids, &rows, None).expect("runs") - &off).expect("subtracts"),
        )
        .concat();
        let activation = shown[3]
            .1
            .as_ref()
            .expect("shown")
            .narrow(1, 0, 1)
            .expect("a column");
        let activation = activation
            .flatten_all()
            .and_then(|a| a.to_vec1::<f32>())
            .expect("numbers");
        let e = one.len() / 6;
        for row in 1..6 {
            for column in 0..e {
                let (a, b) = (
                    one[column] * activation[row],
                    one[row * e + column] * activation[0],
                );
                assert!((a - b).abs() < 1e-5, "{name}: row {row} moves by {a}, {b}");
            }
        }
        assert!(
            one.iter().any(|moved| moved.abs() > 1e-4),
            "{name}: the neuron says something"
        );
        let silenced = model.silence(&[]).expect("nothing to silence");
        assert_eq!(
            bits(&values(
                &silenced.hidden(&input_ids, &rows, None).expect("runs")
            )),
            bits(&values(&whole))
        );
        for (layer, index) in [(0, 0), (4, 0), (1, width)] {
            let message = model
                .silence(&[(layer, index)])
                .err()
                .expect("refused")
                .to_string();
            assert!(
                message.contains(&format!(
                    "neuron {index} of block {layer}: there are {width}"
                )),
                "{message}"
            );
        }
    }
}
