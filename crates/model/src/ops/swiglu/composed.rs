//! `swiglu` of candle operations.

use candle_core::Tensor;

use crate::error::Result;

/// As [`super::forward`].
pub fn forward(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let sigmoid = (gate.neg()?.exp()? + 1.0)?.recip()?;
    Ok(((gate * sigmoid)? * up)?)
}

/// As [`super::backward`].
pub fn backward(gate: &Tensor, up: &Tensor, dy: &Tensor) -> Result<(Tensor, Tensor)> {
    let sigmoid = (gate.neg()?.exp()? + 1.0)?.recip()?;
    let silu = (gate * &sigmoid)?;
    let slope = (&sigmoid + (&silu * (1.0 - &sigmoid)?)?)?;
    Ok((((dy * up)? * slope)?, (dy * silu)?))
}
