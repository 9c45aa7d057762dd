//! One forward pass over a batch of questions gives the measures that every scoring is computed
//! from: the paper's prefix sums at a question's last row, and the probability of each label
//! over the trie of their tokens. Never here: choosing.

use candle_core::Device;
use data::forest;
use model::{Decoder, KvCache, ops::softmax};
use schema::scores::Measures;

use crate::{
    error::EvalError,
    question_rows::QuestionRows,
    questions::{EncodedQuestion, EncodedQuestions},
};

/// Rows whose probabilities over the whole vocabulary are in memory at once.
const HEAD_ROWS: usize = 64;

/// Sees the measures of a batch of questions; an error ends the work.
pub(crate) type Watch<'a> = dyn FnMut(&[usize], Vec<Measures>) -> Result<(), EvalError> + 'a;

/// Measures each of `batch`; also the rows that were run.
pub(crate) fn measure(
    model: &Decoder,
    cache: Option<&KvCache>,
    label_sets: &[Vec<u32>],
    batch: &[&EncodedQuestion],
) -> Result<(Vec<Measures>, usize), EvalError> {
    let layout = QuestionRows::new(batch, cache.map_or(0, KvCache::len))?;
    let (scored, last) = layout.scored();
    let hidden = model.hidden_at(&layout.input_ids, &layout.rows, cache, &scored)?;
    let mut prefix_sums = vec![Vec::new(); if label_sets.is_empty() { 0 } else { last }];
    let mut log_probs: Vec<Vec<f64>> = batch
        .iter()
        .map(|q| vec![0.0; q.continuations.len()])
        .collect();
    for start in (0..scored.len()).step_by(HEAD_ROWS) {
        let rows = start..scored.len().min(start + HEAD_ROWS);
        let logits = model.logits(&hidden.narrow(0, start, rows.len())?)?; // (n, V)
        let log_p = softmax::log_softmax(&logits)?
            .to_device(&Device::Cpu)?
            .to_vec2::<f32>()?;
        for (sums, log_p) in prefix_sums.iter_mut().skip(start).zip(&log_p) {
            let p = |id: &u32| f64::from(log_p[*id as usize]).exp();
            sums.extend(label_sets.iter().map(|set| set.iter().map(p).sum::<f64>()));
        }
        for (row, log_p) in scored[rows].iter().zip(&log_p) {
            for factor in layout.factors.get(row).into_iter().flatten() {
                log_probs[factor.question][factor.label] += f64::from(log_p[factor.token as usize]);
            }
        }
    }
    let measures =
        batch
            .iter()
            .zip(log_probs)
            .zip(&layout.last_rows)
            .map(|((question, log_probs), row)| Measures {
                // The last rows come first, in rising order.
                prefix: if label_sets.is_empty() {
                    Vec::new()
                } else {
                    prefix_sums[scored[..last].partition_point(|r| r < row)].clone()
                },
                log_probs,
                tokens: question.continuations.iter().map(Vec::len).collect(),
                bytes: question.bytes.clone(),
                characters: question.characters.clone(),
            });
    Ok((measures.collect(), layout.rows.len()))
}

/// Measures the questions `wanted` (indices); those with common beginnings are run together.
/// `found` sees each batch and ends it by an error.
pub(crate) fn measure_all(
    model: &Decoder,
    cache: Option<&KvCache>,
    all: &EncodedQuestions,
    wanted: &[usize],
    tokens_per_batch: usize,
    found: &mut Watch<'_>,
) -> Result<(), EvalError> {
    let suffixes: Vec<&[u32]> = wanted
        .iter()
        .map(|&at| all.questions[at].suffix.as_slice())
        .collect();
    let labels: Vec<usize> = wanted
        .iter()
        .map(|&at| all.questions[at].label_rows())
        .collect();
    let mut rows = 0;
    for batch in forest::batches(&suffixes, |at| labels[at], tokens_per_batch) {
        let indices: Vec<usize> = batch.iter().map(|&at| wanted[at]).collect();
        let questions: Vec<&EncodedQuestion> =
            indices.iter().map(|&at| &all.questions[at]).collect();
        let (measures, run) = measure(model, cache, &all.label_sets, &questions)?;
        rows += run;
        found(&indices, measures)?;
    }
    let apart: usize = suffixes
        .iter()
        .zip(&labels)
        .map(|(suffix, labels)| suffix.len() + labels)
        .sum();
    tracing::debug!(
        prefix = all.prefix.len(),
        rows,
        apart,
        "rows computed, and without common beginnings"
    );
    Ok(())
}
