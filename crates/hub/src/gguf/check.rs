//! Where the tensors lie: from offsets relative to the data's start to absolute ones, inside
//! the file, aligned, apart. Never here: reading.

use std::collections::HashSet;

use super::{Header, TensorEntry, show};
use crate::HubError;

/// What GGUF prescribes where `general.alignment` is absent.
const DEFAULT_ALIGNMENT: u64 = 32;
const ALIGNMENT: &str = "general.alignment";

/// Makes the offsets absolute. `header_end`: the first byte after the entries; `file_length`:
/// bytes of the file.
pub(super) fn place(
    header: &mut Header,
    header_end: u64,
    file_length: u64,
) -> Result<(), HubError> {
    check_names(header)?;
    let alignment = read_alignment(header)?;
    let start = header_end
        .checked_next_multiple_of(alignment)
        .ok_or_else(|| {
            header.error(
                ALIGNMENT,
                format!("{alignment} puts the data past any file's end"),
            )
        })?;
    let place = |tensor| absolute_offset(header, tensor, start, alignment, file_length);
    let offsets = header
        .tensors
        .iter()
        .map(place)
        .collect::<Result<Vec<_>, _>>()?;
    for (tensor, offset) in header.tensors.iter_mut().zip(offsets) {
        tensor.offset = offset;
    }
    check_apart(header)
}

fn check_names(header: &Header) -> Result<(), HubError> {
    let mut names = HashSet::new();
    match header
        .tensors
        .iter()
        .find(|t| !names.insert(t.name.as_str()))
    {
        Some(twice) => Err(error(
            header,
            twice,
            "is there twice; the file is damaged".into(),
        )),
        None => Ok(()),
    }
}

pub(super) fn read_alignment(header: &Header) -> Result<u64, HubError> {
    let alignment = header.unsigned(ALIGNMENT)?.unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() {
        return Err(header.error(
            ALIGNMENT,
            format!("is {alignment}; it must be a power of two"),
        ));
    }
    Ok(alignment)
}

fn absolute_offset(
    header: &Header,
    tensor: &TensorEntry,
    start: u64,
    alignment: u64,
    file_length: u64,
) -> Result<u64, HubError> {
    if !tensor.offset.is_multiple_of(alignment) {
        let problem = format!(
            "offset {} is no multiple of the alignment {alignment}; the file is damaged",
            tensor.offset
        );
        return Err(error(header, tensor, problem));
    }
    let offset = start.checked_add(tensor.offset);
    let end = offset.and_then(|o| o.checked_add(tensor.length));
    match (offset, end) {
        (Some(offset), Some(end)) if end <= file_length => Ok(offset),
        _ => {
            let TensorEntry { offset, length, .. } = tensor;
            let problem = format!(
                "its {length} bytes at offset {offset} of the data reach past the file's end ({file_length} bytes); the file \
                 is cut short or damaged: get it again"
            );
            Err(error(header, tensor, problem))
        }
    }
}

fn check_apart(header: &Header) -> Result<(), HubError> {
    let mut order: Vec<_> = header.tensors.iter().collect();
    order.sort_by_key(|t| t.offset);
    match order
        .windows(2)
        .find(|pair| pair[0].offset + pair[0].length > pair[1].offset)
    {
        Some(pair) => {
            let problem = format!(
                "its bytes overlap those of tensor `{}`; the file is damaged",
                pair[0].name
            );
            Err(error(header, pair[1], problem))
        }
        None => Ok(()),
    }
}

fn error(header: &Header, tensor: &TensorEntry, problem: String) -> HubError {
    HubError::Gguf {
        path: header.path.clone(),
        at: show(&format!("tensor `{}`", tensor.name)),
        problem,
    }
}
