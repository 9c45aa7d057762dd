//! Cosines between every item of one language and every item of another, and what is read off
//! them: the mean of the parallel ones, and retrieval by MEXA's rule (arXiv 2410.05873): an
//! item counts when its parallel's cosine is above every other in its row and its column. An
//! equal one is not above. Never here: CKA, lengths.

use faer::{Accum, MatMut, Par, linalg::matmul::matmul};

use super::{
    components::dot,
    jackknife::{JackknifeEstimate, Scale, mean},
    layer_space::LanguageCloud,
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
        let value = |at: usize| {
            let (row, column) = (at / n, at % n);
            let inner = self.inner[at] + self.of_a[row] + self.of_b[column] + self.means;
            inner / (a[row] * b[column])
        };
        Cosines {
            n,
            values: (0..n * n).map(value).collect(),
        }
    }

    /// Of the states with each language's mean taken out.
    pub(super) fn cosines_centred(&self) -> Cosines {
        let n = self.a.len();
        let [a, b] = [self.a, self.b].map(|cloud| roots((0..n).map(|item| cloud.square(item))));
        let value = |at: usize| self.inner[at] / (a[at / n] * b[at % n]);
        Cosines {
            n,
            values: (0..n * n).map(value).collect(),
        }
    }

    /// The mean of the parallel centred cosines. An item that is left out is left out of the
    /// means too.
    pub(super) fn centred_estimate(&self, cosines: &Cosines) -> Option<JackknifeEstimate> {
        let n = self.a.len();
        if !self.a.varies() || !self.b.varies() {
            return None;
        }
        // without item k, a deviation d is d + (the deviation of k) / (n - 1)
        let step = 1.0 / (n - 1) as f64;
        let mut sums = vec![0.0; n];
        for item in 0..n {
            let at = item * (n + 1);
            for (other, sum) in sums
                .iter_mut()
                .enumerate()
                .filter(|(other, _)| *other != item)
            {
                let (row, last) = (item * n + other, other * (n + 1));
                let moved = |parallel: f64, sides: f64, own: f64| {
                    parallel + step * sides + step * step * own
                };
                let both = self.inner[row] + self.inner[other * n + item];
                let ab = moved(self.inner[at], both, self.inner[last]);
                let aa = moved(
                    self.a.inner[at],
                    2.0 * self.a.inner[row],
                    self.a.inner[last],
                );
                let bb = moved(
                    self.b.inner[at],
                    2.0 * self.b.inner[row],
                    self.b.inner[last],
                );
                *sum += ab / (aa * bb).sqrt();
            }
        }
        let without = sums.iter().map(|sum| sum * step).collect();
        JackknifeEstimate::new(
            mean(&cosines.parallel()).clamp(-1.0, 1.0),
            without,
            Scale::Correlation,
        )
    }
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
        let nearest = self.mutually_nearest();
        let is_found = |item: usize| f64::from(u8::from(nearest[item] == item));
        let found: f64 = (0..n).map(is_found).sum();
        let without = (0..n)
            .map(|item| (found - is_found(item)) / (n - 1) as f64)
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
        let n = self.n;
        let is_above = |row: usize, column: usize| {
            let value = self.values[row * n + column];
            (0..n).all(|other| other == column || value > self.values[row * n + other])
                && (0..n).all(|other| other == row || value > self.values[other * n + column])
        };
        let largest = |row: usize| {
            (0..n).fold(0, |best, column| {
                if self.values[row * n + column] > self.values[row * n + best] {
                    column
                } else {
                    best
                }
            })
        };
        (0..n)
            .map(|row| {
                Some(largest(row))
                    .filter(|&column| is_above(row, column))
                    .unwrap_or(n)
            })
            .collect()
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
