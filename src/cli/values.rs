//! How the values of flags are read.

use std::{ops::RangeInclusive, sync::Arc};

use clap::{CommandFactory, error::ErrorKind};
use schema::{Language, recipe::EvalRecipe};

use super::Cli;

pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// A shipped task, or the path of a task file.
pub(crate) fn task(text: &str) -> Result<String, String> {
    match text.ends_with(".toml") || EvalRecipe::TASKS.contains(&text) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "one of: {}; or the path of a task file, NAME.toml",
            EvalRecipe::TASKS.join(", ")
        )),
    }
}

/// An unknown code may be one that the task's file adds; that is checked when the file is read.
pub(crate) fn languages(text: &str) -> Result<Arc<[Language]>, String> {
    let list = schema::language::parse_codes(text).map_err(|e| e.to_string())?;
    match list
        .iter()
        .enumerate()
        .find(|(at, language)| list[..*at].contains(language))
    {
        Some((_, twice)) => Err(format!("`{twice}` is listed twice")),
        None => Ok(list.into()),
    }
}

/// Numbers and ranges: `0,4,8-12`.
pub(super) fn layers(text: &str) -> Result<Arc<[RangeInclusive<usize>]>, String> {
    text.split(',').map(layer_range).collect()
}

fn layer_range(part: &str) -> Result<RangeInclusive<usize>, String> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let range = layer(first)?..=layer(last)?;
    if range.is_empty() {
        Err(format!("`{part}` is empty; write the smaller number first"))
    } else {
        Ok(range)
    }
}

fn layer(word: &str) -> Result<usize, String> {
    word.trim()
        .parse::<usize>()
        .map_err(|_| format!("`{word}` is not a layer number"))
}

/// Ends the program where no task file made a language known.
pub(crate) fn exit_unless_known(languages: &[Language]) {
    if let Err(unknown) = schema::language::check_known(languages) {
        Cli::command()
            .error(ErrorKind::ValueValidation, unknown)
            .exit();
    }
}

/// Most of whatever a flag counts: more than any data has, and few enough that no product of two
/// of them overflows.
const MOST: usize = 1_000_000_000;

pub(crate) fn count(text: &str) -> Result<usize, String> {
    within(text, 1)
}

pub(crate) fn count_or_none(text: &str) -> Result<usize, String> {
    within(text, 0)
}

fn within(text: &str, at_least: usize) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| (at_least..=MOST).contains(count))
        .ok_or_else(|| format!("must be a whole number from {at_least} to {MOST}"))
}
