//! Rows of a user's own: every kind of tensor, chosen layers, the file of input.

use std::{fs, ops::RangeInclusive};

use model::{LayerView, Rows, WalkDetail};

use super::*;
use crate::capture::{CapturedTensor, TensorChoice, capture_rows, read_rows};

/// Tensors of a file by name: shape and values.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Tensors of a safetensors file of f32, and its metadata.
fn read(file: &Path) -> (Tensors, BTreeMap<String, String>) {
    let bytes = fs::read(file).expect("reads");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("a header");
    let about = header
        .metadata()
        .iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a file of safetensors");
    let values = |data: &[u8]| {
        data.as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect()
    };
    let found = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, (view.shape().to_vec(), values(view.data()))));
    (found.collect(), about)
}

/// Captures these kinds of these rows at these layers.
fn run(
    model: &Decoder,
    rows: &[Vec<u32>],
    kinds: &[CapturedTensor],
    layers: Option<&[RangeInclusive<usize>]>,
) -> (Tensors, BTreeMap<String, String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rows.safetensors");
    let chosen = TensorChoice::new(kinds, layers, model.config()).expect("chosen");
    capture_rows(model, rows, &chosen, &file, about(), &mut |_, _| true).expect("captures");
    read(&file)
}

/// Rows that begin alike, as those of the golden values do not.
fn some_rows() -> Vec<Vec<u32>> {
    let bytes = |text: &str| text.bytes().map(u32::from).collect::<Vec<u32>>();
    let begun = |text: &str| bytes(&format!("Das Licht am Fluss: {text}"));
    vec![
        begun("hell"),
        begun("hell und warm"),
        begun("D"),
        begun("hell und kalt"),
        begun("hell"),
    ]
}

#[test]
fn hidden_states_final_states_and_logits_are_those_of_transformers() {
    for name in NAMES {
        let golden: Value =
            serde_json::from_slice(&fs::read(golden(name).join("golden.json")).expect("reads"))
                .expect("JSON");
        let golden = golden["rows"].as_array().expect("rows");
        let rows: Vec<Vec<u32>> = golden
            .iter()
            .map(|row| numbers(&row["ids"]).iter().map(|id| *id as u32).collect())
            .collect();
        let (found, about) = run(&load(name), &rows, &CapturedTensor::ALL, None);
        assert_eq!(
            (about["model"].as_str(), about["layers"].as_str()),
            ("tiny", "0,1,2,3")
        );
        let of = |name: &str, row: usize| {
            let (shape, values) = &found[name];
            let length = shape[1..].iter().product::<usize>();
            values[row * length..][..length].to_vec()
        };
        for (at, row) in golden.iter().enumerate() {
            let place = format!("{name}, row {at}");
            for (kind, key) in [
                ("hidden.last", "hidden_last_pos"),
                ("hidden.mean", "hidden_mean_pos"),
            ] {
                // Their last is after the norm.
                assert_near(
                    &of(kind, at)[..3 * 48],
                    &numbers(&row[key])[..3 * 48],
                    ROUNDING,
                    &format!("{kind} of {place}"),
                );
            }
            assert_near(
                &of("final.last", at),
                &numbers(&row["hidden_last_pos"][3]),
                ROUNDING,
                &place,
            );
            assert_near(
                &of("logits.last", at),
                &numbers(&row["logits_last"]),
                ROUNDING,
                &place,
            );
        }
    }
}

#[test]
fn neurons_are_those_of_transformers() {
    let reference = reference();
    let texts = reference["texts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|text| text.as_str().expect("a text"));
    let rows: Vec<Vec<u32>> = texts
        .map(|text| text.bytes().map(u32::from).collect())
        .collect();
    for name in NAMES {
        let (found, _) = run(
            &load(name),
            &rows,
            &[CapturedTensor::MlpLast, CapturedTensor::MlpMean],
            None,
        );
        for kind in ["mlp.last", "mlp.mean"] {
            let (shape, values) = &found[kind];
            assert_eq!(shape, &[3, 3, 80]);
            assert_near(
                values,
                &numbers(&reference["models"][name][kind]),
                ROUNDING,
                &format!("{name}, {kind}"),
            );
        }
    }
}

/// Neurons of one row run alone: (blocks, tokens, F), silu(gate) · up in f64.
fn neurons(model: &Decoder, ids: &[u32]) -> Vec<Vec<Vec<f64>>> {
    let mut found = Vec::new();
    let look = &mut |seen: LayerView<'_>| {
        if let Some((gate, up)) = seen.mlp {
            let (gate, up): (Vec<Vec<f32>>, Vec<Vec<f32>>) = (gate.to_vec2()?, up.to_vec2()?);
            let neuron = |(gate, up): (&f32, &f32)| {
                let (gate, up) = (f64::from(*gate), f64::from(*up));
                gate / (1.0 + (-gate).exp()) * up
            };
            let row =
                |(gate, up): (&Vec<f32>, &Vec<f32>)| gate.iter().zip(up).map(neuron).collect();
            found.push(gate.iter().zip(&up).map(row).collect());
        }
        Ok(None)
    };
    model
        .walk_through(
            ids,
            &Rows::new([ids.len()], 0),
            None,
            WalkDetail::Neurons,
            look,
        )
        .expect("walks");
    found
}

#[test]
fn neurons_of_rows_that_begin_alike_are_those_of_each_alone() {
    for name in NAMES {
        let model = load(name);
        let rows = some_rows();
        let (found, _) = run(
            &model,
            &rows,
            &[CapturedTensor::MlpLast, CapturedTensor::MlpMean],
            None,
        );
        for (at, ids) in rows.iter().enumerate() {
            for (block, tokens) in neurons(&model, ids).iter().enumerate() {
                let of = |kind: &str| &found[kind].1[(at * 3 + block) * 80..][..80];
                let place = format!("{name}, row {at}, block {block}");
                assert_near(of("mlp.last"), &tokens[ids.len() - 1], 1e-5, &place);
                let mean = |neuron: usize| {
                    tokens.iter().map(|token| token[neuron]).sum::<f64>() / ids.len() as f64
                };
                assert_near(
                    of("mlp.mean"),
                    &(0..80).map(mean).collect::<Vec<_>>(),
                    1e-5,
                    &place,
                );
            }
        }
    }
}

#[test]
fn a_row_is_the_same_alone_beside_others_and_whatever_else_is_asked_for() {
    let model = load("tiny_mistral");
    let rows = some_rows();
    let (all, _) = run(&model, &rows, &CapturedTensor::ALL, None);
    assert_eq!(all.keys().map(String::as_str).collect::<Vec<_>>(), {
        let mut names = CapturedTensor::WORDS;
        names.sort_unstable();
        names
    });
    for (at, row) in rows.iter().enumerate() {
        for kind in CapturedTensor::ALL {
            let (alone, _) = run(&model, std::slice::from_ref(row), &[kind], None);
            assert_eq!(alone.len(), 1);
            let (values, expected) = (&alone[kind.name()].1, &all[kind.name()].1);
            assert_eq!(
                bits(values),
                bits(&expected[at * values.len()..][..values.len()]),
                "{} of row {at}",
                kind.name()
            );
        }
    }
}

#[test]
fn chosen_layers_are_those_of_all() {
    let model = load("tiny_llama");
    let rows = some_rows();
    let (all, _) = run(&model, &rows, &CapturedTensor::ALL, None);
    let (some, about) = run(&model, &rows, &CapturedTensor::ALL, Some(&[3..=3, 0..=1]));
    assert_eq!(about["layers"], "0,1,3");
    for (name, chosen, of, width) in [
        ("hidden.last", &[0, 1, 3][..], 4, 48),
        ("hidden.mean", &[0, 1, 3], 4, 48),
        ("mlp.last", &[0, 2], 3, 80), // of blocks 1 and 3
        ("mlp.mean", &[0, 2], 3, 80),
    ] {
        let (shape, values) = &some[name];
        assert_eq!(shape, &[5, chosen.len(), width]);
        for row in 0..5 {
            for (at, layer) in chosen.iter().enumerate() {
                let found = &values[(row * chosen.len() + at) * width..][..width];
                let expected = &all[name].1[(row * of + layer) * width..][..width];
                assert_eq!(
                    bits(found),
                    bits(expected),
                    "{name}, row {row}, layer {layer}"
                );
            }
        }
    }
    assert_eq!(some["final.last"], all["final.last"]);
    assert_eq!(some["logits.last"], all["logits.last"]);
}

#[test]
fn what_a_model_does_not_have_is_refused() {
    let model = load("tiny_llama");
    let refused = |kinds: &[CapturedTensor], layers: &[RangeInclusive<usize>]| {
        TensorChoice::new(kinds, Some(layers), model.config())
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(
        refused(&CapturedTensor::USUAL, &[0..=4]),
        "layer 4: the model has layers 0, the embedding's output, to 3"
    );
    assert_eq!(
        refused(&[CapturedTensor::MlpMean], &[0..=0]),
        "`mlp.mean`: layer 0 has no mlp; name layers from 1 to 3 too"
    );
    assert_eq!(
        refused(&CapturedTensor::USUAL, &[]),
        "capture: no tensors or no layers are asked for"
    );
    assert_eq!(
        refused(&[], &[0..=1]),
        "capture: no tensors or no layers are asked for"
    );
    let chosen = TensorChoice::new(&CapturedTensor::USUAL, None, model.config()).expect("chosen");
    let refused = |rows: &[Vec<u32>]| {
        let result = capture_rows(
            &model,
            rows,
            &chosen,
            Path::new("rows.safetensors"),
            about(),
            &mut |_, _| true,
        );
        result.expect_err("refused").to_string()
    };
    assert_eq!(refused(&[]), "the capture rows.safetensors has no rows");
    assert_eq!(refused(&[vec![1], vec![]]), "row 1: it has no tokens");
}

#[test]
fn rows_are_read_in_order_and_the_first_bad_one_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rows.jsonl");
    let mut loads = 0;
    let mut read = |text: &str| {
        fs::write(&file, text).expect("writes");
        read_rows(&file, 200, &mut || {
            loads += 1;
            Ok(tokenizer())
        })
    };
    assert_eq!(
        read("{\"ids\":[3,199]}\n\n{\"ids\":[0],\"id\":\"a\"}\n").expect("reads"),
        [vec![3, 199], vec![0]]
    );
    let mixed = read("{\"text\":\"ab\"}\n{\"ids\":[5]}\n  \n{\"text\":\"c\"}").expect("reads");
    assert_eq!(mixed, [vec![97, 98], vec![5], vec![99]]);
    for (text, message) in [
        (
            "{\"ids\":[1]}\n\n{\"ids\":[200]}\n{\"ids\":[]}",
            "line 3: token id 200 is not in the model's vocabulary of 200",
        ),
        ("{\"text\":\"a\"}\n{\"text\":\"\"}", "line 2: has no tokens"),
        (
            "{\"text\":\"a\"}\n{\"text\":\"я\"}\n{\"ids\":[999]}",
            "line 2: token id 209 is not in",
        ),
        ("{\"text\":1}", "line 1: `text` is not a text"),
        ("{\"ids\":[1.5]}", "line 1: an id is not a whole number"),
        (
            "{\"ids\":[4294967296]}",
            "line 1: an id is not a whole number",
        ),
        ("[1,2]", "line 1: has neither `text` nor `ids`, or both"),
    ] {
        let refused = read(text).expect_err("refused").to_string();
        assert!(
            refused.contains(&format!("rows.jsonl, {message}")),
            "{refused}"
        );
        assert!(
            refused.ends_with("; a row is {\"text\": \"...\"} or {\"ids\": [1, 2, 3]}"),
            "{refused}"
        );
    }
    assert!(
        read("\n \n")
            .expect_err("refused")
            .to_string()
            .ends_with("rows.jsonl has no rows")
    );
    assert_eq!(
        loads, 3,
        "a tokenizer is made where there are texts, and once"
    );
}
