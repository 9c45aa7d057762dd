//! Two principal components of all languages together (Jolliffe 2002): the axes along which all
//! rows, taken as one cloud, vary most. Never here: how eigenvectors are found, measures.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use super::{
    eigenpairs::{Eigenpairs, leading_pairs},
    layer_space::{LanguageCloud, ROUNDING},
};
use crate::error::AnalyseError;

/// A fit of two components.
#[derive(Debug)]
pub(super) struct Fit {
    /// Share of the variance of all rows.
    pub(super) explained: [f64; 2],
    /// Of each language.
    pub(super) scores: Vec<Scores>,
}

/// Where one language's items lie on the two axes: (n) each.
#[derive(Debug)]
pub(super) struct Scores {
    pub(super) first: Vec<f64>,
    second: Vec<f64>,
}

impl Scores {
    /// (n, 2)
    pub(super) fn points(&self) -> Vec<[f32; 2]> {
        self.first
            .iter()
            .zip(&self.second)
            .map(|(first, second)| [*first as f32, *second as f32])
            .collect()
    }
}

/// All rows as one cloud around its mean: each language's deviations, moved by what its mean
/// differs.
pub(super) struct JointRows<'a> {
    pub(super) clouds: &'a [LanguageCloud],
    /// (languages, E); zeros where each language's mean is taken out.
    pub(super) offsets: Vec<Vec<f64>>,
    pub(super) width: usize,
}

/// Fits two components, with each language's mean taken out or not. `None` where nothing
/// varies.
///
/// # Errors
/// The eigenvectors cannot be found.
pub(super) fn fit(
    clouds: &[LanguageCloud],
    width: usize,
    centred: bool,
) -> Result<Option<Fit>, AnalyseError> {
    let rows = JointRows {
        clouds,
        offsets: offsets(clouds, width, centred),
        width,
    };
    let variance = rows.variance();
    let squares: f64 = clouds.iter().flat_map(|cloud| &cloud.squares).sum();
    if variance <= ROUNDING * squares {
        return Ok(None);
    }
    let Eigenpairs {
        values,
        mut vectors,
    } = leading_pairs(&rows)?;
    vectors.iter_mut().for_each(|vector| turn(vector));
    let scores = clouds.iter().zip(&rows.offsets).map(|(cloud, offset)| {
        let [first, second] = [0, 1].map(|k| project(cloud, offset, &vectors[k]));
        Scores { first, second }
    });
    Ok(Some(Fit {
        explained: values.map(|value| (value / variance).max(0.0)),
        scores: scores.collect(),
    }))
}

impl JointRows<'_> {
    /// N: rows of all languages.
    pub(super) fn len(&self) -> usize {
        self.clouds.iter().map(LanguageCloud::len).sum()
    }

    /// Sum of the squares of all rows.
    fn variance(&self) -> f64 {
        let of = |(cloud, offset): (&LanguageCloud, &Vec<f64>)| {
            let around: f64 = (0..cloud.len()).map(|item| cloud.square(item)).sum();
            around + cloud.len() as f64 * dot(offset, offset)
        };
        self.clouds.iter().zip(&self.offsets).map(of).sum()
    }

    /// The rows' scatter matrix (E, E) times `block` (E, b), without making it: a language's
    /// deviations sum to zero, so what its mean adds stands apart.
    pub(super) fn scatter_times(&self, block: MatRef<'_, f64>) -> Mat<f64> {
        let of = |(cloud, offset): (&LanguageCloud, &Vec<f64>)| {
            let rows = cloud.matrix();
            let mut along = Mat::zeros(cloud.len(), block.ncols());
            matmul(along.as_mut(), Accum::Replace, rows, block, 1.0, Par::Seq);
            let mut out = Mat::zeros(self.width, block.ncols());
            matmul(
                out.as_mut(),
                Accum::Replace,
                rows.transpose(),
                along.as_ref(),
                1.0,
                Par::Seq,
            );
            for column in 0..block.ncols() {
                let along = cloud.len() as f64
                    * (0..self.width)
                        .map(|d| offset[d] * block[(d, column)])
                        .sum::<f64>();
                (0..self.width).for_each(|d| out[(d, column)] += along * offset[d]);
            }
            out
        };
        let parts: Vec<Mat<f64>> = self.clouds.par_iter().zip(&self.offsets).map(of).collect();
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

/// How far each language's mean is from the mean of all: (languages, E).
pub(super) fn offsets(clouds: &[LanguageCloud], width: usize, centred: bool) -> Vec<Vec<f64>> {
    let mut centre = vec![0.0; width];
    for cloud in clouds {
        centre
            .iter_mut()
            .zip(&cloud.mean)
            .for_each(|(sum, mean)| *sum += mean / clouds.len() as f64);
    }
    let offset = |cloud: &LanguageCloud| match centred {
        true => vec![0.0; width],
        false => cloud
            .mean
            .iter()
            .zip(&centre)
            .map(|(mean, centre)| mean - centre)
            .collect(),
    };
    clouds.iter().map(offset).collect()
}

/// Makes the entry that is largest in size positive, as scikit-learn does; of equal ones the
/// first.
fn turn(vector: &mut [f64]) {
    let largest = vector.iter().fold(0.0_f64, |best, value| {
        if value.abs() > best.abs() {
            *value
        } else {
            best
        }
    });
    if largest < 0.0 {
        vector.iter_mut().for_each(|value| *value = -*value);
    }
}

fn project(cloud: &LanguageCloud, offset: &[f64], axis: &[f64]) -> Vec<f64> {
    let shift = dot(offset, axis);
    cloud.rows().map(|row| dot(row, axis) + shift).collect()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
