//! The header of a new GGUF file: metadata as an old one has it, byte by byte, with some keys set,
//! and tensors of other types. Source: the GGUF specification of the ggml project. Never here:
//! tensor values.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use schema::disk::DiskError;

use super::{Header, TensorEntry, block::block, check, parse};
use crate::HubError;

/// The version that is written.
const VERSION: u32 = 3;

/// A file to be: what is written before the tensors, and where these go.
pub struct NewHeader {
    /// Everything before the first tensor, padding included.
    pub bytes: Vec<u8>,
    /// The tensors in file order; offsets are absolute, and lengths without padding.
    pub tensors: Vec<TensorEntry>,
    /// Bytes of the whole file.
    pub file_bytes: u64,
}

impl Header {
    /// The header of a file with the same metadata, in which the whole numbers `set` have other
    /// values or are new, and the same tensors as `type_of` types them.
    ///
    /// # Errors
    /// The file cannot be read again; a tensor's rows are no whole number of blocks of its type.
    pub fn rewrite(
        &self,
        set: &[(&str, u32)],
        type_of: &dyn Fn(&TensorEntry) -> u32,
    ) -> Result<NewHeader, HubError> {
        let mut metadata = Vec::new();
        let mut count = 0u64;
        for (key, bytes) in self.raw_entries()? {
            if set.iter().all(|(other, _)| *other != key) {
                metadata.extend(bytes);
                count += 1;
            }
        }
        for (key, value) in set {
            put_text(&mut metadata, key);
            metadata.extend(4u32.to_le_bytes());
            metadata.extend(value.to_le_bytes());
            count += 1;
        }
        let tensors = self
            .tensors
            .iter()
            .map(|old| self.retype(old, type_of(old)))
            .collect::<Result<Vec<_>, _>>()?;
        let alignment = check::read_alignment(self)?;
        Ok(assemble((&metadata, count), tensors, alignment))
    }

    fn retype(&self, old: &TensorEntry, ggml_type: u32) -> Result<TensorEntry, HubError> {
        let elements: usize = old.shape.iter().product();
        let width = old.shape.last().copied().unwrap_or(1) as u64;
        match block(ggml_type) {
            Some(block) if width.is_multiple_of(block.elements) => Ok(TensorEntry {
                ggml_type,
                length: elements as u64 / block.elements * block.bytes,
                ..old.clone()
            }),
            _ => Err(self.error(
                &old.name,
                format!("rows of {width} values have no ggml type {ggml_type}"),
            )),
        }
    }

    /// The metadata's entries as they are in the file, key and kind included.
    fn raw_entries(&self) -> Result<Vec<(String, Vec<u8>)>, HubError> {
        let ranges = parse::entry_ranges(&self.path)?;
        let mut file = File::open(&self.path).map_err(DiskError::at("open", &self.path))?;
        let mut entries = Vec::with_capacity(ranges.len());
        for (key, range) in ranges {
            let mut bytes = vec![0; (range.end - range.start) as usize];
            file.seek(SeekFrom::Start(range.start))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(DiskError::at("read", &self.path))?;
            entries.push((key, bytes));
        }
        Ok(entries)
    }
}

/// Puts the parts together; offsets of `tensors` are set.
fn assemble(
    (metadata, count): (&[u8], u64),
    mut tensors: Vec<TensorEntry>,
    alignment: u64,
) -> NewHeader {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend_from_slice(metadata);
    let mut offset = 0u64;
    for tensor in &mut tensors {
        put_text(&mut bytes, &tensor.name);
        bytes.extend((tensor.shape.len() as u32).to_le_bytes());
        for &size in tensor.shape.iter().rev() {
            bytes.extend((size as u64).to_le_bytes());
        }
        bytes.extend(tensor.ggml_type.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        tensor.offset = offset;
        offset += tensor.length.next_multiple_of(alignment);
    }
    let start = (bytes.len() as u64).next_multiple_of(alignment);
    bytes.resize(start as usize, 0);
    for tensor in &mut tensors {
        tensor.offset += start;
    }
    NewHeader {
        bytes,
        tensors,
        file_bytes: start + offset,
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
