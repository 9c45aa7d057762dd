//! PEFT adapter folders: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! Written with long-lived keys only, because an older PEFT refuses a configuration with keys
//! that it does not know.

use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Device, Tensor};
use schema::disk::{DiskError, write_whole};
use serde_json::{Map, Value, json};

use super::{
    Adapter, LoraConfig, LoraWeights,
    peft_config::{MERGE, PeftConfig},
    targets,
};
use crate::{
    config::ModelConfig,
    error::{ModelError, Result},
    projection::{LayerProjection, Projection},
    tensor_file,
};

/// The configuration's file name.
pub const CONFIG: &str = "adapter_config.json";
/// The matrices' file name.
pub const WEIGHTS: &str = "adapter_model.safetensors";

impl Adapter {
    /// Writes the folder; the matrices first, so that a folder with a configuration is whole.
    pub fn write(&self, folder: &Path, base_model: &str) -> Result<()> {
        let mut matrices = Vec::new();
        for (place, weights) in &self.weights {
            for (name, matrix) in [("lora_A", &weights.a), ("lora_B", &weights.b)] {
                let values = matrix.flatten_all()?.to_vec1::<f32>()?;
                matrices.push((
                    format!("base_model.model.{place}.{name}.weight"),
                    matrix.dims().to_vec(),
                    values,
                ));
            }
        }
        let tensors: Vec<tensor_file::Named<'_>> = matrices
            .iter()
            .map(|(name, shape, values)| (name.clone(), shape.clone(), values.as_slice()))
            .collect();
        tensor_file::write(
            &folder.join(WEIGHTS),
            &tensors,
            [("format".to_owned(), "pt".to_owned())].into(),
        )?;
        write_whole(&folder.join("README.md"), self.card(base_model).as_bytes())?;
        write_whole(
            &folder.join(CONFIG),
            format!("{:#}\n", self.config_json(base_model)).as_bytes(),
        )?;
        Ok(())
    }

    /// A projection whose rank or alpha differs from the configuration's is written to PEFT's
    /// patterns, so that the folder describes exactly this adapter.
    fn config_json(&self, base_model: &str) -> Value {
        let targets: Vec<_> = self.config.targets.iter().map(|p| p.name()).collect();
        let alpha = self.config.alpha;
        let mut config = json!({
            "base_model_name_or_path": base_model,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "layers_pattern": null,
            "layers_to_transform": null,
            "lora_alpha": if alpha.fract() == 0.0 { json!(alpha as i64) } else { json!(alpha) },
            "lora_dropout": self.config.dropout,
            "modules_to_save": null,
            "peft_type": "LORA",
            "r": self.config.rank,
            "revision": null,
            "target_modules": targets,
            "task_type": "CAUSAL_LM",
        });
        let (ranks, alphas) = self.patterns();
        for (key, pattern) in [("rank_pattern", ranks), ("alpha_pattern", alphas)] {
            if !pattern.is_empty() {
                config[key] = Value::Object(pattern);
            }
        }
        config
    }

    fn patterns(&self) -> (Map<String, Value>, Map<String, Value>) {
        let (mut ranks, mut alphas) = (Map::new(), Map::new());
        for (place, weights) in &self.weights {
            let rank = weights.a.dims().first().copied().unwrap_or(0);
            if rank != self.config.rank {
                ranks.insert(place.weight_name(), json!(rank));
            }
            if weights.scale != self.config.alpha / rank as f64 {
                alphas.insert(place.weight_name(), json!(weights.scale * rank as f64));
            }
        }
        (ranks, alphas)
    }

    fn card(&self, base_model: &str) -> String {
        let targets: Vec<_> = self.config.targets.iter().map(|p| p.name()).collect();
        format!(
            "---\nbase_model: {base_model}\nlibrary_name: peft\n---\n\nLoRA adapter of rank {} (alpha {}) on {}, trained by lingualign on\nquestion translations (arXiv 2405.13816). Load it with PEFT's `PeftModel.from_pretrained`.\n",
            self.config.rank,
            self.config.alpha,
            targets.join(", "),
        )
    }

    /// Reads the folder of an adapter for this model. Kinds of adapter that this decoder does not
    /// compute are refused by their key; matrices that the configuration does not ask for, or that
    /// it misses, by their place.
    pub fn read(folder: &Path, model: &ModelConfig) -> Result<Self> {
        let config = PeftConfig::read(&folder.join(CONFIG))?;
        let rank = config.rank()?;
        let weights_file = folder.join(WEIGHTS);
        if !weights_file.exists() {
            let problem = format!(
                "{WEIGHTS} is missing (the older adapter_model.bin is not read: save it again with a newer PEFT)"
            );
            return Err(ModelError::Adapter {
                file: folder.to_owned(),
                problem,
            });
        }
        let weights = read_matrices(&weights_file, &config)?;
        targets::compare(&config, model, &weights)?;
        let mut projections: Vec<_> = weights.keys().map(|p| p.projection).collect();
        projections.sort();
        projections.dedup();
        let config = LoraConfig {
            rank,
            alpha: config.alpha()?,
            dropout: config.dropout()?,
            targets: projections,
        };
        Ok(Self { config, weights })
    }
}

fn read_matrices(
    file: &Path,
    config: &PeftConfig,
) -> Result<BTreeMap<LayerProjection, LoraWeights>> {
    let refuse = |problem: String| ModelError::Adapter {
        file: file.to_owned(),
        problem,
    };
    let bytes = std::fs::read(file).map_err(DiskError::at("read", file))?;
    let tensors = safetensors::SafeTensors::deserialize(&bytes)
        .map_err(|e| refuse(format!("not a complete safetensors file: {e}")))?;
    let mut halves: BTreeMap<LayerProjection, [Option<Tensor>; 2]> = BTreeMap::new();
    for (name, view) in tensors.tensors() {
        let (place, half) = parse_name(&name).ok_or_else(|| refuse(describe(&name)))?;
        let dtype = match view.dtype() {
            safetensors::Dtype::F32 => DType::F32,
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            other => return Err(refuse(format!("tensor `{name}` is {other:?}"))),
        };
        let matrix = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?
            .to_dtype(DType::F32)?;
        if halves.entry(place).or_default()[half]
            .replace(matrix)
            .is_some()
        {
            return Err(refuse(format!(
                "tensor `{name}` is there twice, under another spelling too"
            )));
        }
    }
    let mut weights = BTreeMap::new();
    for (place, pair) in halves {
        let [Some(a), Some(b)] = pair else {
            return Err(refuse(format!(
                "`{place}` has only one of lora_A and lora_B"
            )));
        };
        let rank = a.dims().first().copied().unwrap_or(0);
        if rank == 0 || b.dims().get(1) != Some(&rank) {
            return Err(refuse(format!(
                "`{place}`: A {:?} and B {:?} do not share a rank",
                a.shape(),
                b.shape()
            )));
        }
        config.check_rank(place, rank)?;
        let scale = config.scale(place, rank)?;
        weights.insert(place, LoraWeights { a, b, scale });
    }
    if weights.is_empty() {
        return Err(refuse("holds no LoRA matrices".into()));
    }
    Ok(weights)
}

/// What a tensor is that is no half of a projection's update.
fn describe(name: &str) -> String {
    let has = |part: &str| name.split('.').any(|p| p == part);
    let what = if has("lora_magnitude_vector") {
        "is DoRA's, which is not supported"
    } else if has("lora_embedding_A") || has("lora_embedding_B") {
        "is an update of the embedding, which is not supported"
    } else if has("lm_head") && (has("lora_A") || has("lora_B")) {
        "is an update of the head, which is not supported"
    } else if has("lm_head") || has("embed_tokens") {
        "is a whole embedding or head, which PEFT saves when its vocabulary has changed or when asked to"
    } else if (has("lora_A") || has("lora_B"))
        && !name.ends_with(".lora_B.bias")
        && !name.ends_with("_A.weight")
        && !name.ends_with("_B.weight")
    {
        return format!(
            "tensor `{name}` has the adapter's name in it: it was not written by PEFT's save_pretrained, and PEFT itself would not load it; load it as it was made and save it with save_pretrained"
        );
    } else if name.ends_with(".bias") {
        "is a trained bias, which is not supported"
    } else {
        return format!("tensor `{name}` does not belong to a projection of the decoder");
    };
    format!("tensor `{name}` {what}; {MERGE}")
}

/// `base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight`
fn parse_name(name: &str) -> Option<(LayerProjection, usize)> {
    let rest = name.strip_prefix("base_model.model.model.layers.")?;
    let parts: Vec<_> = rest.split('.').collect();
    let [layer, module, projection, half, "weight"] = parts[..] else {
        return None;
    };
    let projection = Projection::by_name(projection).filter(|p| p.module() == module)?;
    let half = ["lora_A", "lora_B"].iter().position(|h| *h == half)?;
    Some((
        LayerProjection {
            layer: layer.parse().ok()?,
            projection,
        },
        half,
    ))
}
