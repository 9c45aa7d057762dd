//! How fast this machine does a model's work: operations of [`crate::work`] a second, timed on
//! the model's own first block and head, in their number format, with the kernels and threads
//! that will be used. Attention, norms, updates and activations are run with the products and
//! lower the speed by what they take, so that no share is assumed for them. Never here: how much
//! work there is.

use std::time::{Duration, Instant};

use candle_core::Tensor;
use hub::catalogue::Shape;

use crate::{
    Adapter, Decoder, Gradients, LoraConfig, Rows,
    error::Result,
    ops::{lora::Dropout, softmax},
    work::{self, Work},
};

/// Operations of one timed pass, about: a fifth of a second on a laptop's processor. Fewer rows
/// are run of a model with large blocks.
const OPERATIONS: u64 = 20_000_000_000;
/// Fewest rows of a timed pass: fewer do not fill the products' tiles.
const FEWEST_ROWS: usize = 64;
/// Most scored rows: as many as an evaluation runs through the head at once.
const SCORED_ROWS: usize = 64;

/// Operations a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Of the blocks.
    pub blocks: f64,
    /// Of the head.
    pub head: f64,
}

impl Speed {
    /// How long the work takes.
    pub fn seconds(&self, work: Work) -> f64 {
        work.blocks as f64 / self.blocks + work.head as f64 / self.head
    }
}

/// The rows of a typical pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypicalPass {
    /// Rows run at once.
    pub rows: usize,
    /// Rows of one sequence.
    pub sequence: usize,
    /// Tokens of a prefix that is in the cache.
    pub prefix: usize,
}

impl TypicalPass {
    /// Fewer sequences where `per_row` operations make the pass long; one at least.
    fn layout(self, per_row: u64) -> Rows {
        let most = (OPERATIONS / per_row.max(1)) as usize;
        let rows = self.rows.min(most.max(FEWEST_ROWS));
        let sequence = self.sequence.max(1);
        Rows::new(vec![sequence; (rows / sequence).max(1)], self.prefix)
    }
}

/// Of forwards after a prefix, as an evaluation runs them. `first_block` is of
/// [`Decoder::load_first_block`], `shape` that of the whole model. Each part is timed for about
/// `time`.
///
/// # Errors
/// A pass that cannot be run.
pub fn measure_evaluation(
    first_block: &Decoder,
    shape: &Shape,
    pass: TypicalPass,
    time: Duration,
) -> Result<Speed> {
    let one = one_layer(shape);
    let rows = pass.layout(work::evaluation(&one, 1, 0).blocks);
    let cache = match pass.prefix {
        0 => None,
        tokens => Some(first_block.prefill(&ids(shape, tokens), None)?.0),
    };
    let ids = ids(shape, rows.len());
    let blocks = each(time, || {
        first_block.hidden(&ids, &rows, cache.as_ref()).map(drop)
    })?;
    let scored = some_rows(first_block, &ids)?;
    let head = each(time, || {
        softmax::log_softmax(&first_block.logits(&scored)?)?.to_vec2::<f32>()?;
        Ok(())
    })?;
    let work = work::evaluation(&one, rows.len() as u64, scored.dim(0)? as u64);
    Ok(Speed::of(work, blocks, head))
}

/// Of a training's forwards and backwards with an adapter of this configuration, which is on the
/// model afterwards; else as [`measure_evaluation`].
///
/// # Errors
/// A pass that cannot be run; a configuration that does not fit.
pub fn measure_training(
    first_block: &mut Decoder,
    shape: &Shape,
    pass: TypicalPass,
    lora: LoraConfig,
    activation_checkpointing: bool,
    time: Duration,
) -> Result<Speed> {
    let dropout = (lora.dropout > 0.0).then_some(Dropout {
        share: lora.dropout,
        seed: 1,
    });
    // Its values change no time.
    let adapter = Adapter::new(lora, first_block.config(), |_, count| vec![0.01; count])?;
    first_block.set_adapter(Some(&adapter))?;
    first_block.set_activation_checkpointing(activation_checkpointing);
    let one = one_layer(shape);
    let rows = pass.layout(work::training(&one, 1, 0, activation_checkpointing).blocks);
    let ids = ids(shape, rows.len());
    let blocks = each(time, || {
        let (hidden, saved) = first_block.forward(&ids, &rows, dropout)?;
        first_block.backward(saved, &hidden, &mut Gradients::default())
    })?;
    let learnt = some_rows(first_block, &ids)?;
    let index: Vec<u32> = (0..learnt.dim(0)? as u32).collect();
    let targets = &ids[..index.len()];
    let head = each(time, || {
        first_block.loss(&learnt, &index, targets, true).map(drop)
    })?;
    let work = work::training(
        &one,
        rows.len() as u64,
        index.len() as u64,
        activation_checkpointing,
    );
    Ok(Speed::of(work, blocks, head))
}

impl Speed {
    fn of(work: Work, blocks: Duration, head: Duration) -> Self {
        Self {
            blocks: work.blocks as f64 / blocks.as_secs_f64(),
            head: work.head as f64 / head.as_secs_f64(),
        }
    }
}

fn one_layer(shape: &Shape) -> Shape {
    Shape {
        layers: 1,
        ..*shape
    }
}

/// Tokens that are spread over the vocabulary.
fn ids(shape: &Shape, count: usize) -> Vec<u32> {
    (0..count)
        .map(|at| (at * 7919 % shape.vocab.max(1)) as u32)
        .collect()
}

/// Residual rows that meet the head.
fn some_rows(first_block: &Decoder, ids: &[u32]) -> Result<Tensor> {
    let ids = &ids[..ids.len().min(SCORED_ROWS)];
    first_block.hidden(ids, &Rows::new([ids.len()], 0), None)
}

/// Mean time of a run, after one that starts threads and touches memory.
fn each(time: Duration, mut run: impl FnMut() -> Result<()>) -> Result<Duration> {
    run()?;
    let (start, mut runs) = (Instant::now(), 0);
    while runs == 0 || start.elapsed() < time {
        run()?;
        runs += 1;
    }
    Ok(start.elapsed() / runs)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::Device;
    use hub::ModelFiles;
    use schema::task::Precision;

    use super::*;
    use crate::{Layer, Projection};

    fn files() -> ModelFiles {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny_llama");
        ModelFiles::Folder {
            weights: vec![dir.join("model.safetensors")],
            dir,
        }
    }

    fn first_block() -> Decoder {
        Decoder::load_first_block(&files(), Precision::F32, &Device::Cpu).expect("loads")
    }

    #[test]
    fn the_first_block_is_that_of_the_model() {
        let whole = Decoder::load(&files(), Precision::F32, &Device::Cpu).expect("loads");
        assert!(whole.config().num_hidden_layers > 1);
        let (ids, rows) = (ids(&whole.config().shape(), 12), Rows::new([7, 5], 0));
        let mut after = None;
        whole
            .walk(&ids, &rows, None, &mut |layer, residual| {
                if layer == Layer::After(1) {
                    after = Some(residual.to_vec2::<f32>()?);
                }
                Ok(())
            })
            .expect("runs");
        let first = first_block().hidden(&ids, &rows, None).expect("runs");
        assert_eq!(Some(first.to_vec2::<f32>().expect("rows")), after);
    }

    #[test]
    fn speeds_are_measured_and_give_times() {
        let pass = TypicalPass {
            rows: 40,
            sequence: 8,
            prefix: 3,
        };
        let (mut model, time) = (first_block(), Duration::from_millis(1));
        let shape = model.config().shape();
        let lora = LoraConfig {
            rank: 2,
            alpha: 4.0,
            dropout: 0.1,
            targets: vec![Projection::Q, Projection::Down],
            rslora: false,
            dora: false,
        };
        let asked = measure_evaluation(&model, &shape, pass, time).expect("measures");
        let after_nothing = TypicalPass { prefix: 0, ..pass };
        let trained = measure_training(&mut model, &shape, after_nothing, lora, true, time)
            .expect("measures");
        for speed in [asked, trained] {
            assert!(speed.blocks > 0.0 && speed.blocks.is_finite(), "{speed:?}");
            assert!(speed.head > 0.0 && speed.head.is_finite(), "{speed:?}");
        }
        let speed = Speed {
            blocks: 200.0,
            head: 50.0,
        };
        let (blocks, head) = (1000, 150);
        assert_eq!(speed.seconds(Work { blocks, head }), 8.0);
    }

    #[test]
    fn a_pass_is_cut_to_whole_sequences() {
        let lengths = |rows, sequence, per_row| {
            let pass = TypicalPass {
                rows,
                sequence,
                prefix: 5,
            };
            let rows = pass.layout(per_row);
            assert_eq!(rows.prefix(), 5);
            (rows.sequences(), rows.len())
        };
        assert_eq!(lengths(100, 30, 1), (3, 90));
        assert_eq!(lengths(20, 30, 1), (1, 30));
        // 200 rows are as much work as is timed, then fewer than the fewest.
        assert_eq!(lengths(1000, 10, OPERATIONS / 200), (20, 200));
        assert_eq!(lengths(1000, 10, OPERATIONS / 2), (6, 60));
    }
}
