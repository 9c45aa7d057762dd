//! `gated`: the products around `swiglu`, with the activation done on each rectangle of theirs
//! while it is in the cache.

use std::ops::Range;

use candle_core::Tensor;

use super::{
    cpu::{
        gemm::Shared,
        job::{Job, Product, Start, Target},
        math, product,
        view::{self, View},
    },
    linear::{self, Operands, Projected, Share, ShareViews},
    swiglu,
};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
};

/// What the forward gives: all (N, F).
pub struct Gated {
    /// The projections of gate and up, for backward; where they are not kept they never reach
    /// the memory.
    pub parts: Option<(Tensor, Tensor)>,
    /// silu(gate) · up
    pub act: Tensor,
}

/// silu(gate) · up of the projections of `x` (N, E); with `keep` these too.
pub fn forward(x: &Tensor, gate: &Projected<'_>, up: &Projected<'_>, keep: bool) -> Result<Gated> {
    let ((rows, inner), (width, _)) = (x.dims2()?, gate.weight.dims());
    let _running = enter(Op::Gated, 4 * rows * inner * width);
    linear::check_projection(x, gate, None)?;
    linear::check_projection(x, up, None)?;
    if up.weight.dims().0 != width {
        let shapes = format!(
            "gate {:?}, up {:?} do not fit together",
            gate.weight.dims(),
            up.weight.dims()
        );
        return Err(ModelError::op("gated", shapes));
    }
    if !view::is_fused(x) {
        let (gate, up) = (
            linear::forward_composed(x, gate, None)?,
            linear::forward_composed(x, up, None)?,
        );
        let act = swiglu::forward(&gate, &up)?;
        return Ok(Gated {
            parts: keep.then_some((gate, up)),
            act,
        });
    }
    let xs = View::<f32>::new(x, "gated")?;
    let (gate_operands, up_operands) = (Operands::new(gate, None)?, Operands::new(up, None)?);
    let kept = if keep { rows * width } else { 0 };
    let (mut g, mut u, mut a) = (
        view::unfilled(kept),
        view::unfilled(kept),
        view::unfilled(rows * width),
    );
    let [g_out, u_out, a_out] = [&mut g, &mut u, &mut a].map(|values| Shared::new(values, width));
    let activate = |rows: Range<usize>, cols: Range<usize>, scratch: &[Vec<f32>]| {
        for (i, row) in rows.enumerate() {
            // SAFETY: a job's rectangle is handed to one caller alone.
            let act = unsafe { a_out.piece(row, cols.start, cols.len()) };
            if keep {
                // SAFETY: as above.
                let (g, u) = unsafe {
                    (
                        g_out.piece(row, cols.start, cols.len()),
                        u_out.piece(row, cols.start, cols.len()),
                    )
                };
                math::swiglu(g, u, act);
            } else {
                let piece = i * cols.len()..(i + 1) * cols.len();
                math::swiglu(&scratch[0][piece.clone()], &scratch[1][piece], act);
            }
        }
    };
    let target = |out| {
        if keep {
            Target::Matrix(out)
        } else {
            Target::Scratch
        }
    };
    let products = vec![
        gate_operands.product(gate, xs.slice(), inner, target(g_out))?,
        up_operands.product(up, xs.slice(), inner, target(u_out))?,
    ];
    product::run(&[Job {
        rows,
        cols: width,
        products,
        after: Some(&activate),
    }]);
    let tensor = |values| view::tensor(values, (rows, width));
    let parts = if keep {
        Some((tensor(g)?, tensor(u)?))
    } else {
        None
    };
    Ok(Gated {
        parts,
        act: tensor(a)?,
    })
}

/// Gradients (of gate, of up), both (N, F), from `down`, the share of the projection that reads
/// the activation.
pub fn backward(down: &Share<'_>, gate: &Tensor, up: &Tensor) -> Result<(Tensor, Tensor)> {
    let (rows, width) = gate.dims2()?;
    let _running = enter(Op::GatedBackward, 2 * rows * width * down.weight.dims().0);
    linear::check_share(down, (rows, width), Some(gate))?;
    if !view::is_fused(down.dy) {
        return swiglu::backward(gate, up, &linear::backward_composed(&[*down], None)?);
    }
    super::check_shapes("gated", up.shape() == gate.shape(), &[gate, up])?;
    let (g, u) = (View::<f32>::new(gate, "gate")?, View::<f32>::new(up, "up")?);
    let views = ShareViews::new(down)?;
    let [mut d_gate, mut d_up] = [(); 2].map(|()| view::unfilled(rows * width));
    let [gate_out, up_out] = [&mut d_gate, &mut d_up].map(|values| Shared::new(values, width));
    let finish = |rows: Range<usize>, cols: Range<usize>, _: &[Vec<f32>]| {
        for row in rows {
            let at = row * width + cols.start..row * width + cols.end;
            // SAFETY: a job's rectangle is handed to one caller alone.
            let (d, d_up) = unsafe {
                (
                    gate_out.piece(row, cols.start, cols.len()),
                    up_out.piece(row, cols.start, cols.len()),
                )
            };
            math::swiglu_backward(&g.slice()[at.clone()], &u.slice()[at], d, d_up);
        }
    };
    let products = vec![Product {
        start: Start::Zero,
        terms: views.terms(down)?,
        out: Target::Matrix(gate_out),
    }];
    product::run(&[Job {
        rows,
        cols: width,
        products,
        after: Some(&finish),
    }]);
    Ok((
        view::tensor(d_gate, (rows, width))?,
        view::tensor(d_up, (rows, width))?,
    ))
}
