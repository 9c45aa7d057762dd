//! The header of a new GGUF file: metadata as an old one has it, byte by byte, with some keys set,
//! and tensors of other types; or all of it new. Source: the GGUF specification of the ggml project. Never here:
//! tensor values.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use schema::disk::DiskError;

use super::{Header, TensorEntry, Value, block::block, check, parse};
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

impl NewHeader {
    /// Of a file with this metadata and these tensors, whose offsets and lengths are set. Whole
    /// numbers have 32 bits where they fit, floats always.
    ///
    /// # Errors
    /// As [`Header::rewrite`]; a list that is in a list, or of several kinds.
    pub fn create(header: &Header) -> Result<Self, HubError> {
        let mut metadata = Vec::new();
        for (key, value) in &header.metadata {
            put_text(&mut metadata, key);
            put_value(&mut metadata, value)
                .ok_or_else(|| header.error(key, "is a list of several kinds"))?;
        }
        let tensors = header.tensors.iter();
        let tensors = tensors.map(|new| header.retype(new, new.ggml_type));
        let count = header.metadata.len() as u64;
        Ok(assemble(
            (&metadata, count),
            tensors.collect::<Result<_, _>>()?,
            check::read_alignment(header)?,
        ))
    }
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

/// A value behind the number of its kind; `None` where a list has several kinds.
fn put_value(out: &mut Vec<u8>, value: &Value) -> Option<()> {
    let kind = kind_of(value);
    out.extend(kind.to_le_bytes());
    let Value::List(list) = value else {
        put_bare(out, value);
        return Some(());
    };
    let inner = list.first().map_or(8, kind_of);
    out.extend(inner.to_le_bytes());
    out.extend((list.len() as u64).to_le_bytes());
    for item in list {
        if kind_of(item) != inner || inner == 9 {
            return None;
        }
        put_bare(out, item);
    }
    Some(())
}

fn kind_of(value: &Value) -> u32 {
    match value {
        Value::Unsigned(number) if u32::try_from(*number).is_ok() => 4,
        Value::Unsigned(_) => 10,
        Value::Signed(number) if i32::try_from(*number).is_ok() => 5,
        Value::Signed(_) => 11,
        Value::Float(_) => 6,
        Value::Bool(_) => 7,
        Value::Text(_) => 8,
        Value::List(_) => 9,
    }
}

fn put_bare(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Unsigned(number) => match u32::try_from(*number) {
            Ok(small) => out.extend(small.to_le_bytes()),
            Err(_) => out.extend(number.to_le_bytes()),
        },
        Value::Signed(number) => match i32::try_from(*number) {
            Ok(small) => out.extend(small.to_le_bytes()),
            Err(_) => out.extend(number.to_le_bytes()),
        },
        Value::Float(number) => out.extend((*number as f32).to_le_bytes()),
        Value::Bool(flag) => out.push(u8::from(*flag)),
        Value::Text(text) => put_text(out, text),
        Value::List(_) => (),
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
