//! `capture`: hidden states and logits to safetensors.

use anyhow::Result;
use run::{
    Session,
    capture::{CaptureRequest, capture},
    check_out,
};

use crate::{
    cli::CaptureArgs,
    progress::{Terminal, note, note_peak_memory},
};

pub(super) fn run(args: &CaptureArgs) -> Result<()> {
    check_out(&args.out)?;
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
