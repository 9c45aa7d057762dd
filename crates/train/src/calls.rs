//! What workers say to each other: the first worker's calls, and what the others hand in. The
//! first worker makes every decision, so that the others need to know nothing but the examples,
//! the adapter as it is, and which micro-batches are theirs.

use data::Example;
use schema::recipe::TrainRecipe;
use serde::{Deserialize, Serialize};

use crate::{
    error::TrainError,
    step::BatchLoss,
    workers::{Message, Workers, WorkersError},
};

/// A training that the first worker begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// What [`crate::TrainingRun::setup`] is.
    pub setup: String,
    /// How.
    pub recipe: TrainRecipe,
    /// Decides what dropout drops.
    pub seed: u64,
    /// Examples to learn.
    pub examples: Vec<Example>,
    /// Examples to validate with.
    pub validation: Vec<Example>,
}

/// From the first worker to all others.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Call {
    /// A training begins.
    Begin(Box<Assignment>),
    /// The values are the adapter's.
    Adapter,
    /// Sums of an update's micro-batches.
    Learn {
        /// The update, from 1.
        number: usize,
        /// Places of its examples.
        chosen: Vec<usize>,
    },
    /// Sums of the validation's micro-batches.
    Validate,
    /// The training is over.
    End,
    /// There are no more trainings.
    Leave,
}

/// From another worker to the first.
#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    /// What was called for is done.
    Ready,
    /// Sums of one micro-batch; the values are gradients.
    Sum {
        /// Bits of an f64: JSON has no infinity.
        sum: u64,
        target_tokens: usize,
        tokens: usize,
    },
    /// The worker cannot go on.
    Failed(String),
}

/// Calls all others, if there are any.
pub(crate) fn call(
    workers: &mut dyn Workers,
    call: &Call,
    values: Vec<f32>,
) -> Result<(), TrainError> {
    Ok(workers.broadcast(&Message::new(call, values)?)?)
}

/// Waits until all others are ready.
///
/// # Errors
/// One has failed; [`TrainError::Abandoned`] if it does not go on.
pub(crate) fn wait_for_all(
    workers: &mut dyn Workers,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(), TrainError> {
    for rank in 1..workers.count() {
        let (reply, _) = collect(workers, rank, goes_on)?;
        if !matches!(reply, Reply::Ready) {
            return Err(unexpected(rank, &reply).into());
        }
    }
    Ok(())
}

/// The next sums of one worker, and gradients where there are any.
///
/// # Errors
/// As [`wait_for_all`].
pub(crate) fn collect_sum(
    workers: &mut dyn Workers,
    rank: usize,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(BatchLoss, Vec<f32>), TrainError> {
    match collect(workers, rank, goes_on)? {
        (
            Reply::Sum {
                sum,
                target_tokens,
                tokens,
            },
            gradients,
        ) => Ok((
            BatchLoss {
                sum: f64::from_bits(sum),
                target_tokens,
                tokens,
            },
            gradients,
        )),
        (reply, _) => Err(unexpected(rank, &reply).into()),
    }
}

fn collect(
    workers: &mut dyn Workers,
    rank: usize,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(Reply, Vec<f32>), TrainError> {
    let message = workers.collect(rank, goes_on)?;
    let message = message.ok_or(TrainError::Abandoned)?;
    match message.read()? {
        Reply::Failed(problem) => {
            let count = workers.count();
            Err(WorkersError(format!("worker {rank} of {count}: {problem}")).into())
        }
        reply => Ok((reply, message.values)),
    }
}

fn unexpected(rank: usize, reply: &Reply) -> WorkersError {
    WorkersError::new(format!("worker {rank} said {reply:?} out of turn"))
}

/// Hands in that what was called for is done.
pub(crate) fn hand_in_ready(workers: &mut dyn Workers) -> Result<(), TrainError> {
    Ok(workers.hand_in(&Message::new(&Reply::Ready, Vec::new())?)?)
}

/// Hands in one micro-batch.
pub(crate) fn hand_in_sum(
    workers: &mut dyn Workers,
    loss: &BatchLoss,
    gradients: Vec<f32>,
) -> Result<(), TrainError> {
    let reply = Reply::Sum {
        sum: loss.sum.to_bits(),
        target_tokens: loss.target_tokens,
        tokens: loss.tokens,
    };
    Ok(workers.hand_in(&Message::new(&reply, gradients)?)?)
}

/// Tells the first worker why this one cannot go on.
///
/// # Errors
/// It cannot be reached.
pub fn report_failure(workers: &mut dyn Workers, problem: &str) -> Result<(), TrainError> {
    let reply = Reply::Failed(problem.to_owned());
    Ok(workers.hand_in(&Message::new(&reply, Vec::new())?)?)
}
