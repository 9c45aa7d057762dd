//! `merge`: an adapter and its model as one model.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use model::{merge::GgufFormat, random::FloatFormat};
use run::{
    estimate::gigabytes,
    merge::{self, LogitShift, MergeRequest},
};

use crate::progress::{Terminal, note, note_peak_memory, result};

/// `merge`
#[derive(Args)]
pub(crate) struct MergeArgs {
    /// Catalogue name, Hugging Face folder, .gguf file or hub id.
    #[arg(long)]
    pub(crate) model: String,
    /// A PEFT folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) adapter: PathBuf,
    /// The folder: a new one, or an empty one.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// How the folder stores weights: bf16, f16 or f32. Default: as the model does.
    #[arg(long)]
    pub(crate) dtype: Option<FloatFormat>,
    /// Write a GGUF file instead of a folder: matrices in f32, f16, bf16 or q8_0.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) gguf: Option<GgufFormat>,
    /// Replace a model that is there, unless it is the one that is read.
    #[arg(long)]
    pub(crate) replace: bool,
}

pub(super) fn run(args: &MergeArgs) -> Result<()> {
    let request = MergeRequest {
        model: &args.model,
        adapter: &args.adapter,
        out: &args.out,
        format: args.dtype,
        gguf: args.gguf,
        replace: args.replace,
    };
    let merged = merge::merge(&request, &mut Terminal::default())?;
    note(&format!(
        "wrote {}: {} of the model's weights changed, {}",
        args.out.display(),
        merged.changed,
        gigabytes(merged.bytes)
    ));
    if merged.dequantised > 0 {
        note(&format!(
            "note: {} tensors of the model are quantised; they were decoded, and the merged ones are stored as asked",
            merged.dequantised
        ));
    }
    result(&describe(&merged.shift));
    note_peak_memory();
    Ok(())
}

/// What rounding did, against the model with its adapter beside it.
fn describe(shift: &LogitShift) -> String {
    format!(
        "rounding moved the logits of {} sample prompts by {:.2e} on average and {:.2e} at most, the distance between the \
         best two by {:.2e} at most; the best token stayed the same after {}",
        shift.prompts, shift.mean, shift.largest, shift.lead, shift.same_best
    )
}
