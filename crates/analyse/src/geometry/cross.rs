//! Cosines between every item of one language and every item of another, and what is read off
//! them: the mean of the parallel ones, and retrieval by MEXA's rule (arXiv 2410.05873): an
//! item counts when its parallel's cosine is above every other in its row and its column. An
//! equal one is not above. Never here: CKA, lengths.

use faer::{Accum, MatMut, Par, linalg::matmul::matmul};

use super::{
    cloud::LanguageCloud,
    jackknife::{JackknifeEstimate, Scale},
    vector::{dot, mean},
};

/// Inner products of two languages' deviations, and what the means add to those of the states
/// themselves.
pub(super) struct Cross<'a> {
    a: &'a LanguageCloud,
    b: &'a LanguageCloud,
    /// (n, n), the rows are items of `a`.
    inner: Vec<f64>,
    /// (n), each deviation of `a` with the mean of `b`.
    of_a: Vec<f64>,
    of_b: Vec<f64>,
    means: f64,
}

/// Cosines of every item of one language (rows) with every item of another.
pub(super) struct Cosines {
    n: usize,
    /// (n, n)
    pub(super) values: Vec<f64>,
}

impl<'a> Cross<'a> {
    pub(super) fn new(a: &'a LanguageCloud, b: &'a LanguageCloud) -> Self {
        let n = a.len();
        let mut inner = vec![0.0; n * n];
        let out = MatMut::from_row_major_slice_mut(&mut inner, n, n);
        matmul(
            out,
            Accum::Replace,
            a.matrix(),
            b.matrix().transpose(),
            1.0,
            Par::Seq,
        );
        let of_a = a.rows().map(|row| dot(row, &b.mean)).collect();
        let of_b = b.rows().map(|row| dot(row, &a.mean)).collect();
        Self {
            inner,
            of_a,
            of_b,
            means: dot(&a.mean, &b.mean),
            a,
            b,
        }
    }

    /// Of the states themselves.
    pub(super) fn cosines(&self) -> Cosines {
        let n = self.a.len();
        let [a, b] = [self.a, self.b].map(|cloud| roots(cloud.squares.iter().copied()));
        let values = (0..n * n).map(|at| {
            let (row, column) = (at / n, at % n);
            let inner = self.inner[at] + self.of_a[row] + self.of_b[column] + self.means;
            inner / (a[row] * b[column])
        });
        Cosines {
            n,
            values: values.collect(),
        }
    }

    /// Of the states with each language's mean taken out.
    pub(super) fn cosines_centred(&self) -> Cosines {
        let n = self.a.len();
        let [a, b] = [self.a, self.b].map(|cloud| roots((0..n).map(|item| cloud.square(item))));
        Cosines {
            n,
            values: (0..n * n)
                .map(|at| self.inner[at] / (a[at / n] * b[at % n]))
                .collect(),
        }
    }

    /// The centred cosine of a parallel item, with another item left out of the means.
    fn cosine_without(&self, left_out: usize, item: usize) -> f64 {
        let n = self.a.len();
        let ab = product_without(&self.inner, n, item, left_out);
        let aa = product_without(&self.a.inner, n, item, left_out);
        let bb = product_without(&self.b.inner, n, item, left_out);
        ab / (aa * bb).sqrt()
    }

    /// The mean of the parallel centred cosines. An item that is left out is left out of the
    /// means too.
    pub(super) fn centred_estimate(&self, cosines: &Cosines) -> Option<JackknifeEstimate> {
        let n = self.a.len();
        if !self.a.varies() || !self.b.varies() {
            return None;
        }
        let mut sums = vec![0.0; n];
        for item in 0..n {
            for (other, sum) in sums
                .iter_mut()
                .enumerate()
                .filter(|(other, _)| *other != item)
            {
                *sum += self.cosine_without(other, item);
            }
        }
        let without = sums
            .iter()
            .map(|sum| sum * (1.0 / (n - 1) as f64))
            .collect();
        JackknifeEstimate::new(
            mean(&cosines.parallel()).clamp(-1.0, 1.0),
            without,
            Scale::Correlation,
        )
    }
}

/// One entry of a matrix of inner products (n, n) of deviations, at (`item`, `item`), once the item
/// `left_out` is left out of the mean: a deviation d is then d + (the deviation left out) / (n -
/// 1).
fn product_without(inner: &[f64], n: usize, item: usize, left_out: usize) -> f64 {
    let step = 1.0 / (n - 1) as f64;
    let sides = inner[item * n + left_out] + inner[left_out * n + item];
    inner[item * (n + 1)] + step * sides + step * step * inner[left_out * (n + 1)]
}

impl Cosines {
    /// (n), of the parallel items.
    pub(super) fn parallel(&self) -> Vec<f64> {
        (0..self.n)
            .map(|item| self.values[item * (self.n + 1)])
            .collect()
    }

    /// The mean over items that are not parallel.
    pub(super) fn mean_of_others(&self) -> f64 {
        let all: f64 = self
            .values
            .chunks_exact(self.n)
            .map(|row| row.iter().sum::<f64>())
            .sum();
        (all - self.parallel().iter().sum::<f64>()) / (self.n * (self.n - 1)) as f64
    }

    /// The mean of the parallel cosines.
    pub(super) fn estimate(&self) -> Option<JackknifeEstimate> {
        let parallel = self.parallel();
        let sum: f64 = parallel.iter().sum();
        let without = parallel
            .iter()
            .map(|cosine| (sum - cosine) / (self.n - 1) as f64)
            .collect();
        JackknifeEstimate::new(
            mean(&parallel).clamp(-1.0, 1.0),
            without,
            Scale::Correlation,
        )
    }

    /// The share of items that are found. An item is left out with its rivals held: their
    /// coming and going, too, would be seen twice, by the item and by those that it kept from
    /// being found, and the jackknife's error is then half too large.
    pub(super) fn retrieval(&self) -> Option<JackknifeEstimate> {
        let n = self.n;
        let is_found: Vec<f64> = self
            .mutually_nearest()
            .iter()
            .enumerate()
            .map(|(item, nearest)| f64::from(u8::from(*nearest == item)))
            .collect();
        let found: f64 = is_found.iter().sum();
        let without = is_found
            .iter()
            .map(|is_found| (found - is_found) / (n - 1) as f64)
            .collect();
        let defined = self.values.iter().all(|cosine| cosine.is_finite());
        JackknifeEstimate::new(
            if defined { found / n as f64 } else { f64::NAN },
            without,
            Scale::Share,
        )
    }

    /// For each row, the column in which its cosine is above every other of row and column; n
    /// where there is none.
    pub(super) fn mutually_nearest(&self) -> Vec<usize> {
        (0..self.n)
            .map(|row| {
                let column = self.largest_in(row);
                if self.is_above_others(row, column) {
                    column
                } else {
                    self.n
                }
            })
            .collect()
    }

    /// The column of a row's largest cosine; of equal ones the first.
    fn largest_in(&self, row: usize) -> usize {
        let row = &self.values[row * self.n..(row + 1) * self.n];
        (0..self.n).fold(0, |best, column| {
            if row[column] > row[best] {
                column
            } else {
                best
            }
        })
    }

    /// Whether a cosine is above every other in its row and its column.
    fn is_above_others(&self, row: usize, column: usize) -> bool {
        let n = self.n;
        let value = self.values[row * n + column];
        (0..n).all(|other| other == column || value > self.values[row * n + other])
            && (0..n).all(|other| other == row || value > self.values[other * n + column])
    }
}

fn roots(squares: impl Iterator<Item = f64>) -> Vec<f64> {
    squares.map(f64::sqrt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In its column another row's cosine is the same.
    #[test]
    fn an_equal_one_is_not_above() {
        assert_eq!(
            Cosines {
                n: 2,
                values: vec![0.9, 0.1, 0.9, 0.95]
            }
            .mutually_nearest(),
            [2, 1]
        );
        assert_eq!(
            Cosines {
                n: 2,
                values: vec![0.9, 0.9, 0.1, 0.95]
            }
            .mutually_nearest(),
            [2, 1]
        );
        assert_eq!(
            Cosines {
                n: 2,
                values: vec![0.9, 0.1, 0.8, 0.95]
            }
            .mutually_nearest(),
            [0, 1]
        );
    }
}
