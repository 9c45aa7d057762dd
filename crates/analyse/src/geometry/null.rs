//! The null distribution of a measure: the items of one language are permuted, and the
//! share of permutations that reach the measure is its p-value, itself among them (Phipson &
//! Smyth 2010). One set of permutations serves all pairs of a layer. Never here: the measures.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::kernel::CkaKernel;

/// Permutations of layer `layer` are drawn from stream `STREAM + layer` of the seed.
const STREAM: u64 = 7 << 40;
/// Permutations whose gathered rows are used together, so that a row of every kernel is read
/// once for all of them.
const TOGETHER: usize = 16;
/// Kernels are multiplied in f32; a product this little below the value reaches it.
const NEAR: f64 = 4e-6;

/// Permutations of n items.
pub(super) struct Permutations {
    n: usize,
    /// (count, n)
    orders: Vec<u32>,
}

impl Permutations {
    pub(super) fn draw(seed: u64, layer: usize, count: usize, n: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(STREAM + layer as u64);
        let mut orders: Vec<u32> = (0..count).flat_map(|_| 0..n as u32).collect();
        orders
            .chunks_exact_mut(n)
            .for_each(|order| order.shuffle(&mut random));
        Self { n, orders }
    }

    /// The p-value of a statistic that `reached` of the permutations reach; `None` without
    /// permutations.
    pub(super) fn p(&self, reached: usize) -> Option<f64> {
        let count = self.orders.len() / self.n;
        (count > 0).then(|| (1 + reached) as f64 / (1 + count) as f64)
    }

    /// How many permutations `reaches` holds of.
    pub(super) fn count(&self, reaches: impl Fn(&[u32]) -> bool) -> usize {
        self.orders
            .chunks_exact(self.n)
            .filter(|order| reaches(order))
            .count()
    }
}

/// Two languages' kernels, by their places, with their CKA.
pub(super) struct KernelPair {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) cka: f64,
}

/// How many permutations of the second language's items reach each CKA. The norms do not change
/// with the order, so only inner products are taken again: a permuted row is gathered once for
/// all languages that are compared with it.
pub(super) fn count_kernels(
    kernels: &[Option<&CkaKernel>],
    asked: &[KernelPair],
    orders: &Permutations,
) -> Vec<usize> {
    let units: Vec<Vec<f32>> = kernels
        .iter()
        .map(|kernel| kernel.map_or_else(Vec::new, unit))
        .collect();
    let mut with: Vec<Vec<usize>> = vec![Vec::new(); kernels.len()];
    asked
        .iter()
        .enumerate()
        .for_each(|(at, pair)| with[pair.b].push(at));
    let n = orders.n;
    orders
        .orders
        .par_chunks(TOGETHER * n)
        .map(|orders| {
            let products = permuted_products(&units, asked, &with, orders, n);
            count_reaching(&products, asked)
        })
        .reduce(
            || vec![0; asked.len()],
            |sums, more| sums.iter().zip(&more).map(|(a, b)| a + b).collect(),
        )
}

/// The inner product of each pair of `asked` under each of `orders`: (orders, pairs). `with` lists,
/// by the second kernel, the pairs that it is in.
fn permuted_products(
    units: &[Vec<f32>],
    asked: &[KernelPair],
    with: &[Vec<usize>],
    orders: &[u32],
    n: usize,
) -> Vec<f64> {
    let orders: Vec<&[u32]> = orders.chunks_exact(n).collect();
    let mut products = vec![0.0_f64; orders.len() * asked.len()];
    let mut gathered = vec![0.0_f32; n];
    // both halves of a kernel are the same
    for row in 1..n {
        for (order, products) in orders.iter().zip(products.chunks_exact_mut(asked.len())) {
            for (b, with) in with.iter().enumerate().filter(|(_, with)| !with.is_empty()) {
                let permuted = &units[b][order[row] as usize * n..][..n];
                gathered
                    .iter_mut()
                    .zip(&order[..row])
                    .for_each(|(out, at)| *out = permuted[*at as usize]);
                for &at in with {
                    products[at] +=
                        2.0 * dot(&units[asked[at].a][row * n..][..row], &gathered[..row]);
                }
            }
        }
    }
    products
}

/// For each pair, how many of its products (orders, pairs) reach its CKA.
fn count_reaching(products: &[f64], asked: &[KernelPair]) -> Vec<usize> {
    let mut reached = vec![0; asked.len()];
    for products in products.chunks_exact(asked.len()) {
        for ((count, product), pair) in reached.iter_mut().zip(products).zip(asked) {
            *count += usize::from(*product >= pair.cka - NEAR);
        }
    }
    reached
}

/// A kernel of length 1: (n, n).
fn unit(kernel: &CkaKernel) -> Vec<f32> {
    let norm = kernel.norm();
    kernel
        .values
        .iter()
        .map(|value| (value / norm) as f32)
        .collect()
}

/// Sixteen sums side by side, in an order that the length alone decides.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0_f32; 16];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    f64::from(sums.iter().sum::<f32>() + rest)
}
