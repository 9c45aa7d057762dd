//! An adapter's values and gradients as one row of numbers, in the adapter's own order: how they
//! travel between workers.

use candle_core::{Device, Tensor};
use model::{Adapter, Gradients, ModelError, adapter::LoraWeights, ops::lora::LoraGradients};

use crate::{
    adamw::{AdapterPart, gradient_of},
    error::TrainError,
};

/// All values of an adapter.
pub(crate) fn adapter_values(adapter: &Adapter) -> Result<Vec<f32>, TrainError> {
    let mut values = Vec::new();
    for weights in adapter.weights.values() {
        for (_, tensor) in AdapterPart::of(weights) {
            values.extend(tensor.flatten_all()?.to_vec1::<f32>()?);
        }
    }
    Ok(values)
}

/// Gives an adapter these values.
pub(crate) fn set_adapter_values(adapter: &mut Adapter, values: &[f32]) -> Result<(), TrainError> {
    let mut row = Row(values);
    for weights in adapter.weights.values_mut() {
        for (_, tensor) in AdapterPart::of_mut(weights) {
            *tensor = row.take_like(tensor, &Device::Cpu)?;
        }
    }
    row.check_empty()
}

/// The gradients of every tensor of `adapter`; nothing where there is no gradient at all.
pub(crate) fn gradient_values(
    gradients: &Gradients,
    adapter: &Adapter,
) -> Result<Vec<f32>, TrainError> {
    let mut values = Vec::new();
    if gradients.is_empty() {
        return Ok(values);
    }
    for (&place, weights) in &adapter.weights {
        let found = gradients.get(place)?;
        for (part, _) in AdapterPart::of(weights) {
            let tensor = gradient_of(found, part).ok_or_else(|| wrong_length("too few"))?;
            values.extend(tensor.flatten_all()?.to_vec1::<f32>()?);
        }
    }
    Ok(values)
}

/// Adds gradients that another worker computed.
pub(crate) fn add_gradient_values(
    gradients: &mut Gradients,
    values: &[f32],
    adapter: &Adapter,
    device: &Device,
) -> Result<(), TrainError> {
    if values.is_empty() {
        return Ok(());
    }
    let mut row = Row(values);
    for (&place, weights) in &adapter.weights {
        gradients.add(place, row.take_gradients(weights, device)?)?;
    }
    row.check_empty()
}

/// What is left of a row of numbers.
struct Row<'a>(&'a [f32]);

impl Row<'_> {
    fn take_like(&mut self, like: &Tensor, device: &Device) -> Result<Tensor, TrainError> {
        let taken = self.0.split_at_checked(like.elem_count());
        let (taken, rest) = taken.ok_or_else(|| wrong_length("too few"))?;
        self.0 = rest;
        Ok(Tensor::from_slice(taken, like.shape(), device)?)
    }

    fn take_gradients(
        &mut self,
        like: &LoraWeights,
        device: &Device,
    ) -> Result<LoraGradients, TrainError> {
        let magnitude = like.magnitude.as_ref();
        Ok(LoraGradients {
            a: self.take_like(&like.a, device)?,
            b: self.take_like(&like.b, device)?,
            magnitude: magnitude.map(|m| self.take_like(m, device)).transpose()?,
        })
    }

    fn check_empty(&self) -> Result<(), TrainError> {
        match self.0 {
            [] => Ok(()),
            _ => Err(wrong_length("too many")),
        }
    }
}

fn wrong_length(what: &str) -> TrainError {
    ModelError::Input(format!("{what} values for the adapter")).into()
}
