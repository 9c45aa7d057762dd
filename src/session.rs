//! A model in use: its files found, its tokenizer and weights loaded when first needed.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result};
use data::Tokenizer;
use hub::{Cache, Model, ModelFiles, gguf::Header};
use model::{Adapter, Decoder, ModelConfig, device::Device};
use schema::task::Precision;

use crate::progress::Download;

/// Finds a model's files, fetching them if the name is the catalogue's or the hub's.
pub(crate) fn find(name: &str) -> Result<Model> {
    Ok(hub::find_model(
        name,
        &Cache::from_env()?,
        &mut Download::default(),
    )?)
}

/// The model's shape, from its `config.json` or GGUF header.
pub(crate) fn config(files: &ModelFiles) -> Result<ModelConfig> {
    Ok(match files {
        ModelFiles::Folder { dir, .. } => ModelConfig::from_json_file(&dir.join("config.json"))?,
        ModelFiles::Gguf { path } => ModelConfig::from_gguf(path, &Header::read(path)?)?,
    })
}

/// A model whose parts are loaded on demand.
pub(crate) struct Session {
    /// Its files.
    pub(crate) model: Model,
    precision: Precision,
    device: Device,
    decoder: Option<Decoder>,
    tokenizer: Option<Tokenizer>,
}

impl Session {
    /// Finds the model and opens the device; loads nothing yet.
    pub(crate) fn open(name: &str, precision: Precision, device: &str) -> Result<Self> {
        let device = model::device::open(device)?;
        Ok(Self {
            model: find(name)?,
            precision,
            device,
            decoder: None,
            tokenizer: None,
        })
    }

    /// The tokenizer.
    pub(crate) fn tokenizer(&mut self) -> Result<&Tokenizer> {
        if self.tokenizer.is_none() {
            self.tokenizer = Some(Tokenizer::load(&self.model.files)?);
        }
        self.tokenizer.as_ref().context("no tokenizer")
    }

    /// `cpu`, `cuda`, `metal`.
    pub(crate) fn device_name(&self) -> String {
        model::device::name(&self.device).to_owned()
    }

    /// The number format of the weights.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether its memory is the machine's.
    pub(crate) fn is_on_cpu(&self) -> bool {
        self.device.is_cpu()
    }

    /// The weights.
    pub(crate) fn decoder(&mut self) -> Result<&mut Decoder> {
        if self.decoder.is_none() {
            self.decoder = Some(load_decoder(&self.model, self.precision, &self.device)?);
        }
        self.decoder.as_mut().context("no weights")
    }

    /// Whether the weights are in memory.
    pub(crate) fn is_loaded(&self) -> bool {
        self.decoder.is_some()
    }

    /// The weights and the tokenizer; where neither is there yet they are loaded side by side.
    pub(crate) fn parts(&mut self) -> Result<(&mut Decoder, &Tokenizer)> {
        if self.tokenizer.is_none() && self.decoder.is_none() {
            let (model, precision, device) = (&self.model, self.precision, &self.device);
            let (tokenizer, decoder) = rayon::join(
                || Tokenizer::load(&model.files),
                || load_decoder(model, precision, device),
            );
            (self.tokenizer, self.decoder) = (Some(tokenizer?), Some(decoder?));
        }
        self.tokenizer()?;
        self.decoder()?;
        Ok((
            self.decoder.as_mut().context("no weights")?,
            self.tokenizer.as_ref().context("no tokenizer")?,
        ))
    }

    /// Puts the adapter of a PEFT folder on the model, or takes off the one that is there.
    pub(crate) fn set_adapter(&mut self, folder: Option<&Path>) -> Result<()> {
        let adapter = folder.map(Adapter::read).transpose()?;
        self.decoder()?
            .set_adapter(adapter.as_ref())
            .with_context(|| format!("adapter {}", folder.unwrap_or(Path::new("none")).display()))
    }
}

fn load_decoder(model: &Model, precision: Precision, device: &Device) -> Result<Decoder> {
    let start = Instant::now();
    let decoder = Decoder::load(&model.files, precision, device)?;
    tracing::info!(
        model = model.name,
        seconds = start.elapsed().as_secs_f64(),
        "weights loaded"
    );
    Ok(decoder)
}
