//! The layout of a safetensors file that is known before any of its values is. Never here:
//! writing it.

use std::collections::BTreeMap;

use safetensors::{Dtype, tensor::TensorInfo};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::error::AnalyseError;

/// Where the rows of one tensor of f32 lie in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorSpan {
    pub(super) name: String,
    /// Of the first row.
    pub(super) start: u64,
    /// Values of one row.
    pub(super) row: usize,
}

/// A file of which every tensor has the same number of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileLayout {
    pub(super) rows: usize,
    /// Everything before the first row: the header, and the lists that are known beforehand.
    pub(super) head: Vec<u8>,
    pub(super) places: Vec<TensorSpan>,
}

impl FileLayout {
    /// Lays out `lists` of whole numbers, one a row, and tensors of f32, each a name and the
    /// shape of one of its rows. The same arguments give the same bytes.
    pub(super) fn new(
        rows: usize,
        lists: &[(&str, Vec<usize>)],
        tensors: &[(String, Vec<usize>)],
        about: &BTreeMap<String, String>,
    ) -> Result<Self, AnalyseError> {
        let mut header = HeaderBuilder {
            entries: Map::from_iter([("__metadata__".to_owned(), to_json(about)?)]),
            end: 0,
        };
        for (name, _) in lists {
            header.add(name, Dtype::I64, vec![rows])?;
        }
        let mut places = Vec::with_capacity(tensors.len());
        for (name, shape) in tensors {
            let start = header.add(name, Dtype::F32, [&[rows], shape.as_slice()].concat())?;
            places.push(TensorSpan {
                name: name.clone(),
                start: start as u64,
                row: shape.iter().product(),
            });
        }
        let mut text = to_json(&header.entries)?.to_string().into_bytes();
        // Values begin at a multiple of eight, as the format asks.
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut head = (text.len() as u64).to_le_bytes().to_vec();
        head.extend(text);
        places
            .iter_mut()
            .for_each(|place| place.start += head.len() as u64);
        head.extend(
            lists
                .iter()
                .flat_map(|(_, list)| list)
                .flat_map(|&number| (number as i64).to_le_bytes()),
        );
        Ok(Self { rows, head, places })
    }

    /// Length of the whole file, or of as much of it as the first rows of each tensor up to
    /// `row` are in.
    pub(super) fn end_of(&self, row: usize) -> u64 {
        let end =
            |place: &TensorSpan| place.start + ((row + 1) * place.row * size_of::<f32>()) as u64;
        self.places.iter().map(end).max().unwrap_or(0)
    }

    /// SHA-256 of everything that is to be in the file but its f32, and of `inputs`, from which
    /// these come.
    pub(super) fn hash(&self, inputs: impl Iterator<Item = u64>) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.head);
        inputs.for_each(|number| hash.update(number.to_le_bytes()));
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The header of a safetensors file while tensors are added.
struct HeaderBuilder {
    entries: Map<String, Value>,
    /// Of the tensors so far, in bytes.
    end: usize,
}

impl HeaderBuilder {
    /// Adds a tensor; where it starts.
    fn add(&mut self, name: &str, dtype: Dtype, shape: Vec<usize>) -> Result<usize, AnalyseError> {
        let start = self.end;
        self.end += shape.iter().product::<usize>() * dtype.bitsize() / 8;
        let info = TensorInfo {
            dtype,
            shape,
            data_offsets: (start, self.end),
        };
        self.entries.insert(name.to_owned(), to_json(&info)?);
        Ok(start)
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<Value, AnalyseError> {
    serde_json::to_value(value).map_err(|e| AnalyseError::unusable("header", e.to_string()))
}
