//! Hidden states and logits of rows of text or ids, as one safetensors file.
//!
//! `hidden.*` are the residual stream before the final norm: the embedding's output, then the output of each block.
//! (Hugging Face's last hidden state is after the final norm: that is `final.last` here.)

use std::{collections::HashMap, path::Path};

use candle_core::{DType, Device, Tensor};
use data::{DataError, Tokenizer};
use model::{Decoder, Layer, ModelError, Rows, tensor_file};
use schema::disk::DiskError;

/// Tokens run through the model at once.
const TOKENS_PER_BATCH: usize = 2048;

/// Which tensors are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `logits.last`: (rows, V), after the last token.
    LogitsLast,
    /// `hidden.last`: (rows, L + 1, E), at the last token.
    HiddenLast,
    /// `hidden.mean`: (rows, L + 1, E), mean over all tokens of the row.
    HiddenMean,
    /// `final.last`: (rows, E), at the last token, after the final norm.
    FinalLast,
}

impl Kind {
    /// All of them, in the order of the file.
    pub const ALL: [Self; 4] = [Self::LogitsLast, Self::HiddenLast, Self::HiddenMean, Self::FinalLast];

    /// The tensor's name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogitsLast => "logits.last",
            Self::HiddenLast => "hidden.last",
            Self::HiddenMean => "hidden.mean",
            Self::FinalLast => "final.last",
        }
    }
}

/// Why a capture stopped.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// A line of the input is not a row.
    #[error("{file}, line {line}: {problem}; a row is {{\"text\": \"...\"}} or {{\"ids\": [1, 2, 3]}}")]
    Row {
        /// The file.
        file: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The file has no rows.
    #[error("{0} has no rows")]
    Empty(String),
    /// Tokenizer.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Tensor library.
    #[error("capture: {0}")]
    Tensor(#[from] candle_core::Error),
    /// File.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The caller asked to stop.
    #[error("stopped after {0} rows; nothing was written")]
    Stopped(usize),
}

/// Captured values, row-major, with their shapes.
pub struct Capture {
    /// One entry per kind asked for.
    pub tensors: Vec<(Kind, Vec<usize>, Vec<f32>)>,
}

/// Reads `{"text": ...}` or `{"ids": [...]}` a line, every id below `vocab_size`. A tokenizer is needed only for texts.
pub fn read_rows(
    file: &Path,
    vocab_size: usize,
    tokenizer: &mut dyn FnMut() -> Result<Tokenizer, CaptureError>,
) -> Result<Vec<Vec<u32>>, CaptureError> {
    let text = std::fs::read_to_string(file).map_err(DiskError::at("read", file))?;
    let name = file.display().to_string();
    let mut loaded: Option<Tokenizer> = None;
    let mut rows = Vec::new();
    for (line, content) in (1..).zip(text.lines()).filter(|(_, c)| !c.trim().is_empty()) {
        let refuse = |problem: String| CaptureError::Row { file: name.clone(), line, problem };
        let value: serde_json::Value = serde_json::from_str(content).map_err(|e| refuse(format!("no JSON: {e}")))?;
        let ids = match (value.get("text"), value.get("ids")) {
            (Some(text), None) => {
                let text = text.as_str().ok_or_else(|| refuse("`text` is no text".into()))?;
                let tokenizer = match loaded.take() {
                    Some(tokenizer) => loaded.insert(tokenizer),
                    None => loaded.insert(tokenizer()?),
                };
                tokenizer.encode(text)?
            }
            (None, Some(ids)) => {
                let ids = ids.as_array().ok_or_else(|| refuse("`ids` is no list".into()))?;
                let parsed =
                    ids.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok())).collect::<Option<Vec<_>>>();
                parsed.ok_or_else(|| refuse("an id is no whole number".into()))?
            }
            _ => return Err(refuse("has neither `text` nor `ids`, or both".into())),
        };
        if ids.is_empty() {
            return Err(refuse("has no tokens".into()));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= vocab_size) {
            return Err(refuse(format!("token id {id} is not in the model's vocabulary of {vocab_size}")));
        }
        rows.push(ids);
    }
    if rows.is_empty() { Err(CaptureError::Empty(name)) } else { Ok(rows) }
}

/// Runs all rows and keeps the tensors of `kinds`. `watch` sees how many rows are done and may stop by returning false.
pub fn capture(
    model: &Decoder,
    rows: &[Vec<u32>],
    kinds: &[Kind],
    watch: &mut dyn FnMut(usize) -> bool,
) -> Result<Capture, CaptureError> {
    let config = model.config();
    let (layers, width) = (config.num_hidden_layers + 1, config.hidden_size);
    let mut tensors: Vec<(Kind, Vec<usize>, Vec<f32>)> = kinds
        .iter()
        .map(|&kind| {
            let shape = match kind {
                Kind::LogitsLast => vec![rows.len(), config.vocab_size],
                Kind::FinalLast => vec![rows.len(), width],
                Kind::HiddenLast | Kind::HiddenMean => vec![rows.len(), layers, width],
            };
            let count = shape.iter().product();
            (kind, shape, vec![0.0; count])
        })
        .collect();
    let lengths: Vec<usize> = rows.iter().map(Vec::len).collect();
    let mut done = 0;
    for batch in data::batch::micro_batches(&lengths, TOKENS_PER_BATCH) {
        let found = Batch::run(model, &batch.iter().map(|&i| rows[i].as_slice()).collect::<Vec<_>>())?;
        for (kind, shape, values) in &mut tensors {
            let size: usize = shape[1..].iter().product();
            let part = found.values(model, *kind)?;
            for (at, &row) in batch.iter().enumerate() {
                values[row * size..(row + 1) * size].copy_from_slice(&part[at * size..(at + 1) * size]);
            }
        }
        done += batch.len();
        if !watch(done) {
            return Err(CaptureError::Stopped(done));
        }
    }
    Ok(Capture { tensors })
}

/// The residual stream of a batch: last token and mean of each row, per layer.
struct Batch {
    last: Vec<Tensor>, // per layer (rows, E)
    mean: Vec<Tensor>,
}

impl Batch {
    fn run(model: &Decoder, ids: &[&[u32]]) -> Result<Self, CaptureError> {
        let rows = Rows::new(ids.iter().map(|i| i.len()), 0);
        let ends: Vec<u32> = (0..rows.sequences()).map(|s| rows.range(s).end as u32 - 1).collect();
        let (mut last, mut mean) = (Vec::new(), Vec::new());
        model.walk(&ids.concat(), &rows, None, &mut |_: Layer, x: &Tensor| {
            last.push(model.select(x, &ends)?);
            let means = (0..rows.sequences())
                .map(|s| x.narrow(0, rows.range(s).start, rows.range(s).len())?.mean_keepdim(0))
                .collect::<candle_core::Result<Vec<_>>>()?;
            mean.push(Tensor::cat(&means, 0)?);
            Ok(())
        })?;
        Ok(Self { last, mean })
    }

    /// Row-major values of one kind.
    fn values(&self, model: &Decoder, kind: Kind) -> Result<Vec<f32>, CaptureError> {
        let residual = self.last.len() - 1;
        let tensor = match kind {
            Kind::LogitsLast => model.logits(&self.last[residual])?,
            Kind::FinalLast => model.final_norm(&self.last[residual])?,
            Kind::HiddenLast => Tensor::stack(&self.last, 1)?, // (rows, L + 1, E)
            Kind::HiddenMean => Tensor::stack(&self.mean, 1)?,
        };
        Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
    }
}

impl Capture {
    /// Writes the file; `about` names model, adapter and dtype.
    pub fn write(&self, file: &Path, about: HashMap<String, String>) -> Result<(), CaptureError> {
        let tensors: Vec<tensor_file::Named<'_>> = self
            .tensors
            .iter()
            .map(|(kind, shape, values)| (kind.name().to_owned(), shape.clone(), values.as_slice()))
            .collect();
        Ok(tensor_file::write(file, &tensors, about)?)
    }
}
