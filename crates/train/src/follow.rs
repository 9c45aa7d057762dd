//! The workers of a training beside the first. They hold nothing that is worth saving: the first
//! worker hands out the adapter after every update, and says which examples come next.

use model::{Adapter, Decoder};

use crate::{
    calls::{self, Assignment, Call, hand_in_ready},
    error::TrainError,
    flat,
    initial::initial_adapter,
    step::{batch_of_step, batch_of_validation},
    sums,
    workers::{Workers, WorkersError},
};

/// Waits for the first worker to begin a training; `None` when there are no more.
///
/// # Errors
/// It cannot be reached.
pub fn next_training(workers: &mut dyn Workers) -> Result<Option<Assignment>, TrainError> {
    match workers.hear()?.read()? {
        Call::Begin(assignment) => Ok(Some(*assignment)),
        Call::Leave => Ok(None),
        other => Err(unexpected(&other)),
    }
}

/// Tells all others that there are no more trainings.
///
/// # Errors
/// One cannot be reached.
pub fn dismiss(workers: &mut dyn Workers) -> Result<(), TrainError> {
    calls::call(workers, &Call::Leave, Vec::new())
}

/// Takes part in a training to its end.
///
/// # Errors
/// The model failed, or the first worker cannot be reached.
pub fn follow(
    model: &mut Decoder,
    assignment: &Assignment,
    workers: &mut dyn Workers,
) -> Result<(), TrainError> {
    let Assignment {
        recipe,
        seed,
        examples,
        validation,
        ..
    } = assignment;
    // Its shapes are wanted; its values are handed out.
    let mut adapter = initial_adapter(model, &recipe.lora, *seed)?;
    hand_in_ready(workers)?;
    loop {
        let message = workers.hear()?;
        match message.read()? {
            Call::Adapter => put_on(model, &mut adapter, &message.values)?,
            Call::Learn { number, chosen } => {
                let batch = batch_of_step(recipe, *seed, examples, number, &chosen);
                sums::hand_in_gradients(model, &batch, &adapter, workers)?;
            }
            Call::Validate => {
                let batch = batch_of_validation(recipe, validation);
                sums::hand_in_losses(model, &batch, workers)?;
            }
            Call::End => return hand_in_ready(workers),
            other => return Err(unexpected(&other)),
        }
    }
}

fn put_on(model: &mut Decoder, adapter: &mut Adapter, values: &[f32]) -> Result<(), TrainError> {
    flat::set_adapter_values(adapter, values)?;
    Ok(model.set_adapter(Some(adapter))?)
}

fn unexpected(call: &Call) -> TrainError {
    WorkersError::new(format!("the first worker called {call:?} out of turn")).into()
}
