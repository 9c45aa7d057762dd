//! safetensors files, one or many.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors, tensor::Metadata};

use super::Floats;
use crate::error::{ModelError, Result};

struct Shard {
    path: PathBuf,
    map: Mmap,
    /// Where tensor data starts.
    start: usize,
    metadata: Metadata,
}

/// All shards, and which of them holds a tensor.
pub(super) struct Shards {
    shards: Vec<Shard>,
    by_name: BTreeMap<String, usize>,
    /// What was read last: its pages are given back when the next tensor is read.
    last: Cell<Option<(usize, usize, usize)>>,
}

impl Shards {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self> {
        let (mut shards, mut by_name) = (Vec::new(), BTreeMap::new());
        for path in paths {
            let refuse = |problem: String| ModelError::Weights { file: path.clone(), problem };
            let map = super::map(path)?;
            // Checks lengths, offsets and holes against the file's size.
            let (header, metadata) = SafeTensors::read_metadata(&map)
                .map_err(|e| refuse(format!("no whole safetensors file ({e}); fetch it again")))?;
            let start = header + 8;
            if start + metadata.data_len() != map.len() {
                let (want, have) = (start + metadata.data_len(), map.len());
                return Err(refuse(format!("{have} bytes, but its header speaks of {want}; fetch it again")));
            }
            for name in metadata.tensors().into_keys() {
                if by_name.insert(name.clone(), shards.len()).is_some() {
                    return Err(refuse(format!("tensor `{name}` stands in another shard too")));
                }
            }
            shards.push(Shard { path: path.clone(), map, start, metadata });
        }
        Ok(Self { shards, by_name, last: Cell::new(None) })
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.by_name.keys().cloned().collect()
    }

    /// The file that holds a tensor, or the first for one that is nowhere.
    pub(super) fn file_of(&self, name: &str) -> PathBuf {
        let shard = self.by_name.get(name).copied().unwrap_or(0);
        self.shards.get(shard).map(|s| s.path.clone()).unwrap_or_default()
    }

    /// Shape of a tensor; empty for one that is not there.
    pub(super) fn shape(&self, name: &str) -> &[usize] {
        let info = self.by_name.get(name).and_then(|&at| self.shards[at].metadata.info(name));
        info.map(|i| i.shape.as_slice()).unwrap_or_default()
    }

    pub(super) fn read(&self, name: &str) -> Result<Floats<'_>> {
        let refuse = |problem: String| ModelError::Weights { file: self.file_of(name), problem };
        let at = self.by_name.get(name).copied().unwrap_or(usize::MAX);
        let shard = self.shards.get(at);
        let (Some(shard), Some(info)) = (shard, shard.and_then(|s| s.metadata.info(name))) else {
            return Err(refuse(format!("tensor `{name}` is missing")));
        };
        let (from, to) = info.data_offsets;
        let (from, to) = (shard.start + from, shard.start + to);
        if let Some((at, from, to)) = self.last.replace(Some((at, from, to))) {
            let before = &self.shards[at];
            super::release(&before.map, from..to).map_err(schema::disk::DiskError::at("release", &before.path))?;
        }
        let bytes = &shard.map[from..to];
        match info.dtype {
            Dtype::F32 => Ok(Floats::F32(bytes)),
            Dtype::F16 => Ok(Floats::F16(bytes)),
            Dtype::BF16 => Ok(Floats::Bf16(bytes)),
            other => Err(refuse(format!("tensor `{name}` is {other:?}; f32, f16 and bf16 are read"))),
        }
    }
}
