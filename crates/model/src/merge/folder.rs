//! A merged model as Hugging Face writes one: safetensors in shards, and their index.

use safetensors::Dtype;
use serde_json::Value;

use super::{Merge, TensorForm, encode::StoredFormat};
use crate::{
    error::{ModelError, Result},
    random::FloatFormat,
    shards::{self, ShardPlan, TensorPlan},
};

/// The files of a merged model, planned.
pub struct MergedFolder<'a> {
    merge: &'a Merge,
    shards: Vec<ShardPlan>,
}

/// One file.
pub type MergedShard = ShardPlan;

impl Merge {
    /// The weight files of the merged model. Each tensor is stored as the base's is, or in
    /// `format`; what is stored quantised is written in `format`, or in `fallback`, that of the
    /// model's configuration.
    ///
    /// # Errors
    /// The base is a GGUF file; it is quantised, and there is no format.
    pub fn folder(
        &self,
        format: Option<FloatFormat>,
        fallback: Option<FloatFormat>,
        shard_bytes: u64,
    ) -> Result<MergedFolder<'_>> {
        let mut tensors = Vec::new();
        for name in self.weights.in_order() {
            let stored = self.weights.float_dtype(&name).and_then(FloatFormat::of);
            let Some(format) = format.or(stored).or(fallback) else {
                let problem = format!(
                    "tensor `{name}` is quantised, and config.json has no dtype to write it in; name one with --dtype"
                );
                return Err(self.weights.error(&name, problem));
            };
            tensors.push(TensorPlan {
                shape: self.weights.shape(&name),
                name,
                format,
            });
        }
        Ok(MergedFolder {
            merge: self,
            shards: shards::plan(tensors, shard_bytes)?,
        })
    }
}

impl MergedFolder<'_> {
    /// The files, in the order of their names.
    pub fn shards(&self) -> &[MergedShard] {
        &self.shards
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(ShardPlan::bytes).sum()
    }

    /// `model.safetensors.index.json`; `None` where there is one file.
    pub fn index(&self) -> Option<Value> {
        shards::index(&self.shards)
    }

    /// The bytes of a file, in pieces, to `take`.
    ///
    /// # Errors
    /// Those of `take`; a value that the format cannot hold.
    pub fn write<E: From<ModelError>>(
        &self,
        shard: &MergedShard,
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        take(&shard.header)?;
        for tensor in &shard.tensors {
            let stored = self.merge.weights.float_dtype(&tensor.name);
            let is_stored_so = stored == Some(Dtype::from(tensor.format));
            let form = TensorForm {
                format: StoredFormat::Floats(tensor.format),
                is_stored_so,
                interleaved: None,
                plus_one: false,
            };
            self.merge.encode(&tensor.name, &form, take)?;
        }
        Ok(())
    }
}
