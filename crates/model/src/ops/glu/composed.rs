//! `glu` of candle operations.

use candle_core::Tensor;

use super::GateActivation;
use crate::error::Result;

/// As [`super::forward`].
pub fn forward(activation: GateActivation, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let (share, _) = open_share(activation, gate)?;
    Ok(((gate * share)? * up)?)
}

/// As [`super::backward`].
pub fn backward(
    activation: GateActivation,
    gate: &Tensor,
    up: &Tensor,
    dy: &Tensor,
) -> Result<(Tensor, Tensor)> {
    let (share, inner) = open_share(activation, gate)?;
    let act = (gate * &share)?;
    let slope = (&share + ((&act * (1.0 - &share)?)? * inner)?)?;
    Ok((((dy * up)? * slope)?, (dy * act)?))
}

/// Both activations are x · sigmoid(u(x)): the sigmoid, and the slope of u.
fn open_share(activation: GateActivation, gate: &Tensor) -> Result<(Tensor, Tensor)> {
    let (argument, slope) = match activation {
        GateActivation::Silu => (gate.clone(), gate.ones_like()?),
        GateActivation::GeluTanh => {
            let root = (2.0 / std::f64::consts::PI).sqrt();
            let square = gate.sqr()?;
            (
                (gate * square.affine(2.0 * root * 0.044_715, 2.0 * root)?)?,
                square.affine(6.0 * root * 0.044_715, 2.0 * root)?,
            )
        }
    };
    Ok(((argument.neg()?.exp()? + 1.0)?.recip()?, slope))
}
