//! `xielu` of candle operations.

use candle_core::Tensor;

use super::Xielu;
use crate::error::Result;

/// As [`super::forward`].
pub fn forward(xielu: &Xielu, x: &Tensor) -> Result<Tensor> {
    let Xielu {
        positive,
        negative,
        linear,
    } = *xielu;
    let (above, below) = (x.relu()?, x.neg()?.relu()?.neg()?);
    let above = (above.sqr()? * f64::from(positive))?;
    let below = (((below.exp()? - 1.0)? - &below)? * f64::from(negative))?;
    Ok(((above + below)? + (x * f64::from(linear))?)?)
}

/// As [`super::backward`].
pub fn backward(xielu: &Xielu, x: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let (above, below) = (x.relu()?, x.neg()?.relu()?.neg()?);
    let above = (above * (2.0 * f64::from(xielu.positive)))?;
    let below = ((below.exp()? - 1.0)? * f64::from(xielu.negative))?;
    Ok((dy * ((above + below)? + f64::from(xielu.linear))?)?)
}
