//! A merged model as a GGUF file. Of a base that was one it has the metadata and the order of the
//! tensors; that of a folder is made in `from_folder.rs`.

use std::collections::BTreeMap;

use hub::gguf::{NewHeader, TensorEntry, Value};

use super::{Merge, TensorForm, encode::StoredFormat};
use crate::{
    error::{ModelError, Result},
    random::FloatFormat,
    weights::gguf_names::hugging_face_name,
};

schema::words! {
    /// How a GGUF file stores matrices; vectors are f32 in all.
    GgufFormat {
        /// 32 bits.
        F32 "f32",
        /// IEEE's 16 bits.
        F16 "f16",
        /// bfloat16.
        Bf16 "bf16",
        /// Blocks of 32 values in 8 bits.
        Q8_0 "q8_0",
    }
}

impl GgufFormat {
    /// llama.cpp's number of a file that is mostly like this (`llama_ftype`).
    pub(super) fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Bf16 => 32,
            Self::Q8_0 => 7,
        }
    }

    /// How a tensor is stored, by llama.cpp's converter's rules: vectors in f32, rows that are no
    /// whole blocks in f16.
    pub(super) fn of(self, shape: &[usize]) -> StoredFormat {
        let width = shape.last().copied().unwrap_or(1);
        match self {
            _ if shape.len() < 2 => StoredFormat::Floats(FloatFormat::F32),
            Self::F32 => StoredFormat::Floats(FloatFormat::F32),
            Self::F16 => StoredFormat::Floats(FloatFormat::F16),
            Self::Bf16 => StoredFormat::Floats(FloatFormat::Bf16),
            Self::Q8_0 if width.is_multiple_of(32) => StoredFormat::Q8_0,
            Self::Q8_0 => StoredFormat::Floats(FloatFormat::F16),
        }
    }
}

/// Whether ggml's type has no blocks.
pub(super) fn is_plain(ggml_type: u32) -> bool {
    [FloatFormat::F32, FloatFormat::F16, FloatFormat::Bf16]
        .iter()
        .any(|format| StoredFormat::Floats(*format).ggml_type() == ggml_type)
}

/// The file of a merged model, planned.
pub struct MergedGguf<'a> {
    pub(super) merge: &'a Merge,
    pub(super) header: NewHeader,
    /// Where the values of each tensor come from.
    pub(super) sources: Vec<TensorSource>,
}

/// Where a tensor's values come from.
pub(super) enum TensorSource {
    /// The base's tensor of this name.
    Base(String, TensorForm),
    /// The configuration.
    Made(Vec<f32>),
}

impl Merge {
    /// The GGUF file of the merged model. `tokenizer`: metadata of its tokenizer, where the base is
    /// a folder; that of a GGUF file is kept.
    ///
    /// # Errors
    /// llama.cpp has no architecture for the folder's model, or none that can say all of it.
    pub fn gguf(
        &self,
        format: GgufFormat,
        tokenizer: BTreeMap<String, Value>,
    ) -> Result<MergedGguf<'_>> {
        let Some(header) = &self.header else {
            return self.gguf_of_folder(format, tokenizer);
        };
        let set = [
            ("general.file_type", format.file_type()),
            ("general.quantization_version", 2),
        ];
        let new = header.rewrite(&set, &|old| format.of(&old.shape).ggml_type())?;
        let pairs = header.tensors.iter().zip(&new.tensors);
        let sources = pairs.map(|(old, new)| {
            let name = self.name_of(old);
            let form = TensorForm {
                format: format.of(&new.shape),
                is_stored_so: old.ggml_type == new.ggml_type,
                interleaved: self.weights.interleaved_heads(&name),
                plus_one: false,
            };
            TensorSource::Base(name, form)
        });
        Ok(MergedGguf {
            merge: self,
            sources: sources.collect(),
            header: new,
        })
    }

    fn name_of(&self, entry: &TensorEntry) -> String {
        hugging_face_name(&entry.name, &self.config).unwrap_or_else(|| entry.name.clone())
    }
}

impl MergedGguf<'_> {
    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.header.file_bytes
    }

    /// The bytes of the file, in pieces, to `take`.
    ///
    /// # Errors
    /// Those of `take`; a value that the format cannot hold.
    pub fn write<E: From<ModelError>>(
        &self,
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        take(&self.header.bytes)?;
        let mut at = self.header.bytes.len() as u64;
        for (tensor, source) in self.header.tensors.iter().zip(&self.sources) {
            take(&vec![0; (tensor.offset - at) as usize])?;
            match source {
                TensorSource::Base(name, form) => self.merge.encode(name, form, take)?,
                TensorSource::Made(values) => {
                    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                    take(&bytes)?;
                }
            }
            at = tensor.offset + tensor.length;
        }
        take(&vec![0; (self.header.file_bytes - at) as usize])
    }
}
