//! Debiased linear CKA (Kornblith et al. 2019, arXiv 1905.00414, with the unbiased HSIC of Song
//! et al. 2012, as in Nguyen et al. 2021, arXiv 2010.15327): the cosine of two U-centred
//! matrices of inner products. The plain form grows with E / n for states that have nothing in
//! common. Never here: which languages.

use super::{
    jackknife::{JackknifeEstimate, Scale},
    vector::{cosine, dot},
};

/// The U-centred inner products of one language's states (Székely & Rizzo 2014): zero on the
/// diagonal, zero row sums.
#[derive(Debug)]
pub(super) struct CkaKernel {
    n: usize,
    /// (n, n)
    pub(super) values: Vec<f64>,
    products: KernelProducts,
}

/// Inner products of two kernels.
#[derive(Debug)]
struct KernelProducts {
    total: f64,
    /// (n), what each row adds to the total.
    rows: Vec<f64>,
}

impl CkaKernel {
    /// Of inner products (n, n), n at least 4. A constant added to all states changes nothing.
    pub(super) fn new(inner: &[f64], n: usize) -> Self {
        let sums: Vec<f64> = inner
            .chunks_exact(n)
            .enumerate()
            .map(|(row, products)| products.iter().sum::<f64>() - products[row])
            .collect();
        let total = sums.iter().sum::<f64>() / ((n - 1) * (n - 2)) as f64;
        let share: Vec<f64> = sums.iter().map(|sum| sum / (n - 2) as f64).collect();
        let mut values = inner.to_vec();
        for (row, values) in values.chunks_exact_mut(n).enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                *value = if row == column {
                    0.0
                } else {
                    *value - share[row] - share[column] + total
                };
            }
        }
        Self {
            n,
            products: KernelProducts::new(&values, &values, n),
            values,
        }
    }

    /// The square root of its inner product with itself.
    pub(super) fn norm(&self) -> f64 {
        self.products.total.sqrt()
    }
}

/// Debiased CKA and what it is without each item. Leaving out an item of a U-centred matrix and
/// centring again takes `2 (n - 2) / (n - 3)` of the item's row out of an inner product, since
/// its rows sum to zero; so all n are O(n²) together.
pub(super) fn cka(a: &CkaKernel, b: &CkaKernel) -> Option<JackknifeEstimate> {
    let n = a.n;
    let both = KernelProducts::new(&a.values, &b.values, n);
    let each = (0..n).map(|item| {
        cosine(
            both.without(item),
            a.products.without(item),
            b.products.without(item),
        )
    });
    let value = cosine(both.total, a.products.total, b.products.total);
    JackknifeEstimate::new(value, each.collect(), Scale::Correlation)
}

impl KernelProducts {
    fn new(a: &[f64], b: &[f64], n: usize) -> Self {
        let rows: Vec<f64> = a
            .chunks_exact(n)
            .zip(b.chunks_exact(n))
            .map(|(a, b)| dot(a, b))
            .collect();
        Self {
            total: rows.iter().sum(),
            rows,
        }
    }

    /// The total once `item` is left out and the kernels are centred again.
    fn without(&self, item: usize) -> f64 {
        let n = self.rows.len();
        let taken = 2.0 * (n - 2) as f64 / (n - 3) as f64;
        self.total - taken * self.rows[item]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inner products of `n` states of width 3, all but the item `but`.
    fn inner(seed: u64, but: usize) -> (Vec<f64>, usize) {
        let value = |at: u64| ((at * at + 7 * seed * at + seed) % 23) as f64 - 11.0;
        let states: Vec<[f64; 3]> = (0..9)
            .filter(|&item| item != but)
            .map(|item| [0, 1, 2].map(|d| value(3 * item as u64 + d)))
            .collect();
        let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        (
            states
                .iter()
                .flat_map(|a| states.iter().map(move |b| dot(a, b)))
                .collect(),
            states.len(),
        )
    }

    fn value(but: usize) -> f64 {
        let [a, b] = [1, 5].map(|seed| inner(seed, but));
        cka(&CkaKernel::new(&a.0, a.1), &CkaKernel::new(&b.0, b.1))
            .expect("defined")
            .value()
    }

    #[test]
    fn rows_of_a_centred_matrix_sum_to_zero() {
        let (inner, n) = inner(1, 99);
        for row in CkaKernel::new(&inner, n).values.chunks_exact(n) {
            assert!(row.iter().sum::<f64>().abs() < 1e-10, "{row:?}");
        }
    }

    #[test]
    fn leaving_an_item_out_is_doing_it_again_without() {
        let [a, b] = [1, 5].map(|seed| inner(seed, 99));
        let whole = cka(&CkaKernel::new(&a.0, a.1), &CkaKernel::new(&b.0, b.1)).expect("defined");
        let again = JackknifeEstimate::new(
            whole.value(),
            (0..9).map(value).collect(),
            Scale::Correlation,
        )
        .expect("defined");
        let ((low, high), (expected_low, expected_high)) = (whole.interval(), again.interval());
        assert!((low - expected_low).abs() < 1e-12 && (high - expected_high).abs() < 1e-12);
        assert!(high - low > 0.1);
    }
}
