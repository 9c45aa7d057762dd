//! `capture`: hidden states and logits to safetensors.

use std::collections::HashMap;

use analyse::{CaptureError, Kind, capture};
use anyhow::Result;

use crate::{
    cli::CaptureArgs,
    progress::{Bar, interrupted, note},
    session::{self, Session},
};

pub(super) fn run(args: &CaptureArgs) -> Result<()> {
    super::check_out(&args.out)?;
    let mut session = Session::open(&args.model, args.dtype, &args.device.device)?;
    let files = session.model.files.clone();
    let vocab_size = session::config(&files)?.vocab_size;
    let mut tokenizer = || data::Tokenizer::load(&files).map_err(CaptureError::from);
    let rows = analyse::capture::read_rows(&args.input, vocab_size, &mut tokenizer)?;
    let kinds: Vec<Kind> = match args.tensors.as_slice() {
        [] => Kind::ALL.to_vec(),
        names => Kind::ALL.into_iter().filter(|kind| names.iter().any(|name| name == kind.name())).collect(),
    };
    let name = session.model.name.clone();
    session.set_adapter(args.adapter.as_deref())?;
    let decoder = session.decoder()?;
    let mut bar = Bar::new("capture", rows.len(), "rows");
    let captured = capture(decoder, &rows, &kinds, &mut |done| {
        bar.set(done, "");
        !interrupted()
    })?;
    let about = HashMap::from([
        ("model".to_owned(), name),
        ("adapter".to_owned(), args.adapter.as_ref().map_or(String::new(), |a| a.display().to_string())),
        ("dtype".to_owned(), args.dtype.to_string()),
    ]);
    captured.write(&args.out, about)?;
    bar.finish(&format!("{} rows", rows.len()));
    note(&format!("wrote {}", args.out.display()));
    Ok(())
}
