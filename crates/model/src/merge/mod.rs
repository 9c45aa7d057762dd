//! An adapter added to its base model's weights, tensor by tensor: the sum in f32, then rounded to
//! the format that is stored. A model of any size needs the memory of its largest tensor. Never
//! here: disks, tokenizers, `config.json`.

mod encode;
mod folder;
mod from_folder;
mod gguf;

use std::path::Path;

use candle_core::Device;
use hub::ModelFiles;
use schema::task::Precision;

use self::encode::StoredFormat;
pub use self::{
    folder::{MergedFolder, MergedShard},
    gguf::{GgufFormat, MergedGguf},
};
use crate::{
    Adapter, LayerProjection, ModelConfig,
    adapter::LoraWeights,
    decoder,
    error::{ModelError, Result},
    random::FloatFormat,
    weights::WeightFiles,
};

/// Values that are converted at once, where a tensor can be cut.
const PIECE: usize = 1 << 22;

/// A base model and an adapter that fits it, open for merging.
pub struct Merge {
    weights: WeightFiles,
    config: ModelConfig,
    adapter: Adapter,
    /// The GGUF header of a base that has one.
    header: Option<hub::gguf::Header>,
    files: ModelFiles,
}

/// How a tensor is written.
struct TensorForm {
    format: StoredFormat,
    /// Whether the base has it in this format and order.
    is_stored_so: bool,
    /// Heads of which the two halves are interleaved in the file.
    interleaved: Option<usize>,
    /// Whether the file has 1 + w.
    plus_one: bool,
}

impl Merge {
    /// Opens both, and finds the weight of every update.
    ///
    /// # Errors
    /// The model or the adapter cannot be read, or do not fit; a weight that the adapter changes is
    /// not stored as a tensor of its own.
    pub fn open(files: &ModelFiles, adapter: &Path) -> Result<Self> {
        let (config, weights, header) = decoder::open(files, Precision::F32, &Device::Cpu)?;
        let adapter = Adapter::read(adapter, &config)?;
        adapter.check(&config)?;
        for place in adapter.weights.keys() {
            let name = weight_of(*place);
            if !weights.has(&name) {
                let problem = format!(
                    "tensor `{name}`, which the adapter changes, is not there under this name; such a model cannot be merged"
                );
                return Err(weights.error(&name, problem));
            }
        }
        Ok(Self {
            weights,
            config,
            adapter,
            header,
            files: files.clone(),
        })
    }

    /// The adapter.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Tensors that are stored quantised, and are written as floats.
    pub fn quantised(&self) -> usize {
        match &self.header {
            None => {
                let names = self.weights.in_order().into_iter();
                let is_float = |name: &String| self.weights.float_dtype(name).is_some();
                names.filter(|name| !is_float(name)).count()
            }
            Some(header) => {
                let entries = header.tensors.iter();
                entries
                    .filter(|entry| !gguf::is_plain(entry.ggml_type))
                    .count()
            }
        }
    }

    /// The update of a tensor, if it has one.
    fn update(&self, name: &str) -> Option<&LoraWeights> {
        let mut updates = self.adapter.weights.iter();
        let found = updates.find(|(place, _)| weight_of(**place) == name);
        found.map(|(_, update)| update)
    }

    /// The bytes of a tensor in a form, in pieces, to `take`. A tensor without an update that is
    /// stored like this already is copied.
    fn encode<E: From<ModelError>>(
        &self,
        name: &str,
        form: &TensorForm,
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let update = self.update(name);
        if form.is_stored_so && update.is_none() {
            return self.weights.bytes(name)?.chunks(1 << 24).try_for_each(take);
        }
        let format = form.format;
        let encode = |values: &[f32]| -> Result<Vec<u8>> {
            format
                .encode(values)
                .map_err(|value| self.weights.error(name, describe_odd(name, value, format)))
        };
        if update.is_none() && form.interleaved.is_none() && !form.plus_one {
            return self
                .weights
                .each_piece(name, PIECE, &mut |values| take(&encode(&values)?));
        }
        let mut values = self.weights.values(name)?;
        if let Some(update) = update {
            values = update.add_to(values)?;
        }
        if form.plus_one {
            values.iter_mut().for_each(|value| *value += 1.0);
        }
        if let Some(heads) = form.interleaved {
            let shape = self.weights.shape(name);
            let width = if shape.len() == 2 { shape[1] } else { 1 };
            values = crate::weights::gguf::interleave_halves(&values, heads, width);
        }
        // Cut, so that what is encoded is not another copy of all.
        for piece in values.chunks(PIECE) {
            take(&encode(piece)?)?;
        }
        Ok(())
    }
}

fn describe_odd(name: &str, value: f32, format: StoredFormat) -> String {
    if value.is_finite() && format != StoredFormat::Floats(FloatFormat::Bf16) {
        format!("tensor `{name}`: {value} is more than the format holds; write bf16 or f32")
    } else {
        format!("tensor `{name}` has the value {value}")
    }
}

fn weight_of(place: LayerProjection) -> String {
    format!("{}.weight", place.weight_name())
}
