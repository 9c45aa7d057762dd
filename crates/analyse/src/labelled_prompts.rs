//! Questions to a model as it is now, and its answers by the paper's prefix sums (`eval` measures
//! the same). Never here: records of answers, other scorings.

use candle_core::{Device, Tensor};
use data::forest;
use model::{Decoder, KvCache, ModelError, SilencedDecoder, ops::softmax};
use schema::{
    Language,
    scores::{choose, mean_shares},
};

use crate::{
    capture::{BatchRows, OnProgress, Prompts, TOKENS_PER_BATCH},
    error::AnalyseError,
};

/// Rows whose probabilities over the whole vocabulary are in memory at once.
const HEAD_ROWS: usize = 64;

/// One language's prompts, and the tokens that represent each label.
#[derive(Clone, Copy, Debug)]
pub struct LabelledPrompts<'a> {
    /// The prompts.
    pub prompts: &'a Prompts,
    /// For each label the tokens whose probabilities sum to its score
    /// (`data::label_tokens::prefix_sets`).
    pub label_sets: &'a [Vec<u32>],
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelAnswer {
    /// Each label's share of the prefix sums.
    pub(crate) shares: Vec<f64>,
    /// The label of the highest sum; the first of equals.
    pub(crate) chosen: usize,
}

impl LabelledPrompts<'_> {
    /// Whether the prompts' labels and the tokens fit each other and the model.
    pub(crate) fn check(&self, language: Language, model: &Decoder) -> Result<(), AnalyseError> {
        let (labels, vocabulary) = (self.label_sets.len(), model.config().vocab_size);
        let what = format!("labels in {language}");
        if self.prompts.is_empty() {
            return Err(AnalyseError::Empty(format!("the test set in {language}")));
        }
        if let Some(gold) = self.prompts.golds().iter().find(|&&gold| gold >= labels) {
            let problem =
                format!("a question's answer is label {gold}, counted from 0, of {labels}");
            return Err(AnalyseError::unusable(what, problem));
        }
        if let Some(label) = self.label_sets.iter().position(Vec::is_empty) {
            let problem =
                format!("label {label}, counted from 0, has no token; choose other labels");
            return Err(AnalyseError::unusable(what, problem));
        }
        match self
            .label_sets
            .iter()
            .flatten()
            .find(|&&id| id as usize >= vocabulary)
        {
            None => Ok(()),
            Some(id) => {
                let problem = format!(
                    "token {id} is outside the vocabulary ({vocabulary}); does the tokenizer \
                     belong to this model?"
                );
                Err(AnalyseError::unusable(what, problem))
            }
        }
    }

    /// Keys and values of the prompts' common prefix, if there is one.
    pub(crate) fn prefill(&self, model: &Decoder) -> Result<Option<KvCache>, AnalyseError> {
        let prefix = self.prompts.prefix();
        Ok(if prefix.is_empty() {
            None
        } else {
            Some(model.prefill(prefix, None)?.0)
        })
    }

    /// The answers to the first `items` questions, in their order, with some neurons off. `answered` is called with the
    /// size of every batch, and may end the work by an error.
    pub(crate) fn ask(
        &self,
        language: Language,
        silenced: &SilencedDecoder<'_>,
        items: usize,
        answered: &mut dyn FnMut(usize) -> Result<(), AnalyseError>,
    ) -> Result<Vec<ModelAnswer>, AnalyseError> {
        let suffixes: Vec<&[u32]> = (0..items).map(|at| self.prompts.suffix(at)).collect();
        let prefix = self.prompts.prefix();
        let cache = if prefix.is_empty() {
            None
        } else {
            Some(silenced.prefill(prefix, None)?.0)
        };
        let mut answers = vec![None; items];
        for batch in forest::batches(&suffixes, |_| 0, TOKENS_PER_BATCH) {
            let lists: Vec<&[u32]> = batch.iter().map(|&at| suffixes[at]).collect();
            let layout = BatchRows::new(&lists, self.prompts.prefix().len())?;
            let hidden = silenced.hidden_at(
                &layout.input_ids,
                &layout.rows,
                cache.as_ref(),
                &layout.last_rows(),
            )?;
            let found = self.answers(silenced.decoder(), &hidden, |row| {
                format!("item {} in {language}", self.prompts.items()[batch[row]])
            })?;
            batch
                .iter()
                .zip(found)
                .for_each(|(&at, answer)| answers[at] = Some(answer));
            answered(batch.len())?;
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// The answers of rows (n, E) of the residual stream after the last block; `name` names the
    /// question of a row.
    pub(crate) fn answers(
        &self,
        model: &Decoder,
        hidden: &Tensor,
        name: impl Fn(usize) -> String,
    ) -> Result<Vec<ModelAnswer>, AnalyseError> {
        let rows = hidden.dim(0)?;
        let mut answers = Vec::with_capacity(rows);
        for start in (0..rows).step_by(HEAD_ROWS) {
            let logits = model.logits(&hidden.narrow(0, start, HEAD_ROWS.min(rows - start))?)?; // (n, V)
            let log_p = softmax::log_softmax(&logits)?
                .to_device(&Device::Cpu)?
                .to_vec2::<f32>()?;
            for log_p in log_p {
                let p: Vec<f64> = log_p.iter().map(|log_p| f64::from(*log_p).exp()).collect();
                let sums: Vec<f64> = self
                    .label_sets
                    .iter()
                    .map(|set| set.iter().map(|&id| p[id as usize]).sum())
                    .collect();
                if sums.iter().any(|sum| !sum.is_finite()) {
                    return Err(ModelError::NotFinite(format!(
                        "the score of a label of {}",
                        name(answers.len())
                    ))
                    .into());
                }
                answers.push(ModelAnswer {
                    chosen: choose(&sums).0,
                    shares: mean_shares(&[sums]),
                });
            }
        }
        Ok(answers)
    }
}

/// Reports how many questions are answered; fails if `watch` asks to stop before the last.
pub(crate) fn report_answered(
    watch: &mut OnProgress<'_>,
    done: usize,
    total: usize,
) -> Result<(), AnalyseError> {
    if watch(done, total) || done == total {
        return Ok(());
    }
    // Nothing of it is kept.
    Err(AnalyseError::Stopped {
        done: 0,
        total,
        unit: "questions",
    })
}
