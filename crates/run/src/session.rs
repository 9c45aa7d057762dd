//! A model in use: its files found, its tokenizer and weights loaded when first needed.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use data::Tokenizer;
use hub::{Cache, Model, ModelFiles, gguf::Header};
use model::{Adapter, Decoder, ModelConfig, device::Device};
use schema::{Answerer, task::Precision};

use crate::{
    RunError,
    error::{At, Result},
    facts::{adapter_files, program},
    machine,
    watch::{Downloads, Watch},
};

/// Finds a model's files, fetching them if the name is the catalogue's or the hub's.
///
/// # Errors
/// The name is unknown, or its files cannot be fetched or read.
pub fn find(name: &str, watch: &mut dyn Watch) -> Result<Model> {
    let cache = Cache::from_env()?;
    Ok(hub::find_model(name, &cache, &mut Downloads::new(watch))?)
}

/// The model's shape, from its `config.json` or GGUF header.
pub fn config(files: &ModelFiles) -> Result<ModelConfig> {
    Ok(match files {
        ModelFiles::Folder { dir, .. } => ModelConfig::from_json_file(&dir.join("config.json"))?,
        ModelFiles::Gguf { path } => ModelConfig::from_gguf(path, &Header::read(path)?)?,
    })
}

/// A model whose parts are loaded on demand.
pub struct Session {
    /// Its files.
    pub model: Model,
    precision: Precision,
    device: Device,
    decoder: Option<Decoder>,
    tokenizer: Option<Tokenizer>,
    /// The adapter on the weights, as it was put there, and what then answers.
    attached: Option<(Option<PathBuf>, Answerer)>,
}

impl Session {
    /// Finds the model and opens the device; loads nothing yet.
    ///
    /// # Errors
    /// The model or the device does not exist.
    pub fn open(
        name: &str,
        precision: Precision,
        device: &str,
        watch: &mut dyn Watch,
    ) -> Result<Self> {
        let device = model::device::open(device)?;
        Ok(Self {
            model: find(name, watch)?,
            precision,
            device,
            decoder: None,
            tokenizer: None,
            attached: None,
        })
    }

    /// The tokenizer.
    pub fn tokenizer(&mut self) -> Result<&Tokenizer> {
        if self.tokenizer.is_none() {
            self.tokenizer = Some(Tokenizer::load(&self.model.files)?);
        }
        self.tokenizer.as_ref().ok_or_else(not_loaded)
    }

    /// `cpu`, `cuda`, `metal`.
    pub fn device_name(&self) -> String {
        model::device::name(&self.device).to_owned()
    }

    /// The number format of the weights.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Bytes of memory that there are, where the CPU computes and the system tells.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.is_on_cpu()
            .then(machine::memory_for_this_process)
            .flatten()
    }

    /// Where a value came out that is not finite, whoever reads it is to know of which files: the
    /// weights are most likely damaged.
    ///
    /// # Errors
    /// Those of `result`.
    pub fn name_files<T>(&self, result: Result<T>) -> Result<T> {
        match result {
            Err(failure) if failure.chain().contains("check the weights") => {
                let files = match &self.model.files {
                    ModelFiles::Folder { dir, .. } => dir,
                    ModelFiles::Gguf { path } => path,
                };
                Err(failure).at(|| format!("model {}", files.display()))
            }
            other => other,
        }
    }

    /// Whether its memory is the machine's.
    pub fn is_on_cpu(&self) -> bool {
        self.device.is_cpu()
    }

    /// The weights.
    pub fn decoder(&mut self) -> Result<&mut Decoder> {
        if self.decoder.is_none() {
            self.decoder = Some(load_decoder(&self.model, self.precision, &self.device)?);
        }
        self.decoder.as_mut().ok_or_else(not_loaded)
    }

    /// Whether the weights are in memory.
    pub fn is_loaded(&self) -> bool {
        self.decoder.is_some()
    }

    /// The weights and the tokenizer; where neither is there yet they are loaded side by side.
    pub fn parts(&mut self) -> Result<(&mut Decoder, &Tokenizer)> {
        if self.tokenizer.is_none() && self.decoder.is_none() {
            let precision = self.precision;
            let (model, device) = (&self.model, &self.device);
            let (tokenizer, decoder) = rayon::join(
                || Tokenizer::load(&model.files),
                || load_decoder(model, precision, device),
            );
            (self.tokenizer, self.decoder) = (Some(tokenizer?), Some(decoder?));
        }
        self.tokenizer()?;
        self.decoder()?;
        Ok((
            self.decoder.as_mut().ok_or_else(not_loaded)?,
            self.tokenizer.as_ref().ok_or_else(not_loaded)?,
        ))
    }

    /// Puts the adapter of a PEFT folder on the model, or takes off the one that is there;
    /// returns what then answers.
    ///
    /// # Errors
    /// The adapter cannot be read or does not fit the model.
    pub fn attach_adapter(&mut self, folder: Option<&Path>) -> Result<Answerer> {
        match &self.attached {
            Some((attached, answerer)) if attached.as_deref() == folder => Ok(answerer.clone()),
            _ => self.attach_another(folder),
        }
    }

    fn attach_another(&mut self, folder: Option<&Path>) -> Result<Answerer> {
        self.attached = None;
        let config = self.decoder()?.config();
        let adapter = folder
            .map(|folder| Adapter::read(folder, config))
            .transpose()?;
        self.decoder()?
            .set_adapter(adapter.as_ref())
            .at(|| format!("adapter {}", folder.unwrap_or(Path::new("none")).display()))?;
        let answerer = answerer(self, folder)?;
        self.attached = Some((folder.map(Path::to_owned), answerer.clone()));
        Ok(answerer)
    }

    /// The weights, to be changed: what is attached must then be attached anew.
    pub(crate) fn parts_to_train(&mut self) -> Result<(&mut Decoder, &Tokenizer)> {
        self.attached = None;
        self.parts()
    }
}

fn not_loaded() -> RunError {
    RunError::Unfit("the model is not loaded".to_owned())
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

/// The model with the adapter of a PEFT folder, as records name it.
///
/// # Errors
/// Files of the model or the adapter cannot be read.
pub(crate) fn answerer(session: &Session, adapter: Option<&Path>) -> Result<Answerer> {
    let adapter_sha256 = match adapter {
        Some(folder) => {
            let hashes: Result<Vec<String>> = adapter_files(folder)
                .iter()
                .map(|file| Ok(hub::hash_file(file)?))
                .collect();
            Some(hashes?.join(" "))
        }
        None => None,
    };
    Ok(Answerer {
        program: program().to_owned(),
        numerics: model::NUMERICS.to_owned(),
        model_fingerprint: hub::fingerprint(&session.model.files)?,
        adapter_sha256,
        dtype: session.precision(),
        device: session.device_name(),
        instruction_set: model::instruction_set().name().to_owned(),
    })
}
