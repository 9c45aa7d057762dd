//! The sums of a batch, over all workers: worker r of W computes the micro-batches whose index
//! mod W is r, and the first worker adds them up in their order. The result has the same bits
//! for any W.

use model::{Adapter, Decoder, Gradients};

use crate::{
    calls::{collect_sum, hand_in_sum},
    error::TrainError,
    flat,
    step::{Batch, BatchLoss},
    workers::Workers,
};

/// Loss and gradients of a batch, at the first worker. `goes_on` is asked before each
/// micro-batch and while another worker's is waited for.
///
/// # Errors
/// [`TrainError::Abandoned`] where it does not go on: a step of a large model takes minutes.
pub(crate) fn sum_gradients(
    model: &Decoder,
    batch: &Batch<'_>,
    adapter: &Adapter,
    workers: &mut dyn Workers,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<(BatchLoss, Gradients), TrainError> {
    let mut gradients = Gradients::default();
    let mut total = BatchLoss::default();
    for index in 0..batch.len() {
        ask(goes_on)?;
        let loss = match index % workers.count() {
            0 => batch.learn(model, index, &mut gradients)?,
            rank => {
                let (loss, values) = collect_sum(workers, rank, goes_on)?;
                flat::add_gradient_values(&mut gradients, &values, adapter, model.device())?;
                loss
            }
        };
        total.add(&loss);
    }
    Ok((total, gradients))
}

/// Loss of a batch, at the first worker.
///
/// # Errors
/// As [`sum_gradients`].
pub(crate) fn sum_loss(
    model: &Decoder,
    batch: &Batch<'_>,
    workers: &mut dyn Workers,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<BatchLoss, TrainError> {
    let mut total = BatchLoss::default();
    for index in 0..batch.len() {
        ask(goes_on)?;
        let loss = match index % workers.count() {
            0 => batch.validate(model, index)?,
            rank => collect_sum(workers, rank, goes_on)?.0,
        };
        total.add(&loss);
    }
    Ok(total)
}

fn ask(goes_on: &mut dyn FnMut() -> bool) -> Result<(), TrainError> {
    match goes_on() {
        true => Ok(()),
        false => Err(TrainError::Abandoned),
    }
}

/// Computes and hands in this worker's micro-batches of an update.
pub(crate) fn hand_in_gradients(
    model: &Decoder,
    batch: &Batch<'_>,
    adapter: &Adapter,
    workers: &mut dyn Workers,
) -> Result<(), TrainError> {
    for index in (workers.rank()..batch.len()).step_by(workers.count()) {
        let mut gradients = Gradients::default();
        let loss = batch.learn(model, index, &mut gradients)?;
        hand_in_sum(workers, &loss, flat::gradient_values(&gradients, adapter)?)?;
    }
    Ok(())
}

/// The same of a validation.
pub(crate) fn hand_in_losses(
    model: &Decoder,
    batch: &Batch<'_>,
    workers: &mut dyn Workers,
) -> Result<(), TrainError> {
    for index in (workers.rank()..batch.len()).step_by(workers.count()) {
        hand_in_sum(workers, &batch.validate(model, index)?, Vec::new())?;
    }
    Ok(())
}
