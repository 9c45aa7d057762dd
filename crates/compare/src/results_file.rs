//! `results.json`: all numbers of a report in one file.

use std::path::Path;

use serde::Serialize;

use crate::{
    error::CompareError,
    inside::{ModelView, ViewResult},
    results::Results,
    translation::TranslationBlock,
};

#[derive(Serialize)]
struct ResultsFile<'a> {
    #[serde(flatten)]
    results: &'a Results,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    translations: &'a [TranslationBlock],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inside: Vec<ViewResult<'a>>,
}

/// Writes all results of a run as JSON. The same results give the same bytes.
///
/// # Errors
/// The file cannot be written.
pub fn write_results(
    path: &Path,
    results: &Results,
    translations: &[TranslationBlock],
    views: &[ModelView],
) -> Result<(), CompareError> {
    let file = ResultsFile {
        results,
        translations,
        inside: views.iter().map(ViewResult::new).collect(),
    };
    schema::disk::write_with(path, |out| {
        serde_json::to_writer_pretty(out, &file).map_err(Into::into)
    })?;
    Ok(())
}
