//! Speed of products with weights that stay quantised, beside the same in f32 and bf16: GFLOP/s,
//! best of several, forward and backward, at shapes of a model with 7 billion weights.
//! `cargo run --release -p lingualign-kernels --example block_products [ROWS,ROWS...]`;
//! LINGUALIGN_KERNELS and RAYON_NUM_THREADS as everywhere.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::Instant;

use half::bf16;
use kernels::{
    InstructionSet, Panels, force_instruction_set, instruction_set,
    linear::{self, FrozenGradient, FrozenProjection},
    quantised::{BlockBytes, BlockFormat, Blocks},
};

/// (out, in) of q, gate and down.
const SHAPES: [(usize, usize); 3] = [(4096, 4096), (14_336, 4096), (4096, 14_336)];

/// ggml's formats with the bytes of a block of so many values.
const FORMATS: [(BlockFormat, usize, usize); 5] = [
    (BlockFormat::Q4_1, 32, 20),
    (BlockFormat::Q8_0, 32, 34),
    (BlockFormat::Q4K, 256, 144),
    (BlockFormat::Q5K, 256, 176),
    (BlockFormat::Q6K, 256, 210),
];

fn main() {
    if let Ok(name) = std::env::var("LINGUALIGN_KERNELS") {
        force_instruction_set(InstructionSet::by_name(&name).expect("a set of kernels")).unwrap();
    }
    let rows = std::env::args().nth(1).unwrap_or("64,128".into());
    let rows: Vec<usize> = rows.split(',').map(|n| n.parse().unwrap()).collect();
    println!(
        "{} threads, {}; GFLOP/s forward / backward",
        rayon::current_num_threads(),
        instruction_set()
    );
    for (out, inner) in SHAPES {
        let values: Vec<f32> = (0..out * inner).map(|i| noise(i) * 0.1).collect();
        let rounded: Vec<bf16> = values.iter().map(|&v| bf16::from_f32(v)).collect();
        measure("f32", &Panels::from_f32(&values, out, inner), &rows);
        measure("bf16", &Panels::from_bf16(&rounded, out, inner), &rows);
        let nf4 = Blocks::quantise_nf4(&values, (out, inner)).unwrap();
        measure("nf4", &Panels::from_blocks(nf4), &rows);
        for (format, count, bytes) in FORMATS {
            let blocks = made_up(format, out * inner / count, bytes);
            let blocks =
                Blocks::from_ggml(format, BlockBytes::Owned(blocks), (out, inner), None).unwrap();
            measure(&format!("{format:?}"), &Panels::from_blocks(blocks), &rows);
        }
    }
}

/// Blocks of arbitrary codes; every f16 in them is small.
fn made_up(format: BlockFormat, count: usize, size: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..count * size)
        .map(|i| (noise(i) * 128.0) as i32 as u8)
        .collect();
    let scales: &[usize] = match format {
        BlockFormat::Q6K => &[208],
        BlockFormat::Q8_0 => &[0],
        _ => &[0, 2],
    };
    for block in bytes.chunks_mut(size) {
        for &at in scales {
            block[at..at + 2].copy_from_slice(&0x1400u16.to_le_bytes());
        }
    }
    bytes
}

/// In -1..1, the same every time.
fn noise(at: usize) -> f32 {
    (at as u32).wrapping_mul(2_654_435_761) as i32 as f32 / 2_147_483_648.0
}

fn measure(name: &str, weight: &Panels, rows: &[usize]) {
    let (out, inner) = (weight.out(), weight.inner());
    print!("({out:>6}, {inner:>6}) {name:>5}");
    for &rows in rows {
        let x: Vec<f32> = (0..rows * inner).map(noise).collect();
        let dy: Vec<f32> = (0..rows * out).map(noise).collect();
        let (projection, share) = (
            FrozenProjection {
                weight,
                bias: None,
                update: None,
            },
            FrozenGradient {
                dy: &dy,
                weight,
                update: None,
            },
        );
        let work = 2.0 * (rows * out * inner) as f64 / 1e9;
        let forward = work / best(|| drop(linear::forward(rows, &x, &[projection], None)));
        let backward = work / best(|| drop(linear::backward(rows, inner, &[share], None)));
        print!("  {rows:>4} rows {forward:>6.1} / {backward:>6.1}");
    }
    println!();
}

fn best(mut run: impl FnMut()) -> f64 {
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..6).map(|_| time(&mut run)).fold(f64::INFINITY, f64::min)
}
