//! A merged model as the GGUF file that its base was, with the metadata and the order of the
//! base's.

use hub::gguf::{NewHeader, TensorEntry};

use super::{Merge, encode::StoredFormat};
use crate::{
    error::{ModelError, Result},
    random::FloatFormat,
    weights::gguf_names::hugging_face_name,
};

schema::words! {
    /// How a GGUF file stores matrices; vectors are f32 in all.
    GgufFormat {
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
    fn file_type(self) -> u32 {
        match self {
            Self::F16 => 1,
            Self::Bf16 => 32,
            Self::Q8_0 => 7,
        }
    }

    /// How a tensor is stored, by llama.cpp's converter's rules: vectors in f32, rows that are no
    /// whole blocks in f16.
    fn of(self, shape: &[usize]) -> StoredFormat {
        let width = shape.last().copied().unwrap_or(1);
        match self {
            _ if shape.len() < 2 => StoredFormat::Floats(FloatFormat::F32),
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
    merge: &'a Merge,
    format: GgufFormat,
    header: NewHeader,
    /// Types of the tensors in the base's file.
    stored: Vec<u32>,
}

impl Merge {
    /// The GGUF file of the merged model.
    ///
    /// # Errors
    /// The base is none.
    pub fn gguf(&self, format: GgufFormat) -> Result<MergedGguf<'_>> {
        let Some(header) = &self.header else {
            return Err(ModelError::Input(
                "the model is no GGUF file, whose metadata a new one could have".to_owned(),
            ));
        };
        let set = [
            ("general.file_type", format.file_type()),
            ("general.quantization_version", 2),
        ];
        let new = header.rewrite(&set, &|old| format.of(&old.shape).ggml_type())?;
        Ok(MergedGguf {
            merge: self,
            format,
            header: new,
            stored: header.tensors.iter().map(|old| old.ggml_type).collect(),
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
        for (tensor, stored) in self.header.tensors.iter().zip(&self.stored) {
            take(&vec![0; (tensor.offset - at) as usize])?;
            let format = self.format.of(&tensor.shape);
            let is_stored_so = *stored == tensor.ggml_type;
            self.merge
                .encode(&self.merge.name_of(tensor), format, is_stored_so, take)?;
            at = tensor.offset + tensor.length;
        }
        take(&vec![0; (self.header.file_bytes - at) as usize])
    }
}
