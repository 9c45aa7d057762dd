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
/// End of the names of DoRA's magnitudes; PEFT adds `.weight` in memory, and takes it off in files.
const MAGNITUDE: &str = "lora_magnitude_vector";
/// The matrices' file name.
pub const WEIGHTS: &str = "adapter_model.safetensors";

impl Adapter {
    /// Writes the folder; the matrices first, so that a folder with a configuration is whole.
    pub fn write(&self, folder: &Path, base_model: &str) -> Result<()> {
        let mut matrices = Vec::new();
        for (place, weights) in &self.weights {
            let magnitude = weights.magnitude.as_ref().map(|m| (MAGNITUDE, m));
            let factors = [("lora_A.weight", &weights.a), ("lora_B.weight", &weights.b)];
            for (name, tensor) in factors.into_iter().chain(magnitude) {
                let values = tensor.flatten_all()?.to_vec1::<f32>()?;
                matrices.push((
                    format!("base_model.model.{place}.{name}"),
                    tensor.dims().to_vec(),
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
        // Keys that an older PEFT does not know are there only where they say something.
        for (key, is_on) in [
            ("use_rslora", self.config.rslora),
            ("use_dora", self.config.dora),
        ] {
            if is_on {
                config[key] = true.into();
            }
        }
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
            if weights.scale != self.config.scale(rank) {
                let one = self.config.scale(rank) / self.config.alpha;
                alphas.insert(place.weight_name(), json!(weights.scale / one));
            }
        }
        (ranks, alphas)
    }

    fn card(&self, base_model: &str) -> String {
        let targets: Vec<_> = self.config.targets.iter().map(|p| p.name()).collect();
        let kind = match (self.config.rslora, self.config.dora) {
            (false, false) => "LoRA",
            (true, false) => "rsLoRA",
            (false, true) => "DoRA",
            (true, true) => "DoRA (rank-stabilised)",
        };
        format!(
            "---\nbase_model: {base_model}\nlibrary_name: peft\n---\n\n{kind} adapter of rank {} (alpha {}) on {}, trained by lingualign on\nquestion translations (arXiv 2405.13816). Load it with PEFT's `PeftModel.from_pretrained`.\n",
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
            rslora: config.switch("use_rslora")?,
            dora: config.switch("use_dora")?,
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
    let mut parts: BTreeMap<LayerProjection, [Option<Tensor>; 3]> = BTreeMap::new();
    for (name, view) in tensors.tensors() {
        let (place, part) = parse_name(&name).ok_or_else(|| refuse(describe(&name)))?;
        let dtype = match view.dtype() {
            safetensors::Dtype::F32 => DType::F32,
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            other => return Err(refuse(format!("tensor `{name}` is {other:?}"))),
        };
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?
            .to_dtype(DType::F32)?;
        if parts.entry(place).or_default()[part]
            .replace(tensor)
            .is_some()
        {
            return Err(refuse(format!(
                "tensor `{name}` is there twice, under another spelling too"
            )));
        }
    }
    let mut weights = BTreeMap::new();
    for (place, parts) in parts {
        weights.insert(place, join_parts(file, place, parts, config)?);
    }
    if weights.is_empty() {
        return Err(refuse("holds no LoRA matrices".into()));
    }
    Ok(weights)
}

/// The update of a place from A, B and the magnitudes, as far as they are there.
fn join_parts(
    file: &Path,
    place: LayerProjection,
    parts: [Option<Tensor>; 3],
    config: &PeftConfig,
) -> Result<LoraWeights> {
    let refuse = |problem: String| {
        Err(ModelError::Adapter {
            file: file.to_owned(),
            problem,
        })
    };
    let [Some(a), Some(b), magnitude] = parts else {
        return refuse(format!("`{place}` has only one of lora_A and lora_B"));
    };
    let rank = a.dims().first().copied().unwrap_or(0);
    if rank == 0 || b.dims().get(1) != Some(&rank) {
        return refuse(format!(
            "`{place}`: A {:?} and B {:?} do not share a rank",
            a.shape(),
            b.shape()
        ));
    }
    match (config.switch("use_dora")?, magnitude.is_some()) {
        (true, false) => {
            return refuse(format!(
                "`{place}` has no {MAGNITUDE}, which use_dora needs"
            ));
        }
        (false, true) => {
            return refuse(format!(
                "`{place}` has a {MAGNITUDE}, but use_dora is not true"
            ));
        }
        _ => {}
    }
    config.check_rank(place, rank)?;
    Ok(LoraWeights {
        scale: config.scale(place, rank)?,
        a,
        b,
        magnitude,
        frozen: 0,
    })
}

/// What a tensor is that is no part of a projection's update.
fn describe(name: &str) -> String {
    let has = |part: &str| name.split('.').any(|p| p == part);
    let what = if has("lora_magnitude_vector") {
        "is DoRA's, but of no projection"
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

/// `base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight`, and which part this is: A, B,
/// the magnitudes.
fn parse_name(name: &str) -> Option<(LayerProjection, usize)> {
    let rest = name.strip_prefix("base_model.model.model.layers.")?;
    let parts: Vec<_> = rest.split('.').collect();
    let (layer, module, projection, part) = match parts[..] {
        [layer, module, projection, "lora_A", "weight"] => (layer, module, projection, 0),
        [layer, module, projection, "lora_B", "weight"] => (layer, module, projection, 1),
        [layer, module, projection, MAGNITUDE] => (layer, module, projection, 2),
        _ => return None,
    };
    let projection = Projection::by_name(projection).filter(|p| p.module() == module)?;
    let layer = layer.parse().ok()?;
    Some((LayerProjection { layer, projection }, part))
}
