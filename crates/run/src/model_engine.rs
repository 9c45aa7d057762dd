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
    error::{Result, bail},
    facts::adapter_files,
    manifest::hash,
    session::Session,
    watch::Watch,
};

/// Characters of a line that a message shows.
const MOST_SHOWN: usize = 60;

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

    /// The line that the model gives for `line`; `None` if it does not come to an end.
    ///
    /// # Errors
    /// The line is longer than the model's context, or the model fails.
    fn answer(&self, session: &mut Session, line: &str) -> Result<Option<String>> {
        let (decoder, tokenizer) = session.parts()?;
        let ids = tokenizer.encode(&format!("{line}\n{}\n", self.instruction))?;
        let context = decoder.config().max_position_embeddings;
        if context > 0 && ids.len() > context {
            bail!(
                "a line has {} tokens with its instruction, more than the model's context of {context} \
                 (max_position_embeddings): shorten it, or take a model with a longer context; it begins `{}`",
                ids.len(),
                line.chars().take(MOST_SHOWN).collect::<String>()
            );
        }
        let eos = tokenizer.eos();
        let line = OneLine::default();
        let made = model::generate::greedy(
            decoder,
            &ids,
            self.most_tokens,
            |id| line.has_ended_at(Some(id) == eos) || (self.stop)(),
            // A piece that cannot be decoded alone is not a line break; the whole is decoded below.
            &mut |id| line.add(&tokenizer.decode(&[id]).unwrap_or_default()),
        )?;
        let text = tokenizer.decode(&made)?;
        let answer = text.trim_start().lines().next().unwrap_or_default();
        Ok(line.has_ended.get().then(|| answer.to_owned()))
    }

    fn answer_lines(&self, session: &mut Session, lines: &[&str]) -> Result<TranslatedLines> {
        if !session.is_loaded() {
            session.attach_adapter(self.adapter.as_deref())?;
        }
        let mut answers = Vec::with_capacity(lines.len());
        for line in lines {
            let answer = self.answer(session, line);
            match session.name_files(answer)? {
                Some(answer) => answers.push(answer),
                None => return Ok(TranslatedLines::WithoutEnd),
            }
        }
        Ok(TranslatedLines::All(answers))
    }
}

/// The translations of several lines.
enum TranslatedLines {
    All(Vec<String>),
    /// One line has no end within the tokens that it may take.
    WithoutEnd,
}

/// The template's answer is one line: what a model says after it belongs to another.
#[derive(Default)]
struct OneLine {
    has_begun: Cell<bool>,
    has_ended: Cell<bool>,
}

impl OneLine {
    fn add(&self, piece: &str) {
        let text = if self.has_begun.get() {
            piece
        } else {
            piece.trim_start()
        };
        self.has_begun.set(self.has_begun.get() || !text.is_empty());
        self.has_ended.set(text.contains('\n'));
    }

    fn has_ended_at(&self, is_end_of_text: bool) -> bool {
        self.has_ended.set(self.has_ended.get() || is_end_of_text);
        self.has_ended.get()
    }
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
