//! Hidden states of many prompts or rows, in one pass, to safetensors files that grow batch by batch.
//!
//! What all prompts begin with is run once, and what several of a batch begin with once a batch; a token counts in every
//! prompt that has it. Every value is the same whatever else is in the batch.
//!
//! Layers are the residual stream before the final norm: 0 the embedding's output, then that of each block. (Hugging Face's
//! last hidden state is after the final norm.) Never here: what is made of the states.

mod layout;
mod prompts;
mod states;

use std::{collections::BTreeMap, path::Path};

use model::Decoder;
use schema::inside::Pooling;

use crate::error::AnalyseError;

pub use layout::Layout;
pub use prompts::{Prompts, encode};
pub use states::States;

/// Sees how many of how many are done, and may stop the work by returning false.
pub type Watch<'a> = dyn FnMut(usize, usize) -> bool + 'a;

/// Writes the states of `prompts` after every layer to `file`, to be read by [`States::open`]: for each of `poolings` a
/// tensor of its name, (items, L + 1, E).
///
/// Until it is whole, the file stands in `<file>.partial`, and `<file>.progress` says what of it is done; the same call
/// goes on from there, to the same bytes. `about` becomes the file's metadata, and says all on which the states depend
/// beside the prompts: where it differs, nothing of the earlier part is taken.
///
/// # Errors
/// No prompts or poolings; a file that cannot be written, a full disk; a state that is not finite; `watch` said no.
pub fn capture_language(
    model: &Decoder,
    prompts: &Prompts,
    poolings: &[Pooling],
    file: &Path,
    about: BTreeMap<String, String>,
    watch: &mut Watch<'_>,
) -> Result<(), AnalyseError> {
    let _ = (model, prompts, poolings, about, watch);
    Err(AnalyseError::Unusable { what: file.display().to_string(), problem: "not written yet".to_owned() })
}
