//! A model of ours as a translation engine: the base or a tuned one, asked as it is trained
//! (the paper's template: the text, and on the next line the instruction), greedily, one line
//! at a time. Never here: the cache, the order of lines.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use schema::{Language, task::Precision};
use translate::{Engine, EngineFailure, EngineProperties, facts};

use crate::{
    RunError, error::Result, facts::adapter_files, manifest::hash, session::Session, watch::Watch,
};

/// Which model translates, and how.
pub struct ModelEngineSettings<'a> {
    /// Catalogue name, folder, .gguf file or hub id.
    pub model: &'a str,
    /// A PEFT folder.
    pub adapter: Option<&'a Path>,
    /// The number format of the weights.
    pub dtype: Precision,
    /// `auto`, `cpu`, `cuda`, `cuda:N` or `metal`.
    pub device: &'a str,
    /// Most tokens made for a line.
    pub max_new_tokens: usize,
    /// Language of the lines.
    pub from: Language,
    /// Language wanted.
    pub to: Language,
    /// Whether to stop, asked after each token.
    pub stop: fn() -> bool,
}

/// A model as an engine. Its weights are loaded when the first line is asked for.
pub struct ModelEngine {
    properties: EngineProperties,
    instruction: String,
    most_tokens: usize,
    adapter: Option<PathBuf>,
    stop: fn() -> bool,
    session: Mutex<Session>,
}

impl ModelEngine {
    /// Finds the model's files.
    ///
    /// # Errors
    /// There is no such model, adapter or device.
    pub fn open(settings: &ModelEngineSettings<'_>, watch: &mut dyn Watch) -> Result<Self> {
        let &ModelEngineSettings {
            model,
            adapter,
            dtype,
            device,
            max_new_tokens,
            from,
            to,
            stop,
        } = settings;
        let session = Session::open(model, dtype, device, watch)?;
        let instruction = data::pairs::instruct(from, to);
        let mut parts = vec![hub::fingerprint(&session.model.files)?, instruction.clone()];
        parts.extend([dtype.to_string(), max_new_tokens.to_string()]);
        for file in adapter.into_iter().flat_map(adapter_files) {
            parts.push(hub::hash_file(&file)?);
        }
        let name = &session.model.name;
        Ok(Self {
            // The name is for people; what decides the answers is in the hash.
            properties: EngineProperties {
                identity: format!("model {name} {} {from}>{to}", hash(&parts)),
                limits: facts("model")?.limits(),
                takes_line_breaks: false,
            },
            instruction,
            most_tokens: max_new_tokens,
            adapter: adapter.map(Path::to_owned),
            stop,
            session: Mutex::new(session),
        })
    }

    /// The line that the model gives for `line`; `None` if it does not come to an end.
    fn answer(&self, session: &mut Session, line: &str) -> Result<Option<String>> {
        let (decoder, tokenizer) = session.parts()?;
        let ids = tokenizer.encode(&format!("{line}\n{}\n", self.instruction))?;
        let eos = tokenizer.eos();
        let (has_begun, has_ended) = (Cell::new(false), Cell::new(false));
        let stop = |id| {
            has_ended.set(has_ended.get() || Some(id) == eos);
            has_ended.get() || (self.stop)()
        };
        // The template's answer is one line: what a model says after it belongs to another.
        let mut watch = |id| {
            // What cannot be decoded alone is no line break; the whole is decoded again below.
            let piece = tokenizer.decode(&[id]).unwrap_or_default();
            let said = if has_begun.get() {
                piece.as_str()
            } else {
                piece.trim_start()
            };
            has_begun.set(has_begun.get() || !said.is_empty());
            has_ended.set(said.contains('\n'));
        };
        let made = model::generate::greedy(decoder, &ids, self.most_tokens, stop, &mut watch)?;
        let text = tokenizer.decode(&made)?;
        Ok(has_ended.get().then(|| {
            text.trim_start()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        }))
    }
}

impl Engine for ModelEngine {
    fn properties(&self) -> &EngineProperties {
        &self.properties
    }

    fn translate(&self, lines: &[&str]) -> Result<Vec<String>, EngineFailure> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let fail = |error: RunError| {
            EngineFailure::ends(error.chain(), "see `lingualign model show` for the model")
        };
        let session = &mut *session;
        if !session.is_loaded() {
            session
                .attach_adapter(self.adapter.as_deref())
                .map_err(fail)?;
        }
        let answer = |line: &&str| match self.answer(session, line).map_err(fail)? {
            Some(answer) => Ok(answer),
            None => Err(EngineFailure::split(format!(
                "the model came to no end within {} tokens; --max-new-tokens gives it more",
                self.most_tokens
            ))),
        };
        lines.iter().map(answer).collect()
    }
}
