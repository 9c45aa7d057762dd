//! `cross_entropy`: hidden rows at learnt positions x lm_head, in chunks of rows, so that (N,
//! V) is never in memory (arXiv 2411.09009). Loss and gradient come from one pass.

use std::ops::Range;

use candle_core::{D, DType, Tensor};
use rayon::prelude::*;

use super::cpu::{
    gemm::{Shared, rows_of},
    isa::instruction_set,
    job::{Factor, Job, Product, Start, Target, Term},
    math,
    pairs::{self, DEPTH, Line, PAIRS},
    panels::Panels,
    product,
    tile::{self, COLS, ROWS, Sums},
    view::{self, View},
};
use crate::{
    error::{ModelError, Result},
    profile::{Op, enter},
    weight::Weight,
};

/// Rows whose logits are in memory at once.
pub(crate) const CHUNK: usize = 256;
/// Panels of the vocabulary whose part of a chunk's gradient is summed by one task: fixed, so
/// that the sum does not depend on the number of threads.
const SLICE: usize = 128;
/// The same in tokens.
pub(crate) const SLICE_TOKENS: usize = SLICE * COLS;
/// Elements of the vocabulary that a gradient's tile takes at a time.
const STRETCH: usize = 12 * COLS;
/// Panels of the gradient's columns that a tile is run past.
const GROUP: usize = 16;

/// Sum of the losses (nats) of all rows, and its gradient by the rows if asked for.
pub struct Loss {
    /// Sum over rows of -log p(target).
    pub sum: f64,
    /// d sum / d hidden: (N, E); `None` where it was not asked for.
    pub d_hidden: Option<Tensor>,
}

/// `hidden` (N, E) rows after the final norm, `lm_head` (V, E), one target id per row.
pub fn forward_backward(
    hidden: &Tensor,
    lm_head: &Weight,
    targets: &[u32],
    with_gradient: bool,
) -> Result<Loss> {
    let ((rows, width), (vocab, depth)) = (hidden.dims2()?, lm_head.dims());
    let _running = enter(
        Op::CrossEntropy,
        (2 + 2 * usize::from(with_gradient)) * rows * width * vocab,
    );
    if width != depth {
        let shapes = format!(
            "shapes {:?}, {:?} do not fit together",
            hidden.dims(),
            [vocab, depth]
        );
        return Err(ModelError::op("cross_entropy", shapes));
    }
    if rows != targets.len() {
        return Err(ModelError::op(
            "cross_entropy",
            format!("{rows} rows, {} targets", targets.len()),
        ));
    }
    if let Some(id) = targets.iter().find(|&&t| t as usize >= vocab) {
        return Err(ModelError::Input(format!(
            "token id {id} is not in the vocabulary of {vocab}"
        )));
    }
    if !view::is_fused(hidden) {
        return composed(
            hidden,
            lm_head.tensor("cross_entropy")?,
            targets,
            with_gradient,
        );
    }
    let head = lm_head.panels("cross_entropy")?;
    let values = View::<f32>::new(hidden, "cross_entropy")?;
    let mut d_hidden = with_gradient.then(|| view::unfilled(rows * width));
    let mut sum = 0.0;
    let mut logits = view::unfilled(CHUNK.min(rows) * vocab);
    for (chunk, ids) in targets.chunks(CHUNK).enumerate() {
        let part = chunk * CHUNK * width..(chunk * CHUNK + ids.len()) * width;
        let softmax = Softmax::new(
            &values.slice()[part.clone()],
            head,
            Wanted::Ids(ids),
            &mut logits,
        );
        sum += softmax.losses().sum::<f64>();
        if let Some(d) = &mut d_hidden {
            softmax.gradient(head, &logits, &mut d[part]);
        }
    }
    let d_hidden = d_hidden
        .map(|d| view::tensor(d, (rows, width)))
        .transpose()?;
    Ok(Loss { sum, d_hidden })
}

/// What the distribution of each row of a chunk should be.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// One token.
    Ids(&'a [u32]),
    /// Shares of all tokens: (rows, V).
    Shares(&'a [f32]),
}

/// The softmax of a chunk's logits, panel by panel: the logits' buffer holds exp(logit - the
/// panel's maximum).
pub(super) struct Softmax<'a> {
    wanted: Wanted<'a>,
    panels: usize,
    /// Per row and panel: the maximum, then the sum of what the buffer holds.
    parts: Vec<f32>,
    /// Logit of each row's target; of shares, each panel's sum of share x logit.
    right: Vec<f32>,
    /// log sum exp of each row.
    log_sum: Vec<f64>,
}

impl<'a> Softmax<'a> {
    pub(super) fn new(
        hidden: &[f32],
        head: &Panels,
        wanted: Wanted<'a>,
        logits: &mut [f32],
    ) -> Self {
        let (rows, vocab, panels) = (
            hidden.len() / head.inner(),
            head.out(),
            head.out().div_ceil(COLS),
        );
        let rights = if matches!(wanted, Wanted::Ids(_)) {
            1
        } else {
            panels
        };
        let (mut parts, mut right) = (
            view::unfilled(2 * rows * panels),
            view::unfilled(rows * rights),
        );
        let [logits, part_pieces, right_pieces] = [
            Shared::new(&mut logits[..rows * vocab], vocab),
            Shared::new(&mut parts, 2 * panels),
            Shared::new(&mut right, rights),
        ];
        let finish = |rows: Range<usize>, cols: Range<usize>, _: &[Vec<f32>]| {
            for row in rows {
                // SAFETY: a job's rectangle is handed to one caller alone, and so is what
                // belongs to it: its panels' parts and sums, and the target's logit where the
                // target is one of its columns.
                unsafe {
                    let piece = logits.piece(row, cols.start, cols.len());
                    match wanted {
                        Wanted::Ids(ids) => {
                            let target = ids[row] as usize;
                            if cols.contains(&target) {
                                right_pieces.piece(row, 0, 1)[0] = piece[target - cols.start];
                            }
                        }
                        Wanted::Shares(shares) => {
                            let right = right_pieces.piece(
                                row,
                                cols.start / COLS,
                                cols.len().div_ceil(COLS),
                            );
                            weigh(&shares[row * vocab..][cols.clone()], piece, right);
                        }
                    }
                    split(
                        piece,
                        part_pieces.piece(
                            row,
                            2 * (cols.start / COLS),
                            2 * cols.len().div_ceil(COLS),
                        ),
                    );
                }
            }
        };
        let term = Term {
            left: rows_of(hidden, head.inner()),
            right: Factor::Forward(head),
        };
        let products = vec![Product {
            start: Start::Zero,
            terms: vec![term],
            out: Target::Matrix(logits),
        }];
        product::run(&[Job {
            rows,
            cols: vocab,
            products,
            after: Some(&finish),
        }]);
        let log_sum = parts
            .par_chunks(2 * panels)
            .map(|parts| log_sum_exp(parts.as_chunks().0))
            .collect();
        Self {
            wanted,
            panels,
            parts,
            right,
            log_sum,
        }
    }

    /// Cross-entropy of each row, nats.
    pub(super) fn losses(&self) -> impl Iterator<Item = f64> {
        let rights = self.right.len() / self.log_sum.len().max(1);
        let right = self
            .right
            .chunks(rights.max(1))
            .map(|right| right.iter().map(|&r| f64::from(r)).sum::<f64>());
        self.log_sum
            .iter()
            .zip(right)
            .map(|(log_sum, right)| log_sum - right)
    }

    /// (softmax - what is wanted) x head: each slice of the vocabulary apart, then summed in
    /// their order.
    pub(super) fn gradient(&self, head: &Panels, exps: &[f32], d_hidden: &mut [f32]) {
        let (rows, width) = (self.log_sum.len(), head.inner());
        let slices = self.panels.div_ceil(SLICE);
        let mut sums = view::unfilled(slices * rows * width);
        sums.par_chunks_mut((rows * width).max(1))
            .enumerate()
            .for_each(|(slice, sum)| {
                let tokens = slice * SLICE_TOKENS..head.out().min((slice + 1) * SLICE_TOKENS);
                for group in (0..width.div_ceil(COLS)).step_by(GROUP) {
                    self.slice_gradient(head, exps, tokens.clone(), group, sum);
                }
            });
        d_hidden
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(row, out)| {
                out.copy_from_slice(&sums[row * width..(row + 1) * width]);
                for slice in 1..slices {
                    let at = (slice * rows + row) * width;
                    math::add(&sums[at..at + width], out);
                }
            });
    }

    /// `sum (+)= p x head` of these tokens, for the columns of the panels from `group` on.
    fn slice_gradient(
        &self,
        head: &Panels,
        exps: &[f32],
        tokens: Range<usize>,
        group: usize,
        sum: &mut [f32],
    ) {
        let (rows, width) = (self.log_sum.len(), head.inner());
        let panels = group..width.div_ceil(COLS).min(group + GROUP);
        let mut turned = Turned::new(head, panels.len());
        let mut p = view::unfilled(ROWS * STRETCH);
        for from in tokens.clone().step_by(STRETCH) {
            let to = tokens.end.min(from + STRETCH);
            turned.take(head, panels.clone(), from..to);
            for first in (0..rows).step_by(ROWS) {
                let count = ROWS.min(rows - first);
                for (row, p) in (first..first + count).zip(p.chunks_exact_mut(STRETCH)) {
                    self.excess(row, &exps[row * head.out()..][..head.out()], from..to, p);
                }
                turned.round(count, to - from, &p);
                for (at, panel) in panels.clone().enumerate() {
                    let sums = turned.multiply(count, to - from, &p, at);
                    let cols = panel * COLS..width.min((panel + 1) * COLS);
                    for (row, sums) in (first..first + count).zip(&sums) {
                        let out = &mut sum[row * width + cols.start..row * width + cols.end];
                        for (o, &s) in out.iter_mut().zip(sums) {
                            *o = if from > tokens.start { *o + s } else { s };
                        }
                    }
                }
            }
        }
    }

    /// softmax - what is wanted, of a row's tokens; `exps` is the row's part of the buffer.
    fn excess(&self, row: usize, exps: &[f32], tokens: Range<usize>, p: &mut [f32]) {
        let parts = self.parts[2 * row * self.panels..2 * (row + 1) * self.panels]
            .as_chunks::<2>()
            .0;
        scale_parts(
            &exps[tokens.clone()],
            &parts[tokens.start / COLS..],
            self.log_sum[row],
            p,
        );
        match self.wanted {
            Wanted::Ids(ids) => {
                let target = ids[row] as usize;
                if tokens.contains(&target) {
                    p[target - tokens.start] -= 1.0;
                }
            }
            Wanted::Shares(shares) => {
                let shares = &shares[row * exps.len()..][tokens];
                p.iter_mut().zip(shares).for_each(|(p, share)| *p -= share);
            }
        }
    }
}

/// Panels of a head turned over, [`STRETCH`] tokens of each, as a gradient's tiles are
/// multiplied with them.
enum Turned {
    F32(Vec<f32>),
    /// Pairs along the tokens, where dot instructions are in use; rows are rounded for them.
    Bf16 {
        panels: Vec<Line>,
        rows: Vec<Line>,
    },
}

impl Turned {
    /// Room for so many panels.
    fn new(head: &Panels, panels: usize) -> Self {
        if head.is_bf16() && instruction_set().rounds_rows() {
            let rows = view::unfilled(ROWS * STRETCH / DEPTH);
            return Self::Bf16 {
                panels: view::unfilled(panels * STRETCH),
                rows,
            };
        }
        Self::F32(view::unfilled(panels * STRETCH * COLS))
    }

    fn take(&mut self, head: &Panels, which: Range<usize>, tokens: Range<usize>) {
        match self {
            Self::F32(panels) => {
                head.backward(which, tokens.start, tokens.end, STRETCH * COLS, panels)
            }
            Self::Bf16 { panels, .. } => {
                let lines = tokens.len().next_multiple_of(DEPTH);
                for (panel, turned) in which.zip(panels.chunks_exact_mut(STRETCH)) {
                    head.turn_lines(panel, tokens.start, &mut turned[..lines]);
                }
            }
        }
    }

    /// Rounds `depth` values of `count` rows, [`STRETCH`] apart, if that is how they are
    /// multiplied.
    fn round(&mut self, count: usize, depth: usize, p: &[f32]) {
        if let Self::Bf16 { rows, .. } = self {
            for (values, lines) in p
                .chunks_exact(STRETCH)
                .zip(rows.chunks_exact_mut(STRETCH / DEPTH))
                .take(count)
            {
                pairs::round(&values[..depth], lines);
            }
        }
    }

    /// `count` rows by panel `at`, over the first `depth` tokens.
    fn multiply(&self, count: usize, depth: usize, p: &[f32], at: usize) -> Sums {
        let mut sums: Sums = [[0.0; COLS]; ROWS];
        match self {
            Self::F32(panels) => {
                tile::multiply(
                    count,
                    depth,
                    rows_of(p, STRETCH),
                    &panels[at * STRETCH * COLS..],
                    &mut sums,
                );
            }
            Self::Bf16 { panels, rows } => {
                let (rows, panel) = (
                    pairs::flat(rows),
                    pairs::flat(&panels[at * STRETCH..(at + 1) * STRETCH]),
                );
                tile::dot(
                    count,
                    depth.div_ceil(2),
                    rows,
                    STRETCH / DEPTH * PAIRS,
                    panel,
                    &mut sums,
                );
            }
        }
        sums
    }
}

/// Each panel's sum of share x logit.
pub(super) fn weigh(shares: &[f32], logits: &[f32], sums: &mut [f32]) {
    for ((sum, logits), shares) in sums
        .iter_mut()
        .zip(logits.chunks(COLS))
        .zip(shares.chunks(COLS))
    {
        *sum = math::dot(logits, shares);
    }
}

/// Puts exp(logit - its panel's maximum) in the place of each logit; `parts` gets each panel's
/// maximum and sum.
pub(super) fn split(logits: &mut [f32], parts: &mut [f32]) {
    for (values, part) in logits.chunks_mut(COLS).zip(parts.chunks_exact_mut(2)) {
        let max = math::max(values);
        part.copy_from_slice(&[max, math::exp_sum(values, max)]);
    }
}

/// Probabilities from what [`split`] made of logits whose log sum exp is `log_sum`.
pub(super) fn scale_parts(exps: &[f32], parts: &[[f32; 2]], log_sum: f64, p: &mut [f32]) {
    for ((exps, p), part) in exps.chunks(COLS).zip(p.chunks_mut(COLS)).zip(parts) {
        let factor = (f64::from(part[0]) - log_sum).exp() as f32;
        for (p, e) in p.iter_mut().zip(exps) {
            *p = e * factor;
        }
    }
}

/// log sum exp from each panel's maximum and sum.
pub(super) fn log_sum_exp(parts: &[[f32; 2]]) -> f64 {
    let max = parts
        .iter()
        .fold(f32::NEG_INFINITY, |max, part| max.max(part[0]));
    let total: f64 = parts
        .iter()
        .map(|part| f64::from(part[1]) * f64::from(math::exp(part[0] - max)))
        .sum();
    f64::from(max) + total.ln()
}

/// [`forward_backward`] of candle operations.
pub fn composed(
    hidden: &Tensor,
    lm_head: &Tensor,
    targets: &[u32],
    with_gradient: bool,
) -> Result<Loss> {
    let device = hidden.device();
    let (mut sum, mut gradients) = (0.0, Vec::new());
    for (chunk, ids) in targets.chunks(CHUNK).enumerate() {
        let rows = hidden.narrow(0, chunk * CHUNK, ids.len())?;
        let log_p = super::softmax::log_softmax_composed(
            &rows.matmul(&lm_head.to_dtype(rows.dtype())?.t()?)?,
        )?;
        let index = Tensor::new(ids, device)?.unsqueeze(1)?; // (n, 1)
        sum -= log_p
            .gather(&index, D::Minus1)?
            .to_dtype(DType::F64)?
            .sum_all()?
            .to_scalar::<f64>()?;
        if with_gradient {
            let minus_one = index.ones_like()?.to_dtype(log_p.dtype())?.neg()?;
            let d_logits = log_p.exp()?.scatter_add(&index, &minus_one, D::Minus1)?; // (n, V)
            gradients.push(d_logits.matmul(&lm_head.to_dtype(d_logits.dtype())?)?);
        }
    }
    let d_hidden = match (with_gradient, gradients.is_empty()) {
        (false, _) => None,
        (true, true) => Some(hidden.zeros_like()?),
        (true, false) => Some(Tensor::cat(&gradients, 0)?),
    };
    Ok(Loss { sum, d_hidden })
}
