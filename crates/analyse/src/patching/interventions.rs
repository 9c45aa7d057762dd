//! The vectors that replace a question's last one, and the pass in which all of them are tried.
//! Never here: statistics.

use candle_core::Tensor;
use data::forest;
use model::{Decoder, KvCache, LayerView, WalkDetail};
use rand::RngExt;
use rayon::prelude::*;
use schema::{Language, inside::InterventionKind};

use super::{
    effect::{Effect, Effects},
    unpatched::{UnpatchedRuns, number},
};
use crate::{
    capture::BatchRows,
    error::AnalyseError,
    labelled_prompts::{LabelledPrompts, ModelAnswer},
    random::{Purpose, generator},
};

/// All that is tried in one language.
pub(super) struct InterventionPlan<'a> {
    pub(super) language: Language,
    pub(super) asked: &'a LabelledPrompts<'a>,
    pub(super) kinds: &'a [InterventionKind],
    pub(super) own: &'a UnpatchedRuns,
    /// Of the same items.
    pub(super) english: &'a UnpatchedRuns,
    /// For each item the place of the one whose run is patched in by `PatchOther` and
    /// `PatchSame`.
    pub(super) donors: Vec<usize>,
    pub(super) seed: u64,
    /// Rows at once; never changes a result.
    pub(super) tokens_per_batch: usize,
}

/// English minus the language, summed over the items: (L + 1, E).
pub(super) struct Differences(Vec<f64>);

impl InterventionPlan<'_> {
    /// Tries everything on every question. `answered` hears how many are done, and may end the
    /// work by an error.
    pub(super) fn run(
        &self,
        model: &Decoder,
        answered: &mut dyn FnMut(usize) -> Result<(), AnalyseError>,
    ) -> Result<Effects, AnalyseError> {
        let before: Vec<&[u32]> = (0..self.own.items.len())
            .map(|at| self.suffix(at).0)
            .collect();
        let cache = self.asked.prefill(model)?;
        let differences = self.differences();
        let tried = self.kinds.len() * self.own.layers;
        let mut effects = Effects::new(self.kinds, self.own.layers, before.len());
        let mut done = 0;
        for batch in forest::batches(&before, |_| tried, self.tokens_per_batch) {
            for (row, answer) in self
                .run_batch(model, cache.as_ref(), &differences, &batch)?
                .iter()
                .enumerate()
            {
                let (layer, at, kind) = self.place(&batch, row);
                effects.set(kind, layer, at, self.compare(self.kinds[kind], at, answer));
            }
            done += batch.len();
            answered(done)?;
        }
        Ok(effects)
    }

    /// A question's tokens after the shared prefix: all but the last, and the last.
    fn suffix(&self, at: usize) -> (&[u32], u32) {
        let suffix = self.asked.prompts.suffix(self.own.places[at]);
        (&suffix[..suffix.len() - 1], suffix[suffix.len() - 1])
    }

    /// Layer, question and kind that are tried in a row, the first of which is 0: by layer, so
    /// that what is put in at one layer lies together; then by question, then by kind.
    fn place(&self, batch: &[usize], row: usize) -> (usize, usize, usize) {
        let question = row / self.kinds.len();
        (
            question / batch.len(),
            batch[question % batch.len()],
            row % self.kinds.len(),
        )
    }

    /// The answers to the questions of `batch`, in the order of [`InterventionPlan::place`].
    fn run_batch(
        &self,
        model: &Decoder,
        cache: Option<&KvCache>,
        differences: &Differences,
        batch: &[usize],
    ) -> Result<Vec<ModelAnswer>, AnalyseError> {
        let lists: Vec<&[u32]> = batch.iter().map(|&at| self.suffix(at).0).collect();
        let mut layout = BatchRows::new(&lists, self.asked.prompts.prefix().len())?;
        let (first, block) = (layout.rows.len(), batch.len() * self.kinds.len());
        for row in 0..block * self.own.layers {
            let (list, at) = (
                row / self.kinds.len() % batch.len(),
                self.place(batch, row).1,
            );
            layout.branch(list, self.suffix(at).1)?;
        }
        let patch = &mut |seen: LayerView<'_>| {
            let layer = number(seen.layer);
            replace_rows(
                seen.residual,
                first + layer * block,
                self.vectors(differences, batch, layer),
            )
            .map(Some)
        };
        let hidden = model.walk_through(
            &layout.input_ids,
            &layout.rows,
            cache,
            WalkDetail::Residual,
            patch,
        )?;
        let name = |row: usize| {
            let (layer, at, kind) = self.place(batch, row);
            format!(
                "item {} in {}, {:?} after layer {layer}",
                self.own.items[at], self.language, self.kinds[kind]
            )
        };
        self.asked.answers(
            model,
            &hidden.narrow(0, first, block * self.own.layers)?,
            name,
        )
    }

    pub(super) fn differences(&self) -> Differences {
        let mut sums = vec![0.0; self.own.layers * self.own.width];
        sums.par_chunks_mut(self.own.width)
            .enumerate()
            .for_each(|(layer, sums)| {
                for at in 0..self.own.items.len() {
                    let pairs = self
                        .english
                        .state(at, layer)
                        .iter()
                        .zip(self.own.state(at, layer));
                    sums.iter_mut()
                        .zip(pairs)
                        .for_each(|(sum, (english, own))| {
                            *sum += f64::from(*english) - f64::from(*own)
                        });
                }
            });
        Differences(sums)
    }

    /// The vectors that are put in after a layer for each question of the batch and each kind:
    /// (questions · kinds, E).
    fn vectors(&self, differences: &Differences, batch: &[usize], layer: usize) -> Vec<f32> {
        let vectors = batch.par_iter().flat_map_iter(|&at| {
            let kinds = self.kinds.iter();
            kinds.flat_map(move |&kind| self.vector(differences, kind, at, layer))
        });
        vectors.collect()
    }

    /// The vector that is put in after a layer for one question: (E).
    pub(super) fn vector(
        &self,
        differences: &Differences,
        kind: InterventionKind,
        at: usize,
        layer: usize,
    ) -> Vec<f32> {
        match kind {
            InterventionKind::PatchParallel => self.english.state(at, layer).to_vec(),
            InterventionKind::PatchOther => self.english.state(self.donors[at], layer).to_vec(),
            InterventionKind::PatchSame => self.own.state(self.donors[at], layer).to_vec(),
            InterventionKind::Steer => {
                self.moved(at, layer, &self.steering(differences, at, layer))
            }
            InterventionKind::SteerRandom => {
                self.moved(at, layer, &self.control(differences, at, layer))
            }
        }
    }

    /// The question's own vector plus `by`.
    fn moved(&self, at: usize, layer: usize, by: &[f64]) -> Vec<f32> {
        let own = self.own.state(at, layer).iter();
        own.zip(by)
            .map(|(own, by)| (f64::from(*own) + by) as f32)
            .collect()
    }

    /// English mean minus the language's mean over the other items: with its own, a question
    /// would be shown a part of its own English run.
    pub(super) fn steering(&self, differences: &Differences, at: usize, layer: usize) -> Vec<f64> {
        let width = self.own.width;
        let others = self.own.items.len() as f64 - 1.0;
        let sums = &differences.0[layer * width..(layer + 1) * width];
        let pairs = self
            .english
            .state(at, layer)
            .iter()
            .zip(self.own.state(at, layer));
        sums.iter()
            .zip(pairs)
            .map(|(sum, (e, o))| (sum - (f64::from(*e) - f64::from(*o))) / others)
            .collect()
    }

    /// As long as the steering vector, in a direction of the item's and the layer's own, the
    /// same in every language.
    pub(super) fn control(&self, differences: &Differences, at: usize, layer: usize) -> Vec<f64> {
        let length = norm(&self.steering(differences, at, layer));
        let number = (self.own.items[at] * self.own.layers + layer) as u64;
        let mut generator = generator(self.seed, Purpose::Direction, number);
        let mut vector: Vec<f64> = (0..self.own.width)
            .map(|_| normal(&mut generator))
            .collect();
        let scale = length / norm(&vector);
        vector.iter_mut().for_each(|value| *value *= scale);
        vector
    }

    fn compare(&self, kind: InterventionKind, at: usize, after: &ModelAnswer) -> Effect {
        let label = match kind {
            InterventionKind::PatchOther => self.english.golds[self.donors[at]],
            InterventionKind::PatchSame => self.own.golds[self.donors[at]],
            _ => self.own.golds[at],
        };
        let before = &self.own.answers[at];
        Effect {
            before: before.shares[label],
            after: after.shares[label],
            chosen_before: before.chosen == label,
            chosen_after: after.chosen == label,
        }
    }
}

/// `x` (N, E) with the rows from `start` replaced by `values`.
fn replace_rows(x: &Tensor, start: usize, values: Vec<f32>) -> model::Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let count = values.len() / width;
    let new = Tensor::from_vec(values, (count, width), x.device())?.to_dtype(x.dtype())?;
    let end = start + count;
    let mut parts = vec![x.narrow(0, 0, start)?, new, x.narrow(0, end, rows - end)?];
    parts.retain(|part| part.elem_count() > 0);
    Ok(Tensor::cat(&parts, 0)?)
}

pub(super) fn norm(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// A draw of the standard normal distribution (Box & Muller 1958).
fn normal(generator: &mut impl RngExt) -> f64 {
    let (radius, angle): (f64, f64) = (generator.random(), generator.random());
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
