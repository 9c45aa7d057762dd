//! Writes a random adapter for a model and prints the last logits with it, as JSON, for
//! `tests/peft_interop.py`.
//!
//! Usage: `cargo run -p lingualign-model --example adapter_roundtrip MODEL_FOLDER
//! ADAPTER_FOLDER > logits.json`

use std::{
    error::Error,
    io::Write,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use hub::ModelFiles;
use model::{Adapter, Decoder, LoraConfig, Projection, Rows};
use schema::task::Precision;

const INPUT_IDS: [u32; 12] = [5, 120, 33, 7, 250, 64, 2, 91, 18, 200, 143, 9];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [model, output] = arguments.as_slice() else {
        return Err("arguments: MODEL_FOLDER ADAPTER_FOLDER".into());
    };
    let files = ModelFiles::Folder {
        dir: model.clone(),
        weights: vec![model.join("model.safetensors")],
    };
    let mut decoder = Decoder::load(&files, Precision::F32, &Device::Cpu)?;
    let adapter = random_adapter(&decoder)?;
    adapter.write(output, &model.to_string_lossy())?;
    let read = Adapter::read(Path::new(output), decoder.config())?;
    decoder.set_adapter(Some(&read))?;
    let hidden = decoder.hidden(&INPUT_IDS, &Rows::new([INPUT_IDS.len()], 0), None)?;
    let last = decoder.select(&hidden, &[INPUT_IDS.len() as u32 - 1])?;
    let logits = decoder.logits(&last)?.flatten_all()?.to_vec1::<f32>()?;
    writeln!(
        std::io::stdout(),
        "{}",
        serde_json::json!({ "input_ids": INPUT_IDS, "logits": logits })
    )?;
    Ok(())
}

/// Rank 5, alpha 8; one place with a rank of its own and one with a scale of its own, so that
/// patterns are written too.
fn random_adapter(decoder: &Decoder) -> Result<Adapter, Box<dyn Error>> {
    let config = LoraConfig {
        rank: 5,
        alpha: 8.0,
        dropout: 0.0,
        targets: Projection::ALL.to_vec(),
        rslora: false,
        dora: false,
    };
    let mut state = 1u64;
    let mut noise = |count: usize| -> Vec<f32> {
        let next = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            0.2 * ((state >> 40) as f32 / 8_388_608.0 - 1.0)
        };
        (0..count).map(next).collect()
    };
    let mut adapter = Adapter::new(config, decoder.config(), |_, count| noise(count))?;
    for (index, weights) in adapter.weights.values_mut().enumerate() {
        let ((_, inner), (out, _)) = (weights.a.dims2()?, weights.b.dims2()?);
        let rank = if index == 1 { 2 } else { 5 };
        weights.a = Tensor::from_vec(noise(rank * inner), (rank, inner), &Device::Cpu)?;
        weights.b = Tensor::from_vec(noise(out * rank), (out, rank), &Device::Cpu)?;
        weights.scale = if index == 2 { 0.7 } else { 8.0 / rank as f64 };
    }
    Ok(adapter)
}
