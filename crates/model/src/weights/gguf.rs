//! GGUF files: names and row order converted to Hugging Face's. Never here: what the bytes of a
//! block mean.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use hub::gguf::{Header, TensorEntry, Value};
use kernels::quantised::{BlockBytes, BlockFormat, Blocks};
use memmap2::Mmap;

use super::{Floats, gguf_names::hugging_face_name};
use crate::{
    config::{ModelConfig, gguf_families::Architecture},
    error::{ModelError, Result},
};
use schema::disk::FETCH_AGAIN;

/// ggml's numbers of types without blocks.
const F32: u32 = 0;
const F16: u32 = 1;
const BF16: u32 = 30;

/// Name of RoPE's per-frequency divisors; these have no Hugging Face name.
pub(crate) const ROPE_FACTORS: &str = "rope_freqs.weight";
/// Names of LongRoPE's divisors.
pub(crate) const LONG_FACTORS: &str = "rope_factors_long.weight";
pub(crate) const SHORT_FACTORS: &str = "rope_factors_short.weight";

pub(super) struct GgufFile {
    path: PathBuf,
    map: Arc<Mmap>,
    by_name: BTreeMap<String, TensorEntry>,
    /// Rows of q and k are interleaved: undo it with these head counts.
    interleaved: Option<(usize, usize)>,
    /// Numbers that Hugging Face has as tensors and GGUF as metadata.
    numbers: BTreeMap<String, (Vec<usize>, f32)>,
}

impl GgufFile {
    pub(super) fn open(header: &Header, config: &ModelConfig) -> Result<Self> {
        let path = header.path.clone();
        let map = Arc::new(super::map(&path)?);
        let mut by_name = BTreeMap::new();
        for entry in &header.tensors {
            let name = hugging_face_name(&entry.name, config).unwrap_or_else(|| entry.name.clone());
            if (entry.offset + entry.length) as usize > map.len() {
                let problem = format!("tensor `{}` ends past the file; {FETCH_AGAIN}", entry.name);
                return Err(ModelError::Weights {
                    file: path,
                    problem,
                });
            }
            if let Some(other) = by_name.insert(name, entry.clone()) {
                let problem = format!(
                    "tensor `{}` is there twice, as `{}` too; convert the model again",
                    entry.name, other.name
                );
                return Err(ModelError::Weights {
                    file: path,
                    problem,
                });
            }
        }
        let architecture = match header.metadata.get("general.architecture") {
            Some(Value::Text(name)) => Architecture::by_name(name),
            _ => None,
        };
        let heads = (config.num_attention_heads, config.num_key_value_heads);
        let interleaved = architecture.is_some_and(|known| known.interleaved);
        let numbers = xielu_numbers(header, &path, config.num_hidden_layers)?;
        Ok(Self {
            numbers,
            path,
            map,
            by_name,
            interleaved: interleaved.then_some(heads),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.by_name
            .keys()
            .chain(self.numbers.keys())
            .cloned()
            .collect()
    }

    /// The same in file order.
    pub(super) fn in_order(&self) -> Vec<String> {
        let mut names: Vec<_> = self.by_name.iter().collect();
        names.sort_by_key(|(_, entry)| entry.offset);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    /// A tensor's bytes as stored.
    pub(super) fn bytes(&self, name: &str) -> Result<&[u8]> {
        let (_, range) = self.entry(name)?;
        Ok(&self.map[range])
    }

    /// Shape of a tensor; empty for one that is not there.
    pub(super) fn shape(&self, name: &str) -> &[usize] {
        if let Some((shape, _)) = self.numbers.get(name) {
            return shape;
        }
        self.by_name
            .get(name)
            .map(|e| e.shape.as_slice())
            .unwrap_or_default()
    }

    fn entry(&self, name: &str) -> Result<(&TensorEntry, Range<usize>)> {
        let entry = self
            .by_name
            .get(name)
            .ok_or_else(|| self.refuse(format!("tensor `{name}` is missing")))?;
        Ok((
            entry,
            entry.offset as usize..(entry.offset + entry.length) as usize,
        ))
    }

    fn refuse(&self, problem: String) -> ModelError {
        ModelError::Weights {
            file: self.path.clone(),
            problem,
        }
    }

    /// Whether a tensor is stored in 32 bits.
    pub(super) fn is_f32(&self, name: &str) -> bool {
        self.by_name
            .get(name)
            .is_some_and(|entry| entry.ggml_type == F32)
    }

    /// Heads whose rows are interleaved in this tensor.
    pub(super) fn interleaved_heads(&self, name: &str) -> Option<usize> {
        let (heads, key_value_heads) = self.interleaved?;
        match name {
            _ if name.contains(".q_proj.") => Some(heads),
            _ if name.contains(".k_proj.") => Some(key_value_heads),
            _ => None,
        }
    }

    /// A matrix that is stored in blocks, left in the file; `None` for any other tensor. Its
    /// shape was checked.
    pub(super) fn blocks(&self, name: &str) -> Result<Option<Blocks>> {
        let (entry, range) = self.entry(name)?;
        let (Some(format), &[rows, width]) = (
            BlockFormat::of_ggml(entry.ggml_type),
            entry.shape.as_slice(),
        ) else {
            return Ok(None);
        };
        let order = self
            .interleaved_heads(name)
            .map(|heads| separate_halves(&stored_rows(rows), heads, 1).into());
        let bytes = BlockBytes::Shared {
            owner: self.map.clone(),
            range,
        };
        let blocks = Blocks::from_ggml(format, bytes, (rows, width), order);
        blocks
            .map(Some)
            .map_err(|problem| self.refuse(format!("tensor `{}`: {problem}", entry.name)))
    }

    /// Decodes a tensor whose shape was checked.
    pub(super) fn read(&self, name: &str) -> Result<Floats<'_>> {
        if let Some((_, number)) = self.numbers.get(name) {
            return Ok(Floats::Owned(vec![*number]));
        }
        let (entry, range) = self.entry(name)?;
        if let Some(blocks) = self.blocks(name)? {
            let values = blocks.to_floats();
            super::release(&self.map, range)
                .map_err(schema::disk::DiskError::at("release", &self.path))?;
            return Ok(Floats::Owned(values));
        }
        let bytes = &self.map[range.clone()];
        let floats = match (entry.ggml_type, BlockFormat::of_ggml(entry.ggml_type)) {
            (F32, _) => Floats::F32(bytes),
            (F16, _) => Floats::F16(bytes),
            (BF16, _) => Floats::Bf16(bytes),
            (_, Some(format)) => {
                let bytes = BlockBytes::Shared {
                    owner: self.map.clone(),
                    range,
                };
                let blocks =
                    Blocks::from_ggml(format, bytes, (1, entry.shape.iter().product()), None);
                let refuse = |problem| self.refuse(format!("tensor `{}`: {problem}", entry.name));
                Floats::Owned(blocks.map_err(refuse)?.to_floats())
            }
            (other, None) => {
                return Err(self.refuse(format!(
                    "tensor `{}` has ggml type {other}, which is not read",
                    entry.name
                )));
            }
        };
        let width = if entry.shape.len() == 2 {
            entry.shape[1]
        } else {
            1
        };
        Ok(match self.interleaved_heads(name) {
            Some(heads) => Floats::Owned(separate_halves(&floats.into_f32(), heads, width)),
            None => floats,
        })
    }
}

/// Numbers of the rows as stored.
fn stored_rows(rows: usize) -> Vec<u32> {
    (0..rows as u32).collect()
}

/// llama.cpp stores the two halves of each q and k head interleaved, row by row; Hugging Face
/// one after the other. `width` is the length of a row: `in` of a weight, 1 of a bias.
fn separate_halves<T: Copy>(values: &[T], heads: usize, width: usize) -> Vec<T> {
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

/// Undoes [`separate_halves`].
pub(crate) fn interleave_halves<T: Copy>(values: &[T], heads: usize, width: usize) -> Vec<T> {
    let size = values.len() / (heads * width);
    let mut out = Vec::with_capacity(values.len());
    for head in values.chunks_exact(size * width) {
        for row in 0..size {
            let from = row / 2 + row % 2 * (size / 2);
            out.extend_from_slice(&head[from * width..(from + 1) * width]);
        }
    }
    out
}

/// xIELU's parameters, which files have as metadata: a list with a number for each layer.
fn xielu_numbers(
    header: &Header,
    file: &Path,
    layers: usize,
) -> Result<BTreeMap<String, (Vec<usize>, f32)>> {
    let mut numbers = BTreeMap::new();
    for (key, value) in &header.metadata {
        let Some(parameter) = key.strip_prefix("xielu.") else {
            continue;
        };
        let list = match value {
            Value::List(list) => list.iter().map(as_number).collect(),
            one => as_number(one).map(|number| vec![number; layers]),
        };
        let Some(list) = list.filter(|list: &Vec<f32>| list.len() == layers) else {
            return Err(ModelError::Config {
                file: file.to_owned(),
                key: key.clone(),
                problem: format!("is not a list of {layers} numbers"),
            });
        };
        let shape = match parameter.starts_with("alpha") {
            true => vec![1],
            false => Vec::new(),
        };
        numbers.extend(list.into_iter().enumerate().map(|(layer, number)| {
            let name = format!("model.layers.{layer}.mlp.act_fn.{parameter}");
            (name, (shape.clone(), number))
        }));
    }
    Ok(numbers)
}

fn as_number(value: &Value) -> Option<f32> {
    match value {
        Value::Float(number) => Some(*number as f32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_separated() {
        // Two heads of size 4, rows of width 2; row r holds r. Stored order of a head: 0 2 1 3
        // (pairs side by side).
        let stored: Vec<f32> = [0, 2, 1, 3, 4, 6, 5, 7]
            .iter()
            .flat_map(|&r| [r as f32; 2])
            .collect();
        let want: Vec<f32> = (0..8).flat_map(|r| [r as f32; 2]).collect();
        assert_eq!(separate_halves(&stored, 2, 2), want);
        assert_eq!(interleave_halves(&want, 2, 2), stored);
    }
}
