//! `capture`: hidden states and logits to safetensors.

use std::collections::HashMap;

use analyse::{CaptureError, Kind, capture};
use anyhow::Result;

use crate::{
    cli::CaptureArgs,
    progress::{Bar, note},
    session::Session,
};

pub(super) fn run(args: &CaptureArgs) -> Result<()> {
    let mut session = Session::open(&args.model, args.dtype, &args.device.device)?;
    let files = session.model.files.clone();
    let rows =
        analyse::capture::read_rows(&args.input, &mut || data::Tokenizer::load(&files).map_err(CaptureError::from))?;
    let adapter = args.adapter.as_deref().map(model::Adapter::read).transpose()?;
    let kinds: Vec<Kind> = match args.tensors.as_slice() {
        [] => Kind::ALL.to_vec(),
        names => names.iter().filter_map(|name| Kind::by_name(name)).collect(),
    };
    let name = session.model.name.clone();
    let decoder = session.decoder()?;
    decoder.set_adapter(adapter.as_ref())?;
    let mut bar = Bar::new("capture", rows.len(), "rows");
    let captured = capture(decoder, &rows, &kinds, &mut |done| bar.set(done, ""))?;
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
