//! A model of ours as a translation engine: the base or a tuned one, asked as it is trained
//! (the paper's template: the text, and on the next line the instruction), greedily. Never here:
//! the cache, the order of lines.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use schema::{Language, task::Precision};
use translate::{Engine, EngineFailure, EngineProperties, facts};

use crate::{
    continuation, error::Result, facts::adapter_files, manifest::hash, session::Session,
    watch::Watch,
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
    /// Maximum number of tokens to generate per line.
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
    /// The model, the adapter or the device does not exist.
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

    /// The lines that the model gives for `lines`.
    ///
    /// # Errors
    /// A line is longer than the model's context, or the model fails.
    fn answer(&self, session: &mut Session, lines: &[&str]) -> Result<TranslatedLines> {
        let (decoder, tokenizer) = session.parts()?;
        let prompts: Vec<Vec<u32>> = lines
            .iter()
            .map(|line| {
                let prompt = format!("{line}\n{}\n", self.instruction);
                continuation::encode(decoder, tokenizer, &prompt)
            })
            .collect::<Result<_>>()?;
        let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        // The template's answer is one line: what a model says after it belongs to another.
        let is_whole = |_: usize, text: &str| text.trim_start().contains('\n');
        let stop = || (self.stop)();
        let parts = (&*decoder, tokenizer);
        let made =
            continuation::continue_each(parts, &prompts, self.most_tokens, &is_whole, &stop)?;
        if made.iter().any(|made| !made.ended) {
            return Ok(TranslatedLines::WithoutEnd);
        }
        let first = |text: &str| {
            text.trim_start()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let answers = made.iter().map(|made| first(&made.text));
        Ok(TranslatedLines::All(answers.collect()))
    }

    fn answer_lines(&self, session: &mut Session, lines: &[&str]) -> Result<TranslatedLines> {
        if !session.is_loaded() {
            session.attach_adapter(self.adapter.as_deref())?;
        }
        let answers = self.answer(session, lines);
        session.name_files(answers)
    }
}

/// The translations of several lines.
enum TranslatedLines {
    All(Vec<String>),
    /// One line has no end within the tokens that it may take.
    WithoutEnd,
}

impl Engine for ModelEngine {
    fn properties(&self) -> &EngineProperties {
        &self.properties
    }

    fn translate(&self, lines: &[&str]) -> Result<Vec<String>, EngineFailure> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match self.answer_lines(&mut session, lines) {
            Ok(TranslatedLines::All(answers)) => Ok(answers),
            Ok(TranslatedLines::WithoutEnd) => Err(EngineFailure::split(format!(
                "the model came to no end within {} tokens; --max-new-tokens gives it more",
                self.most_tokens
            ))),
            Err(error) => Err(EngineFailure::ends(
                error.chain(),
                "see `lingualign model show` for the model",
            )),
        }
    }
}
