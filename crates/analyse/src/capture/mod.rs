//! Hidden states of many prompts or rows, in one pass, to safetensors files that grow batch by
//! batch.
//!
//! The prefix of all prompts is run once, and a common beginning in a batch once per batch; a token
//! counts in every prompt that has it. Every value is the same whatever else is
//! in the batch.
//!
//! Layers are the residual stream before the final norm: 0 the embedding's output, then that of
//! each block. (Hugging Face's last hidden state is after the final norm.) Never here: what is
//! made of the states.

mod batch_rows;
mod capture_pass;
mod file_layout;
mod input_rows;
mod partial_file;
mod pool;
mod prompts;
mod state_file;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path};

use model::Decoder;
use schema::inside::Pooling;

use crate::error::AnalyseError;
use capture_pass::{CapturePass, TensorSource, TokenLists, WantedTensor};
use file_layout::FileLayout;
use partial_file::PartialFile;

pub use batch_rows::BatchRows;
pub use input_rows::{CapturedTensor, TensorChoice, capture_rows, read_rows};
pub use partial_file::{is_capture, is_unfinished, unfinished};
pub use prompts::{Prompts, encode};
pub use state_file::StateFile;

/// Rows of the model run at once.
pub(crate) const TOKENS_PER_BATCH: usize = 2048;

/// Sees how many of how many are done, and may stop the work by returning false.
pub type OnProgress<'a> = dyn FnMut(usize, usize) -> bool + 'a;

/// Writes the states of `prompts` after every layer to `file`, to be read by [`StateFile::open`]:
/// for each of `poolings` a tensor of its name, (items, L + 1, E).
///
/// Until it is complete, the file is named `<file>.partial`, and `<file>.progress` records which
/// rows are done; the same call resumes from there, to the same bytes. `about` becomes the file's
/// metadata, and says all on which the states depend beside the prompts: where it differs,
/// nothing of the earlier part is taken.
///
/// # Errors
/// No prompts or poolings; a file that cannot be written, a full disk; a state that is not
/// finite; `watch` said no.
pub fn capture_language(
    model: &Decoder,
    prompts: &Prompts,
    poolings: &[Pooling],
    file: &Path,
    about: BTreeMap<String, String>,
    watch: &mut OnProgress<'_>,
) -> Result<(), AnalyseError> {
    capture_in_batches(
        model,
        prompts,
        poolings,
        file,
        &about,
        TOKENS_PER_BATCH,
        watch,
    )
}

/// As [`capture_language`], with at most `tokens_per_batch` tokens after the prefix at once.
fn capture_in_batches(
    model: &Decoder,
    prompts: &Prompts,
    poolings: &[Pooling],
    file: &Path,
    about: &BTreeMap<String, String>,
    tokens_per_batch: usize,
    watch: &mut OnProgress<'_>,
) -> Result<(), AnalyseError> {
    let layers: Vec<usize> = (0..=model.config().num_hidden_layers).collect();
    let wanted: Vec<WantedTensor> = Pooling::ALL
        .iter()
        .filter(|pooling| poolings.contains(pooling))
        .map(|&pooling| WantedTensor {
            name: pooling.to_string(),
            source: TensorSource::Residual,
            pooling,
            layers: layers.clone(),
        })
        .collect();
    let what = format!("the capture {}", file.display());
    if prompts.is_empty() {
        return Err(AnalyseError::Empty(what));
    }
    if wanted.is_empty() {
        return Err(AnalyseError::unusable(what, "no poolings are asked for"));
    }
    let each = 0..prompts.len();
    let lists = TokenLists {
        prefix: prompts.prefix(),
        suffixes: each.clone().map(|at| prompts.suffix(at)).collect(),
        questions: each.map(|at| prompts.question(at)).collect(),
    };
    let known = [
        (state_file::ITEMS, prompts.items().to_vec()),
        (state_file::TOKENS, prompts.tokens()),
    ];
    let tensors: Vec<_> = wanted
        .iter()
        .map(|wanted| (wanted.name.clone(), wanted.shape(model.config())))
        .collect();
    let plan = FileLayout::new(prompts.len(), &known, &tensors, about)?;
    let hash = plan.hash(lists.numbers());
    let mut store = PartialFile::open(file, plan, &hash)?;
    CapturePass {
        model,
        lists,
        wanted: &wanted,
        tokens_per_batch,
        unit: "prompts",
    }
    .run(&mut store, watch)?;
    store.finish()
}
