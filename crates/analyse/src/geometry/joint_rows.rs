//! The rows of all languages together, as deviations from one mean, and products with their scatter
//! matrix. Never here: eigenvectors.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use super::{cloud::LanguageCloud, vector::dot};

/// All rows as one cloud around its mean: each language's deviations, moved by what its mean
/// differs.
pub(super) struct JointRows<'a> {
    pub(super) clouds: &'a [LanguageCloud],
    /// (languages, E); zeros where each language's mean is taken out.
    pub(super) offsets: Vec<Vec<f64>>,
    pub(super) width: usize,
}

impl JointRows<'_> {
    /// N: rows of all languages.
    pub(super) fn len(&self) -> usize {
        self.clouds.iter().map(LanguageCloud::len).sum()
    }

    /// Sum of the squares of all rows.
    pub(super) fn variance(&self) -> f64 {
        let of_languages = self
            .clouds
            .iter()
            .zip(&self.offsets)
            .map(|(cloud, offset)| {
                let around: f64 = (0..cloud.len()).map(|item| cloud.square(item)).sum();
                around + cloud.len() as f64 * dot(offset, offset)
            });
        of_languages.sum()
    }

    /// The rows' scatter matrix (E, E) times `block` (E, b), without making it.
    pub(super) fn scatter_times(&self, block: MatRef<'_, f64>) -> Mat<f64> {
        let parts: Vec<Mat<f64>> = self
            .clouds
            .par_iter()
            .zip(&self.offsets)
            .map(|(cloud, offset)| scatter_times(cloud, offset, block))
            .collect();
        let mut sum = Mat::zeros(self.width, block.ncols());
        parts.iter().for_each(|part| sum += part);
        sum
    }

    /// All rows: (N, E).
    pub(super) fn rows(&self) -> Mat<f64> {
        let all = self
            .clouds
            .iter()
            .zip(&self.offsets)
            .flat_map(|(cloud, offset)| {
                cloud.rows().map(move |row| {
                    row.iter()
                        .zip(offset)
                        .map(|(value, offset)| value + offset)
                        .collect::<Vec<f64>>()
                })
            });
        let all: Vec<Vec<f64>> = all.collect();
        Mat::from_fn(all.len(), self.width, |row, column| all[row][column])
    }
}

/// The product of `block` (E, b) with the scatter matrix of one language's rows: of its deviations,
/// which sum to zero, and apart from them of its offset.
fn scatter_times(cloud: &LanguageCloud, offset: &[f64], block: MatRef<'_, f64>) -> Mat<f64> {
    let (rows, width) = (cloud.matrix(), offset.len());
    let mut along = Mat::zeros(cloud.len(), block.ncols());
    matmul(along.as_mut(), Accum::Replace, rows, block, 1.0, Par::Seq);
    let mut out = Mat::zeros(width, block.ncols());
    matmul(
        out.as_mut(),
        Accum::Replace,
        rows.transpose(),
        along.as_ref(),
        1.0,
        Par::Seq,
    );
    for column in 0..block.ncols() {
        let along: f64 = (0..width).map(|d| offset[d] * block[(d, column)]).sum();
        let along = cloud.len() as f64 * along;
        (0..width).for_each(|d| out[(d, column)] += along * offset[d]);
    }
    out
}

/// How far each language's mean is from the mean of all: (languages, E).
pub(super) fn offsets(clouds: &[LanguageCloud], width: usize, centred: bool) -> Vec<Vec<f64>> {
    let mut centre = vec![0.0; width];
    for cloud in clouds {
        centre
            .iter_mut()
            .zip(&cloud.mean)
            .for_each(|(sum, mean)| *sum += mean / clouds.len() as f64);
    }
    if centred {
        return vec![vec![0.0; width]; clouds.len()];
    }
    clouds
        .iter()
        .map(|cloud| {
            let differences = cloud.mean.iter().zip(&centre);
            differences.map(|(mean, centre)| mean - centre).collect()
        })
        .collect()
}
