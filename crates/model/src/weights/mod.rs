//! Weight files: tensors by their Hugging Face names, each taken exactly once, nothing missing
//! and nothing left over.

pub(crate) mod gguf;
pub(crate) mod gguf_names;
mod matrix;
mod safetensors;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use rayon::prelude::*;
use schema::task::Precision;

use matrix::Matrix;

use crate::{
    config::ModelConfig,
    error::{ModelError, Result},
    ops::weight::Weight,
};

/// The tensors of a model, memory-mapped until taken.
pub(crate) struct WeightFiles {
    source: Source,
    left: BTreeSet<String>,
    precision: Precision,
    device: Device,
}

enum Source {
    Folder(safetensors::Shards),
    Gguf(gguf::GgufFile),
}

/// Tensors that some files carry and no forward needs: RoPE's frequencies, which follow from
/// the configuration.
const KNOWN_AND_IGNORED: [&str; 2] = [".rotary_emb.inv_freq", ".masked_bias"];

impl WeightFiles {
    /// Opens the shards of a Hugging Face folder.
    pub(crate) fn open_folder(
        shards: &[PathBuf],
        precision: Precision,
        device: &Device,
    ) -> Result<Self> {
        let shards = safetensors::Shards::open(shards)?;
        let left = shards.names();
        Ok(Self {
            source: Source::Folder(shards),
            left,
            precision,
            device: device.clone(),
        })
    }

    /// Opens a GGUF file whose header was read before; `config` is what it says.
    pub(crate) fn open_gguf(
        header: &hub::gguf::Header,
        config: &ModelConfig,
        precision: Precision,
        device: &Device,
    ) -> Result<Self> {
        let file = gguf::GgufFile::open(header, config)?;
        let left = file.names();
        Ok(Self {
            source: Source::Gguf(file),
            left,
            precision,
            device: device.clone(),
        })
    }

    /// Whether the files hold a tensor of this name that was not taken yet.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.contains(name)
    }

    /// The matrix, in the model's precision, on its device, ready for products. Its shape must
    /// be `shape`.
    pub(crate) fn take_weight(&mut self, name: &str, shape: [usize; 2]) -> Result<Weight> {
        match self.take_matrix(name, shape)? {
            Matrix::Tensor(tensor) => Weight::new(tensor),
            Matrix::Blocks(blocks) => Ok(Weight::from_blocks(blocks)),
        }
    }

    /// The tensor in f32: norms and biases are small and gain nothing from fewer bits.
    pub(crate) fn take_f32(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.take_as(name, shape, DType::F32)
    }

    fn take_as(&mut self, name: &str, shape: &[usize], dtype: DType) -> Result<Tensor> {
        self.claim(name, shape)?;
        self.read_tensor(name, shape, dtype)
    }

    /// What a tensor that is not kept in blocks is held as.
    fn dtype(&self, name: &str) -> DType {
        let is_f32 = || match &self.source {
            Source::Folder(shards) => shards.is_f32(name),
            Source::Gguf(file) => file.is_f32(name),
        };
        match self.precision {
            Precision::F32 => DType::F32,
            Precision::Packed if is_f32() => DType::F32,
            Precision::Bf16 | Precision::Packed | Precision::Nf4 => DType::BF16,
        }
    }

    /// Marks a tensor of this shape as taken.
    fn claim(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        if !self.left.remove(name) {
            return Err(self.error(
                name,
                format!("tensor `{name}` is missing, expected with shape {shape:?}"),
            ));
        }
        let found = match &self.source {
            Source::Folder(shards) => shards.shape(name),
            Source::Gguf(file) => file.shape(name),
        };
        if found != shape {
            return Err(self.error(
                name,
                format!("tensor `{name}` has shape {found:?}, the configuration needs {shape:?}"),
            ));
        }
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Floats<'_>> {
        match &self.source {
            Source::Folder(shards) => shards.read(name),
            Source::Gguf(file) => file.read(name),
        }
    }

    fn read_tensor(&self, name: &str, shape: &[usize], dtype: DType) -> Result<Tensor> {
        let floats = self.read(name)?;
        let place = |e| ModelError::candle(format!("tensor `{name}`"))(e);
        floats
            .into_tensor(shape, dtype)
            .and_then(|t| t.to_device(&self.device))
            .map_err(place)
    }

    /// Ends the reading: any tensor that nothing took is an error.
    pub(crate) fn finish(self) -> Result<()> {
        let unused: Vec<_> = self
            .left
            .iter()
            .filter(|n| !KNOWN_AND_IGNORED.iter().any(|end| n.ends_with(end)))
            .collect();
        let Some(first) = unused.first() else {
            return Ok(());
        };
        let names = unused
            .iter()
            .take(5)
            .map(|n| n.as_str())
            .collect::<Vec<_>>()
            .join("`, `");
        let count = unused.len();
        Err(self.error(
            first,
            format!("holds {count} that no part of the configured decoder takes: tensor `{names}`"),
        ))
    }

    /// Whether two tensors of a folder are stored as the same bytes.
    pub(crate) fn are_same(&self, one: &str, other: &str) -> Result<bool> {
        match &self.source {
            Source::Folder(shards) => Ok(shards.dtype(one) == shards.dtype(other)
                && shards.bytes(one)? == shards.bytes(other)?),
            Source::Gguf(_) => Ok(false),
        }
    }

    /// Marks a tensor as known and not needed.
    pub(crate) fn ignore(&mut self, name: &str) {
        self.left.remove(name);
    }

    /// Names of all tensors in the order of the files, without those that no forward needs.
    pub(crate) fn in_order(&self) -> Vec<String> {
        let names = match &self.source {
            Source::Folder(shards) => shards.in_order(),
            Source::Gguf(file) => file.in_order(),
        };
        let is_needed = |name: &String| !KNOWN_AND_IGNORED.iter().any(|end| name.ends_with(end));
        names.into_iter().filter(is_needed).collect()
    }

    /// The shape of a tensor that is there.
    pub(crate) fn shape(&self, name: &str) -> Vec<usize> {
        match &self.source {
            Source::Folder(shards) => shards.shape(name).to_vec(),
            Source::Gguf(file) => file.shape(name).to_vec(),
        }
    }

    /// How a folder's tensor is stored; `None` where it is no plain floats.
    pub(crate) fn float_dtype(&self, name: &str) -> Option<::safetensors::Dtype> {
        use ::safetensors::Dtype;
        match &self.source {
            Source::Folder(shards) => shards
                .dtype(name)
                .filter(|dtype| matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16)),
            Source::Gguf(_) => None,
        }
    }

    /// A tensor's bytes as they are stored.
    pub(crate) fn bytes(&self, name: &str) -> Result<&[u8]> {
        match &self.source {
            Source::Folder(shards) => shards.bytes(name),
            Source::Gguf(file) => file.bytes(name),
        }
    }

    /// Heads whose rows a GGUF file has in an order of its own.
    pub(crate) fn interleaved_heads(&self, name: &str) -> Option<usize> {
        match &self.source {
            Source::Folder(_) => None,
            Source::Gguf(file) => file.interleaved_heads(name),
        }
    }

    /// A tensor's values in pieces of at most `most`, in the order of Hugging Face.
    pub(crate) fn each_piece<E: From<ModelError>>(
        &self,
        name: &str,
        most: usize,
        take: &mut dyn FnMut(Vec<f32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let floats = self.read(name)?;
        let (size, bytes) = match &floats {
            Floats::F32(bytes) => (4, *bytes),
            Floats::F16(bytes) | Floats::Bf16(bytes) => (2, *bytes),
            Floats::Owned(_) => return take(floats.into_f32()),
        };
        for piece in bytes.chunks(most * size) {
            take(floats.of_same_kind(piece).into_f32())?;
        }
        Ok(())
    }

    /// All values of a tensor, in the order of Hugging Face.
    pub(crate) fn values(&self, name: &str) -> Result<Vec<f32>> {
        Ok(self.read(name)?.into_f32())
    }

    pub(crate) fn error(&self, name: &str, problem: String) -> ModelError {
        let file = match &self.source {
            Source::Folder(shards) => shards.file_of(name),
            Source::Gguf(file) => file.path().to_owned(),
        };
        ModelError::Weights { file, problem }
    }
}

/// Values as they lie in a file, little-endian.
enum Floats<'a> {
    F32(&'a [u8]),
    F16(&'a [u8]),
    Bf16(&'a [u8]),
    /// Already decoded.
    Owned(Vec<f32>),
}

impl<'a> Floats<'a> {
    /// Other bytes of the same kind.
    fn of_same_kind(&self, bytes: &'a [u8]) -> Self {
        match self {
            Self::F16(_) => Self::F16(bytes),
            Self::Bf16(_) => Self::Bf16(bytes),
            Self::F32(_) | Self::Owned(_) => Self::F32(bytes),
        }
    }

    fn into_tensor(self, shape: &[usize], dtype: DType) -> candle_core::Result<Tensor> {
        let cpu = &Device::Cpu;
        if dtype == DType::BF16 {
            let values: Vec<bf16> = match self {
                Self::Bf16(bytes) => decode(bytes, bf16::from_le_bytes),
                other => other
                    .into_f32()
                    .into_par_iter()
                    .map(bf16::from_f32)
                    .collect(),
            };
            return Tensor::from_vec(values, shape, cpu);
        }
        Tensor::from_vec(self.into_f32(), shape, cpu)?.to_dtype(dtype)
    }

    fn into_f32(self) -> Vec<f32> {
        match self {
            Self::F32(bytes) => decode(bytes, f32::from_le_bytes),
            Self::F16(bytes) => decode(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16(bytes) => decode(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::Owned(values) => values,
        }
    }
}

fn decode<const B: usize, T: Send>(bytes: &[u8], value: impl Fn([u8; B]) -> T + Sync) -> Vec<T> {
    bytes
        .as_chunks::<B>()
        .0
        .par_iter()
        .with_min_len(4096)
        .map(|b| value(*b))
        .collect()
}

/// Gives back the pages of a part of the map that was read: else a file counts as this
/// process's memory beside the weights made from it. Read again, they come back from the file.
#[allow(unsafe_code)]
fn release(map: &memmap2::Mmap, part: std::ops::Range<usize>) -> std::io::Result<()> {
    #[cfg(unix)]
    // SAFETY: the map is of a file and read-only, so pages that are dropped hold the same bytes
    // when they are read again.
    unsafe {
        map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, part.start, part.len())
    }
    #[cfg(not(unix))]
    {
        let _ = (map, part);
        Ok(())
    }
}

/// Maps a file into memory.
#[allow(unsafe_code)]
fn map(path: &Path) -> Result<memmap2::Mmap> {
    let file = std::fs::File::open(path).map_err(schema::disk::DiskError::at("open", path))?;
    // SAFETY: the map is only read. Another process that shortens a weight file while it is in
    // use would end this one with SIGBUS, as with every program that maps its weights.
    let map = unsafe { memmap2::Mmap::map(&file) };
    Ok(map.map_err(schema::disk::DiskError::at("map", path))?)
}
