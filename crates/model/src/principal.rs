//! The largest singular values of a frozen weight and their vectors, by block power iteration with
//! Rayleigh-Ritz steps (Halko, Martinsson, Tropp 2011, algorithm 4.4): only products with the weight
//! are needed, so that a packed or quantised one will do. Never here: what they are for.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::{
    error::{ModelError, Result},
    ops::{linear, weight::Weight},
};

/// Vectors beside twice those wanted: the more there are, the fewer steps it takes.
const MORE: usize = 16;
/// Steps at least and at most.
const STEPS: (usize, usize) = (8, 80);
/// Change of a singular value, relative to the largest, below which it is found: what f32 products
/// leave open.
const SETTLED: f64 = 2e-7;

/// Share of a row's length that is no more than the rounding of f32 products.
const NOTHING: f64 = 1e-6;

/// Rows of numbers.
type Rows = Vec<Vec<f64>>;

/// The part of a weight (out, in) in its first directions.
pub(crate) struct Principal {
    /// Singular values, the largest first: (r).
    pub(crate) values: Vec<f64>,
    /// Right singular vectors: r rows of `in`.
    pub(crate) right: Rows,
    /// Left singular vectors: r rows of `out`.
    pub(crate) left: Rows,
}

/// The first `count` directions of a weight; `draw` gives so many random numbers about 0.
///
/// # Errors
/// The weight has fewer.
pub(crate) fn find(
    weight: &Weight,
    device: &Device,
    count: usize,
    draw: &mut dyn FnMut(usize) -> Vec<f32>,
) -> Result<Principal> {
    let (out, inner) = weight.dims();
    if count > out.min(inner) {
        let problem = format!("a weight of {out} x {inner} has no {count} principal directions");
        return Err(ModelError::Input(problem));
    }
    let width = (2 * count + MORE).min(out.min(inner));
    let drawn = draw(width * inner);
    let rows = drawn.chunks_exact(inner);
    let mut right: Rows = rows
        .map(|row| row.iter().map(|&v| f64::from(v)).collect())
        .collect();
    orthonormalise(&mut right);
    let mut values = vec![0.0; count];
    let mut settled = 0;
    for step in 1.. {
        let image = to_rows(&linear::forward(&to_tensor(&right, device)?, weight, None)?)?; // (k, out)
        let (squares, turn) = eigenpairs(gram(&image));
        let (turned, image) = (apply(&turn, &right), apply(&turn, &image));
        let found: Vec<f64> = squares
            .iter()
            .take(count)
            .map(|s| s.max(0.0).sqrt())
            .collect();
        let moved = found
            .iter()
            .zip(&values)
            .map(|(new, old)| (new - old).abs());
        let is_settled = moved.fold(0.0, f64::max) <= SETTLED * found[0];
        settled = if is_settled { settled + 1 } else { 0 };
        values = found;
        if step >= STEPS.0 && settled >= 2 || step == STEPS.1 {
            return Ok(cut(values, turned, image));
        }
        right = to_rows(&linear::backward(&to_tensor(&image, device)?, weight)?)?; // (k, in)
        orthonormalise(&mut right);
    }
    Err(ModelError::op("principal", "no step"))
}

/// The first directions; `image` has left singular vectors times their values.
fn cut(values: Vec<f64>, mut right: Rows, mut image: Rows) -> Principal {
    right.truncate(values.len());
    image.truncate(values.len());
    for (row, value) in image.iter_mut().zip(&values) {
        let factor = if *value > 0.0 { 1.0 / value } else { 0.0 };
        row.iter_mut().for_each(|v| *v *= factor);
    }
    Principal {
        values,
        right,
        left: image,
    }
}

fn to_tensor(rows: &Rows, device: &Device) -> Result<Tensor> {
    let width = rows.first().map_or(0, Vec::len);
    let flat: Vec<f32> = rows.iter().flatten().map(|&v| v as f32).collect();
    Ok(Tensor::from_vec(flat, (rows.len(), width), device)?)
}

fn to_rows(tensor: &Tensor) -> Result<Rows> {
    let rows = tensor.to_vec2::<f32>()?.into_iter();
    Ok(rows
        .map(|row| row.into_iter().map(f64::from).collect())
        .collect())
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Gram-Schmidt, twice, which is enough (Kahan and Parlett). A row of which only rounding is left
/// after the rows before it, as in a weight of lower rank, becomes zero.
fn orthonormalise(rows: &mut Rows) {
    for at in 0..rows.len() {
        let (before, rest) = rows.split_at_mut(at);
        let row = &mut rest[0];
        for _ in 0..2 {
            let whole = dot(row, row).sqrt();
            for other in before.iter() {
                let share = dot(other, row);
                row.iter_mut().zip(other).for_each(|(v, o)| *v -= share * o);
            }
            let length = dot(row, row).sqrt();
            let factor = if length > NOTHING * whole {
                1.0 / length
            } else {
                0.0
            };
            row.iter_mut().for_each(|v| *v *= factor);
        }
    }
}

fn gram(rows: &Rows) -> Rows {
    rows.par_iter()
        .map(|row| rows.iter().map(|other| dot(row, other)).collect())
        .collect()
}

/// `turn` (k, k) times rows (k, n).
fn apply(turn: &Rows, rows: &Rows) -> Rows {
    let combine = |weights: &Vec<f64>| {
        let mut sum = vec![0.0; rows[0].len()];
        for (weight, row) in weights.iter().zip(rows) {
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += weight * v);
        }
        sum
    };
    turn.par_iter().map(combine).collect()
}

/// Eigenvalues of a symmetric matrix, the largest first, and their vectors as rows, by Jacobi's
/// rotations (Golub and Van Loan, 8.5).
fn eigenpairs(mut matrix: Rows) -> (Vec<f64>, Rows) {
    let n = matrix.len();
    let mut vectors: Rows = (0..n)
        .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    let size: f64 = (0..n).map(|i| matrix[i][i].abs()).sum();
    for _ in 0..60 {
        let mut rest = 0.0;
        for p in 0..n {
            for q in p + 1..n {
                rest += matrix[p][q].abs();
                rotate(&mut matrix, &mut vectors, p, q);
            }
        }
        if rest <= 1e-14 * size {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| matrix[j][j].total_cmp(&matrix[i][i]));
    let values = order.iter().map(|&i| matrix[i][i]).collect();
    (values, order.iter().map(|&i| vectors[i].clone()).collect())
}

/// Makes the entry (p, q) zero; rows of `vectors` turn with it.
fn rotate(matrix: &mut Rows, vectors: &mut Rows, p: usize, q: usize) {
    let off = matrix[p][q];
    if off == 0.0 {
        return;
    }
    let slope = (matrix[q][q] - matrix[p][p]) / (2.0 * off);
    let tangent = slope.signum() / (slope.abs() + (1.0 + slope * slope).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    let sine = tangent * cosine;
    for row in matrix.iter_mut() {
        let (x, y) = (row[p], row[q]);
        (row[p], row[q]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
    for rows in [matrix, vectors] {
        let (before, after) = rows.split_at_mut(q);
        for (x, y) in before[p].iter_mut().zip(&mut after[0]) {
            (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eigenvalues of the second difference of length n are 2 - 2 cos(k pi / (n + 1)).
    #[test]
    fn rotations_find_eigenvalues() {
        let n = 9;
        let entry = |i: usize, j: usize| match i.abs_diff(j) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        };
        let matrix: Rows = (0..n)
            .map(|i| (0..n).map(|j| entry(i, j)).collect())
            .collect();
        let (values, vectors) = eigenpairs(matrix.clone());
        for (k, (value, vector)) in (1..=n).rev().zip(values.iter().zip(&vectors)) {
            let angle = k as f64 * std::f64::consts::PI / (n + 1) as f64;
            assert!(
                (value - (2.0 - 2.0 * angle.cos())).abs() < 1e-12,
                "{k}: {value}"
            );
            for (row, v) in matrix.iter().zip(vector) {
                assert!((dot(row, vector) - value * v).abs() < 1e-12);
            }
        }
    }

    /// A weight of two directions: 3 e0 f1 and 2 e2 f0, and a small third.
    #[test]
    fn the_first_directions_of_a_weight_are_found() {
        let (out, inner) = (5, 40);
        let mut values = vec![0.0f32; out * inner];
        values[1] = 3.0;
        values[2 * inner] = -2.0;
        values[4 * inner + 7] = 0.5;
        let weight = Tensor::from_vec(values, (out, inner), &Device::Cpu).expect("a matrix");
        let weight = Weight::new(weight).expect("packs");
        let mut next = 1u32;
        let mut draw = |count: usize| {
            let mut one = || {
                next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                next as f32 / u32::MAX as f32 - 0.5
            };
            (0..count).map(|_| one()).collect()
        };
        let found = find(&weight, &Device::Cpu, 2, &mut draw).expect("finds");
        let near = |x: f64, y: f64| (x - y).abs() < 1e-5;
        assert!(
            near(found.values[0], 3.0) && near(found.values[1], 2.0),
            "{:?}",
            found.values
        );
        assert!(near(found.left[0][0] * found.right[0][1], 1.0));
        assert!(near(found.left[1][2] * found.right[1][0], -1.0));
        let many = find(&weight, &Device::Cpu, 6, &mut draw).map(|_| ());
        let message = many.expect_err("5 rows").to_string();
        assert!(
            message.contains("has no 6 principal directions"),
            "{message}"
        );
    }
}
