//! One batch to a loss and gradients, whatever the micro-batches: the loss is the mean over all
//! target tokens of the batch (Eq. 2), so sums are added up and divided once.

use data::{
    batch,
    example::Example,
    forest::{self, Forest, Node},
};
use model::{Decoder, Gradients, ModelError, Parent, Rows, ops::lora::Dropout};

use crate::error::TrainError;

/// Sums over a batch.
pub struct BatchLoss {
    /// Sum of the cross-entropies of all target tokens, nats.
    pub sum: f64,
    /// Tokens with a loss.
    pub target_tokens: usize,
    /// Tokens that the model learns from: all but the last of each example, however often one
    /// was run.
    pub tokens: usize,
}

impl BatchLoss {
    /// Mean over target tokens.
    pub fn mean(&self) -> f64 {
        self.sum / self.target_tokens.max(1) as f64
    }
}

/// Flat rows of some examples: ids, layout, rows with a loss, and what each of these must say
/// next.
struct PackedExamples {
    input_ids: Vec<u32>,
    rows: Rows,
    /// A row that several examples begin with is here once for each of them.
    learnt: Vec<u32>,
    targets: Vec<u32>,
    /// Tokens of the examples; those of a common beginning count for each.
    tokens: usize,
}

impl PackedExamples {
    fn new(examples: &[&Example], share: bool) -> Result<Self, TrainError> {
        let inputs: Vec<&[u32]> = examples.iter().map(|example| input(example)).collect();
        let forest = if share {
            Forest::grow(&inputs)
        } else {
            Forest::apart(&inputs)
        };
        let rows = Rows::forest(
            forest
                .sequences
                .iter()
                .map(|s| (s.parent.map(parent_rows), s.tokens.len())),
            0,
        )
        .map_err(ModelError::from)?;
        let (mut learnt, mut targets) = (Vec::new(), Vec::new());
        for (example, &end) in examples.iter().zip(&forest.ends) {
            // The row before a token says it; nothing says the first.
            let first = example.prompt_len.max(1);
            targets.extend_from_slice(&example.input_ids[first.min(example.input_ids.len())..]);
            learnt.extend(
                rows.stretches(parent_rows(end))
                    .into_iter()
                    .flatten()
                    .skip(first - 1)
                    .map(|row| row as u32),
            );
        }
        let tokens = inputs.iter().map(|input| input.len()).sum();
        Ok(Self {
            input_ids: forest.tokens(),
            rows,
            learnt,
            targets,
            tokens,
        })
    }
}

/// The rows that a place in the forest follows.
fn parent_rows(place: Node) -> Parent {
    Parent {
        sequence: place.sequence,
        rows: place.rows,
    }
}

/// The last token of an example predicts nothing and need not be run.
fn input(example: &Example) -> &[u32] {
    example
        .input_ids
        .split_last()
        .map_or(&[], |(_, input)| input)
}

/// Loss and gradients of the examples, micro-batch by micro-batch. Gradients are of the *sum*.
/// What examples begin with is computed once, unless there is dropout. `token_budget` counts
/// rows computed.
pub fn loss_and_gradients(
    model: &Decoder,
    examples: &[&Example],
    token_budget: usize,
    dropout: Option<Dropout>,
) -> Result<(BatchLoss, Gradients), TrainError> {
    loss_and_gradients_while(model, examples, token_budget, dropout, &mut || true)
}

/// The same; `goes_on` is asked before each micro-batch.
///
/// # Errors
/// [`TrainError::Abandoned`] where it does not go on: a step of a large model takes minutes.
pub(crate) fn loss_and_gradients_while(
    model: &Decoder,
    examples: &[&Example],
    token_budget: usize,
    dropout: Option<Dropout>,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(BatchLoss, Gradients), TrainError> {
    let mut gradients = Gradients::default();
    let mut total = BatchLoss {
        sum: 0.0,
        target_tokens: 0,
        tokens: 0,
    };
    // What is dropped is drawn by row, and each example is to have a draw of its own.
    let share = dropout.is_none();
    for (index, micro) in cut(examples, token_budget, share).into_iter().enumerate() {
        ask(goes_on)?;
        let micro = PackedExamples::new(&micro, share)?;
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
pub fn loss(
    model: &Decoder,
    examples: &[&Example],
    token_budget: usize,
) -> Result<BatchLoss, TrainError> {
    loss_while(model, examples, token_budget, &mut || true)
}

/// The same; `goes_on` is asked before each micro-batch.
///
/// # Errors
/// [`TrainError::Abandoned`] where it does not go on.
pub(crate) fn loss_while(
    model: &Decoder,
    examples: &[&Example],
    token_budget: usize,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<BatchLoss, TrainError> {
    let mut total = BatchLoss {
        sum: 0.0,
        target_tokens: 0,
        tokens: 0,
    };
    for micro in cut(examples, token_budget, true) {
        ask(goes_on)?;
        let micro = PackedExamples::new(&micro, true)?;
        let hidden = model.hidden_at(&micro.input_ids, &micro.rows, None, &micro.learnt)?;
        let sum = model.loss_of(&hidden, &micro.targets)?;
        add(&mut total, &micro, sum);
    }
    Ok(total)
}

fn ask(goes_on: &mut dyn FnMut() -> bool) -> Result<(), TrainError> {
    match goes_on() {
        true => Ok(()),
        false => Err(TrainError::Abandoned),
    }
}

/// Micro-batches of at most `token_budget` rows.
fn cut<'a>(examples: &[&'a Example], token_budget: usize, share: bool) -> Vec<Vec<&'a Example>> {
    let inputs: Vec<&[u32]> = examples.iter().map(|example| input(example)).collect();
    let parts = if share {
        forest::batches(&inputs, |_| 0, token_budget)
    } else {
        batch::micro_batches(
            &inputs.iter().map(|input| input.len()).collect::<Vec<_>>(),
            token_budget,
        )
    };
    parts
        .into_iter()
        .map(|part| part.into_iter().map(|i| examples[i]).collect())
        .collect()
}

fn add(total: &mut BatchLoss, micro: &PackedExamples, sum: f64) {
    total.sum += sum;
    total.target_tokens += micro.targets.len();
    total.tokens += micro.tokens;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(input_ids: &[u32], prompt_len: usize) -> Example {
        Example {
            input_ids: input_ids.to_vec(),
            prompt_len,
        }
    }

    /// Source 1..=5 with three targets, one of them twice, and another source.
    fn examples() -> Vec<Example> {
        vec![
            example(&[1, 2, 3, 4, 5, 6, 7, 9], 5),
            example(&[8, 2, 3, 4], 2),
            example(&[1, 2, 3, 4, 5, 6, 8, 9], 5),
            example(&[1, 2, 3, 4, 5, 9], 5),
            example(&[1, 2, 3, 4, 5, 6, 8, 9], 5),
        ]
    }

    /// What is said at which place, told by the tokens up to there.
    fn said(micro: &PackedExamples) -> Vec<(Vec<u32>, u32)> {
        let sequence =
            |row: usize| (0..micro.rows.sequences()).find(|&s| micro.rows.range(s).contains(&row));
        let before = |row: u32| {
            let sequence = sequence(row as usize).expect("of a sequence");
            let rows = row as usize + 1 - micro.rows.range(sequence).start;
            micro
                .rows
                .stretches(Parent { sequence, rows })
                .into_iter()
                .flatten()
                .map(|at| micro.input_ids[at])
                .collect()
        };
        let mut said: Vec<_> = micro
            .learnt
            .iter()
            .zip(&micro.targets)
            .map(|(&row, &target)| (before(row), target))
            .collect();
        said.sort();
        said
    }

    #[test]
    fn a_common_beginning_is_run_once_and_learnt_by_all() {
        let examples = examples();
        let examples: Vec<&Example> = examples.iter().collect();
        let (shared, apart) = (
            PackedExamples::new(&examples, true).expect("fits"),
            PackedExamples::new(&examples, false).expect("fits"),
        );
        assert_eq!((shared.rows.len(), apart.rows.len()), (11, 29));
        assert_eq!((shared.tokens, apart.tokens), (29, 29));
        assert_eq!(shared.targets.len(), 12);
        let fifth = shared.learnt.iter().filter(|&&row| row == 4).count();
        assert_eq!(fifth, 4, "row 4 says 6, 6, 6 and 9: {:?}", shared.learnt);
        assert_eq!(said(&shared), said(&apart));
    }

    #[test]
    fn micro_batches_are_cut_by_rows() {
        let examples = examples();
        let examples: Vec<&Example> = examples.iter().collect();
        let rows = |share| -> Vec<usize> {
            let parts = cut(&examples, 11, share);
            parts
                .iter()
                .map(|part| PackedExamples::new(part, share).expect("fits").rows.len())
                .collect()
        };
        assert_eq!(rows(true), [11]);
        assert_eq!(rows(false), [7, 7, 7, 8]);
    }
}
