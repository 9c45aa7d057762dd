//! What rounding did: logits of the base with its adapter beside those of the merged model, both
//! computed in f32, block by block. Never here: writing.

use data::Tokenizer;
use hub::ModelFiles;
use model::{Adapter, Decoder};

use crate::{RunError, error::Result};

/// What both models are asked. Any text would do; these have several scripts.
const PROMPTS: [&str; 8] = [
    "The capital of Iceland is",
    "I lost my keys again, and now I am late. I feel",
    "Der Zug nach Bern fährt heute nicht, weil",
    "La bibliothèque ouvre à neuf heures, mais",
    "Watoto wanacheza nje ya nyumba, kwa sababu",
    "今天下午下雨了，所以我们",
    "Сегодня утром мы пошли на рынок и купили",
    "सुबह की चाय के साथ वह अख़बार",
];

/// By how much the logits after the prompts moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogitShift {
    /// Prompts.
    pub prompts: usize,
    /// Largest change of a logit.
    pub largest: f64,
    /// Mean change of a logit, without its sign.
    pub mean: f64,
    /// Largest change of the distance between the best two logits of a prompt.
    pub lead: f64,
    /// Prompts after which the best token is still the best.
    pub same_best: usize,
}

pub(super) fn encode_prompts(tokenizer: &Tokenizer) -> Result<Vec<Vec<u32>>> {
    Ok(tokenizer.encode_all(&PROMPTS)?)
}

pub(super) fn compare(
    base: &ModelFiles,
    adapter: &Adapter,
    merged: &ModelFiles,
    prompts: &[Vec<u32>],
) -> Result<LogitShift> {
    let before = last_logits(base, Some(adapter), prompts)?;
    let after = last_logits(merged, None, prompts)?;
    let mut shift = LogitShift {
        prompts: prompts.len(),
        largest: 0.0,
        mean: 0.0,
        lead: 0.0,
        same_best: 0,
    };
    let mut sum = 0.0;
    for (before, after) in before.iter().zip(&after) {
        for (b, a) in before.iter().zip(after) {
            let apart = f64::from((b - a).abs());
            shift.largest = shift.largest.max(apart);
            sum += apart;
        }
        let (best, second) = best_two(before);
        let lead = |logits: &[f32]| f64::from(logits[best] - logits[second]);
        shift.lead = shift.lead.max((lead(before) - lead(after)).abs());
        shift.same_best += usize::from(best_two(after).0 == best);
    }
    shift.mean = sum / before.iter().map(Vec::len).sum::<usize>().max(1) as f64;
    Ok(shift)
}

fn last_logits(
    files: &ModelFiles,
    adapter: Option<&Adapter>,
    prompts: &[Vec<u32>],
) -> Result<Vec<Vec<f32>>> {
    let logits = Decoder::stream_last_logits(files, adapter, prompts)?;
    logits
        .to_vec2::<f32>()
        .map_err(|error| RunError::Unfit(error.to_string()))
}

/// Places of the two largest.
pub(super) fn best_two(logits: &[f32]) -> (usize, usize) {
    let (mut best, mut second) = (0, 0);
    for (at, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            (best, second) = (at, best);
        } else if at > 0 && (second == best || *logit > logits[second]) {
            second = at;
        }
    }
    (best, second)
}
