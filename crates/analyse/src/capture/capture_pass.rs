//! The pass: the shared prefix once, then batches of what follows it, pooled layer by layer on the
//! way and written to a [`PartialFile`] while the next one runs. Never here: which tensors a file
//! has.

use std::{ops::Range, panic, thread};

use candle_core::Tensor;
use data::forest;
use model::{Decoder, KvCache, Layer, LayerView, ModelConfig, ModelError, WalkDetail, with_values};
use rayon::prelude::*;
use schema::inside::Pooling;

use super::{
    BatchRows, OnProgress,
    partial_file::PartialFile,
    pool::{self, PromptRows},
};
use crate::error::AnalyseError;

/// Bytes of one batch's values; those of two are in memory, one being made and one being
/// written.
const BYTES_AT_ONCE: usize = 32 << 20;

/// The content of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TensorSource {
    /// The residual stream at each of the layers: (layers, E).
    Residual,
    /// Activations silu(gate) up of the mlp of each of the layers, which are blocks: (layers,
    /// F).
    Neurons,
    /// The last token after the final norm: (E).
    Final,
    /// After the last token: (V).
    Logits,
}

/// A tensor that is wanted.
#[derive(Clone, Debug)]
pub(super) struct WantedTensor {
    pub(super) name: String,
    pub(super) source: TensorSource,
    pub(super) pooling: Pooling,
    /// Rising; none for what is after the last layer.
    pub(super) layers: Vec<usize>,
}

impl WantedTensor {
    /// Shape of one row.
    pub(super) fn shape(&self, config: &ModelConfig) -> Vec<usize> {
        match self.source {
            TensorSource::Residual => vec![self.layers.len(), config.hidden_size],
            TensorSource::Neurons => vec![self.layers.len(), config.intermediate_size],
            TensorSource::Final => vec![config.hidden_size],
            TensorSource::Logits => vec![config.vocab_size],
        }
    }

    /// Position of the layer in a row, if `source` is shown.
    fn find(&self, source: TensorSource, layer: usize) -> Option<usize> {
        (self.source == source)
            .then(|| self.layers.binary_search(&layer).ok())
            .flatten()
    }
}

/// Token lists that begin alike, and where the question lies in each.
pub(super) struct TokenLists<'a> {
    pub(super) prefix: &'a [u32],
    pub(super) suffixes: Vec<&'a [u32]>,
    /// Within the suffixes.
    pub(super) questions: Vec<Range<usize>>,
}

impl TokenLists<'_> {
    /// Everything in them as numbers, for a hash.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        let lists = self.suffixes.iter().zip(&self.questions);
        numbers(self.prefix).chain(lists.flat_map(|(suffix, question)| {
            numbers(suffix).chain([question.start as u64, question.end as u64])
        }))
    }
}

/// A list's length and its ids.
fn numbers(ids: &[u32]) -> impl Iterator<Item = u64> {
    [ids.len() as u64]
        .into_iter()
        .chain(ids.iter().map(|&id| id.into()))
}

/// A capture and its settings.
pub(super) struct CapturePass<'a> {
    pub(super) model: &'a Decoder,
    pub(super) lists: TokenLists<'a>,
    pub(super) wanted: &'a [WantedTensor],
    /// Rows at once; never changes a result.
    pub(super) tokens_per_batch: usize,
    /// The unit that messages count in.
    pub(super) unit: &'static str,
}

/// Called with the place of a wanted tensor, that of the layer in its rows, and the values (N,
/// width) with their width.
type ValueSink<'a> = dyn FnMut(usize, usize, &[f32], usize) + 'a;

/// A batch that was run: its lists, and for each wanted tensor their values, row-major.
struct BatchValues {
    lists: Vec<usize>,
    values: Vec<Vec<f32>>,
}

/// The shared prefix after it was run.
struct PrefixRun {
    cache: Option<KvCache>,
    /// For each wanted tensor and each of its layers the sums of the rows.
    sums: Vec<Vec<Vec<f64>>>,
}

impl CapturePass<'_> {
    /// Captures every list that `store` lacks, batch by batch; one is written while the next is
    /// run.
    pub(super) fn run(
        &self,
        store: &mut PartialFile,
        watch: &mut OnProgress<'_>,
    ) -> Result<(), AnalyseError> {
        let total = self.lists.suffixes.len();
        let damaged = store.drop_damaged(&mut |done| watch(done, total))?;
        if damaged > 0 {
            tracing::warn!(
                "{damaged} {} of {} are not as they were written; they are captured anew",
                self.unit,
                store.partial().display()
            );
        }
        let missing: Vec<usize> = (0..total).filter(|&list| !store.is_done(list)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let prefix = self.run_prefix()?;
        let mut unwritten = None;
        for lists in self.batches(&missing) {
            unwritten = Some(write_while(store, unwritten.take(), || {
                self.run_batch(&prefix, lists)
            })?);
            if !watch(store.done_count(), total) {
                break;
            }
        }
        if let Some(BatchValues { lists, values }) = unwritten {
            store.write(&lists, &values)?;
            watch(store.done_count(), total);
        }
        let done = store.done_count();
        if done < total {
            Err(AnalyseError::Stopped {
                done,
                total,
                unit: self.unit,
            })
        } else {
            Ok(())
        }
    }

    /// The lists `missing` in batches; those that begin alike together, and no more than there
    /// is memory for what is made of them.
    fn batches(&self, missing: &[usize]) -> Vec<Vec<usize>> {
        let suffixes: Vec<&[u32]> = missing
            .iter()
            .map(|&list| self.lists.suffixes[list])
            .collect();
        let most =
            (BYTES_AT_ONCE / (self.row_lengths().iter().sum::<usize>() * size_of::<f32>())).max(1);
        let batches = forest::batches(&suffixes, |_| 0, self.tokens_per_batch);
        let parts = batches.iter().flat_map(|batch| batch.chunks(most));
        parts
            .map(|part| part.iter().map(|&at| missing[at]).collect())
            .collect()
    }

    /// Values of one row of each wanted tensor.
    fn row_lengths(&self) -> Vec<usize> {
        self.wanted
            .iter()
            .map(|wanted| wanted.shape(self.model.config()).iter().product())
            .collect()
    }

    fn look(&self) -> WalkDetail {
        let neurons = self
            .wanted
            .iter()
            .any(|wanted| wanted.source == TensorSource::Neurons);
        if neurons {
            WalkDetail::Neurons
        } else {
            WalkDetail::Residual
        }
    }

    fn run_prefix(&self) -> Result<PrefixRun, AnalyseError> {
        let mut sums: Vec<Vec<Vec<f64>>> = self
            .wanted
            .iter()
            .map(|w| vec![Vec::new(); w.layers.len()])
            .collect();
        if self.lists.prefix.is_empty() {
            return Ok(PrefixRun { cache: None, sums });
        }
        let (cache, _) =
            self.model
                .prefill_through(self.lists.prefix, None, self.look(), &mut |seen| {
                    self.show(&seen, &mut |wanted, at, values, width| {
                        if self.wanted[wanted].pooling == Pooling::All {
                            sums[wanted][at] = pool::sum_rows(values, width);
                        }
                    })?;
                    Ok(None)
                })?;
        Ok(PrefixRun {
            cache: Some(cache),
            sums,
        })
    }

    fn run_batch(
        &self,
        prefix: &PrefixRun,
        lists: Vec<usize>,
    ) -> Result<BatchValues, AnalyseError> {
        let suffixes: Vec<&[u32]> = lists
            .iter()
            .map(|&list| self.lists.suffixes[list])
            .collect();
        let layout = BatchRows::new(&suffixes, self.lists.prefix.len())?;
        let spans: Vec<PromptRows> = lists
            .iter()
            .enumerate()
            .map(|(at, &list)| PromptRows {
                rows: layout.path(at),
                question: self.lists.questions[list].clone(),
                prefix: self.lists.prefix.len(),
            })
            .collect();
        let lengths = self.row_lengths();
        let mut found: Vec<Vec<f32>> = lengths
            .iter()
            .map(|length| vec![0.0; lists.len() * length])
            .collect();
        let cache = prefix.cache.as_ref();
        let last = self.model.walk_through(
            &layout.input_ids,
            &layout.rows,
            cache,
            self.look(),
            &mut |seen| {
                self.show(&seen, &mut |wanted, at, values, width| {
                    let (pooling, sums) = (self.wanted[wanted].pooling, &prefix.sums[wanted][at]);
                    let rows = found[wanted].par_chunks_mut(lengths[wanted]).zip(&spans);
                    rows.for_each_init(Vec::new, |room, (row, span)| {
                        pool::pool(
                            pooling,
                            values,
                            span,
                            sums,
                            room,
                            &mut row[at * width..(at + 1) * width],
                        );
                    });
                })?;
                Ok(None)
            },
        )?;
        self.add_heads(&self.model.select(&last, &layout.last_rows())?, &mut found)?;
        self.check_finite(&lists, &found)?;
        Ok(BatchValues {
            lists,
            values: found,
        })
    }

    /// Calls `take` with each wanted tensor that is of what is seen, the place of the layer in
    /// its rows, and the values (N, width).
    fn show(&self, seen: &LayerView<'_>, take: &mut ValueSink<'_>) -> model::Result<()> {
        let layer = match seen.layer {
            Layer::Embedding => 0,
            Layer::After(layer) => layer,
        };
        for source in [TensorSource::Residual, TensorSource::Neurons] {
            let places: Vec<(usize, usize)> = self
                .wanted
                .iter()
                .enumerate()
                .filter_map(|(n, w)| Some((n, w.find(source, layer)?)))
                .collect();
            if places.is_empty() {
                continue;
            }
            let tensor = match source {
                TensorSource::Neurons => seen.neurons()?,
                _ => Some(seen.residual.clone()),
            };
            let Some(tensor) = tensor else { continue };
            let width = tensor.dim(1)?;
            with_values(&tensor, |values| {
                places
                    .into_iter()
                    .for_each(|(wanted, at)| take(wanted, at, values, width));
            })?;
        }
        Ok(())
    }

    /// Adds the tensors after the last layer, of the last rows (n, E).
    fn add_heads(&self, last: &Tensor, found: &mut [Vec<f32>]) -> Result<(), AnalyseError> {
        for (wanted, found) in self.wanted.iter().zip(found) {
            match wanted.source {
                TensorSource::Final => {
                    *found = with_values(&self.model.final_norm(last)?, <[f32]>::to_vec)?
                }
                TensorSource::Logits => {
                    *found = with_values(&self.model.logits(last)?, <[f32]>::to_vec)?
                }
                TensorSource::Residual | TensorSource::Neurons => {}
            }
        }
        Ok(())
    }

    fn check_finite(&self, lists: &[usize], values: &[Vec<f32>]) -> Result<(), AnalyseError> {
        for ((wanted, values), length) in self.wanted.iter().zip(values).zip(self.row_lengths()) {
            let broken = values
                .par_chunks(length)
                .position_first(|row| row.iter().any(|value| !value.is_finite()));
            if let Some(at) = broken {
                let place = format!("`{}` of row {}", wanted.name, lists[at]);
                return Err(ModelError::NotFinite(place).into());
            }
        }
        Ok(())
    }
}

/// Writes the batch `before` in a thread of its own while `make` makes the next one. Both come
/// to their end.
fn write_while(
    store: &mut PartialFile,
    before: Option<BatchValues>,
    make: impl FnOnce() -> Result<BatchValues, AnalyseError>,
) -> Result<BatchValues, AnalyseError> {
    let Some(before) = before else { return make() };
    let (written, made) = thread::scope(|scope| {
        let writer = scope.spawn(|| store.write(&before.lists, &before.values));
        let made = make();
        (
            writer
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic)),
            made,
        )
    });
    written.and(made)
}
