//! The memory that a recipe's work needs, which decides on activation checkpointing, and the units
//! in which memory and time are shown. Never here: the formulas (`model::memory`), the machine's
//! memory (`machine`).

use data::Example;
use hub::catalogue::Shape;
use model::{
    Projection,
    memory::{MemoryEstimate, TrainingMicroBatch},
};
use schema::{
    recipe::{LoraInit, LoraRecipe, TrainRecipe},
    task::{ActivationCheckpointing, Precision},
};

/// The program itself: code, tokenizer, data, stacks; measured.
const PROGRAM: u64 = 90_000_000;

/// The largest micro-batch of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MicroBatchSize {
    /// Tokens run at once.
    pub tokens: usize,
    /// Those of them with a loss.
    pub learnt: usize,
}

impl MicroBatchSize {
    /// Where the data is not there yet: a whole budget, half of it targets.
    pub fn of_budget(recipe: &TrainRecipe) -> Self {
        Self {
            tokens: recipe.micro_batch_tokens,
            learnt: recipe.micro_batch_tokens.div_ceil(2),
        }
    }

    /// Of examples: as many of the longest as a batch has, as far as the budget goes; one at
    /// least.
    pub fn of_examples(recipe: &TrainRecipe, examples: &[Example]) -> Self {
        let mut lengths: Vec<usize> = examples.iter().map(|e| e.len().saturating_sub(1)).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        let batch: usize = lengths.iter().take(recipe.batch_size).sum();
        let tokens = batch
            .min(recipe.micro_batch_tokens)
            .max(lengths.first().copied().unwrap_or(0));
        let (all, targets) = examples
            .iter()
            .fold((0, 0), |(all, t), e| (all + e.len(), t + e.target_len()));
        Self {
            tokens,
            learnt: (tokens * targets).div_ceil(all.max(1)),
        }
    }
}

/// Bytes of the model alone.
pub fn weight_bytes(shape: &Shape, precision: Precision) -> u64 {
    MemoryEstimate::evaluation(shape, precision, 0, 0).weights
}

/// Bytes of the whole program while it trains.
pub fn training_bytes(
    shape: &Shape,
    precision: Precision,
    recipe: &TrainRecipe,
    rows: MicroBatchSize,
    on: bool,
) -> u64 {
    let work = TrainingMicroBatch {
        precision,
        tokens: rows.tokens,
        learnt: rows.learnt,
        // A start in the weights is taken out of them by an update of twice the rank.
        rank: match recipe.lora.init {
            LoraInit::Zero => recipe.lora.rank,
            LoraInit::Pissa => 2 * recipe.lora.rank,
        },
        dora: recipe.lora.dora,
        targets: targets(&recipe.lora),
        dropout: recipe.lora.dropout > 0.0,
        activation_checkpointing: on,
    };
    resident(&MemoryEstimate::training(shape, &work))
}

/// The projections that a recipe names; of `all-linear`, whose model is not read yet, the seven
/// that most families have and that are as wide as any other's.
pub(crate) fn targets(lora: &LoraRecipe) -> Vec<Projection> {
    match lora.is_for_all() {
        true => Projection::ALL.to_vec(),
        false => {
            let named = lora.targets.iter();
            named.filter_map(|name| Projection::by_name(name)).collect()
        }
    }
}

/// Bytes of the whole program while it evaluates; the shared prefix is taken to be as long as a
/// batch.
pub fn evaluation_bytes(shape: &Shape, precision: Precision, tokens: usize) -> u64 {
    resident(&MemoryEstimate::evaluation(
        shape, precision, tokens, tokens,
    ))
}

/// Bytes on disk of the captured states of one item.
pub fn captured_bytes(shape: &Shape, poolings: usize) -> u64 {
    ((shape.layers + 1) * shape.hidden * poolings * size_of::<f32>()) as u64
}

/// Buffers that come and go take a tenth more than their sizes: the allocator rounds up and
/// keeps gaps (measured).
fn resident(estimate: &MemoryEstimate) -> u64 {
    let coming_and_going = estimate.total() - estimate.weights;
    PROGRAM + estimate.weights + coming_and_going / 10 * 11
}

/// Whether blocks keep only their input, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointingDecision {
    /// Whether they do.
    pub on: bool,
    /// Estimated bytes if they do not.
    pub without: u64,
    /// Estimated bytes if they do.
    pub with: u64,
    /// The memory that this process may use; `None` where it is unknown.
    pub room: Option<u64>,
}

impl CheckpointingDecision {
    /// As the recipe says; by the estimate where it leaves it open, and off where the room is
    /// not known.
    pub fn new(
        shape: &Shape,
        precision: Precision,
        recipe: &TrainRecipe,
        rows: MicroBatchSize,
        room: Option<u64>,
    ) -> Self {
        let without = training_bytes(shape, precision, recipe, rows, false);
        let with = training_bytes(shape, precision, recipe, rows, true);
        let on = match recipe.activation_checkpointing {
            ActivationCheckpointing::On => true,
            ActivationCheckpointing::Off => false,
            ActivationCheckpointing::Auto => room.is_some_and(|room| without > room),
        };
        Self {
            on,
            without,
            with,
            room,
        }
    }

    /// Whether not even the chosen way fits.
    pub fn is_too_large(&self) -> bool {
        let chosen = if self.on { self.with } else { self.without };
        self.room.is_some_and(|room| chosen > room)
    }

    /// `1.9 GB without activation checkpointing, 1.1 GB with it, 22.0 GB available`
    pub fn describe(&self) -> String {
        let room = self
            .room
            .map_or("available memory unknown".to_owned(), |r| {
                format!("{} available", gigabytes(r))
            });
        let (without, with) = (gigabytes(self.without), gigabytes(self.with));
        format!("{without} without activation checkpointing, {with} with it, {room}")
    }
}

/// `75.2 s`, `12 min 05 s`
pub fn seconds(seconds: f64) -> String {
    if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02} s", seconds as u64 / 60, seconds as u64 % 60)
    }
}

/// `0.54 GB`, `13.5 GB`
pub fn gigabytes(bytes: u64) -> String {
    let gigabytes = bytes as f64 / 1e9;
    if gigabytes < 9.995 {
        format!("{gigabytes:.2} GB")
    } else {
        format!("{gigabytes:.1} GB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(activation_checkpointing: ActivationCheckpointing) -> TrainRecipe {
        TrainRecipe {
            activation_checkpointing,
            batch_size: 2,
            ..TrainRecipe::paper(Vec::new(), Vec::new())
        }
    }

    fn shape() -> Shape {
        hub::catalogue::entry("smollm2-135m-instruct")
            .expect("an entry")
            .shape
    }

    #[test]
    fn auto_is_on_where_the_estimate_exceeds_the_room() {
        let decide = |word, room| {
            let rows = MicroBatchSize::of_budget(&recipe(word));
            CheckpointingDecision::new(&shape(), Precision::F32, &recipe(word), rows, room)
        };
        let known = decide(ActivationCheckpointing::Auto, Some(0));
        assert!(known.with < known.without && known.on && known.is_too_large());
        let between = decide(ActivationCheckpointing::Auto, Some(known.with));
        assert!(between.on && !between.is_too_large());
        assert!(!decide(ActivationCheckpointing::Auto, Some(known.without)).on);
        assert!(!decide(ActivationCheckpointing::Auto, None).on);
        assert!(!decide(ActivationCheckpointing::Off, Some(0)).on);
        assert!(decide(ActivationCheckpointing::On, None).on);
    }

    #[test]
    fn a_micro_batch_is_no_larger_than_its_examples() {
        let example = |n, prompt_len| Example {
            input_ids: vec![0; n],
            prompt_len,
        };
        let examples = [
            example(11, 1),
            example(21, 11),
            example(31, 21),
            example(5, 3),
        ];
        let rows = |budget| {
            let recipe = TrainRecipe {
                micro_batch_tokens: budget,
                ..recipe(ActivationCheckpointing::Auto)
            };
            MicroBatchSize::of_examples(&recipe, &examples)
        };
        // 32 of the 68 tokens are targets.
        assert_eq!(
            rows(1000),
            MicroBatchSize {
                tokens: 50,
                learnt: 24
            }
        );
        assert_eq!(
            rows(40),
            MicroBatchSize {
                tokens: 40,
                learnt: 19
            }
        );
        assert_eq!(
            rows(10),
            MicroBatchSize {
                tokens: 30,
                learnt: 15
            }
        );
    }
}
