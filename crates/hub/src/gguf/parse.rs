//! The order of a GGUF header's fields: magic, version, counts, metadata, tensor entries,
//! padding, data. Source: the GGUF specification of the ggml project. Never here: file access,
//! tensor values.

use std::{collections::BTreeMap, ops::Range, path::Path};

use super::{Header, TensorEntry, Value, block::block, check, reader::Fields};
use crate::HubError;

/// ggml has at most four dimensions.
const MOST_DIMENSIONS: u32 = 4;
/// No known model has lists in lists; the limit keeps recursion flat.
const DEEPEST_LIST: u32 = 4;
/// Smallest metadata entry: length of the key, kind, one byte of value.
const SMALLEST_ENTRY: u64 = 8 + 4 + 1;
/// Smallest tensor entry: length of the name, number of dimensions, one dimension, type,
/// offset.
const SMALLEST_TENSOR: u64 = 8 + 4 + 8 + 4 + 8;

pub(super) fn read(path: &Path) -> Result<Header, HubError> {
    let mut fields = Fields::open(path)?;
    read_version(&mut fields)?;
    let tensors = fields.u64("tensor count")?;
    let entries = fields.u64("metadata count")?;
    fields.check_count("metadata count", "entries", entries, SMALLEST_ENTRY)?;
    let metadata = read_metadata(&mut fields, entries)?;
    let tensor_count = fields.check_count("tensor count", "tensors", tensors, SMALLEST_TENSOR)?;
    let mut tensors = Vec::with_capacity(tensor_count);
    for index in 0..tensor_count {
        tensors.push(read_tensor(&mut fields, index)?);
    }
    let mut header = Header {
        path: path.to_owned(),
        metadata,
        tensors,
    };
    check::place(&mut header, fields.position, fields.length)?;
    Ok(header)
}

/// Where each entry of the metadata lies in the file, key and kind included, in file order.
pub(super) fn entry_ranges(path: &Path) -> Result<Vec<(String, Range<u64>)>, HubError> {
    let mut fields = Fields::open(path)?;
    read_version(&mut fields)?;
    fields.u64("tensor count")?;
    let entries = fields.u64("metadata count")?;
    let count = fields.check_count("metadata count", "entries", entries, SMALLEST_ENTRY)?;
    let mut ranges = Vec::with_capacity(count);
    for index in 0..entries {
        let start = fields.position;
        let (key, _) = read_entry(&mut fields, index, entries)?;
        ranges.push((key, start..fields.position));
    }
    Ok(ranges)
}

fn read_entry(
    fields: &mut Fields<'_>,
    index: u64,
    entries: u64,
) -> Result<(String, Value), HubError> {
    let key = fields.text(&format!("key {index} of {entries}"))?;
    let at = format!("key `{key}`");
    let kind = fields.u32(&at)?;
    let value = read_value(fields, &at, kind, 0)?;
    Ok((key, value))
}

fn read_version(fields: &mut Fields<'_>) -> Result<(), HubError> {
    let magic: [u8; 4] = fields.array("magic")?;
    if &magic != b"GGUF" {
        return Err(fields.error("magic", "does not begin with `GGUF`; this is no GGUF file"));
    }
    let version = fields.u32("version")?;
    match version {
        2 | 3 => Ok(()),
        _ if (1..=3).contains(&version.swap_bytes()) => Err(fields.error(
            "version",
            "the file is big-endian; convert it for little-endian machines",
        )),
        _ => Err(fields.error(
            "version",
            format!(
                "is {version}; 2 and 3 are read: convert the model again with a current converter"
            ),
        )),
    }
}

fn read_metadata(
    fields: &mut Fields<'_>,
    entries: u64,
) -> Result<BTreeMap<String, Value>, HubError> {
    let mut metadata = BTreeMap::new();
    for index in 0..entries {
        let (key, value) = read_entry(fields, index, entries)?;
        let at = format!("key `{key}`");
        if metadata.insert(key, value).is_some() {
            return Err(fields.error(&at, "is there twice; the file is damaged"));
        }
    }
    Ok(metadata)
}

fn read_value(fields: &mut Fields<'_>, at: &str, kind: u32, depth: u32) -> Result<Value, HubError> {
    Ok(match kind {
        0 => Value::Unsigned(u64::from(fields.array::<1>(at)?[0])),
        1 => Value::Signed(i64::from(i8::from_le_bytes(fields.array(at)?))),
        2 => Value::Unsigned(u64::from(u16::from_le_bytes(fields.array(at)?))),
        3 => Value::Signed(i64::from(i16::from_le_bytes(fields.array(at)?))),
        4 => Value::Unsigned(u64::from(fields.u32(at)?)),
        5 => Value::Signed(i64::from(i32::from_le_bytes(fields.array(at)?))),
        6 => Value::Float(f64::from(f32::from_le_bytes(fields.array(at)?))),
        7 => match fields.array::<1>(at)?[0] {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            other => {
                return Err(fields.error(
                    at,
                    format!("a truth value is 0 or 1, not {other}; the file is damaged"),
                ));
            }
        },
        8 => Value::Text(fields.text(at)?),
        9 => read_list(fields, at, depth)?,
        10 => Value::Unsigned(fields.u64(at)?),
        11 => Value::Signed(i64::from_le_bytes(fields.array(at)?)),
        12 => Value::Float(f64::from_le_bytes(fields.array(at)?)),
        _ => return Err(unknown_kind(fields, at, kind)),
    })
}

fn read_list(fields: &mut Fields<'_>, at: &str, depth: u32) -> Result<Value, HubError> {
    if depth == DEEPEST_LIST {
        return Err(fields.error(
            at,
            format!("lists are nested more than {DEEPEST_LIST} deep; the file is damaged"),
        ));
    }
    let kind = fields.u32(at)?;
    let smallest = match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        8 | 10..=12 => 8,
        9 => 12,
        _ => return Err(unknown_kind(fields, at, kind)),
    };
    let count = fields.u64(at)?;
    let count = fields.check_list(at, count, smallest)?;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(read_value(fields, at, kind, depth + 1)?);
    }
    Ok(Value::List(values))
}

fn unknown_kind(fields: &Fields<'_>, at: &str, kind: u32) -> HubError {
    fields.error(
        at,
        format!("value kind {kind} is unknown (0 to 12 are read); the file is damaged or newer than this program"),
    )
}

/// The entry as in the file: `offset` is still relative to the data's start.
fn read_tensor(fields: &mut Fields<'_>, index: usize) -> Result<TensorEntry, HubError> {
    let name = fields.text(&format!("tensor {index}"))?;
    let at = format!("tensor `{name}`");
    let dimensions = fields.u32(&at)?;
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        return Err(fields.error(
            &at,
            format!("has {dimensions} dimensions; 1 to {MOST_DIMENSIONS} are possible"),
        ));
    }
    let mut sizes = Vec::with_capacity(MOST_DIMENSIONS as usize);
    for _ in 0..dimensions {
        sizes.push(fields.u64(&at)?);
    }
    let ggml_type = fields.u32(&at)?;
    let offset = fields.u64(&at)?;
    let length = byte_length(fields, &at, &sizes, ggml_type)?;
    // Innermost first in the file, outermost first here.
    let shape = sizes
        .iter()
        .rev()
        .map(|&size| usize::try_from(size))
        .collect::<Result<_, _>>();
    let shape = shape.map_err(|_| {
        fields.error(
            &at,
            format!("shape {sizes:?} is too large for this machine"),
        )
    })?;
    Ok(TensorEntry {
        name,
        shape,
        ggml_type,
        offset,
        length,
    })
}

fn byte_length(
    fields: &Fields<'_>,
    at: &str,
    sizes: &[u64],
    ggml_type: u32,
) -> Result<u64, HubError> {
    let Some(block) = block(ggml_type) else {
        let known: Vec<_> = super::BLOCKS.iter().map(|b| b.name).collect();
        let known = known.join(" ");
        return Err(fields.error(
            at,
            format!("ggml type {ggml_type} is not read; use a file quantised to one of {known}"),
        ));
    };
    if sizes.contains(&0) {
        return Err(fields.error(
            at,
            format!("a dimension of {sizes:?} is 0; the file is damaged"),
        ));
    }
    if !sizes[0].is_multiple_of(block.elements) {
        let problem = format!(
            "rows of {} elements are no whole number of {} blocks of {}",
            sizes[0], block.name, block.elements
        );
        return Err(fields.error(at, problem + "; the file is damaged"));
    }
    let elements = sizes
        .iter()
        .try_fold(1_u64, |product, &size| product.checked_mul(size));
    elements
        .and_then(|n| (n / block.elements).checked_mul(block.bytes))
        .ok_or_else(|| {
            fields.error(
                at,
                format!("shape {sizes:?} overflows; the file is damaged"),
            )
        })
}
