//! Two principal components of all languages together (Jolliffe 2002): the axes along which all
//! rows, taken as one cloud, vary most. Never here: how eigenvectors are found, measures.

use super::{
    cloud::LanguageCloud,
    eigenpairs::{Eigenpairs, leading_pairs},
    joint_rows::{JointRows, offsets},
    vector::{ROUNDING, dot},
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
    vectors.iter_mut().for_each(|vector| flip_sign(vector));
    let scores = clouds.iter().zip(&rows.offsets).map(|(cloud, offset)| {
        let [first, second] = [0, 1].map(|k| project(cloud, offset, &vectors[k]));
        Scores { first, second }
    });
    Ok(Some(Fit {
        explained: values.map(|value| (value / variance).max(0.0)),
        scores: scores.collect(),
    }))
}

/// Makes the entry that is largest in size positive, as scikit-learn does; of equal ones the
/// first.
fn flip_sign(vector: &mut [f64]) {
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
