//! Hidden states and logits of rows, for the command `capture`.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use analyse::{AnalyseError, CapturedTensor, TensorChoice, capture};
use schema::{Answerer, caveats::describe_long};

use crate::{
    RunError,
    error::{At, Result},
    output::OutputCheck,
    session::{self, Session, answerer},
    watch::Watch,
};

/// The tensors to capture, and their file.
pub struct CaptureRequest<'a> {
    /// A PEFT folder.
    pub adapter: Option<PathBuf>,
    /// The rows.
    pub input: &'a Path,
    /// The file of tensors.
    pub out: &'a Path,
    /// Names of the tensors; none: the usual ones.
    pub tensors: &'a [String],
    /// Layers; `None`: all.
    pub layers: Option<&'a [RangeInclusive<usize>]>,
}

/// Holds the file of tensors, and those beside it, against what the capture reads.
///
/// # Errors
/// As [`OutputCheck::file`].
pub fn check_out(check: &OutputCheck, out: &Path) -> Result<()> {
    check.file(out, &capture::is_capture)?;
    for file in capture::unfinished(out) {
        check.file(&file, &|_| capture::is_unfinished(out))?;
    }
    Ok(())
}

/// Captures; returns the number of rows.
///
/// # Errors
/// Rows, model or adapter are broken, or the file cannot be written; a capture that was
/// interrupted resumes by the same call.
pub fn capture(
    session: &mut Session,
    request: &CaptureRequest<'_>,
    watch: &mut dyn Watch,
) -> Result<usize> {
    let files = session.model.files.clone();
    let config = session::config(&files)?;
    let chosen = TensorChoice::new(&kinds(request.tensors), request.layers, &config)?;
    let rows = capture::read_rows(request.input, config.vocab_size, &mut || {
        data::Tokenizer::load(&files).map_err(AnalyseError::from)
    })?;
    let lengths = rows.iter().map(Vec::len);
    if let Some(caveat) = describe_long("rows", lengths, config.max_position_embeddings) {
        watch.note(&format!("note: {caveat}"));
    }
    session.attach_adapter(request.adapter.as_deref())?;
    let about = describe(request, session)?;
    watch.start("capture", rows.len(), "rows");
    let captured = capture::capture_rows(
        session.decoder()?,
        &rows,
        &chosen,
        request.out,
        about,
        &mut |done, _| watch.step(done),
    );
    session.name_files(captured.map_err(RunError::from))?;
    watch.finish(&format!("{} rows", rows.len()));
    Ok(rows.len())
}

/// By their names, in the order of the file.
fn kinds(names: &[String]) -> Vec<CapturedTensor> {
    if names.is_empty() {
        return CapturedTensor::USUAL.to_vec();
    }
    CapturedTensor::ALL
        .into_iter()
        .filter(|kind| names.iter().any(|name| name == kind.name()))
        .collect()
}

/// Names model, adapter and dtype, and all else on which a value depends beside the rows.
fn describe(request: &CaptureRequest<'_>, session: &Session) -> Result<BTreeMap<String, String>> {
    let adapter = request.adapter.as_deref();
    let Answerer {
        program,
        numerics,
        model_fingerprint,
        adapter_sha256,
        dtype,
        device,
        instruction_set,
    } = answerer(session, adapter).at(|| "what the states are of")?;
    let adapter_name = adapter.map_or(String::new(), |adapter| adapter.display().to_string());
    Ok([
        ("model", session.model.name.clone()),
        ("adapter", adapter_name),
        ("dtype", dtype.to_string()),
        ("program", program),
        ("numerics", numerics),
        ("model_fingerprint", model_fingerprint),
        ("adapter_sha256", adapter_sha256.unwrap_or_default()),
        ("device", device),
        ("instruction_set", instruction_set),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into())
}
