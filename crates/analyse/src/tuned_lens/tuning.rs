//! Training: which prompts are learnt from and which are held out, blocks of states, updates.
//! Never here: the gradient.

use std::{collections::BTreeMap, path::Path};

use candle_core::Tensor;
use data::batch;
use model::{Decoder, SampledHead};
use rayon::prelude::*;
use schema::inside::TunedLensRecord;

use super::{
    CHUNK, file,
    learner::Learner,
    score::score,
    token_states::{PromptIndex, TokenStates, rows_of, walk},
    vocabulary,
};
use crate::{capture::Prompts, error::AnalyseError};

/// Share of the items that are held out.
const HELD_OUT: f64 = 0.1;
/// Tokens on which the lens is scored; where more are held out, as many whole prompts as it
/// takes.
const SCORED_TOKENS: usize = 1024;
/// Most rows of states in memory at once, and most bytes of them; never less than an update
/// needs.
const BLOCK_TOKENS: usize = 4096;
const BLOCK_BYTES: usize = 1 << 30;
/// The first of the orders, of those that the seed gives, that rows of a block have; those
/// before it are of prompts.
const BLOCK_ORDER: usize = 1 << 32;

/// The training data and settings of a tuned lens.
pub struct Tuning<'a> {
    /// The model, as it is when it is read.
    pub model: &'a Decoder,
    /// The prompts of every language; items of one index are parallel.
    pub prompts: &'a [Prompts],
    /// Updates of every layer's translator; with none it is the raw lens.
    pub steps: usize,
    /// Tokens per update.
    pub tokens: usize,
    /// Tokens of the vocabulary that an update sees, about; from V on all.
    pub vocabulary: usize,
    /// Of what is held out, the order of the prompts, and the intervals.
    pub seed: u64,
    /// Draws of every interval.
    pub resamples: usize,
    /// Metadata of the file, in addition to steps, tokens and seed.
    pub about: BTreeMap<String, String>,
}

/// Trains a translator for every layer but the last, writes them to `file`, and scores them on
/// items that are held out in every language: one record per layer, from 0 to L - 1. `watch` sees
/// how many updates are done, those of every layer counted, and may stop by returning false;
/// nothing is kept then.
///
/// In memory: W, b and two moments of each layer, 3 L (E² + E) floats; a block of states, (L +
/// 1, 4096, E) or a GiB; and distributions of 256 rows.
///
/// # Errors
/// No prompts, fewer than two items, no tokens; a gradient or a divergence that is not finite;
/// a file that cannot be written; `watch` said no.
pub fn train(
    tuning: &Tuning<'_>,
    file: &Path,
    watch: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<TunedLensRecord>, AnalyseError> {
    let config = tuning.model.config();
    let (learnt, held_out) = tuning.split()?;
    let mut learners = (0..config.num_hidden_layers)
        .map(|_| Learner::new(config.hidden_size, tuning.model.device()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut order = PromptOrder {
        prompts: learnt,
        seed: tuning.seed,
        epoch: 0,
        left: Vec::new(),
    };
    let (mut step, total) = (0, tuning.steps * learners.len());
    while step < tuning.steps {
        let updates = tuning.updates_at_once().min(tuning.steps - step);
        let block = StateBlock::walk(tuning, &mut order, step, updates)?;
        if step == 0 {
            block.start(&mut learners)?;
        }
        for update in 0..updates {
            let states = block
                .states
                .select(tuning.model, block.part(update, tuning.tokens))?;
            tuning.update(step, &mut learners, &states)?;
            step += 1;
            let done = step * learners.len();
            if !watch(done) && done < total {
                return Err(AnalyseError::Stopped {
                    done,
                    total,
                    unit: "updates",
                });
            }
        }
    }
    let records = tuning.score(&learners, &held_out)?;
    let layers: Vec<(&[f32], &[f32])> = learners
        .iter()
        .map(|l| (l.weight.as_slice(), l.bias.as_slice()))
        .collect();
    file::write(file, &layers, tuning.about())?;
    Ok(records)
}

impl Tuning<'_> {
    /// Prompts to learn from, and those of the items that are held out. All languages hold out
    /// the same items.
    fn split(&self) -> Result<(Vec<PromptIndex>, Vec<PromptIndex>), AnalyseError> {
        if self.tokens == 0 {
            return Err(AnalyseError::unusable(
                "tokens per update",
                "0; give 1 or more",
            ));
        }
        let (mut all, mut items) = (Vec::new(), Vec::new());
        for (list, prompts) in self.prompts.iter().enumerate() {
            all.extend((0..prompts.len()).map(|prompt| PromptIndex { list, prompt }));
            items.extend_from_slice(prompts.items());
        }
        let (learnt, held_out) = batch::split_groups(all, &items, HELD_OUT, self.seed);
        if learnt.is_empty() || held_out.is_empty() {
            let problem = format!(
                "{} prompts of fewer than two items; one is held out",
                items.len()
            );
            return Err(AnalyseError::unusable("the tuned lens", problem));
        }
        Ok((learnt, held_out))
    }

    /// Updates whose states may be in memory together.
    fn updates_at_once(&self) -> usize {
        let config = self.model.config();
        let row = (config.num_hidden_layers + 1) * config.hidden_size * size_of::<f32>();
        (BLOCK_TOKENS.min(BLOCK_BYTES / row) / self.tokens).max(1)
    }

    /// One update of every layer on the rows of `states`, one tensor (N, E) per layer. The model's
    /// own distribution is computed once for all layers, and they see the same tokens of the
    /// vocabulary.
    fn update(
        &self,
        step: usize,
        learners: &mut [Learner],
        states: &[Tensor],
    ) -> Result<(), AnalyseError> {
        let Some(last) = states.last() else {
            return Ok(());
        };
        let rows = last.dim(0)?;
        let head = self.draw_vocabulary(step, last)?;
        let mut gradients: Vec<Vec<Tensor>> = vec![Vec::new(); learners.len()];
        for start in (0..rows).step_by(CHUNK) {
            let count = CHUNK.min(rows - start);
            let shares = self
                .model
                .sampled_shares(&last.narrow(0, start, count)?, &head)?;
            for ((learner, layer), gradients) in learners.iter().zip(states).zip(&mut gradients) {
                let rows = layer.narrow(0, start, count)?;
                gradients.push(learner.backward(self.model, &rows, &head, &shares)?);
            }
        }
        for (layer, (learner, gradients)) in learners.iter_mut().zip(gradients).enumerate() {
            let d_rows = Tensor::cat(&gradients, 0)?; // (N, E)
            learner.update((step, self.steps), layer, &states[layer], &d_rows)?;
        }
        Ok(())
    }

    /// The tokens of update `step`, by what the model says of its rows `last` (N, E).
    fn draw_vocabulary(&self, step: usize, last: &Tensor) -> Result<SampledHead, AnalyseError> {
        let rows = last.dim(0)?;
        let mut mean = vec![0.0; self.model.config().vocab_size];
        for start in (0..rows).step_by(CHUNK) {
            let count = CHUNK.min(rows - start);
            let part = self.model.shares(&last.narrow(0, start, count)?)?.mean()?;
            let share = count as f32 / rows as f32;
            mean.iter_mut()
                .zip(part)
                .for_each(|(mean, part)| *mean += share * part);
        }
        vocabulary::draw(self.model, &mean, self.vocabulary, self.seed, step)
    }

    /// Scores the translators on whole prompts of `held_out`, in an order that the seed gives.
    fn score(
        &self,
        learners: &[Learner],
        held_out: &[PromptIndex],
    ) -> Result<Vec<TunedLensRecord>, AnalyseError> {
        let mut order = PromptOrder {
            prompts: held_out.to_vec(),
            seed: self.seed,
            epoch: 0,
            left: Vec::new(),
        };
        let all: usize = held_out.iter().map(|&at| rows_of(self.prompts, at)).sum();
        let chosen = order.take(self.prompts, all.min(SCORED_TOKENS));
        let states = walk(self.model, self.prompts, &chosen)?;
        score(
            self.model,
            learners,
            &states,
            chosen.len(),
            self.resamples,
            self.seed,
        )
    }

    fn about(&self) -> BTreeMap<String, String> {
        let mut about = self.about.clone();
        let how = [
            ("steps", self.steps.to_string()),
            ("tokens", self.tokens.to_string()),
            ("vocabulary", self.vocabulary.to_string()),
            ("seed", self.seed.to_string()),
        ];
        about.extend(how.map(|(key, value)| (key.to_owned(), value)));
        about
    }
}

/// Prompts in an order that the seed gives, epoch after epoch; never empty.
struct PromptOrder {
    prompts: Vec<PromptIndex>,
    seed: u64,
    epoch: usize,
    /// Of this epoch, last first.
    left: Vec<PromptIndex>,
}

impl PromptOrder {
    /// The next prompts that have `rows` rows together, or more.
    fn take(&mut self, prompts: &[Prompts], rows: usize) -> Vec<PromptIndex> {
        let (mut taken, mut found) = (Vec::new(), 0);
        while found < rows {
            let at = match self.left.pop() {
                Some(at) => at,
                None => {
                    let order = batch::epoch_order(self.prompts.len(), self.seed, self.epoch);
                    self.epoch += 1;
                    self.left = order.into_iter().map(|at| self.prompts[at]).collect();
                    continue;
                }
            };
            found += rows_of(prompts, at);
            taken.push(at);
        }
        taken
    }
}

/// The states of some updates, and their rows in the order in which they are learnt.
struct StateBlock {
    states: TokenStates,
    order: Vec<u32>,
}

impl StateBlock {
    /// Runs the prompts of `updates` updates, the first of them `step`. Their rows are mixed,
    /// so that an update is of many languages.
    fn walk(
        tuning: &Tuning<'_>,
        order: &mut PromptOrder,
        step: usize,
        updates: usize,
    ) -> Result<Self, AnalyseError> {
        let chosen = order.take(tuning.prompts, updates * tuning.tokens);
        let states = walk(tuning.model, tuning.prompts, &chosen)?;
        let order = batch::epoch_order(states.owners.len(), tuning.seed, BLOCK_ORDER + step);
        Ok(Self {
            states,
            order: order.into_iter().map(|row| row as u32).collect(),
        })
    }

    /// Starts the learners at what fits its rows.
    fn start(&self, learners: &mut [Learner]) -> Result<(), AnalyseError> {
        let Some((last, layers)) = self.states.layers.split_last() else {
            return Ok(());
        };
        learners
            .par_iter_mut()
            .zip(layers)
            .try_for_each(|(learner, rows)| learner.start(rows, last))
    }

    /// The rows of one of its updates.
    fn part(&self, update: usize, tokens: usize) -> &[u32] {
        &self.order[update * tokens..(update + 1) * tokens]
    }
}
