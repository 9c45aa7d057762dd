//! A model of ours as a translation engine: the base or a tuned one, asked as it is trained
//! (the paper's template: the text, and on the next line the instruction), greedily, one line
//! at a time. Never here: the cache, the order of lines.

use std::{
    cell::Cell,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use anyhow::{Result, bail};
use model::adapter::peft;
use translate::{Engine, EngineFailure, EngineProperties, facts};

use super::args::TranslateArgs;
use crate::{manifest, progress, session::Session};

/// A model as an engine. Its weights are loaded when the first line is asked for.
pub(super) struct ModelEngine {
    properties: EngineProperties,
    instruction: String,
    most_tokens: usize,
    adapter: Option<PathBuf>,
    session: Mutex<Session>,
}

impl ModelEngine {
    /// Finds the model's files.
    pub(super) fn open(args: &TranslateArgs) -> Result<Self> {
        check_flags(args)?;
        let Some(name) = &args.service.model else {
            bail!("engine model: name the model with --model")
        };
        let session = Session::open(name, args.local.dtype, &args.local.device.device)?;
        let instruction = data::pairs::instruct(args.from, args.to);
        let mut parts = vec![hub::fingerprint(&session.model.files)?, instruction.clone()];
        parts.extend([
            args.local.dtype.to_string(),
            args.local.max_new_tokens.to_string(),
        ]);
        let files = |folder: &PathBuf| [folder.join(peft::WEIGHTS), folder.join(peft::CONFIG)];
        for file in args.local.adapter.iter().flat_map(files) {
            parts.push(hub::hash_file(&file)?);
        }
        Ok(Self {
            // The name is for people; what decides the answers is in the hash.
            properties: EngineProperties {
                identity: format!(
                    "model {} {} {}>{}",
                    session.model.name,
                    manifest::hash(&parts),
                    args.from,
                    args.to
                ),
                limits: facts("model")?.limits(),
                takes_line_breaks: false,
            },
            instruction,
            most_tokens: args.local.max_new_tokens,
            adapter: args.local.adapter.clone(),
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
            has_ended.get() || progress::interrupted()
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
        let fail = |error: anyhow::Error| {
            EngineFailure::ends(
                format!("{error:#}"),
                "see `lingualign model show` for the model",
            )
        };
        let session = &mut *session;
        if !session.is_loaded() {
            session.set_adapter(self.adapter.as_deref()).map_err(fail)?;
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

fn check_flags(args: &TranslateArgs) -> Result<()> {
    if args.from == args.to {
        bail!(
            "engine model: from {0} to {0} there is nothing to translate",
            args.from
        );
    }
    let unused = [
        (args.service.url.is_some(), "--url"),
        (args.service.command.is_some(), "--command"),
        (args.service.source_code.is_some(), "--source-code"),
        (args.service.target_code.is_some(), "--target-code"),
        (args.service.temperature.is_some(), "--temperature"),
        (args.pace.lines_per_request.is_some(), "--lines-per-request"),
        (args.pace.timeout.is_some(), "--timeout"),
    ];
    match unused.iter().find(|(is_given, _)| *is_given) {
        Some((_, flag)) => bail!("engine model: {flag} has no effect on it; remove it"),
        None => Ok(()),
    }
}
