//! The states of one layer in several languages, checked and prepared: what of them every
//! measure needs, made once for each language. Never here: measures of pairs, files.

use faer::{
    Accum, MatRef, Par,
    linalg::matmul::triangular::{BlockStructure, matmul},
};
use rayon::prelude::*;
use schema::{Language, inside::PcaRecord};

use super::{
    components::{Fit, fit},
    kernel::CkaKernel,
};
use crate::error::AnalyseError;

/// Fewest items: debiased CKA is of four or more, and the jackknife leaves one out.
pub const FEWEST_ITEMS: usize = 5;
/// What varies by a smaller share of its squares than this does so by rounding alone.
pub(super) const ROUNDING: f64 = 1e-12;

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

/// The states of the same items in several languages at one layer.
#[derive(Debug)]
pub struct LayerSpace {
    pub(super) layer: usize,
    pub(super) width: usize,
    pub(super) items: Vec<usize>,
    /// In the order of the languages.
    pub(super) clouds: Vec<LanguageCloud>,
    /// The joint fit and the one with each language's mean taken out; `None` where nothing
    /// varies.
    pub(super) fits: [Option<Fit>; 2],
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

impl LayerSpace {
    /// Checks the states and makes what is needed of them, on all cores. Languages may come in
    /// any order.
    ///
    /// # Errors
    /// No language, or one of them twice; items that are not the same in all, or fewer than
    /// [`FEWEST_ITEMS`]; a wrong number of tokens or values; a prompt without tokens; a value
    /// that is not finite.
    pub fn prepare(
        layer: usize,
        width: usize,
        rows: &[LayerStates<'_>],
    ) -> Result<Self, AnalyseError> {
        let mut rows = rows.to_vec();
        rows.sort_by_key(|rows| rows.language);
        let refuse = |what: String, problem: String| Err(AnalyseError::Unusable { what, problem });
        let Some(first) = rows.first() else {
            return refuse(
                format!("layer {layer}"),
                "no language has states; capture some".to_owned(),
            );
        };
        if let Some(twice) = rows
            .windows(2)
            .find(|two| two[0].language == two[1].language)
        {
            return refuse(
                format!("layer {layer}, {}", twice[0].language),
                "is there twice; name it once".to_owned(),
            );
        }
        for rows in &rows {
            if let Some(problem) = problem_of(rows, width, first) {
                return refuse(format!("layer {layer}, {}", rows.language), problem);
            }
        }
        let clouds: Vec<LanguageCloud> = rows
            .par_iter()
            .map(|rows| LanguageCloud::new(rows, width))
            .collect();
        let (joint, centred) =
            rayon::join(|| fit(&clouds, width, false), || fit(&clouds, width, true));
        Ok(Self {
            layer,
            width,
            items: first.items.to_vec(),
            clouds,
            fits: [joint?, centred?],
        })
    }

    /// The records of both fits: joint, and with each language's mean taken out. A fit of
    /// states that do not vary (of the embedding of a last token that all prompts share) has
    /// none.
    pub(super) fn components(&self) -> Vec<PcaRecord> {
        let fits = self
            .fits
            .iter()
            .zip([false, true])
            .filter_map(|(fit, centred)| Some((fit.as_ref()?, centred)));
        let record = |(fit, centred): (&Fit, bool)| PcaRecord {
            layer: self.layer,
            centred,
            explained: fit.explained,
            items: self.items.clone(),
            points: self
                .clouds
                .iter()
                .zip(&fit.scores)
                .map(|(cloud, scores)| (cloud.language, scores.points()))
                .collect(),
        };
        fits.map(record).collect()
    }
}

impl LanguageCloud {
    fn new(rows: &LayerStates<'_>, width: usize) -> Self {
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

/// What is wrong with a language's rows, and what to do; `first` is what all must agree with.
fn problem_of(rows: &LayerStates<'_>, width: usize, first: &LayerStates<'_>) -> Option<String> {
    let n = rows.items.len();
    if rows.items != first.items {
        return Some(format!(
            "its items are not those of {}, in their order; take the items that all have",
            first.language
        ));
    }
    if n < FEWEST_ITEMS {
        return Some(format!(
            "{n} items; {FEWEST_ITEMS} or more are needed, so raise the limit"
        ));
    }
    if width == 0 || rows.values.len() != n * width || rows.tokens.len() != n {
        let (tokens, values) = (rows.tokens.len(), rows.values.len());
        return Some(format!(
            "{tokens} lengths and {values} values for {n} items of width {width}; capture them again"
        ));
    }
    if let Some(row) = rows.tokens.iter().position(|&tokens| tokens == 0) {
        return Some(format!(
            "item {} has no tokens; capture it again",
            rows.items[row]
        ));
    }
    let at = rows.values.iter().position(|value| !value.is_finite())?;
    let item = rows.items[at / width];
    Some(format!(
        "item {item}, dimension {}, is {}; capture it again",
        at % width,
        rows.values[at]
    ))
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
