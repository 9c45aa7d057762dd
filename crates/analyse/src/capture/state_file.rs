//! Pooled states on disk, read one layer at a time: a safetensors file with one tensor per pooling,
//! (items, L + 1, E), and the lists `items` and `tokens`. Never here: making them.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use schema::{disk::DiskError, inside::Pooling};

use crate::error::AnalyseError;

/// Name of the tensor of item indices.
pub(super) const ITEMS: &str = "items";
/// Name of the tensor of prompt lengths.
pub(super) const TOKENS: &str = "tokens";
/// Longest header that is believed.
pub(super) const LONGEST_HEADER: u64 = 1 << 24;

/// Pooled states of one language, in a file of which only the layer that is asked for is read.
#[derive(Clone, Debug)]
pub struct StateFile {
    /// Index of each row's item in its file.
    pub items: Vec<usize>,
    /// Tokens of each whole prompt.
    pub tokens: Vec<usize>,
    /// The metadata given to the capture: model, adapter, dtype, task, language.
    pub about: BTreeMap<String, String>,
    path: PathBuf,
    layers: usize,
    width: usize,
    /// Where each pooling's tensor begins in the file.
    starts: BTreeMap<Pooling, u64>,
}

impl StateFile {
    /// Opens a file that [`super::capture_language`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, is cut short, or is not a file of states.
    pub fn open(file: &Path) -> Result<Self, AnalyseError> {
        let mut opened = File::open(file).map_err(DiskError::at("open", file))?;
        let (start, header) = read_header(&mut opened, file)?;
        let mut states = Self {
            items: read_numbers(&mut opened, file, &header, start, ITEMS)?,
            tokens: read_numbers(&mut opened, file, &header, start, TOKENS)?,
            about: header
                .metadata()
                .iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            path: file.to_owned(),
            layers: 0,
            width: 0,
            starts: BTreeMap::new(),
        };
        for &pooling in Pooling::ALL {
            if let Some(info) = header.info(&pooling.to_string()) {
                states
                    .add(pooling, info, start)
                    .map_err(|problem| AnalyseError::file(file, problem))?;
            }
        }
        if states.starts.is_empty() {
            return Err(missing(file, "all, question, weighted or last"));
        }
        let (items, tokens) = (states.items.len(), states.tokens.len());
        if items != tokens {
            return Err(AnalyseError::file(
                file,
                format!("`{ITEMS}` has {items} entries, `{TOKENS}` {tokens}; capture it again"),
            ));
        }
        Ok(states)
    }

    /// Takes note of a pooling's tensor, whose offsets count from `start`; all have one shape.
    fn add(&mut self, pooling: Pooling, info: &TensorInfo, start: u64) -> Result<(), String> {
        let &[items, layers, width] = info.shape.as_slice() else {
            return Err(format!(
                "`{pooling}` has shape {:?}, not (items, layers, width)",
                info.shape
            ));
        };
        let same = self.starts.is_empty() || (layers, width) == (self.layers, self.width);
        if info.dtype != Dtype::F32 || items != self.items.len() || layers * width == 0 || !same {
            return Err(format!(
                "`{pooling}` is {:?} {:?}, which fits no other tensor",
                info.dtype, info.shape
            ));
        }
        (self.layers, self.width) = (layers, width);
        self.starts
            .insert(pooling, start + info.data_offsets.0 as u64);
        Ok(())
    }

    /// L + 1: the embedding's output, and that of each block.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// E.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The poolings that the file has.
    pub fn poolings(&self) -> Vec<Pooling> {
        self.starts.keys().copied().collect()
    }

    /// The states of every item at one layer: (items, E), row-major.
    ///
    /// # Errors
    /// The file has no such pooling or layer, can no longer be read, or holds a value that is
    /// not finite.
    pub fn layer(&self, pooling: Pooling, layer: usize) -> Result<Vec<f32>, AnalyseError> {
        let Some(&start) = self.starts.get(&pooling) else {
            let there: Vec<String> = self.poolings().iter().map(ToString::to_string).collect();
            let problem = format!(
                "{} has {}; capture it again with it",
                self.path.display(),
                there.join(", ")
            );
            return Err(AnalyseError::unusable(
                format!("pooling `{pooling}`"),
                problem,
            ));
        };
        if layer >= self.layers {
            return Err(AnalyseError::unusable(
                format!("layer {layer}"),
                format!("there are layers 0 to {}", self.layers - 1),
            ));
        }
        let mut file = File::open(&self.path).map_err(DiskError::at("open", &self.path))?;
        let row = self.width * size_of::<f32>();
        let mut bytes = vec![0; self.items.len() * row];
        for (item, bytes) in bytes.chunks_exact_mut(row).enumerate() {
            let at = (item * self.layers + layer) * row;
            read_at(&mut file, start + at as u64, bytes, &self.path)?;
        }
        let values: Vec<f32> = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let place = format!(
                "`{pooling}` of item {} at layer {layer}",
                self.items[at / self.width]
            );
            let problem = format!(
                "{place} is not finite, which no capture writes; remove the file and capture again"
            );
            return Err(AnalyseError::file(&self.path, problem));
        }
        Ok(values)
    }
}

fn missing(file: &Path, name: &str) -> AnalyseError {
    AnalyseError::file(
        file,
        format!("no tensor `{name}`; this is not a file of pooled states"),
    )
}

/// A list of whole numbers; `start` is where the tensors begin.
fn read_numbers(
    opened: &mut File,
    file: &Path,
    header: &Metadata,
    start: u64,
    name: &str,
) -> Result<Vec<usize>, AnalyseError> {
    let info = header.info(name).ok_or_else(|| missing(file, name))?;
    if info.dtype != Dtype::I64 || info.shape.len() != 1 {
        return Err(AnalyseError::file(
            file,
            format!(
                "`{name}` is {:?} {:?}, not a list of I64",
                info.dtype, info.shape
            ),
        ));
    }
    let mut bytes = vec![0; info.data_offsets.1 - info.data_offsets.0];
    read_at(opened, start + info.data_offsets.0 as u64, &mut bytes, file)?;
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers
        .iter()
        .map(|bytes| usize::try_from(i64::from_le_bytes(*bytes)))
        .collect::<Result<_, _>>()
        .map_err(|_| AnalyseError::file(file, format!("`{name}` has a number below 0")))
}

fn read_at(file: &mut File, start: u64, bytes: &mut [u8], path: &Path) -> Result<(), AnalyseError> {
    let read = file
        .seek(SeekFrom::Start(start))
        .and_then(|_| file.read_exact(bytes));
    Ok(read.map_err(DiskError::at("read", path))?)
}

/// Where a file's tensors begin, and what it says of them; its length is checked.
fn read_header(file: &mut File, path: &Path) -> Result<(u64, Metadata), AnalyseError> {
    let length = file.metadata().map_err(DiskError::at("read", path))?.len();
    let mut size = [0; 8];
    if length >= 8 {
        read_at(file, 0, &mut size, path)?;
    }
    let size = u64::from_le_bytes(size);
    if size == 0 || size > LONGEST_HEADER || size + 8 > length {
        return Err(AnalyseError::file(
            path,
            "not a safetensors file; remove it and capture again",
        ));
    }
    let mut text = vec![0; size as usize];
    read_at(file, 8, &mut text, path)?;
    let header: Metadata = serde_json::from_slice(&text).map_err(|e| {
        let problem = format!("its header is broken ({e}); remove it and capture again");
        AnalyseError::file(path, problem)
    })?;
    // Reading the header has checked that tensors follow one another and are as long as their
    // shapes say.
    let wanted = 8 + size + header.data_len() as u64;
    if wanted != length {
        let problem =
            format!("{length} bytes, but {wanted} by its header; remove it and capture again");
        return Err(AnalyseError::file(path, problem));
    }
    Ok((8 + size, header))
}
