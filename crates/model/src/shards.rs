//! Weights as Hugging Face stores them: which tensor goes into which safetensors file, their headers
//! and their index. Never here: values.

use std::{collections::BTreeMap, path::Path};

use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::{Value, json};

use crate::{
    error::{ModelError, Result},
    random::FloatFormat,
};

/// A tensor that will be written.
#[derive(Clone, Debug)]
pub(crate) struct TensorPlan {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) format: FloatFormat,
}

impl TensorPlan {
    /// Values.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    fn bytes(&self) -> u64 {
        self.len() as u64 * self.format.bytes() as u64
    }
}

/// One file that will be written.
pub struct ShardPlan {
    /// Its name in the model's folder.
    pub name: String,
    /// Its first bytes.
    pub(crate) header: Vec<u8>,
    /// What follows, in this order.
    pub(crate) tensors: Vec<TensorPlan>,
}

impl ShardPlan {
    /// Bytes of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.header.len() as u64 + self.tensors.iter().map(TensorPlan::bytes).sum::<u64>()
    }

    /// Values in the file.
    pub(crate) fn parameters(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.len() as u64).sum()
    }
}

/// Files of at most `shard_bytes`, unless one tensor has more; tensors stay in order from file to
/// file, and are sorted by name within one.
pub(crate) fn plan(tensors: Vec<TensorPlan>, shard_bytes: u64) -> Result<Vec<ShardPlan>> {
    let mut groups: Vec<Vec<TensorPlan>> = Vec::new();
    let mut room = 0;
    for tensor in tensors {
        let bytes = tensor.bytes();
        match groups.last_mut() {
            Some(group) if bytes <= room => group.push(tensor),
            _ => {
                room = shard_bytes;
                groups.push(vec![tensor]);
            }
        }
        room = room.saturating_sub(bytes);
    }
    let count = groups.len();
    let shards = groups.into_iter().zip(1..).map(|(mut tensors, number)| {
        let name = match count {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{number:05}-of-{count:05}.safetensors"),
        };
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(ShardPlan {
            header: write_header(&name, &tensors)?,
            name,
            tensors,
        })
    });
    shards.collect()
}

/// `model.safetensors.index.json`; `None` where there is one file.
pub(crate) fn index(shards: &[ShardPlan]) -> Option<Value> {
    if shards.len() < 2 {
        return None;
    }
    let places = shards.iter().flat_map(|shard| {
        let names = shard.tensors.iter().map(|tensor| tensor.name.as_str());
        names.map(|name| (name, shard.name.as_str()))
    });
    let map: BTreeMap<&str, &str> = places.collect();
    let parameters: u64 = shards.iter().map(ShardPlan::parameters).sum();
    let tensors = shards.iter().flat_map(|shard| &shard.tensors);
    let bytes: u64 = tensors.map(TensorPlan::bytes).sum();
    Some(json!({
        "metadata": {"total_parameters": parameters, "total_size": bytes},
        "weight_map": map,
    }))
}

/// A file's beginning: the length of the header, and the header, padded to a multiple of eight.
fn write_header(file: &str, tensors: &[TensorPlan]) -> Result<Vec<u8>> {
    let refuse = |problem: String| ModelError::Weights {
        file: Path::new(file).to_owned(),
        problem,
    };
    let mut end = 0;
    let entries = tensors.iter().map(|tensor| {
        let begin = end;
        end += tensor.bytes() as usize;
        let info = TensorInfo {
            dtype: tensor.format.into(),
            shape: tensor.shape.clone(),
            data_offsets: (begin, end),
        };
        (tensor.name.clone(), info)
    });
    let about = [("format".to_owned(), "pt".to_owned())].into();
    let header =
        Metadata::new(Some(about), entries.collect()).map_err(|e| refuse(e.to_string()))?;
    let mut text = serde_json::to_vec(&header).map_err(|e| refuse(e.to_string()))?;
    text.resize(text.len().next_multiple_of(8), b' ');
    Ok([&(text.len() as u64).to_le_bytes()[..], &text].concat())
}
