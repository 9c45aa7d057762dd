//! The lens: the model's answer at the last token of a prompt if it stopped after a layer. Final
//! norm, head and softmax on the residual stream (arXiv 2402.10588; figures 1 and 3 of arXiv
//! 2405.13816), as it is or after a tuned lens's translator (arXiv 2303.08112).
//!
//! The prefix of all prompts is run once, and only last rows go through the head. Every value
//! is the same whatever else is in the batch. Never here: training a translator, means over
//! items.

mod curves;
mod labels;

use candle_core::Tensor;
use model::{Decoder, KvCache, ModelError, with_values};
use rayon::prelude::*;
use schema::inside::{LensKind, LensRecord};

use crate::{
    capture::{BatchRows, Prompts},
    error::AnalyseError,
    tuned_lens::TunedLens,
};
use curves::Point;

pub use labels::LabelTokens;

/// Rows whose logits are in memory at once.
const CHUNK: usize = 128;

/// Reads every prompt of one language at its last token after every layer, 0 to L. With `tuned`
/// there are two records per prompt, the raw lens's first; after the last layer both are the
/// model itself. An item whose right label shares tokens with its English word is not run, and
/// its curves are empty. `watch` sees how many prompts are done, and may stop by returning
/// false; nothing is kept then.
///
/// # Errors
/// No prompts; labels of another task or tokenizer; a tuned lens of another model's shape; a
/// distribution that is not finite; `watch` said no.
pub fn read(
    model: &Decoder,
    prompts: &Prompts,
    labels: &LabelTokens,
    tuned: Option<&TunedLens>,
    tokens_per_batch: usize,
    watch: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<LensRecord>, AnalyseError> {
    if prompts.is_empty() {
        return Err(AnalyseError::Empty("the lens".to_owned()));
    }
    labels.check(model.config().vocab_size, prompts.golds())?;
    if let Some(tuned) = tuned {
        tuned.check(model.config())?;
    }
    let cache = match prompts.prefix() {
        [] => None,
        prefix => Some(model.prefill(prefix, None)?.0),
    };
    let reading = LensReader {
        model,
        prompts,
        labels,
        tuned,
        cache,
    };
    let mut records: Vec<Vec<LensRecord>> =
        (0..prompts.len()).map(|at| reading.blank(at)).collect();
    let (mut done, total) = (0, prompts.len());
    for batch in prompts.batches(tokens_per_batch) {
        done += batch.len();
        let looked: Vec<usize> = batch
            .into_iter()
            .filter(|&at| !records[at][0].is_dropped())
            .collect();
        if !looked.is_empty() {
            reading.read_batch(&looked, &mut records)?;
        }
        if !watch(done) && done < total {
            return Err(AnalyseError::Stopped {
                done,
                total,
                unit: "prompts",
            });
        }
    }
    Ok(records.concat())
}

/// Everything that is the same for all batches.
struct LensReader<'a> {
    model: &'a Decoder,
    prompts: &'a Prompts,
    labels: &'a LabelTokens,
    tuned: Option<&'a TunedLens>,
    /// Of the prefix of all prompts; `None` where they have none.
    cache: Option<KvCache>,
}

impl LensReader<'_> {
    /// The records of a prompt before anything of it was read.
    fn blank(&self, at: usize) -> Vec<LensRecord> {
        let gold = self.prompts.golds()[at];
        let kinds = [Some(LensKind::Raw), self.tuned.map(|_| LensKind::Tuned)];
        let records = kinds.into_iter().flatten().map(|lens| LensRecord {
            item: self.prompts.items()[at],
            gold: self.labels.names()[gold].clone(),
            lens,
            shared_tokens: self.labels.shared(gold).to_vec(),
            correct: Vec::new(),
            correct_english: Vec::new(),
            possible: Vec::new(),
            possible_english: Vec::new(),
            entropy: Vec::new(),
        });
        records.collect()
    }

    /// Fills the records of the prompts of `batch`.
    fn read_batch(
        &self,
        batch: &[usize],
        records: &mut [Vec<LensRecord>],
    ) -> Result<(), AnalyseError> {
        let suffixes: Vec<&[u32]> = batch.iter().map(|&at| self.prompts.suffix(at)).collect();
        let layout = BatchRows::new(&suffixes, self.prompts.prefix().len())?;
        let last_rows = layout.last_rows();
        let mut layers: Vec<Tensor> = Vec::with_capacity(self.model.config().num_hidden_layers + 1);
        self.model.walk(
            &layout.input_ids,
            &layout.rows,
            self.cache.as_ref(),
            &mut |_, residual| {
                layers.push(self.model.select(residual, &last_rows)?); // (n, E)
                Ok(())
            },
        )?;
        for (layer, rows) in layers.iter().enumerate() {
            for (start, part) in (0..).step_by(CHUNK).zip(batch.chunks(CHUNK)) {
                let rows = rows.narrow(0, start, part.len())?;
                self.read_rows(0, layer, &rows, part, records)?;
                match self.tuned {
                    // After the last layer there is nothing to translate.
                    Some(tuned) if layer + 1 < layers.len() => {
                        self.read_rows(1, layer, &tuned.translate(layer, &rows)?, part, records)?;
                    }
                    Some(_) => self.read_rows(1, layer, &rows, part, records)?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Adds the point of each of `rows` (n, E) to the record at `kind` of its prompt.
    fn read_rows(
        &self,
        kind: usize,
        layer: usize,
        rows: &Tensor,
        batch: &[usize],
        records: &mut [Vec<LensRecord>],
    ) -> Result<(), AnalyseError> {
        let vocab = self.model.config().vocab_size;
        let logits = with_values(&self.model.logits(rows)?, <[f32]>::to_vec)?;
        // The final norm divides by the root of this sum: where it overflows all logits are 0,
        // and look finite.
        let squares = with_values(&rows.sqr()?.sum(1)?, <[f32]>::to_vec)?;
        let golds = self.prompts.golds();
        let points: Vec<Option<Point>> = logits
            .par_chunks(vocab)
            .zip(&squares)
            .zip(batch)
            .map(|((logits, square), &at)| {
                let point = Point::of(logits, self.labels, golds[at]);
                point.filter(|_| square.is_finite())
            })
            .collect();
        for (point, &at) in points.into_iter().zip(batch) {
            let Some(point) = point else {
                let place = format!(
                    "the lens of item {} after layer {layer}",
                    self.prompts.items()[at]
                );
                return Err(ModelError::NotFinite(place).into());
            };
            point.push(&mut records[at][kind]);
        }
        Ok(())
    }
}
