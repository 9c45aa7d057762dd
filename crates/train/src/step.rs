//! One batch to a loss and gradients, whatever the micro-batches: the loss is the mean over all
//! target tokens of the batch (Eq. 2), so sums are added up and divided once.

use data::{
    batch,
    example::Example,
    forest::{self, Forest, Node},
};
use model::{Decoder, Gradients, ModelError, Parent, Rows, ops::lora::Dropout};
use schema::recipe::TrainRecipe;

use crate::error::TrainError;

/// Sums over a batch, or over one of its micro-batches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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

    /// Adds the next micro-batch.
    pub(crate) fn add(&mut self, next: &Self) {
        self.sum += next.sum;
        self.target_tokens += next.target_tokens;
        self.tokens += next.tokens;
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

    /// What is known of them once their cross-entropies are summed.
    fn loss(&self, sum: f64) -> BatchLoss {
        BatchLoss {
            sum,
            target_tokens: self.targets.len(),
            tokens: self.tokens,
        }
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

/// Examples of one update or one validation, cut into micro-batches. The cut does not depend on
/// who computes which.
pub(crate) struct Batch<'a> {
    micro_batches: Vec<Vec<&'a Example>>,
    /// Whether what examples begin with is computed once.
    share: bool,
    dropout: Option<Dropout>,
}

impl<'a> Batch<'a> {
    /// To learn from. What examples begin with is computed once, unless there is dropout: what is
    /// dropped is drawn by row, and each example is to have a draw of its own.
    pub(crate) fn to_learn(
        examples: &[&'a Example],
        token_budget: usize,
        dropout: Option<Dropout>,
    ) -> Self {
        let share = dropout.is_none();
        Self {
            micro_batches: cut(examples, token_budget, share),
            share,
            dropout,
        }
    }

    /// To take the loss of.
    pub(crate) fn to_validate(examples: &[&'a Example], token_budget: usize) -> Self {
        Self {
            micro_batches: cut(examples, token_budget, true),
            share: true,
            dropout: None,
        }
    }

    /// Micro-batches.
    pub(crate) fn len(&self) -> usize {
        self.micro_batches.len()
    }

    /// The loss of one micro-batch; its gradients are added to `gradients`.
    pub(crate) fn learn(
        &self,
        model: &Decoder,
        index: usize,
        gradients: &mut Gradients,
    ) -> Result<BatchLoss, TrainError> {
        let micro = PackedExamples::new(&self.micro_batches[index], self.share)?;
        let dropout = self.dropout.map(|d| d.derive(index as u64));
        let (hidden, saved) = model.forward(&micro.input_ids, &micro.rows, dropout)?;
        let (sum, d_hidden) = model.loss(&hidden, &micro.learnt, &micro.targets, true)?;
        drop(hidden);
        if let Some(d_hidden) = d_hidden {
            model.backward(saved, &d_hidden, gradients)?;
        }
        Ok(micro.loss(sum))
    }

    /// The loss of one micro-batch.
    pub(crate) fn validate(&self, model: &Decoder, index: usize) -> Result<BatchLoss, TrainError> {
        let micro = PackedExamples::new(&self.micro_batches[index], self.share)?;
        let hidden = model.hidden_at(&micro.input_ids, &micro.rows, None, &micro.learnt)?;
        Ok(micro.loss(model.loss_of(&hidden, &micro.targets)?))
    }
}

/// What an update learns from: the examples at `chosen`.
pub(crate) fn batch_of_step<'a>(
    recipe: &TrainRecipe,
    seed: u64,
    examples: &'a [Example],
    number: usize,
    chosen: &[usize],
) -> Batch<'a> {
    let share = recipe.lora.dropout;
    let dropout = (share > 0.0).then(|| Dropout { share, seed }.derive(number as u64));
    let chosen: Vec<&Example> = chosen.iter().map(|&index| &examples[index]).collect();
    Batch::to_learn(&chosen, recipe.micro_batch_tokens, dropout)
}

/// All examples of a validation.
pub(crate) fn batch_of_validation<'a>(recipe: &TrainRecipe, examples: &'a [Example]) -> Batch<'a> {
    let examples: Vec<&Example> = examples.iter().collect();
    Batch::to_validate(&examples, recipe.micro_batch_tokens)
}

/// Loss and gradients of the examples, micro-batch by micro-batch. Gradients are of the *sum*.
/// `token_budget` counts rows computed.
pub fn loss_and_gradients(
    model: &Decoder,
    examples: &[&Example],
    token_budget: usize,
    dropout: Option<Dropout>,
) -> Result<(BatchLoss, Gradients), TrainError> {
    let batch = Batch::to_learn(examples, token_budget, dropout);
    let mut gradients = Gradients::default();
    let mut total = BatchLoss::default();
    for index in 0..batch.len() {
        total.add(&batch.learn(model, index, &mut gradients)?);
    }
    Ok((total, gradients))
}

/// Loss of the examples, without gradients.
pub fn loss(
    model: &Decoder,
    examples: &[&Example],
    token_budget: usize,
) -> Result<BatchLoss, TrainError> {
    let batch = Batch::to_validate(examples, token_budget);
    let mut total = BatchLoss::default();
    for index in 0..batch.len() {
        total.add(&batch.validate(model, index)?);
    }
    Ok(total)
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
