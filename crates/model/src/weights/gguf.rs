//! GGUF files: ggml's block formats decoded to floats, names and row order turned into Hugging Face's.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use candle_core::{
    Device, Storage,
    quantized::{GgmlDType, ggml_file::qtensor_from_ggml},
};
use hub::gguf::{Header, TensorEntry, Value};
use memmap2::Mmap;
use rayon::prelude::*;

use super::Floats;
use crate::error::{ModelError, Result};

/// Name of RoPE's per-frequency divisors, the one tensor without a Hugging Face name.
pub(crate) const ROPE_FACTORS: &str = "rope_freqs.weight";

/// Blocks decoded at a time: 16 Ki values of 32-value blocks.
const BLOCKS: usize = 512;

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
        let values = decode(kind, bytes, entry.shape.iter().product())
            .map_err(ModelError::candle(format!("tensor `{}`", entry.name)))?;
        super::release(&self.map, entry.offset as usize..(entry.offset + entry.length) as usize)
            .map_err(schema::disk::DiskError::at("release", &self.path))?;
        let width = if entry.shape.len() == 2 { entry.shape[1] } else { 1 };
        let values = match (self.interleaved, name) {
            (Some((heads, _)), n) if n.contains(".q_proj.") => separate_halves(&values, heads, width),
            (Some((_, heads)), n) if n.contains(".k_proj.") => separate_halves(&values, heads, width),
            _ => values,
        };
        Ok(Floats::Owned(values))
    }
}

/// Floats of ggml blocks, decoded in pieces on all threads: a piece's copies stay in the cache.
fn decode(kind: GgmlDType, bytes: &[u8], count: usize) -> candle_core::Result<Vec<f32>> {
    let (block, size) = (kind.block_size(), kind.type_size());
    if bytes.len() != count / block * size || !count.is_multiple_of(block) {
        candle_core::bail!("{} bytes do not hold {count} values of {kind:?}", bytes.len());
    }
    let mut values = vec![0.0; count];
    let pieces = values.par_chunks_mut(BLOCKS * block).zip(bytes.par_chunks(BLOCKS * size));
    pieces.try_for_each(|(values, bytes)| {
        let piece = qtensor_from_ggml(kind, bytes, vec![values.len()], &Device::Cpu)?.dequantize(&Device::Cpu)?;
        let (storage, layout) = piece.storage_and_layout();
        let decoded = match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(storage), Some((from, to))) => &storage.as_slice::<f32>()?[from..to],
            _ => candle_core::bail!("decoded values do not lie in memory in one piece"),
        };
        values.copy_from_slice(decoded);
        Ok(())
    })?;
    Ok(values)
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
    fn pieces_are_the_whole() {
        // 1.5 pieces of Q8_0 blocks: an f16 scale, then 32 values.
        let blocks = BLOCKS + BLOCKS / 2;
        let scale = |block: usize| half::f16::from_f32(1.0 + (block % 7) as f32);
        let bytes: Vec<u8> = (0..blocks)
            .flat_map(|b| scale(b).to_le_bytes().into_iter().chain((0..32).map(move |i| (b + i) as u8)))
            .collect();
        let want: Vec<f32> = (0..blocks)
            .flat_map(|b| (0..32).map(move |i| scale(b).to_f32() * f32::from((b + i) as u8 as i8)))
            .collect();
        assert_eq!(decode(GgmlDType::Q8_0, &bytes, blocks * 32).expect("decodes"), want);
        let short = decode(GgmlDType::Q8_0, &bytes[..bytes.len() - 1], blocks * 32).expect_err("a byte is missing");
        assert!(short.to_string().contains("do not hold 24576 values"), "{short}");
    }

    #[test]
    fn halves_are_separated() {
        // Two heads of size 4, rows of width 2; row r holds r. Stored order of a head: 0 2 1 3 (pairs side by side).
        let stored: Vec<f32> = [0, 2, 1, 3, 4, 6, 5, 7].iter().flat_map(|&r| [r as f32; 2]).collect();
        let want: Vec<f32> = (0..8).flat_map(|r| [r as f32; 2]).collect();
        assert_eq!(separate_halves(&stored, 2, 2), want);
    }
}
