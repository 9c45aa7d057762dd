//! GGUF files: ggml's block formats decoded to floats, names and row order turned into Hugging Face's.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use candle_core::{
    Device,
    quantized::{GgmlDType, ggml_file::qtensor_from_ggml},
};
use hub::gguf::{Header, TensorEntry, Value};
use memmap2::Mmap;

use super::Floats;
use crate::error::{ModelError, Result};

/// Name of RoPE's per-frequency divisors, the one tensor without a Hugging Face name.
pub(crate) const ROPE_FACTORS: &str = "rope_freqs.weight";

pub(super) struct GgufFile {
    path: PathBuf,
    map: Mmap,
    by_name: BTreeMap<String, TensorEntry>,
    /// Rows of q and k stand interleaved: undo it with these head counts (`llama` architecture only).
    interleaved: Option<(usize, usize)>,
}

impl GgufFile {
    pub(super) fn open(header: &Header, heads: usize, key_value_heads: usize) -> Result<Self> {
        let path = header.path.clone();
        let map = super::map(&path)?;
        let mut by_name = BTreeMap::new();
        for entry in &header.tensors {
            let name = hugging_face_name(&entry.name).unwrap_or_else(|| entry.name.clone());
            if (entry.offset + entry.length) as usize > map.len() {
                let problem = format!("tensor `{}` ends past the file; fetch it again", entry.name);
                return Err(ModelError::Weights { file: path, problem });
            }
            if let Some(other) = by_name.insert(name, entry.clone()) {
                let problem =
                    format!("tensor `{}` stands twice, as `{}` too; convert the model again", entry.name, other.name);
                return Err(ModelError::Weights { file: path, problem });
            }
        }
        let llama = header.metadata.get("general.architecture") == Some(&Value::Text("llama".into()));
        Ok(Self { path, map, by_name, interleaved: llama.then_some((heads, key_value_heads)) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.by_name.keys().cloned().collect()
    }

    /// Shape of a tensor; empty for one that is not there.
    pub(super) fn shape(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map(|e| e.shape.as_slice()).unwrap_or_default()
    }

    /// Decodes a tensor whose shape was checked.
    pub(super) fn read(&self, name: &str) -> Result<Floats<'_>> {
        let refuse = |problem: String| ModelError::Weights { file: self.path.clone(), problem };
        let entry = self.by_name.get(name).ok_or_else(|| refuse(format!("tensor `{name}` is missing")))?;
        let kind = ggml_type(entry.ggml_type).ok_or_else(|| {
            refuse(format!("tensor `{}` has ggml type {}, which is not read", entry.name, entry.ggml_type))
        })?;
        let bytes = &self.map[entry.offset as usize..(entry.offset + entry.length) as usize];
        if bytes.as_ptr().align_offset(4) != 0 {
            return Err(refuse(format!("tensor `{}` is not aligned", entry.name)));
        }
        let decode = || -> candle_core::Result<Vec<f32>> {
            let shape: Vec<usize> = entry.shape.clone();
            qtensor_from_ggml(kind, bytes, shape, &Device::Cpu)?.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()
        };
        let values = decode().map_err(ModelError::candle(format!("tensor `{}`", entry.name)))?;
        let width = if entry.shape.len() == 2 { entry.shape[1] } else { 1 };
        let values = match (self.interleaved, name) {
            (Some((heads, _)), n) if n.contains(".q_proj.") => separate_halves(&values, heads, width),
            (Some((_, heads)), n) if n.contains(".k_proj.") => separate_halves(&values, heads, width),
            _ => values,
        };
        Ok(Floats::Owned(values))
    }
}

/// llama.cpp stores the two halves of each q and k head interleaved, row by row; Hugging Face one after the other.
/// `width` is the length of a row: `in` of a weight, 1 of a bias.
fn separate_halves(values: &[f32], heads: usize, width: usize) -> Vec<f32> {
    let size = values.len() / (heads * width);
    let mut out = Vec::with_capacity(values.len());
    for head in values.chunks_exact(size * width) {
        for half in 0..2 {
            for pair in 0..size / 2 {
                let row = 2 * pair + half;
                out.extend_from_slice(&head[row * width..(row + 1) * width]);
            }
        }
    }
    out
}

/// The Hugging Face name of a tensor; `None` for one that has no other name.
pub(crate) fn hugging_face_name(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("blk.") {
        let (layer, rest) = rest.split_once('.')?;
        let (part, kind) = rest.rsplit_once('.')?;
        let part = match part {
            "attn_q" => "self_attn.q_proj",
            "attn_k" => "self_attn.k_proj",
            "attn_v" => "self_attn.v_proj",
            "attn_output" => "self_attn.o_proj",
            "ffn_gate" => "mlp.gate_proj",
            "ffn_up" => "mlp.up_proj",
            "ffn_down" => "mlp.down_proj",
            "attn_norm" => "input_layernorm",
            "ffn_norm" => "post_attention_layernorm",
            _ => return None,
        };
        return Some(format!("model.layers.{layer}.{part}.{kind}"));
    }
    match name {
        "token_embd.weight" => Some("model.embed_tokens.weight".into()),
        "output_norm.weight" => Some("model.norm.weight".into()),
        "output.weight" => Some("lm_head.weight".into()),
        _ => None,
    }
}

fn ggml_type(number: u32) -> Option<GgmlDType> {
    Some(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        30 => GgmlDType::BF16,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_separated() {
        // Two heads of size 4, rows of width 2; row r holds r. Stored order of a head: 0 2 1 3 (pairs side by side).
        let stored: Vec<f32> = [0, 2, 1, 3, 4, 6, 5, 7].iter().flat_map(|&r| [r as f32; 2]).collect();
        let want: Vec<f32> = (0..8).flat_map(|r| [r as f32; 2]).collect();
        assert_eq!(separate_halves(&stored, 2, 2), want);
    }
}
