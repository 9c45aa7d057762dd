//! Texts of a model of ours, side by side: prompts in, lines out. What `data translate` and the
//! measure of translation share. Never here: prompts, what the lines are for.

use data::Tokenizer;
use model::Decoder;

use crate::error::{Result, bail};

/// Characters of a text that a message shows.
const MOST_SHOWN: usize = 60;

/// What a model says after a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// As it is, with whatever comes after the end that was looked for.
    pub(crate) text: String,
    /// Whether it came to that end, or to the end of the text, within its tokens.
    pub(crate) ended: bool,
}

/// The ids of a prompt.
///
/// # Errors
/// It is longer than the model's context.
pub(crate) fn encode(decoder: &Decoder, tokenizer: &Tokenizer, prompt: &str) -> Result<Vec<u32>> {
    let ids = tokenizer.encode(prompt)?;
    let context = decoder.config().max_position_embeddings;
    if context > 0 && ids.len() > context {
        bail!(
            "a line has {} tokens with its instruction, more than the model's context of {context} \
             (max_position_embeddings): shorten it, or take a model with a longer context; it begins `{}`",
            ids.len(),
            shown(prompt)
        );
    }
    Ok(ids)
}

/// Where a prompt begins, which is the text and not its instruction.
fn shown(prompt: &str) -> String {
    let first = prompt.lines().next().unwrap_or_default();
    first.chars().take(MOST_SHOWN).collect()
}

/// Continues prompts greedily until `is_whole` holds for a prompt's index and its text, which is
/// asked after each line break, the text ends, or it has `most` tokens; or until `stop`, after
/// which none has ended.
pub(crate) fn continue_each(
    (decoder, tokenizer): (&Decoder, &Tokenizer),
    prompts: &[&[u32]],
    most: usize,
    is_whole: &dyn Fn(usize, &str) -> bool,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Continuation>> {
    let eos = tokenizer.eos();
    let mut ids: Vec<Vec<u32>> = vec![Vec::new(); prompts.len()];
    let mut ended = vec![false; prompts.len()];
    model::generate::greedy_each(decoder, prompts, most, &mut |at, id| {
        if Some(id) == eos {
            ended[at] = true;
            return true;
        }
        ids[at].push(id);
        // A piece that cannot be decoded alone is not a line break; the whole is decoded below.
        let piece = tokenizer.decode(&[id]).unwrap_or_default();
        let is_end =
            piece.contains('\n') && is_whole(at, &tokenizer.decode(&ids[at]).unwrap_or_default());
        ended[at] = is_end;
        is_end || stop()
    })?;
    ids.iter()
        .zip(ended)
        .map(|(ids, ended)| {
            let text = tokenizer.decode(ids)?;
            Ok(Continuation { text, ended })
        })
        .collect()
}
