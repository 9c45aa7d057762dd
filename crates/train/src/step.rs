//! One batch to a loss and gradients, whatever the micro-batches: the loss is the mean over all target tokens of the
//! batch (Eq. 2), so sums are added up and divided once.

use data::{batch, example::Example};
use model::{Decoder, Gradients, Rows, ops::lora::Dropout};

use crate::error::TrainError;

/// Sums over a batch.
pub struct BatchLoss {
    /// Sum of the cross-entropies of all target tokens, nats.
    pub sum: f64,
    /// Tokens with a loss.
    pub target_tokens: usize,
    /// Tokens run through the model.
    pub tokens: usize,
}

impl BatchLoss {
    /// Mean over target tokens.
    pub fn mean(&self) -> f64 {
        self.sum / self.target_tokens.max(1) as f64
    }
}

/// Flat rows of some examples: ids, layout, rows with a loss, and what each of these must say next.
struct MicroBatch {
    input_ids: Vec<u32>,
    rows: Rows,
    learnt: Vec<u32>,
    targets: Vec<u32>,
}

impl MicroBatch {
    /// The last token of an example predicts nothing and need not be run.
    fn new(examples: &[&Example]) -> Self {
        let (mut input_ids, mut learnt, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        let rows = Rows::new(examples.iter().map(|e| e.input_ids.len().saturating_sub(1)), 0);
        for example in examples {
            let start = input_ids.len();
            let ids = &example.input_ids;
            input_ids.extend_from_slice(&ids[..ids.len().saturating_sub(1)]);
            let first = example.prompt_len.max(1);
            targets.extend_from_slice(&ids[first.min(ids.len())..]);
            learnt.extend((start + first - 1..start + ids.len() - 1).map(|row| row as u32));
        }
        Self { input_ids, rows, learnt, targets }
    }
}

/// Loss and gradients of the examples, micro-batch by micro-batch. Gradients are of the *sum*.
pub fn loss_and_gradients(
    model: &Decoder,
    examples: &[&Example],
    token_budget: usize,
    dropout: Option<Dropout>,
) -> Result<(BatchLoss, Gradients), TrainError> {
    let mut gradients = Gradients::default();
    let mut total = BatchLoss { sum: 0.0, target_tokens: 0, tokens: 0 };
    for (index, micro) in cut(examples, token_budget).into_iter().enumerate() {
        let micro = MicroBatch::new(&micro);
        let dropout = dropout.map(|d| d.derive(index as u64));
        let (hidden, saved) = model.forward(&micro.input_ids, &micro.rows, dropout)?;
        let (sum, d_hidden) = model.loss(&hidden, &micro.learnt, &micro.targets, true)?;
        drop(hidden);
        if let Some(d_hidden) = d_hidden {
            model.backward(saved, &d_hidden, &mut gradients)?;
        }
        add(&mut total, &micro, sum);
    }
    Ok((total, gradients))
}

/// Loss of the examples, without gradients.
pub fn loss(model: &Decoder, examples: &[&Example], token_budget: usize) -> Result<BatchLoss, TrainError> {
    let mut total = BatchLoss { sum: 0.0, target_tokens: 0, tokens: 0 };
    for micro in cut(examples, token_budget) {
        let micro = MicroBatch::new(&micro);
        let hidden = model.hidden(&micro.input_ids, &micro.rows, None)?;
        let (sum, _) = model.loss(&hidden, &micro.learnt, &micro.targets, false)?;
        add(&mut total, &micro, sum);
    }
    Ok(total)
}

fn cut<'a>(examples: &[&'a Example], token_budget: usize) -> Vec<Vec<&'a Example>> {
    let lengths: Vec<_> = examples.iter().map(|e| e.input_ids.len()).collect();
    batch::micro_batches(&lengths, token_budget)
        .into_iter()
        .map(|part| part.into_iter().map(|i| examples[i]).collect())
        .collect()
}

fn add(total: &mut BatchLoss, micro: &MicroBatch, sum: f64) {
    total.sum += sum;
    total.target_tokens += micro.targets.len();
    total.tokens += micro.input_ids.len();
}
