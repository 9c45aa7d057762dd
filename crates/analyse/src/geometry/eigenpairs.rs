//! The two largest eigenvalues of a scatter matrix with their vectors: exactly where rows or
//! dimensions are few, else by block Krylov iteration (Musco & Musco 2015, arXiv 1504.05477), which
//! reads the rows a few times and never makes the matrix. It ends when the residuals are small; if
//! it does not converge, the exact decomposition is used. Never here: what the rows are.

use faer::{Accum, Mat, MatRef, Par, Side, linalg::matmul::matmul};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{joint_rows::JointRows, vector::dot};
use crate::error::AnalyseError;

/// The larger of the two numbers of an exact decomposition that is not worth avoiding.
const FEW: usize = 192;
/// Vectors of a block: more than two, so that near neighbours of the second eigenvalue do not
/// hold it up.
const BLOCK: usize = 6;
/// Blocks until the iteration is given up, and from one look at the residuals to the next.
const MOST_BLOCKS: usize = 80;
const LOOK_EVERY: usize = 4;
/// Largest residual of a vector, of its eigenvalue, and of the largest where the second is far
/// smaller.
const TOLERANCE: f64 = 1e-9;
const FLOOR: f64 = 1e-14;

/// Two eigenvalues, the larger first, and their vectors (E) of length 1.
pub(super) struct Eigenpairs {
    pub(super) values: [f64; 2],
    pub(super) vectors: [Vec<f64>; 2],
}

/// Of the scatter matrix of all rows.
///
/// # Errors
/// The decomposition does not converge, which finite rows do not do.
pub(super) fn leading_pairs(rows: &JointRows<'_>) -> Result<Eigenpairs, AnalyseError> {
    if rows.width.min(rows.len()) > FEW
        && let Some(found) = iterate(rows)?
    {
        return Ok(found);
    }
    exact(rows)
}

/// By the smaller of the (E, E) scatter matrix and the (N, N) inner products.
fn exact(rows: &JointRows<'_>) -> Result<Eigenpairs, AnalyseError> {
    let x = rows.rows();
    if rows.width <= rows.len() {
        let (values, vectors) = eigenpairs((x.transpose() * &x).as_ref())?;
        return Ok(Eigenpairs { values, vectors });
    }
    let (values, vectors) = eigenpairs((&x * x.transpose()).as_ref())?;
    let vectors = vectors.map(|vector| normalised(combine(x.transpose(), &vector)));
    Ok(Eigenpairs { values, vectors })
}

/// `None` where it does not converge.
fn iterate(rows: &JointRows<'_>) -> Result<Option<Eigenpairs>, AnalyseError> {
    let width = rows.width;
    let most = MOST_BLOCKS.min(width / BLOCK) * BLOCK;
    // the start affects the rounding alone, so this is not a draw of the recipe's
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let (mut basis, mut images) = (
        Mat::<f64>::zeros(width, most),
        Mat::<f64>::zeros(width, most),
    );
    let mut next = Mat::from_fn(width, BLOCK, |_, _| random.random::<f64>() - 0.5);
    for begin in (0..most).step_by(BLOCK) {
        let end = begin + BLOCK;
        for column in begin..end {
            let fresh = orthonormal(
                &basis,
                column,
                next.col_as_slice(column - begin),
                &mut random,
            );
            basis.col_as_slice_mut(column).copy_from_slice(&fresh);
        }
        next = rows.scatter_times(basis.subcols(begin, BLOCK));
        images.subcols_mut(begin, BLOCK).copy_from(&next);
        if (end / BLOCK).is_multiple_of(LOOK_EVERY) || end == most {
            let (found, converged) = ritz(basis.subcols(0, end), images.subcols(0, end))?;
            if converged {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// The best two vectors in the span of `basis` (E, k), of which `images` are the products with
/// the matrix, and whether they are eigenvectors.
fn ritz(
    basis: MatRef<'_, f64>,
    images: MatRef<'_, f64>,
) -> Result<(Eigenpairs, bool), AnalyseError> {
    let k = basis.ncols();
    let mut small = Mat::zeros(k, k);
    matmul(
        small.as_mut(),
        Accum::Replace,
        basis.transpose(),
        images,
        1.0,
        Par::Seq,
    );
    let (values, weights) = eigenpairs(small.as_ref())?;
    let vectors = [0, 1].map(|at| combine(basis, &weights[at]));
    let converged = (0..2).all(|at| {
        let image = combine(images, &weights[at]);
        let residual: f64 = image
            .iter()
            .zip(&vectors[at])
            .map(|(image, v)| (image - values[at] * v).powi(2))
            .sum();
        residual.sqrt() <= TOLERANCE * values[at] + FLOOR * values[0]
    });
    Ok((
        Eigenpairs {
            values,
            vectors: vectors.map(normalised),
        },
        converged,
    ))
}

/// The columns of `matrix` (E, k) weighted and added: (E).
fn combine(matrix: MatRef<'_, f64>, weights: &[f64]) -> Vec<f64> {
    (0..matrix.nrows())
        .map(|row| {
            (0..matrix.ncols())
                .map(|column| matrix[(row, column)] * weights[column])
                .sum()
        })
        .collect()
}

/// `vector` without what lies in the first `count` columns of `basis`, taken out twice (Giraud
/// et al. 2005), of length 1. What lies wholly in them is replaced by a direction of its own.
fn orthonormal(
    basis: &Mat<f64>,
    count: usize,
    vector: &[f64],
    random: &mut ChaCha8Rng,
) -> Vec<f64> {
    let mut fresh = normalised(vector.to_vec());
    loop {
        take_out(basis, count, &mut fresh);
        if dot(&fresh, &fresh) > 1e-20 {
            fresh = normalised(fresh);
            take_out(basis, count, &mut fresh);
            return normalised(fresh);
        }
        fresh = normalised(
            (0..vector.len())
                .map(|_| random.random::<f64>() - 0.5)
                .collect(),
        );
    }
}

fn take_out(basis: &Mat<f64>, count: usize, vector: &mut [f64]) {
    for column in 0..count {
        let axis = basis.col_as_slice(column);
        let along = dot(axis, vector);
        vector
            .iter_mut()
            .zip(axis)
            .for_each(|(value, axis)| *value -= along * axis);
    }
}

/// The two largest of a symmetric matrix (k, k), k at least 1; a second that is not there is 0.
fn eigenpairs(matrix: MatRef<'_, f64>) -> Result<([f64; 2], [Vec<f64>; 2]), AnalyseError> {
    let found = matrix.self_adjoint_eigen(Side::Lower).map_err(|e| {
        let problem = format!(
            "no eigenvectors found ({e:?}); look for values in the states that are far too large"
        );
        AnalyseError::unusable("principal components", problem)
    })?;
    let k = matrix.nrows();
    // rising: the largest is the last
    let columns = [k.checked_sub(1), k.checked_sub(2)];
    Ok((
        columns.map(|column| column.map_or(0.0, |column| found.S()[column].max(0.0))),
        columns.map(|column| match column {
            Some(column) => (0..k).map(|row| found.U()[(row, column)]).collect(),
            None => vec![0.0; k],
        }),
    ))
}

/// Of length 1; zeros stay.
fn normalised(mut vector: Vec<f64>) -> Vec<f64> {
    let length = dot(&vector, &vector).sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
    vector
}

#[cfg(test)]
mod tests {
    use schema::Language;

    use super::{
        super::{LayerSpace, LayerStates},
        *,
    };

    const N: usize = 130;
    const E: usize = 260;

    /// Two languages whose dimensions vary as `deviation` says.
    fn space(deviation: fn(usize) -> f32) -> LayerSpace {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let items: Vec<usize> = (0..N).collect();
        let mut states = |offset: f32| -> Vec<f32> {
            let place = |at: usize| if at % E == 7 { offset } else { 0.0 };
            (0..N * E)
                .map(|at| deviation(at % E) * (random.random::<f32>() - 0.5) + place(at))
                .collect()
        };
        let values = [states(0.0), states(1.0)];
        let languages = ["en", "de"].map(|code| code.parse::<Language>().expect("a language"));
        let rows = [0, 1].map(|k| LayerStates {
            language: languages[k],
            items: &items,
            tokens: &[9; N],
            values: &values[k],
        });
        LayerSpace::prepare(0, E, &rows).expect("sound states")
    }

    fn rows(space: &LayerSpace) -> JointRows<'_> {
        let offsets = super::super::joint_rows::offsets(&space.clouds, E, false);
        JointRows {
            clouds: &space.clouds,
            offsets,
            width: E,
        }
    }

    #[test]
    fn iteration_finds_what_the_decomposition_finds() {
        let space = space(|d| 3.0 / (1.0 + d as f32));
        let rows = rows(&space);
        let (found, expected) = (
            iterate(&rows).expect("finite").expect("converges"),
            exact(&rows).expect("finite"),
        );
        for k in 0..2 {
            assert!(
                (found.values[k] / expected.values[k] - 1.0).abs() < 1e-12,
                "{:?} {:?}",
                found.values,
                expected.values
            );
            assert!((dot(&found.vectors[k], &expected.vectors[k]).abs() - 1.0).abs() < 1e-12);
            assert!((dot(&found.vectors[k], &found.vectors[k]) - 1.0).abs() < 1e-12);
        }
        assert!(
            found.values[0] > 1.01 * found.values[1]
                && dot(&found.vectors[0], &found.vectors[1]).abs() < 1e-9
        );
    }

    #[test]
    fn what_lies_in_the_basis_gets_a_direction_of_its_own() {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let mut basis = Mat::zeros(9, 3);
        let first = orthonormal(
            &basis,
            0,
            &[1.0, 2.0, 3.0, 0.0, 0.0, -1.0, 0.5, 0.0, 4.0],
            &mut random,
        );
        basis.col_as_slice_mut(0).copy_from_slice(&first);
        for column in 1..3 {
            let fresh = orthonormal(&basis, column, &first, &mut random);
            basis.col_as_slice_mut(column).copy_from_slice(&fresh);
        }
        let products = basis.transpose() * &basis;
        assert!(
            (&products - Mat::<f64>::identity(3, 3)).norm_max() < 1e-14,
            "{products:?}"
        );
    }

    #[test]
    fn product_with_the_scatter_matrix_is_that_of_all_rows() {
        let space = space(|_| 1.0);
        let rows = rows(&space);
        let x = rows.rows();
        let block = Mat::from_fn(E, 2, |d, k| ((d + 3 * k) % 5) as f64 - 2.0);
        let (found, expected) = (
            rows.scatter_times(block.as_ref()),
            x.transpose() * (&x * &block),
        );
        let largest = expected.norm_max();
        assert!((&found - &expected).norm_max() < 1e-12 * largest && largest > 1.0);
    }

    #[test]
    fn few_dimensions_few_rows_and_flat_spectra_have_components_too() {
        // rank two, of which the iteration's blocks are mostly made up
        let flat = space(|d| if d < 2 { 1.0 } else { 0.0 });
        let found = leading_pairs(&rows(&flat)).expect("finite");
        let expected = exact(&rows(&flat)).expect("finite");
        assert!(
            (0..2).all(|k| (found.values[k] / expected.values[k] - 1.0).abs() < 1e-9),
            "{:?}",
            found.values
        );
        let (values, vectors) =
            eigenpairs(Mat::from_fn(1, 1, |_, _| 4.0).as_ref()).expect("finite");
        assert_eq!((values, vectors), ([4.0, 0.0], [vec![1.0], vec![0.0]]));
    }
}
