//! The flags of `eval --task translation`.

use std::path::PathBuf;

use clap::Args;
use schema::{Language, recipe::TranslationRecipe};

use super::{count, task};

/// What `--task` calls it.
pub(crate) const TRANSLATION: &str = "translation";

/// `eval --task translation`
#[derive(Args)]
pub(crate) struct TranslationArgs {
    /// With --task translation: the task whose translated questions are taken.
    #[arg(long, value_name = "TASK", value_parser = task)]
    pub(crate) questions: Option<String>,
    /// With --task translation: the language to translate into.
    #[arg(long, default_value = "en", value_name = "LANGUAGE")]
    pub(crate) into: Language,
    /// With --task translation: pairs that the adapters learnt, which are not asked. Default: those
    /// of the run folder that an adapter is in. May be given several times.
    #[arg(long, value_name = "PAIRS.jsonl")]
    pub(crate) learnt: Vec<PathBuf>,
    /// With --task translation: tokens after which a translation without an end is cut off.
    #[arg(long, default_value_t = TranslationRecipe::usual().max_new_tokens, value_name = "N", value_parser = count)]
    pub(crate) max_new_tokens: usize,
}

/// As [`task`], or what is measured of translations.
pub(crate) fn task_or_translation(text: &str) -> Result<String, String> {
    match text == TRANSLATION {
        true => Ok(text.to_owned()),
        false => task(text).map_err(|known| format!("{known}; or `translation`")),
    }
}
