//! Rows of text or ids that a user brings, for the command `capture`. Never here: prompts of a
//! task.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    ops::RangeInclusive,
    path::Path,
};

use data::{Tokenizer, prefix};
use model::{Decoder, ModelConfig};
use rayon::prelude::*;
use schema::{disk::DiskError, inside::Pooling};
use serde_json::Value;

use super::{
    OnProgress, TOKENS_PER_BATCH,
    capture_pass::{CapturePass, TensorSource, TokenLists, WantedTensor},
    file_layout::FileLayout,
    partial_file::PartialFile,
};
use crate::error::AnalyseError;

/// A tensor that the file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CapturedTensor {
    /// `logits.last`: (rows, V), after the last token.
    LogitsLast,
    /// `hidden.last`: (rows, layers, E), at the last token.
    HiddenLast,
    /// `hidden.mean`: (rows, layers, E), mean over all tokens of the row.
    HiddenMean,
    /// `final.last`: (rows, E), at the last token, after the final norm.
    FinalLast,
    /// `mlp.last`: (rows, blocks, F), what silu(gate) · up is at the last token.
    MlpLast,
    /// `mlp.mean`: (rows, blocks, F), the mean of it over all tokens of the row.
    MlpMean,
}

impl CapturedTensor {
    /// Those that are written unless others are asked for, in the order of the file.
    pub const USUAL: [Self; 4] = [
        Self::LogitsLast,
        Self::HiddenLast,
        Self::HiddenMean,
        Self::FinalLast,
    ];
    /// All of them, in the order of the file.
    pub const ALL: [Self; 6] = [
        Self::LogitsLast,
        Self::HiddenLast,
        Self::HiddenMean,
        Self::FinalLast,
        Self::MlpLast,
        Self::MlpMean,
    ];
    /// Their names.
    pub const WORDS: [&str; 6] = [
        "logits.last",
        "hidden.last",
        "hidden.mean",
        "final.last",
        "mlp.last",
        "mlp.mean",
    ];

    /// The tensor's name in the file.
    pub fn name(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// The tensor, of these layers.
    fn want(self, layers: &[usize]) -> WantedTensor {
        let (source, pooling) = match self {
            Self::LogitsLast => (TensorSource::Logits, Pooling::Last),
            Self::HiddenLast => (TensorSource::Residual, Pooling::Last),
            Self::HiddenMean => (TensorSource::Residual, Pooling::All),
            Self::FinalLast => (TensorSource::Final, Pooling::Last),
            Self::MlpLast => (TensorSource::Neurons, Pooling::Last),
            Self::MlpMean => (TensorSource::Neurons, Pooling::All),
        };
        let layers = match source {
            TensorSource::Residual => layers.to_vec(),
            TensorSource::Neurons => layers.iter().copied().filter(|&layer| layer > 0).collect(),
            TensorSource::Final | TensorSource::Logits => Vec::new(),
        };
        WantedTensor {
            name: self.name().to_owned(),
            source,
            pooling,
            layers,
        }
    }
}

/// Tensors and layers that a model has.
#[derive(Clone, Debug)]
pub struct TensorChoice {
    wanted: Vec<WantedTensor>,
    layers: Vec<usize>,
}

impl TensorChoice {
    /// `kinds` at the layers in `layers`, of 0 to L; `None`: at all. The mlp is that of the
    /// blocks among them, from 1.
    ///
    /// # Errors
    /// Nothing chosen; a layer that the model does not have; neurons of no block.
    pub fn new(
        kinds: &[CapturedTensor],
        layers: Option<&[RangeInclusive<usize>]>,
        config: &ModelConfig,
    ) -> Result<Self, AnalyseError> {
        let last = config.num_hidden_layers;
        let ranges = layers.unwrap_or(&[]);
        if let Some(layer) = ranges
            .iter()
            .map(RangeInclusive::end)
            .find(|layer| **layer > last)
        {
            return Err(AnalyseError::unusable(
                format!("layer {layer}"),
                format!("the model has layers 0, the embedding's output, to {last}"),
            ));
        }
        let layers: Vec<usize> = (0..=last)
            .filter(|layer| layers.is_none() || ranges.iter().any(|range| range.contains(layer)))
            .collect();
        let wanted: Vec<WantedTensor> = CapturedTensor::ALL
            .iter()
            .filter(|kind| kinds.contains(kind))
            .map(|kind| kind.want(&layers))
            .collect();
        if wanted.is_empty() || layers.is_empty() {
            return Err(AnalyseError::unusable(
                "capture",
                "no tensors or no layers are asked for",
            ));
        }
        match wanted
            .iter()
            .find(|w| w.source == TensorSource::Neurons && w.layers.is_empty())
        {
            None => Ok(Self { wanted, layers }),
            Some(wanted) => {
                let problem = format!("layer 0 has no mlp; name layers from 1 to {last} too");
                Err(AnalyseError::unusable(
                    format!("`{}`", wanted.name),
                    problem,
                ))
            }
        }
    }
}

/// One line of the input.
enum InputRow {
    Text(String),
    Ids(Vec<u32>),
}

/// Reads `{"text": ...}` or `{"ids": [...]}` per line, every id below `vocab_size`. A tokenizer
/// is needed only for texts.
///
/// # Errors
/// A file that cannot be read or has no rows; a line that is not a row; what `tokenizer` gives.
pub fn read_rows(
    file: &Path,
    vocab_size: usize,
    tokenizer: &mut dyn FnMut() -> Result<Tokenizer, AnalyseError>,
) -> Result<Vec<Vec<u32>>, AnalyseError> {
    let opened = File::open(file).map_err(DiskError::at("read", file))?;
    let mut rows: Vec<(usize, InputRow)> = Vec::new();
    for (line, content) in (1..).zip(BufReader::new(opened).lines()) {
        let content = content.map_err(DiskError::at("read", file))?;
        if !content.trim().is_empty() {
            let row = read_row(&content).map_err(|problem| bad_row(file, line, problem))?;
            rows.push((line, row));
        }
    }
    if rows.is_empty() {
        return Err(AnalyseError::Empty(file.display().to_string()));
    }
    let has_texts = rows.iter().any(|(_, row)| matches!(row, InputRow::Text(_)));
    let tokenizer = has_texts.then(tokenizer).transpose()?;
    let encoded: Vec<Result<Vec<u32>, AnalyseError>> = rows
        .into_par_iter()
        .map(|(line, row)| {
            let ids = match (row, &tokenizer) {
                (InputRow::Text(text), Some(tokenizer)) => tokenizer.encode(&text)?,
                (InputRow::Text(_), None) => Vec::new(),
                (InputRow::Ids(ids), _) => ids,
            };
            check_ids(&ids, vocab_size).map_err(|problem| bad_row(file, line, problem))?;
            Ok(ids)
        })
        .collect();
    encoded.into_iter().collect() // of several bad lines the first is named
}

fn bad_row(file: &Path, line: usize, problem: String) -> AnalyseError {
    AnalyseError::Row {
        file: file.display().to_string(),
        line,
        problem,
    }
}

fn read_row(content: &str) -> Result<InputRow, String> {
    let value: Value = serde_json::from_str(content).map_err(|e| format!("not JSON: {e}"))?;
    match (value.get("text"), value.get("ids")) {
        (Some(text), None) => Ok(InputRow::Text(
            text.as_str().ok_or("`text` is not a text")?.to_owned(),
        )),
        (None, Some(ids)) => read_ids(ids).map(InputRow::Ids),
        _ => Err("has neither `text` nor `ids`, or both".to_owned()),
    }
}

fn read_ids(ids: &Value) -> Result<Vec<u32>, String> {
    let ids = ids.as_array().ok_or("`ids` is not a list")?;
    ids.iter()
        .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| "an id is not a whole number".to_owned())
}

fn check_ids(ids: &[u32], vocab_size: usize) -> Result<(), String> {
    match ids.iter().find(|&&id| id as usize >= vocab_size) {
        _ if ids.is_empty() => Err("has no tokens".to_owned()),
        Some(id) => Err(format!(
            "token id {id} is not in the model's vocabulary of {vocab_size}"
        )),
        None => Ok(()),
    }
}

/// Writes the tensors `chosen` of `rows`, in their order, to `file`; unfinished work resumes as
/// in [`super::capture_language`]. `about` becomes the file's metadata, with `layers` beside
/// it, and says all on which the values depend beside the rows.
///
/// # Errors
/// No rows; a file that cannot be written, a full disk; a value that is not finite; `watch`
/// said no.
pub fn capture_rows(
    model: &Decoder,
    rows: &[Vec<u32>],
    chosen: &TensorChoice,
    file: &Path,
    mut about: BTreeMap<String, String>,
    watch: &mut OnProgress<'_>,
) -> Result<(), AnalyseError> {
    if rows.is_empty() {
        return Err(AnalyseError::Empty(format!(
            "the capture {}",
            file.display()
        )));
    }
    if let Some(row) = rows.iter().position(Vec::is_empty) {
        return Err(AnalyseError::Unusable {
            what: format!("row {row}"),
            problem: "it has no tokens".to_owned(),
        });
    }
    let split = prefix::split(rows);
    let questions = split
        .suffixes
        .iter()
        .map(|suffix| 0..suffix.len())
        .collect();
    let lists = TokenLists {
        prefix: split.prefix,
        suffixes: split.suffixes,
        questions,
    };
    let layers: Vec<String> = chosen.layers.iter().map(ToString::to_string).collect();
    about.insert("layers".to_owned(), layers.join(","));
    let tensors: Vec<_> = chosen
        .wanted
        .iter()
        .map(|w| (w.name.clone(), w.shape(model.config())))
        .collect();
    let plan = FileLayout::new(rows.len(), &[], &tensors, &about)?;
    let hash = plan.hash(lists.numbers());
    let mut store = PartialFile::open(file, plan, &hash)?;
    let work = CapturePass {
        model,
        lists,
        wanted: &chosen.wanted,
        tokens_per_batch: TOKENS_PER_BATCH,
        unit: "rows",
    };
    work.run(&mut store, watch)?;
    store.finish()
}
