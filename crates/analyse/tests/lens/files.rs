//! Broken files of translators are refused by the name of the tensor.

use std::fs;

use analyse::{lens, tuned_lens::TunedLens};
use candle_core::Device;
use safetensors::{Dtype, tensor::TensorView};
use schema::Language;

use super::{Bench, LAYERS, WIDTH};

/// Name, dtype, shape and bytes.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

fn floats(name: &str, shape: &[usize], value: f32) -> Stored {
    let bytes = value.to_le_bytes().repeat(shape.iter().product());
    (name.to_owned(), Dtype::F32, shape.to_vec(), bytes)
}

fn sound() -> Vec<Stored> {
    let layer = |layer: usize| {
        [
            floats(&format!("layer.{layer}.weight"), &[4, 4], 0.5),
            floats(&format!("layer.{layer}.bias"), &[4], 0.25),
        ]
    };
    (0..LAYERS).flat_map(layer).collect()
}

fn bytes(tensors: &[Stored]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (
            name,
            TensorView::new(*dtype, shape.clone(), bytes).expect("a view"),
        )
    });
    safetensors::serialize(views, None).expect("serialises")
}

/// The error of opening a file of these bytes.
fn refused(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lens.safetensors");
    fs::write(&file, bytes).expect("writes");
    let Err(error) = TunedLens::open(&file, &Device::Cpu) else {
        panic!("was not refused")
    };
    let error = error.to_string();
    let (path, problem) = error.split_once(": ").expect("a path and a problem");
    assert_eq!(path, file.display().to_string());
    problem.to_owned()
}

/// The error after one change to sound tensors.
fn changed(change: impl FnOnce(&mut Vec<Stored>)) -> String {
    let mut tensors = sound();
    change(&mut tensors);
    refused(&bytes(&tensors))
}

#[test]
fn tensors_are_all_there_and_no_others() {
    let missing = |name: &str| format!("tensor `{name}` is missing; train it again");
    assert_eq!(
        changed(|tensors| drop(tensors.remove(3))),
        missing("layer.1.bias")
    );
    assert_eq!(
        changed(|tensors| drop(tensors.remove(0))),
        missing("layer.0.weight")
    );
    assert_eq!(
        changed(|tensors| drop(tensors.drain(..2))),
        missing("layer.0.weight")
    );
    assert_eq!(
        changed(|tensors| tensors.push(floats("layer.9.bias", &[4], 0.0))),
        missing("layer.2.weight")
    );
    let endless = format!("layer.{}.weight", usize::MAX);
    assert_eq!(
        changed(|tensors| tensors.push(floats(&endless, &[4, 4], 0.0))),
        missing("layer.2.weight")
    );
    for other in [
        "layer.1.scale",
        "layer.x.bias",
        "layer.01.bias",
        "lm_head.weight",
    ] {
        let error = changed(|tensors| tensors.push(floats(other, &[4], 0.0)));
        assert_eq!(
            error,
            format!("tensor `{other}` is not part of a tuned lens; remove it")
        );
    }
    assert_eq!(changed(Vec::clear), "it has no layers; train it again");
}

#[test]
fn shapes_dtypes_and_values_are_checked() {
    let shape = changed(|tensors| tensors[2] = floats("layer.1.weight", &[4, 3], 0.0));
    assert_eq!(
        shape,
        "tensor `layer.1.weight` is F32 [4, 3], not F32 [4, 4]; train it again"
    );
    let shape = changed(|tensors| tensors[1] = floats("layer.0.bias", &[3], 0.0));
    assert_eq!(
        shape,
        "tensor `layer.0.weight` is F32 [4, 4], not F32 [3, 3]; train it again"
    );
    let shape = changed(|tensors| tensors[1] = floats("layer.0.bias", &[], 0.0));
    assert_eq!(
        shape,
        "tensor `layer.0.bias` has shape [], not one size; train it again"
    );
    let dtype = changed(|tensors| {
        tensors[3] = ("layer.1.bias".to_owned(), Dtype::F16, vec![4], vec![0; 8])
    });
    assert_eq!(
        dtype,
        "tensor `layer.1.bias` is F16 [4], not F32 [4]; train it again"
    );
    let value = changed(|tensors| tensors[2].3[20..24].copy_from_slice(&f32::NAN.to_le_bytes()));
    assert_eq!(
        value,
        "tensor `layer.1.weight`: value 5 is NaN; train it again"
    );
    let value =
        changed(|tensors| tensors[1].3[4..8].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes()));
    assert_eq!(
        value,
        "tensor `layer.0.bias`: value 1 is -inf; train it again"
    );
}

#[test]
fn parts_of_files_are_refused() {
    let whole = bytes(&sound());
    for length in [0, 7, 20, whole.len() / 2, whole.len() - 1] {
        assert!(
            refused(&whole[..length]).starts_with("not a complete safetensors file ("),
            "{length} bytes"
        );
    }
    assert!(
        refused(&[whole.clone(), vec![0]].concat())
            .starts_with("not a complete safetensors file (")
    );
    assert!(
        refused(b"{\"json\": \"but no tensors\"}").starts_with("not a complete safetensors file (")
    );
    let absent = TunedLens::open(std::path::Path::new("no such/file"), &Device::Cpu)
        .err()
        .expect("is not there");
    assert!(
        absent.to_string().starts_with("cannot read no such/file"),
        "{absent}"
    );
}

#[test]
fn a_lens_of_another_model_is_refused() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lens.safetensors");
    fs::write(&file, bytes(&sound())).expect("writes");
    let other = TunedLens::open(&file, &Device::Cpu).expect("sound");
    assert_eq!(
        (other.layers(), other.width(), other.about.len()),
        (LAYERS, 4, 0)
    );
    let (prompts, labels) = (bench.numbered(Language::Ru, 2), bench.labels(Language::Ru));
    let error = lens::read(
        &bench.model,
        &prompts,
        &labels,
        Some(&other),
        100,
        &mut |_| true,
    )
    .expect_err("is narrower");
    let expected =
        "the tuned lens: 2 layers of width 4, the model has 2 of 32; train it for the model";
    assert_eq!(error.to_string(), expected);
    let zeros = |layers: usize| vec![(vec![0.0; WIDTH * WIDTH], vec![0.0; WIDTH]); layers];
    let deeper = bench.translators(&zeros(LAYERS + 1));
    assert!(
        lens::read(
            &bench.model,
            &prompts,
            &labels,
            Some(&deeper),
            100,
            &mut |_| true
        )
        .is_err()
    );
    let rows = candle_core::Tensor::zeros((1, WIDTH), candle_core::DType::F32, &Device::Cpu)
        .expect("rows");
    let error = bench
        .translators(&zeros(LAYERS))
        .translate(LAYERS, &rows)
        .expect_err("needs none");
    assert_eq!(
        error.to_string(),
        "layer 2: the tuned lens has layers 0 to 1"
    );
}
