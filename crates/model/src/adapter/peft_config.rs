//! `adapter_config.json`: every key is used, known to be harmless, or must say nothing.

use std::path::{Path, PathBuf};

use schema::disk::DiskError;
use serde_json::{Value, json};

use super::python_pattern::PythonPattern;
use crate::{
    error::{ModelError, Result, brief},
    projection::LayerProjection,
};

/// What to do with an adapter that this decoder does not compute.
pub(super) const MERGE: &str =
    "merge it into its base model with PEFT's merge_and_unload, and use that model";

/// A part of the adapter follows from them.
const USED: &[&str] = &[
    "alpha_pattern",
    "bias",
    "exclude_modules",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_dropout",
    "peft_type",
    "r",
    "rank_pattern",
    "target_modules",
    "use_dora",
    "use_rslora",
];

/// No logit of a trained LoRA adapter depends on them: notes, how training began, settings of
/// features that other keys switch on. `fan_in_fan_out` is about layers that store weights the
/// other way round; PEFT switches it off on those of these models.
const HARMLESS: &[&str] = &[
    "auto_mapping",
    "base_model_name_or_path",
    "corda_config",
    "ensure_weight_tying",
    "eva_config",
    "fan_in_fan_out",
    "inference_mode",
    "loftq_config",
    "lora_ga_config",
    "lorap_emb_lr",
    "lorap_lr_ratio",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "task_type",
    "transformers_version",
    "unsloth_fixed",
];

/// A parsed `adapter_config.json`.
pub(super) struct PeftConfig {
    file: PathBuf,
    config: Value,
    ranks: Pattern,
    alphas: Pattern,
}

/// Numbers of modules by the expressions that match them, in the order of the file.
type Pattern = Vec<(PythonPattern, f64)>;

impl PeftConfig {
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(DiskError::at("read", file))?;
        let config: Value = serde_json::from_str(&text).map_err(|e| ModelError::Adapter {
            file: file.to_owned(),
            problem: format!("not valid JSON: {e}"),
        })?;
        let mut read = Self {
            file: file.to_owned(),
            config,
            ranks: Vec::new(),
            alphas: Vec::new(),
        };
        read.check_kind()?;
        read.check_start()?;
        read.refuse_unknown()?;
        read.ranks = read.pattern("rank_pattern")?;
        read.alphas = read.pattern("alpha_pattern")?;
        Ok(read)
    }

    pub(super) fn error<T>(&self, key: &str, problem: impl std::fmt::Display) -> Result<T> {
        Err(ModelError::Adapter {
            file: self.file.clone(),
            problem: format!("`{key}`: {problem}"),
        })
    }

    /// The value; absent and null are the same.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.config.get(key).filter(|value| !value.is_null())
    }

    /// A number; the default where the key is absent.
    pub(super) fn number(&self, key: &str, default: f64) -> Result<f64> {
        match self.config.get(key).map(Value::as_f64) {
            None => Ok(default),
            Some(Some(number)) => Ok(number),
            Some(None) => self.error(key, "is not a number"),
        }
    }

    /// PEFT's default is 8.
    pub(super) fn rank(&self) -> Result<usize> {
        let rank = self.number("r", 8.0)?;
        if rank >= 1.0 && rank.fract() == 0.0 {
            Ok(rank as usize)
        } else {
            self.error("r", format!("{rank} is not a positive whole number"))
        }
    }

    /// PEFT's default is 8.
    pub(super) fn alpha(&self) -> Result<f64> {
        self.number("lora_alpha", 8.0)
    }

    pub(super) fn dropout(&self) -> Result<f64> {
        let dropout = match self.get("lora_dropout") {
            None => 0.0,
            Some(_) => self.number("lora_dropout", 0.0)?,
        };
        if (0.0..1.0).contains(&dropout) {
            Ok(dropout)
        } else {
            self.error("lora_dropout", format!("{dropout} is not in [0, 1)"))
        }
    }

    fn check_kind(&self) -> Result<()> {
        if self.config.get("peft_type") != Some(&json!("LORA")) {
            return self.error("peft_type", "only LORA is supported");
        }
        if self.get("bias").is_some_and(|bias| bias != "none") {
            return self.error("bias", "trained biases are not supported");
        }
        Ok(())
    }

    /// An adapter that begins at a part of the weights takes this part out of its base (PiSSA,
    /// OLoRA, CorDA, LoftQ, LoRA-GA): its matrices alone do not say what it changed.
    fn check_start(&self) -> Result<()> {
        let key = "init_lora_weights";
        match self.get(key) {
            None | Some(Value::Bool(_)) => Ok(()),
            Some(Value::String(start))
                if ["gaussian", "mica"].contains(&start.to_lowercase().as_str())
                    || ["eva", "orthogonal"].contains(&start.as_str()) =>
            {
                Ok(())
            }
            Some(other) => self.error(
                key,
                format!(
                    "{} changes the base model's weights; save the adapter with PEFT's path_initial_model_for_weight_conversion, which makes a plain one, or {MERGE}",
                    brief(other)
                ),
            ),
        }
    }

    /// Whatever is neither used nor known to be harmless must say nothing: a later PEFT's key is
    /// a change of the model that nobody here knows.
    fn refuse_unknown(&self) -> Result<()> {
        let Some(members) = self.config.as_object() else {
            return self.error("peft_type", "the file is not an object");
        };
        for (key, value) in members {
            let says_nothing = match value {
                Value::Null | Value::Bool(false) => true,
                Value::Array(list) => list.is_empty(),
                Value::Object(members) => members.is_empty(),
                _ => false,
            };
            let is_known = USED.contains(&key.as_str()) || HARMLESS.contains(&key.as_str());
            if !is_known && !says_nothing {
                return self.error(key, format!("{} is not supported; {MERGE}", brief(value)));
            }
        }
        Ok(())
    }

    fn pattern(&self, key: &str) -> Result<Pattern> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let Some(members) = value.as_object() else {
            return self.error(key, "is not a table");
        };
        let mut pattern = Vec::new();
        for (module, value) in members {
            let Some(number) = value.as_f64() else {
                return self.error(
                    key,
                    format!("{} of `{module}` is not a number", brief(value)),
                );
            };
            let expression =
                PythonPattern::end(module).or_else(|problem| self.error(key, problem))?;
            pattern.push((expression, number));
        }
        Ok(pattern)
    }

    /// A place's own number: that of the first expression that matches its name.
    fn own(&self, key: &str, pattern: &Pattern, place: LayerProjection) -> Result<Option<f64>> {
        let name = place.weight_name();
        for (expression, number) in pattern {
            let is_match = expression
                .matches(&name)
                .or_else(|problem| self.error(key, problem))?;
            if is_match {
                return Ok(Some(*number));
            }
        }
        Ok(None)
    }

    /// The factor of a place's update, whose matrices have this rank.
    pub(super) fn scale(&self, place: LayerProjection, rank: usize) -> Result<f64> {
        let alpha = match self.own("alpha_pattern", &self.alphas, place)? {
            Some(alpha) => alpha,
            None => self.alpha()?,
        };
        Ok(match self.switch("use_rslora")? {
            false => alpha / rank as f64,
            true => alpha / (rank as f64).sqrt(),
        })
    }

    /// True or false; false where the key is absent.
    pub(super) fn switch(&self, key: &str) -> Result<bool> {
        match self.get(key) {
            None | Some(Value::Bool(false)) => Ok(false),
            Some(Value::Bool(true)) => Ok(true),
            Some(other) => self.error(key, format!("{} is neither true nor false", brief(other))),
        }
    }

    pub(super) fn check_rank(&self, place: LayerProjection, rank: usize) -> Result<()> {
        let (key, want) = match self.own("rank_pattern", &self.ranks, place)? {
            Some(rank) => ("rank_pattern", rank),
            None => ("r", self.rank()? as f64),
        };
        if want == rank as f64 {
            Ok(())
        } else {
            self.error(key, format!("is {want}, but `{place}` has rank {rank}"))
        }
    }
}
