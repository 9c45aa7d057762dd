//! `capture`: hidden states and logits to safetensors.

use std::collections::BTreeMap;

use analyse::{AnalyseError, CapturedTensor, TensorChoice, capture};
use anyhow::{Context, Result};
use schema::Answerer;

use crate::{
    cli::CaptureArgs,
    experiment::answerer,
    progress::{Bar, interrupted, note, note_peak_memory},
    session::{self, Session},
};

pub(super) fn run(args: &CaptureArgs) -> Result<()> {
    super::check_out(&args.out)?;
    let mut session = Session::open(&args.model, args.dtype, &args.device.device)?;
    let files = session.model.files.clone();
    let config = session::config(&files)?;
    let kinds: Vec<CapturedTensor> = match args.tensors.as_slice() {
        [] => CapturedTensor::USUAL.to_vec(),
        names => CapturedTensor::ALL
            .into_iter()
            .filter(|kind| names.iter().any(|name| name == kind.name()))
            .collect(),
    };
    let chosen = TensorChoice::new(&kinds, args.layers.as_deref(), &config)?;
    let mut tokenizer = || data::Tokenizer::load(&files).map_err(AnalyseError::from);
    let rows = capture::read_rows(&args.input, config.vocab_size, &mut tokenizer)?;
    session.set_adapter(args.adapter.as_deref())?;
    let about = describe(args, &session)?;
    let mut bar = Bar::new("capture", rows.len(), "rows");
    capture::capture_rows(
        session.decoder()?,
        &rows,
        &chosen,
        &args.out,
        about,
        &mut |done, _| {
            bar.set(done, "");
            !interrupted()
        },
    )?;
    bar.finish(&format!("{} rows", rows.len()));
    note(&format!("wrote {}", args.out.display()));
    note_peak_memory();
    Ok(())
}

/// Names model, adapter and dtype, and all else on which a value depends beside the rows.
fn describe(args: &CaptureArgs, session: &Session) -> Result<BTreeMap<String, String>> {
    let Answerer {
        program,
        numerics,
        model_fingerprint,
        adapter_sha256,
        dtype,
        device,
        instruction_set,
    } = answerer(session, args.adapter.as_deref()).context("what the states are of")?;
    Ok([
        ("model", session.model.name.clone()),
        (
            "adapter",
            args.adapter
                .as_ref()
                .map_or(String::new(), |adapter| adapter.display().to_string()),
        ),
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
