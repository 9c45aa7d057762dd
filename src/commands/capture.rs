//! `capture`: hidden states and logits to safetensors.

use anyhow::Result;
use run::{
    OutputCheck, Session,
    capture::{CaptureRequest, capture, check_out},
};

use crate::{
    cli::CaptureArgs,
    progress::{Terminal, note, note_peak_memory},
};

pub(super) fn run(args: &CaptureArgs) -> Result<()> {
    let check = OutputCheck::new(args.replace)
        .reading("the rows", &args.input)
        .reading_model(&args.model)?;
    let adapter = args.adapter.iter();
    let check = adapter.fold(check, |check, dir| check.reading("the adapter", dir));
    check_out(&check, &args.out)?;
    let watch = &mut Terminal::default();
    let mut session = Session::open(&args.model, args.dtype, &args.device.device, watch)?;
    let request = CaptureRequest {
        adapter: args.adapter.clone(),
        input: &args.input,
        out: &args.out,
        tensors: &args.tensors,
        layers: args.layers.as_deref(),
    };
    capture(&mut session, &request, watch)?;
    note(&format!("wrote {}", args.out.display()));
    note_peak_memory();
    Ok(())
}
