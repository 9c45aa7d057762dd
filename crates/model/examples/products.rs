//! Speed of the frozen product x Wᵀ and of dy W beside the `gemm` crate, at the shapes of a
//! 135M model: GFLOP/s, best of several. `cargo run --release -p lingualign-model --example
//! products [ROWS]`. LINGUALIGN_KERNELS limits ours; the crate keeps to AVX2 where the workspace's
//! `gemm` is built without `x86-v4`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::Instant;

use candle_core::{Device, Tensor};
use model::{Weight, ops::linear};

/// The program's allocator, which keeps what it has: with another one, ours would wait for fresh
/// pages of its output each time, which the crate is given.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
/// `mi_option_purge_delay`
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// (out, in) of q, k, gate, down, head.
const SHAPES: [(usize, usize); 5] = [
    (576, 576),
    (192, 576),
    (1536, 576),
    (576, 1536),
    (49_152, 576),
];

fn main() {
    // SAFETY: nothing else runs yet; -1 is never.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    if let Ok(name) = std::env::var("LINGUALIGN_KERNELS") {
        let set = model::InstructionSet::by_name(&name).expect("a set of kernels");
        model::force_instruction_set(set).expect("a set that the processor has");
    }
    let rows: usize = std::env::args().nth(1).map_or(1024, |n| n.parse().unwrap());
    println!(
        "{} rows, {} threads, {}",
        rows,
        rayon::current_num_threads(),
        model::instruction_set()
    );
    for (out, inner) in SHAPES {
        let rows = if out > 10_000 { rows.min(192) } else { rows };
        let x = Tensor::randn(0f32, 1.0, (rows, inner), &Device::Cpu).unwrap();
        let dy = Tensor::randn(0f32, 1.0, (rows, out), &Device::Cpu).unwrap();
        let weight = Tensor::randn(0f32, 1.0, (out, inner), &Device::Cpu).unwrap();
        let work = 2.0 * (rows * out * inner) as f64 / 1e9;
        let packed = Weight::new(weight.clone()).unwrap();
        let ours = work / best(|| drop(linear::forward(&x, &packed, None).unwrap()));
        let back = work / best(|| drop(linear::backward(&dy, &packed).unwrap()));
        let (xs, ws) = (flat(&x), flat(&weight));
        let mut y = vec![0f32; rows * out];
        let crate_forward = work / best(|| product(&mut y, &xs, &ws, (rows, out, inner)));
        let (dys, mut dx) = (flat(&dy), vec![0f32; rows * inner]);
        let crate_backward = work / best(|| gradient(&mut dx, &dys, &ws, (rows, out, inner)));
        println!(
            "({out:>6}, {inner:>4})  forward {ours:>6.1}  backward {back:>6.1}  gemm crate {crate_forward:>6.1}, {crate_backward:>6.1}"
        );
        let off = neighbours(&xs, &ws, (rows, out, inner));
        println!(
            "                  a row of the gemm crate's product changes with its neighbours by up to {off:e}"
        );
    }
}

/// Largest difference between a row of the crate's product alone or among a few, and among all:
/// 0 where it never depends on them.
fn neighbours(xs: &[f32], ws: &[f32], (rows, out, inner): (usize, usize, usize)) -> f32 {
    let mut all = vec![0f32; rows * out];
    product(&mut all, xs, ws, (rows, out, inner));
    let few = |count: usize| {
        let mut part = vec![0f32; count * out];
        product(&mut part, xs, ws, (count, out, inner));
        part.iter()
            .zip(&all)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    };
    [1, 2, 7, 33, 100].into_iter().map(few).fold(0.0, f32::max)
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn best(mut run: impl FnMut()) -> f64 {
    run();
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..15)
        .map(|_| time(&mut run))
        .fold(f64::INFINITY, f64::min)
}

/// y (rows, out) = x (rows, in) w (out, in)ᵀ by the general crate, all cores.
fn product(y: &mut [f32], x: &[f32], w: &[f32], (rows, out, inner): (usize, usize, usize)) {
    general(y, x, (w, inner, 1), (rows, out, inner));
}

/// dx (rows, in) = dy (rows, out) w (out, in) by the general crate, all cores.
fn gradient(dx: &mut [f32], dy: &[f32], w: &[f32], (rows, out, inner): (usize, usize, usize)) {
    general(dx, dy, (w, 1, inner), (rows, inner, out));
}

/// y (rows, cols) = x (rows, depth) r (depth, cols), the distances of r's columns and rows given.
fn general(
    y: &mut [f32],
    x: &[f32],
    (right, column_stride, row_stride): (&[f32], usize, usize),
    (rows, cols, depth): (usize, usize, usize),
) {
    // SAFETY: the three slices are as long as the shapes and strides say.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            depth,
            y.as_mut_ptr(),
            1,
            cols as isize,
            false,
            x.as_ptr(),
            1,
            depth as isize,
            right.as_ptr(),
            column_stride as isize,
            row_stride as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}
