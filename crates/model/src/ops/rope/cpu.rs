//! `rope` by the CPU's kernels.

use candle_core::Tensor;
use kernels::rope::{self, RotatedHeads};

use super::{Angles, Rotation};
use crate::{
    error::Result,
    ops::view::{self, floats},
};

/// As [`super::rotate`].
pub(super) fn rotate(x: &Tensor, angles: &Angles, rotation: Rotation) -> Result<Tensor> {
    let sign = match rotation {
        Rotation::Forward => 1.0,
        Rotation::Backward => -1.0,
    };
    let heads = RotatedHeads {
        width: x.dims2()?.1,
        size: angles.size,
        half: angles.cos.dims2()?.1,
        pairs: angles.pairs,
    };
    let (cos, sin) = (floats(&angles.cos, "cos")?, floats(&angles.sin, "sin")?);
    let y = rope::rotate(&floats(x, "rope")?, &heads, &cos, &sin, sign);
    view::tensor(y, x.shape())
}
