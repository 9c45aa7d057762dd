//! safetensors files, one or many.

mod bitsandbytes;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use kernels::quantised::{BlockBytes, Blocks};
use memmap2::Mmap;
use safetensors::{
    Dtype, SafeTensors,
    tensor::{Metadata, TensorInfo},
};

use self::bitsandbytes::FourBit;
use super::Floats;
use crate::error::{ModelError, Result};
use schema::disk::FETCH_AGAIN;

struct Shard {
    path: PathBuf,
    map: Arc<Mmap>,
    /// Where tensor data starts.
    start: usize,
    metadata: Metadata,
}

/// All shards, and which of them holds a tensor.
pub(super) struct Shards {
    shards: Vec<Shard>,
    by_name: BTreeMap<String, usize>,
    four_bit: BTreeMap<String, FourBit>,
    /// What was read last: its pages are given back when the next tensor is read.
    last: Cell<Option<(usize, usize, usize)>>,
}

impl Shards {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self> {
        let (mut shards, mut by_name) = (Vec::new(), BTreeMap::new());
        for path in paths {
            let refuse = |problem: String| ModelError::Weights {
                file: path.clone(),
                problem,
            };
            let map = Arc::new(super::map(path)?);
            // Checks lengths, offsets and holes against the file's size.
            let (header, metadata) = SafeTensors::read_metadata(&map).map_err(|e| {
                refuse(format!(
                    "not a complete safetensors file ({e}); {FETCH_AGAIN}"
                ))
            })?;
            let start = header + 8;
            if start + metadata.data_len() != map.len() {
                let (want, have) = (start + metadata.data_len(), map.len());
                return Err(refuse(format!(
                    "{have} bytes, but its header speaks of {want}; {FETCH_AGAIN}"
                )));
            }
            for name in metadata.tensors().into_keys() {
                if by_name.insert(name.clone(), shards.len()).is_some() {
                    return Err(refuse(format!("tensor `{name}` is in another shard too")));
                }
            }
            shards.push(Shard {
                path: path.clone(),
                map,
                start,
                metadata,
            });
        }
        let mut opened = Self {
            shards,
            by_name,
            four_bit: BTreeMap::new(),
            last: Cell::new(None),
        };
        opened.four_bit = bitsandbytes::find(&opened)?;
        Ok(opened)
    }

    /// Names of all tensors but those that describe another.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let beside: BTreeSet<&String> = self.four_bit.values().flat_map(|f| &f.beside).collect();
        self.by_name
            .keys()
            .filter(|name| !beside.contains(name))
            .cloned()
            .collect()
    }

    /// The same in the order of the files.
    pub(super) fn in_order(&self) -> Vec<String> {
        let mut names: Vec<String> = self.names().into_iter().collect();
        names.sort_by_key(|name| {
            let shard = self.by_name.get(name).copied().unwrap_or(0);
            let info = self.find(name).ok();
            (shard, info.map_or(0, |(_, info)| info.data_offsets.0))
        });
        names
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The file that holds a tensor, or the first for one that is nowhere.
    pub(super) fn file_of(&self, name: &str) -> PathBuf {
        let shard = self.by_name.get(name).copied().unwrap_or(0);
        self.shards
            .get(shard)
            .map(|s| s.path.clone())
            .unwrap_or_default()
    }

    fn find(&self, name: &str) -> Result<(&Shard, &TensorInfo)> {
        let shard = self.by_name.get(name).map(|&at| &self.shards[at]);
        shard
            .and_then(|s| Some((s, s.metadata.info(name)?)))
            .ok_or_else(|| ModelError::Weights {
                file: self.file_of(name),
                problem: format!("tensor `{name}` is missing"),
            })
    }

    /// Shape of a tensor, of the matrix where it is one of codes; empty for one that is not
    /// there.
    pub(super) fn shape(&self, name: &str) -> &[usize] {
        match self.four_bit.get(name) {
            Some(four_bit) => &four_bit.shape,
            None => self
                .find(name)
                .map(|(_, info)| info.shape.as_slice())
                .unwrap_or_default(),
        }
    }

    /// Whether a tensor is stored in 32 bits.
    pub(super) fn is_f32(&self, name: &str) -> bool {
        self.dtype(name) == Some(Dtype::F32)
    }

    /// How a tensor is stored.
    pub(super) fn dtype(&self, name: &str) -> Option<Dtype> {
        let &shard = self.by_name.get(name)?;
        Some(self.shards[shard].metadata.info(name)?.dtype)
    }

    /// A tensor's bytes, whatever they mean.
    pub(super) fn bytes(&self, name: &str) -> Result<&[u8]> {
        let (shard, info) = self.find(name)?;
        let (from, to) = info.data_offsets;
        Ok(&shard.map[shard.start + from..shard.start + to])
    }

    /// A tensor's bytes, to be used in place.
    pub(super) fn mapped(&self, name: &str) -> Result<BlockBytes> {
        let (shard, info) = self.find(name)?;
        let (from, to) = info.data_offsets;
        Ok(BlockBytes::Shared {
            owner: shard.map.clone(),
            range: shard.start + from..shard.start + to,
        })
    }

    /// A matrix that is stored quantised; `None` for any other tensor.
    pub(super) fn blocks(&self, name: &str) -> Result<Option<Blocks>> {
        self.four_bit
            .get(name)
            .map(|four_bit| four_bit.read(self, name))
            .transpose()
    }

    /// The values of a tensor.
    pub(super) fn read(&self, name: &str) -> Result<Floats<'_>> {
        match self.blocks(name)? {
            Some(blocks) => Ok(Floats::Owned(blocks.to_floats())),
            None => self.plain(name),
        }
    }

    /// Gives the pages of the tensor read before this one back to the system.
    fn release_last(&self, name: &str) -> Result<()> {
        let Some(&at) = self.by_name.get(name) else {
            return Ok(());
        };
        let (shard, info) = self.find(name)?;
        let (from, to) = info.data_offsets;
        if let Some((at, from, to)) =
            self.last
                .replace(Some((at, shard.start + from, shard.start + to)))
        {
            let before = &self.shards[at];
            super::release(&before.map, from..to)
                .map_err(schema::disk::DiskError::at("release", &before.path))?;
        }
        Ok(())
    }

    /// The values of a tensor that is not quantised.
    pub(super) fn plain(&self, name: &str) -> Result<Floats<'_>> {
        let (_, info) = self.find(name)?;
        self.release_last(name)?;
        let bytes = self.bytes(name)?;
        match info.dtype {
            Dtype::F32 => Ok(Floats::F32(bytes)),
            Dtype::F16 => Ok(Floats::F16(bytes)),
            Dtype::BF16 => Ok(Floats::Bf16(bytes)),
            other => {
                let problem = format!(
                    "tensor `{name}` is {other:?}; f32, f16 and bf16 are read, and bitsandbytes' 4 bits"
                );
                Err(ModelError::Weights {
                    file: self.file_of(name),
                    problem,
                })
            }
        }
    }
}
