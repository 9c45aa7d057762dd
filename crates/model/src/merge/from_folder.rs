//! A merged Hugging Face folder as a GGUF file: llama.cpp's names, order of rows, norms and
//! metadata. What our own reader would not read back as the folder is refused. Never here: the
//! tokenizer's metadata.

use std::{collections::BTreeMap, fs};

use hub::{
    ModelFiles,
    gguf::{Header, NewHeader, TensorEntry, Value},
};
use schema::disk::DiskError;

use super::{
    Merge, TensorForm,
    gguf::{GgufFormat, MergedGguf, TensorSource},
};
use crate::{
    config::{
        ModelConfig, RopeScaling, gguf_families::Architecture, gguf_written, properties::NormKind,
    },
    error::{ModelError, Result},
    random::FloatFormat,
    weights::{
        gguf::{LONG_FACTORS, ROPE_FACTORS, SHORT_FACTORS},
        gguf_names::hugging_face_name,
    },
};

const HEAD: &str = "lm_head.weight";
const EMBEDDING: &str = "model.embed_tokens.weight";
/// Of tensors that files have as lists of metadata.
const XIELU: &str = ".mlp.act_fn.";
/// llama.cpp's names of a block's tensors.
const PARTS: &[&str] = &[
    "attn_norm",
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_qkv",
    "attn_q_norm",
    "attn_k_norm",
    "attn_output",
    "post_attention_norm",
    "ffn_norm",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
    "post_ffw_norm",
];

/// A tensor that is to be written, and where its values come from.
type Planned = (TensorEntry, TensorSource);

impl Merge {
    pub(super) fn gguf_of_folder(
        &self,
        format: GgufFormat,
        tokenizer: BTreeMap<String, Value>,
    ) -> Result<MergedGguf<'_>> {
        let known = self.architecture()?;
        let mut planned = angle_tensors(&self.config);
        planned.extend(self.base_tensors(format, known)?);
        let (entries, sources) = planned.into_iter().unzip();
        let mut header = Header {
            path: self.config_file(),
            metadata: gguf_written::describe(&self.config, known),
            tensors: entries,
        };
        header.metadata.extend(self.xielu_lists()?);
        header.metadata.extend(tokenizer);
        for (key, number) in [
            ("general.file_type", format.file_type()),
            ("general.quantization_version", 2),
        ] {
            let value = Value::Unsigned(u64::from(number));
            header.metadata.insert(key.to_owned(), value);
        }
        let tied = !header.tensors.iter().any(|t| t.name == "output.weight");
        let config = ModelConfig {
            tie_word_embeddings: tied,
            ..self.config.clone()
        };
        gguf_written::check(&config, &header, &self.config_file())?;
        Ok(MergedGguf {
            merge: self,
            header: NewHeader::create(&header)?,
            sources,
        })
    }

    fn config_file(&self) -> std::path::PathBuf {
        match &self.files {
            ModelFiles::Folder { dir, .. } => dir.join("config.json"),
            ModelFiles::Gguf { path } => path.clone(),
        }
    }

    /// llama.cpp's architecture of the folder's family.
    fn architecture(&self) -> Result<&'static Architecture> {
        let file = self.config_file();
        let text = fs::read(&file).map_err(DiskError::at("read", &file))?;
        let config: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| ModelError::Config {
                file: file.clone(),
                key: "(whole file)".to_owned(),
                problem: error.to_string(),
            })?;
        let name = config["model_type"].as_str().unwrap_or_default();
        Architecture::by_model_type(name).ok_or_else(|| ModelError::Config {
            file,
            key: "model_type".to_owned(),
            problem: format!(
                "llama.cpp has no architecture for `{name}` that is known here; merge into a folder"
            ),
        })
    }

    /// The folder's tensors by llama.cpp's names.
    fn base_tensors(&self, format: GgufFormat, known: &Architecture) -> Result<Vec<Planned>> {
        let names = self.gguf_names(known);
        let is_tied = self.config.tie_word_embeddings
            && self.weights.has(HEAD)
            && self.weights.are_same(HEAD, EMBEDDING)?;
        let mut planned = Vec::new();
        for name in self.weights.in_order() {
            if name.contains(XIELU) || (is_tied && name == HEAD) {
                continue;
            }
            let Some(new) = names.get(&name) else {
                let problem = format!("tensor `{name}` has no name in a GGUF file");
                return Err(self.weights.error(&name, problem));
            };
            planned.push(self.plan_tensor(&name, new, format, known));
        }
        Ok(planned)
    }

    fn plan_tensor(
        &self,
        name: &str,
        new: &str,
        format: GgufFormat,
        known: &Architecture,
    ) -> Planned {
        let shape = self.weights.shape(name);
        // One norm for each head is a matrix in the folder and in the file.
        let is_norm = name.contains("norm.");
        let format = match is_norm {
            true => GgufFormat::F32.of(&shape),
            false => format.of(&shape),
        };
        let heads = match new.rsplit('.').nth(1) {
            Some("attn_q") => Some(self.config.num_attention_heads),
            Some("attn_k") => Some(self.config.num_key_value_heads),
            _ => None,
        };
        let form = TensorForm {
            format,
            is_stored_so: false,
            interleaved: heads.filter(|_| known.interleaved),
            plus_one: is_norm && self.config.norm_kind == NormKind::RmsPlusOne,
        };
        let source = TensorSource::Base(name.to_owned(), form);
        (entry(new, shape, format.ggml_type()), source)
    }

    /// Hugging Face's names to llama.cpp's.
    fn gguf_names(&self, known: &Architecture) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        let mut add = |new: String| {
            if let Some(name) = hugging_face_name(&new, &self.config) {
                names.entry(name).or_insert(new);
            }
        };
        for end in ["token_embd", "output_norm", "output"] {
            add(format!("{end}.weight"));
        }
        for layer in 0..self.config.num_hidden_layers {
            // First, since two of llama.cpp's names mean the norm before the mlp.
            for part in [known.mlp_norm].iter().chain(PARTS) {
                add(format!("blk.{layer}.{part}.weight"));
                add(format!("blk.{layer}.{part}.bias"));
            }
        }
        names
    }

    /// xIELU's numbers, a list of each over the layers.
    fn xielu_lists(&self) -> Result<BTreeMap<String, Value>> {
        let mut lists: BTreeMap<String, Value> = BTreeMap::new();
        let names = self.weights.in_order();
        for layer in 0..self.config.num_hidden_layers {
            let start = format!("model.layers.{layer}{XIELU}");
            for name in names.iter().filter(|name| name.starts_with(&start)) {
                let key = format!("xielu.{}", &name[start.len()..]);
                let values = self.weights.values(name)?;
                let list = lists.entry(key).or_insert(Value::List(Vec::new()));
                if let (Value::List(list), Some(value)) = (list, values.first()) {
                    list.push(Value::Float(f64::from(*value)));
                }
            }
        }
        Ok(lists)
    }
}

fn entry(name: &str, shape: Vec<usize>, ggml_type: u32) -> TensorEntry {
    TensorEntry {
        name: name.to_owned(),
        shape,
        ggml_type,
        offset: 0,
        length: 0,
    }
}

/// Divisors of single angles, which `config.json` computes from a few numbers.
fn angle_tensors(config: &ModelConfig) -> Vec<Planned> {
    let made = |name: &str, values: Vec<f32>| {
        let f32 = super::StoredFormat::Floats(FloatFormat::F32).ggml_type();
        let entry = entry(name, vec![values.len()], f32);
        (entry, TensorSource::Made(values))
    };
    let narrow = |values: &[f64]| values.iter().map(|v| *v as f32).collect();
    match &config.rope.scaling {
        RopeScaling::Long(long) => vec![
            made(LONG_FACTORS, narrow(&long.long_factor)),
            made(SHORT_FACTORS, narrow(&long.short_factor)),
        ],
        RopeScaling::Llama3 { .. } => {
            vec![made(ROPE_FACTORS, config.rope.divisors(config.rotary_dim))]
        }
        RopeScaling::Factors(factors) => vec![made(ROPE_FACTORS, factors.clone())],
        _ => Vec::new(),
    }
}
