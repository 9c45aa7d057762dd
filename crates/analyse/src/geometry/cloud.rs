//! One language's states at one layer, and what every measure needs of them: the deviations from
//! their mean and the inner products of these. Never here: several languages.

use faer::{
    Accum, MatRef, Par,
    linalg::matmul::triangular::{BlockStructure, matmul},
};
use schema::Language;

use super::{kernel::CkaKernel, vector::ROUNDING};

/// States of one language at one layer.
#[derive(Clone, Copy, Debug)]
pub struct LayerStates<'a> {
    /// The language.
    pub language: Language,
    /// (n), which item each row is of; the same in every language, row by row.
    pub items: &'a [usize],
    /// (n), tokens of each item's prompt.
    pub tokens: &'a [usize],
    /// (n, E), row-major.
    pub values: &'a [f32],
}

/// One language's states around their mean.
#[derive(Debug)]
pub(super) struct LanguageCloud {
    pub(super) language: Language,
    /// (n), logarithms of the lengths in tokens.
    pub(super) lengths: Vec<f64>,
    /// (E)
    pub(super) mean: Vec<f64>,
    /// (n, E), row-major, without the mean.
    pub(super) deviations: Vec<f64>,
    /// (n), squared norms of the states themselves.
    pub(super) squares: Vec<f64>,
    /// (n, n), inner products of the deviations.
    pub(super) inner: Vec<f64>,
    /// Of debiased CKA; `None` where the states do not vary.
    pub(super) kernel: Option<CkaKernel>,
}

impl LanguageCloud {
    pub(super) fn new(rows: &LayerStates<'_>, width: usize) -> Self {
        let n = rows.items.len();
        let mut mean = vec![0.0; width];
        for row in rows.values.chunks_exact(width) {
            mean.iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += f64::from(*value));
        }
        mean.iter_mut().for_each(|sum| *sum /= n as f64);
        let (mut deviations, mut squares) = (Vec::with_capacity(n * width), Vec::with_capacity(n));
        for row in rows.values.chunks_exact(width) {
            squares.push(row.iter().map(|value| f64::from(*value).powi(2)).sum());
            deviations.extend(
                row.iter()
                    .zip(&mean)
                    .map(|(value, mean)| f64::from(*value) - mean),
            );
        }
        let inner = inner_products(&deviations, n, width);
        let spread: f64 = (0..n).map(|item| inner[item * n + item]).sum();
        let varies = spread > ROUNDING * squares.iter().sum::<f64>();
        Self {
            language: rows.language,
            lengths: rows
                .tokens
                .iter()
                .map(|&tokens| (tokens as f64).ln())
                .collect(),
            kernel: varies.then(|| CkaKernel::new(&inner, n)),
            mean,
            deviations,
            squares,
            inner,
        }
    }

    /// n.
    pub(super) fn len(&self) -> usize {
        self.squares.len()
    }

    /// (n, E).
    pub(super) fn matrix(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(&self.deviations, self.len(), self.mean.len())
    }

    /// (n), the rows of the deviations.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.deviations.chunks_exact(self.mean.len())
    }

    /// Squared norm of one deviation.
    pub(super) fn square(&self, item: usize) -> f64 {
        self.inner[item * (self.len() + 1)]
    }

    /// Whether the states vary by more than rounding.
    pub(super) fn varies(&self) -> bool {
        self.kernel.is_some()
    }
}

/// X times its transpose of the rows of X (n, width): (n, n), symmetric to the last bit.
fn inner_products(rows: &[f64], n: usize, width: usize) -> Vec<f64> {
    let x = MatRef::from_row_major_slice(rows, n, width);
    let mut inner = vec![0.0; n * n];
    let lower = faer::MatMut::from_row_major_slice_mut(&mut inner, n, n);
    let (triangle, whole) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    matmul(
        lower,
        triangle,
        Accum::Replace,
        x,
        whole,
        x.transpose(),
        whole,
        1.0,
        Par::Seq,
    );
    for row in 0..n {
        for column in 0..row {
            inner[column * n + row] = inner[row * n + column];
        }
    }
    inner
}
