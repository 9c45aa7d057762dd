//! Speed of every op at the shapes of a 135M model, beside the machine's ceilings, measured in
//! the same run. Products count operations, row-wise ops the bytes that they must read and
//! write. `cargo bench -p lingualign-model --bench ops`; how to read it: `bench/README.md`.
//! Never here: whole steps (`crates/train/examples/profile.rs`), other programs.

use std::{hint::black_box, time::Duration};

use candle_core::{DType, Device, Shape, Tensor};
use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use model::{
    InstructionSet, Result, Rows, Weight, instruction_set,
    ops::{
        add,
        attend::{self, Heads, LayerKv, Scores},
        cross_entropy, gated,
        glu::{self, GateActivation},
        linear::{self, Projected, Share},
        lora::{self, Dropout},
        rms_norm,
        rope::{self, Angles, RopePairs, Rotation},
        softmax,
    },
};
use rayon::prelude::*;

type Group<'a> = BenchmarkGroup<'a, WallTime>;
type Measure = fn(&mut Group<'_>);

/// N
const ROWS: usize = 1024;
/// E
const HIDDEN: usize = 576;
/// F
const MLP: usize = 1536;
/// V
const VOCAB: usize = 49_152;
/// R
const RANK: usize = 8;
const HEADS: Heads = Heads {
    query: 9,
    key_value: 3,
    size: 64,
    window: None,
    scores: Scores {
        scale: 0.125,
        soft_cap: None,
    },
};
/// G · D
const KEYS: usize = HEADS.key_value * HEADS.size;
/// Learnt rows that meet the head at once.
const LEARNT: usize = 256;
/// Questions of a batch: rows whose logits are asked for.
const QUESTIONS: usize = 32;
/// Elements of 8 bytes that a thread reads or copies at a time.
const PIECE: usize = 8192;
/// Independent sums of a thread: enough to hide a multiply-add's latency, few enough for AVX2's
/// 16 registers.
const SUMS: usize = 12;
/// Multiply-adds of each sum: about a millisecond, beside which waking the threads is little.
const TURNS: usize = 1 << 18;
/// Elements of a sum of the portable version: SSE's and NEON's register.
const LANES: usize = 4;
const PRECISIONS: [(&str, DType); 2] = [("f32", DType::F32), ("bf16", DType::BF16)];

/// The program's allocator, which keeps what it has: with another one, an op would be timed
/// with its result's page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
/// `mi_option_purge_delay`
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() {
    // SAFETY: nothing else runs yet; -1 is never.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(30)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let groups: [(&str, Measure); 11] = [
        ("ceiling", measure_ceiling),
        ("linear", measure_linear),
        ("gated", measure_gated),
        ("lora", measure_lora),
        ("attend", measure_attend),
        ("cross_entropy", measure_cross_entropy),
        ("rms_norm", measure_rms_norm),
        ("rope", measure_rope),
        ("glu", measure_glu),
        ("softmax", measure_softmax),
        ("add", measure_add),
    ];
    for (name, measure) in groups {
        let mut group = criterion.benchmark_group(name);
        measure(&mut group);
        group.finish();
    }
    criterion.final_summary();
}

/// What the ops are read against. For products: multiply-adds whose operands never leave the
/// registers, by the kernels' own instructions, so that a product's distance from it is what
/// its loads, packing and threads cost; a product of small operands would be measured with the
/// very kernel that is judged. For row-wise ops: a copy, of rows as an op has them, which stay
/// in a cache between calls, and of more than most caches hold.
fn measure_ceiling(group: &mut Group<'_>) {
    let set = instruction_set();
    let mut best = vec![("f32", set.min(InstructionSet::Avx512))];
    if set == InstructionSet::Avx512Bf16 {
        best.push(("bf16", set));
    }
    for (precision, set) in best {
        let work = rayon::current_num_threads() * operations(set);
        group.throughput(Throughput::Elements(work as u64));
        group.bench_function(format!("multiply_add/{precision}/{set}"), |bencher| {
            bencher.iter(|| rayon::broadcast(|_| multiply_add(set)))
        });
    }
    for (name, bytes) in [
        ("NxE", 4 * ROWS * HIDDEN),
        ("NxF", 4 * ROWS * MLP),
        ("256MiB", 256 << 20),
    ] {
        // Filled by all threads, so that each page is near one of them.
        let [source, mut copy] = [0, 1].map(|first| {
            (0..bytes / 8)
                .into_par_iter()
                .map(|i| i + first)
                .collect::<Vec<_>>()
        });
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("read/{name}"), |bencher| {
            bencher.iter(|| sum(&source))
        });
        group.throughput(Throughput::Bytes(2 * bytes as u64));
        group.bench_function(format!("copy/{name}"), |bencher| {
            bencher.iter(|| {
                let pieces = copy.par_chunks_mut(PIECE).zip(source.par_chunks(PIECE));
                pieces.for_each(|(copy, source)| copy.copy_from_slice(source));
            })
        });
    }
}

/// Of integers: the compiler may sum them in any order, and so by vectors.
fn sum(values: &[usize]) -> usize {
    values
        .par_chunks(PIECE)
        .map(|piece| {
            piece
                .iter()
                .fold(0, |sum: usize, &value| sum.wrapping_add(value))
        })
        .sum()
}

fn measure_linear(group: &mut Group<'_>) {
    // q and o, k and v, gate and up, down: (out, in).
    for (out, inner) in [
        (HIDDEN, HIDDEN),
        (KEYS, HIDDEN),
        (MLP, HIDDEN),
        (HIDDEN, MLP),
    ] {
        let (x, dy) = (uniform((ROWS, inner)), uniform((ROWS, out)));
        for (precision, dtype) in PRECISIONS {
            let weight = weight((out, inner), dtype);
            let work = 2 * ROWS * inner * out;
            let name = |way: &str| format!("{way}/{precision}/{out}x{inner}");
            time_product(group, &name("forward"), work, || {
                linear::forward(&x, &weight, None)
            });
            time_product(group, &name("backward"), work, || {
                linear::backward(&dy, &weight)
            });
        }
    }
    let x = uniform((QUESTIONS, HIDDEN));
    for (precision, dtype) in PRECISIONS {
        let head = weight((VOCAB, HIDDEN), dtype);
        let work = 2 * QUESTIONS * HIDDEN * VOCAB;
        let name = format!("forward/{precision}/{VOCAB}x{HIDDEN}/{QUESTIONS}_rows");
        time_product(group, &name, work, || linear::forward(&x, &head, None));
    }
}

fn measure_gated(group: &mut Group<'_>) {
    let (x, dy) = (uniform((ROWS, HIDDEN)), uniform((ROWS, HIDDEN)));
    let (gate_rows, up_rows) = (uniform((ROWS, MLP)), uniform((ROWS, MLP)));
    for (precision, dtype) in PRECISIONS {
        let [gate, up] = [(); 2].map(|()| weight((MLP, HIDDEN), dtype));
        let down = weight((HIDDEN, MLP), dtype);
        let plain = |weight| Projected {
            weight,
            bias: None,
            update: None,
        };
        let work = 2 * ROWS * HIDDEN * MLP;
        time_product(group, &format!("forward/{precision}"), 2 * work, || {
            gated::forward(GateActivation::Silu, &x, &plain(&gate), &plain(&up), true)
        });
        let share = Share {
            dy: &dy,
            weight: &down,
            update: None,
        };
        time_product(group, &format!("backward/{precision}"), work, || {
            gated::backward(GateActivation::Silu, &share, &gate_rows, &up_rows)
        });
    }
}

fn measure_lora(group: &mut Group<'_>) {
    let (x, dy) = (uniform((ROWS, HIDDEN)), uniform((ROWS, HIDDEN)));
    let (a, b) = (uniform((RANK, HIDDEN)), uniform((HIDDEN, RANK)));
    let (low, d_low) = (uniform((ROWS, RANK)), uniform((ROWS, RANK)));
    let work = 2 * ROWS * HIDDEN * RANK;
    time_product(group, "forward", work, || lora::forward(&x, &a, 2.0));
    time_product(group, "backward_low", work, || {
        lora::backward_low(&dy, &b, 2.0)
    });
    time_product(group, "backward", 2 * work, || {
        lora::backward(&x, &low, &d_low, &dy)
    });
    time_product(group, "raise", work, || lora::raise(&d_low, &a));
    let dropout = Dropout {
        share: 0.1,
        seed: 1,
    };
    time_pass(group, "dropout", 2 * ROWS * HIDDEN, || dropout.apply(&x));
}

fn measure_attend(group: &mut Group<'_>) {
    let parts = |rows: &Rows| {
        let n = rows.len();
        [
            uniform((n, HEADS.query * HEADS.size)),
            uniform((n, KEYS)),
            uniform((n, KEYS)),
        ]
    };
    let rows = Rows::new([64; 16], 0);
    let [q, k, v] = parts(&rows);
    let (out, saved) = attend::forward(&HEADS, &rows, &q, &k, &v, None).expect("attend");
    let work = 4 * visible_elements(&rows);
    time_product(group, "forward/16_of_64", work, || {
        attend::forward(&HEADS, &rows, &q, &k, &v, None)
    });
    // Scores again, and the gradients of weights, queries, keys and values: five products for
    // the forward's two.
    time_product(group, "backward/16_of_64", work / 2 * 5, || {
        attend::backward(&HEADS, &rows, &q, &k, &v, &saved, &out)
    });

    let rows = Rows::new([62; QUESTIONS], 391);
    let [q, k, v] = parts(&rows);
    let mut prefix = LayerKv::new(
        uniform((rows.prefix(), KEYS)),
        uniform((rows.prefix(), KEYS)),
    );
    prefix.pack(&HEADS).expect("packed");
    let work = 4 * visible_elements(&rows);
    time_product(group, "forward/32_of_62_after_391", work, || {
        attend::forward(&HEADS, &rows, &q, &k, &v, Some(&prefix))
    });
}

/// Pairs of a row and a key that it sees, times the heads' width: what one of attention's
/// products multiplies.
fn visible_elements(rows: &Rows) -> usize {
    let pairs: usize = rows.positions().iter().map(|&position| position + 1).sum();
    pairs * HEADS.query * HEADS.size
}

fn measure_cross_entropy(group: &mut Group<'_>) {
    let hidden = uniform((LEARNT, HIDDEN));
    let targets: Vec<u32> = (0..LEARNT).map(|row| (row * 191 % VOCAB) as u32).collect();
    for (precision, dtype) in PRECISIONS {
        let head = weight((VOCAB, HIDDEN), dtype);
        let work = 2 * LEARNT * HIDDEN * VOCAB;
        for (name, with_gradient) in [("loss", false), ("loss_and_gradient", true)] {
            let work = if with_gradient { 2 * work } else { work };
            time_product(group, &format!("{name}/{precision}"), work, || {
                cross_entropy::forward_backward(&hidden, &head, &targets, with_gradient)
            });
        }
    }
}

fn measure_rms_norm(group: &mut Group<'_>) {
    let [x, dy, start] = [(); 3].map(|()| uniform((ROWS, HIDDEN)));
    let (weight, eps) = (uniform(HIDDEN), 1e-5);
    time_pass(group, "forward", 2 * ROWS * HIDDEN, || {
        rms_norm::forward(&x, &weight, eps)
    });
    time_pass(group, "backward", 4 * ROWS * HIDDEN, || {
        rms_norm::backward(&x, &weight, eps, &dy, Some(&start))
    });
}

fn measure_rope(group: &mut Group<'_>) {
    let half = HEADS.size / 2;
    let angles = Angles {
        cos: uniform((ROWS, half)),
        sin: uniform((ROWS, half)),
        size: 2 * half,
        pairs: RopePairs::Halves,
    };
    for (name, width) in [("queries", HEADS.query * HEADS.size), ("keys", KEYS)] {
        let x = uniform((ROWS, width));
        time_pass(group, name, 2 * ROWS * (width + half), || {
            rope::rotate(&x, &angles, Rotation::Forward)
        });
    }
}

fn measure_glu(group: &mut Group<'_>) {
    let [gate, up, dy] = [(); 3].map(|()| uniform((ROWS, MLP)));
    time_pass(group, "forward", 3 * ROWS * MLP, || {
        glu::forward(GateActivation::Silu, &gate, &up)
    });
    time_pass(group, "backward", 5 * ROWS * MLP, || {
        glu::backward(GateActivation::Silu, &gate, &up, &dy)
    });
}

fn measure_softmax(group: &mut Group<'_>) {
    let logits = uniform((QUESTIONS, VOCAB));
    time_pass(group, "softmax", 2 * QUESTIONS * VOCAB, || {
        softmax::softmax(&logits)
    });
    time_pass(group, "log_softmax", 2 * QUESTIONS * VOCAB, || {
        softmax::log_softmax(&logits)
    });
}

fn measure_add(group: &mut Group<'_>) {
    let [a, b] = [(); 2].map(|()| uniform((ROWS, HIDDEN)));
    time_pass(group, "forward", 3 * ROWS * HIDDEN, || add::forward(&a, &b));
}

/// Times an op that multiplies and adds `work` times in products; freeing its result counts.
fn time_product<T>(
    group: &mut Group<'_>,
    name: &str,
    work: usize,
    mut run: impl FnMut() -> Result<T>,
) {
    group.throughput(Throughput::Elements(work as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| run().expect("shapes that fit"))
    });
}

/// Times an op that reads and writes `elements` f32, each input and output once; freeing its
/// result counts.
fn time_pass<T>(
    group: &mut Group<'_>,
    name: &str,
    elements: usize,
    mut run: impl FnMut() -> Result<T>,
) {
    group.throughput(Throughput::Bytes(4 * elements as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| run().expect("shapes that fit"))
    });
}

/// Values in [-1, 1).
fn uniform(shape: impl Into<Shape>) -> Tensor {
    Tensor::rand(-1f32, 1.0, shape, &Device::Cpu).expect("values")
}

fn weight(shape: (usize, usize), dtype: DType) -> Weight {
    let values = uniform(shape).to_dtype(dtype).expect("the precision");
    Weight::new(values).expect("packed")
}

/// Operations of one thread's [`multiply_add`].
fn operations(set: InstructionSet) -> usize {
    let lanes = match set {
        InstructionSet::Portable | InstructionSet::Neon => LANES,
        InstructionSet::Avx2 => 8,
        InstructionSet::Avx512 => 16,
        InstructionSet::Avx512Bf16 => 32,
    };
    2 * lanes * SUMS * TURNS
}

fn multiply_add(set: InstructionSet) {
    match set {
        // SAFETY: the caller's set is one that this processor has.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { x86::avx2() },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { x86::avx512() },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512Bf16 => unsafe { x86::avx512_bf16() },
        _ => multiply_add_portable(),
    }
}

/// As the portable kernel: fused only where the target has it in hardware.
fn multiply_add_portable() {
    let mut sums: [[f32; LANES]; SUMS] = std::array::from_fn(|i| [i as f32; LANES]);
    let (factor, addend) = black_box((0.5f32, 0.25f32));
    for _ in 0..TURNS {
        for sum in sums.as_flattened_mut() {
            let fused = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
            *sum = if fused {
                sum.mul_add(factor, addend)
            } else {
                *sum * factor + addend
            };
        }
    }
    black_box(sums);
}

/// Sums start apart, or the compiler would keep one for all; none overflows.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{arch::x86_64::*, hint::black_box};

    use super::{SUMS, TURNS};

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2() {
        let mut sums = [_mm256_setzero_ps(); SUMS];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm256_set1_ps(i as f32);
        }
        let (factor, addend) = (
            _mm256_set1_ps(black_box(0.5)),
            _mm256_set1_ps(black_box(0.25)),
        );
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, addend);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn avx512() {
        let mut sums = [_mm512_setzero_ps(); SUMS];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_set1_ps(i as f32);
        }
        let (factor, addend) = (
            _mm512_set1_ps(black_box(0.5)),
            _mm512_set1_ps(black_box(0.25)),
        );
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, addend);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn avx512_bf16() {
        let mut sums = [_mm512_setzero_ps(); SUMS];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_set1_ps(i as f32);
        }
        let (a, b) = (
            _mm512_set1_ps(black_box(0.5)),
            _mm512_set1_ps(black_box(0.25)),
        );
        let (a, b) = (_mm512_cvtne2ps_pbh(a, a), _mm512_cvtne2ps_pbh(b, b));
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, a, b);
            }
        }
        black_box(sums);
    }
}
