//! PEFT adapter folders: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! Written with long-lived keys only, because an older PEFT refuses a configuration with keys
//! that it does not know.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use schema::disk::{DiskError, write_whole};
use serde_json::{Map, Value, json};

use super::{Adapter, LoraConfig, LoraWeights};
use crate::{
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

    /// Reads a folder. Kinds of adapter that this decoder does not compute are refused by their
    /// key.
    pub fn read(folder: &Path) -> Result<Self> {
        let file = folder.join(CONFIG);
        let text = std::fs::read_to_string(&file).map_err(DiskError::at("read", &file))?;
        let config: Value = serde_json::from_str(&text).map_err(|e| ModelError::Adapter {
            file: file.clone(),
            problem: format!("not valid JSON: {e}"),
        })?;
        let reader = ConfigReader { file, config };
        reader.refuse_unsupported()?;
        let rank = reader.number("r")?;
        if !(rank >= 1.0 && rank.fract() == 0.0) {
            return reader.error("r", format!("{rank} is not a positive whole number"));
        }
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
        let weights = read_matrices(&weights_file, &reader)?;
        let mut targets: Vec<_> = weights.keys().map(|p| p.projection).collect();
        targets.sort();
        targets.dedup();
        let dropout = if reader.is_set("lora_dropout") {
            reader.number("lora_dropout")?
        } else {
            0.0
        };
        if !(0.0..1.0).contains(&dropout) {
            return reader.error("lora_dropout", format!("{dropout} is not in [0, 1)"));
        }
        let config = LoraConfig {
            rank: rank as usize,
            alpha: reader.number("lora_alpha")?,
            dropout,
            targets,
        };
        Ok(Self { config, weights })
    }
}

struct ConfigReader {
    file: PathBuf,
    config: Value,
}

impl ConfigReader {
    fn error<T>(&self, key: &str, problem: impl std::fmt::Display) -> Result<T> {
        Err(ModelError::Adapter {
            file: self.file.clone(),
            problem: format!("`{key}`: {problem}"),
        })
    }

    fn number(&self, key: &str) -> Result<f64> {
        self.config
            .get(key)
            .and_then(Value::as_f64)
            .map_or_else(|| self.error(key, "is missing or not a number"), Ok)
    }

    fn is_set(&self, key: &str) -> bool {
        !matches!(self.config.get(key), None | Some(Value::Null))
    }

    fn refuse_unsupported(&self) -> Result<()> {
        if self.config.get("peft_type") != Some(&json!("LORA")) {
            return self.error("peft_type", "only LORA is supported");
        }
        if self.is_set("bias") && self.config["bias"] != "none" {
            return self.error("bias", "trained biases are not supported");
        }
        for key in [
            "use_dora",
            "fan_in_fan_out",
            "lora_bias",
            "use_qalora",
            "use_bdlora",
            "modules_to_save",
            "layer_replication",
            "trainable_token_indices",
        ] {
            let value = self.config.get(key).unwrap_or(&Value::Null);
            let unset = matches!(value, Value::Null | Value::Bool(false))
                || value.as_array().is_some_and(Vec::is_empty);
            if !unset {
                return self.error(key, format!("{value} is not supported"));
            }
        }
        Ok(())
    }

    /// A place's own alpha or rank, where the pattern gives one: the first key that is its name
    /// or its end.
    fn pattern(&self, key: &str, place: LayerProjection) -> Result<Option<f64>> {
        if !self.is_set(key) {
            return Ok(None);
        }
        let Some(pattern) = self.config[key].as_object() else {
            return self.error(key, "is not a table");
        };
        let name = place.weight_name();
        for (module, value) in pattern {
            // PEFT takes keys for regular expressions; a name is one that matches itself.
            if module.contains(['\\', '*', '+', '?', '(', '[', '{', '|', '$']) {
                return self.error(
                    key,
                    format!("`{module}` is a regular expression; write the modules' names instead"),
                );
            }
            let matches = match module.strip_prefix('^') {
                Some(whole) => name == whole,
                None => name
                    .strip_suffix(module.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            };
            match value.as_f64() {
                Some(number) if matches => return Ok(Some(number)),
                Some(_) => (),
                None => return self.error(key, format!("{value} of `{module}` is not a number")),
            }
        }
        Ok(None)
    }

    /// The factor of a place's update, whose matrices have this rank.
    fn scale(&self, place: LayerProjection, rank: usize) -> Result<f64> {
        let alpha = match self.pattern("alpha_pattern", place)? {
            Some(alpha) => alpha,
            None => self.number("lora_alpha")?,
        };
        match self.config.get("use_rslora") {
            None | Some(Value::Null | Value::Bool(false)) => Ok(alpha / rank as f64),
            Some(Value::Bool(true)) => Ok(alpha / (rank as f64).sqrt()),
            Some(other) => self.error("use_rslora", format!("{other} is neither true nor false")),
        }
    }

    fn check_rank(&self, place: LayerProjection, rank: usize) -> Result<()> {
        let (key, want) = match self.pattern("rank_pattern", place)? {
            Some(rank) => ("rank_pattern", rank),
            None => ("r", self.number("r")?),
        };
        if want == rank as f64 {
            Ok(())
        } else {
            self.error(key, format!("is {want}, but `{place}` has rank {rank}"))
        }
    }
}

fn read_matrices(
    file: &Path,
    config: &ConfigReader,
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
        let (place, half) = parse_name(&name).ok_or_else(|| {
            refuse(format!(
                "tensor `{name}` does not belong to a projection of the decoder"
            ))
        })?;
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
