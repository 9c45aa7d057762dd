//! Shared by the tests that guard `model::NUMERICS`: runs a computation with every instruction
//! set of the processor and compares all bits of its result with those that are known.
//!
//! Kernels make no use of the mathematical library but for a few logarithms, powers and angles,
//! whose last bit differs between libraries and their versions. Where these functions give other
//! bits than where the hashes were made, the hashes cannot hold: there the size of the result is
//! compared, to five digits.
// What is printed is shown where a test fails.
#![allow(clippy::print_stdout)]

use std::hint::black_box;

use model::InstructionSet;
use schema::task::Precision;

/// The number of `model::NUMERICS` that the hashes of both tests belong to.
const NUMERICS: &str = "5";

/// [`hash_library`] where the hashes were made (glibc 2.36 on x86-64 with FMA).
const LIBRARY: u64 = 0xce74_6fe6_44aa_3f31;

/// Fails unless `compute` gives the `known` numbers for every instruction set that this processor
/// has. A line is `<instruction set> <precision>: <hash>, <size>`: FNV-1a over the bits of all
/// values, and the root of their mean square.
pub(crate) fn check_numbers(what: &str, known: &str, compute: impl Fn(Precision) -> Vec<f64>) {
    assert_eq!(
        model::NUMERICS,
        NUMERICS,
        "model::NUMERICS was raised: write it here, and the numbers that the tests print there"
    );
    let library = hash_library();
    println!("functions of the mathematical library: {library:#018x}");
    let mut changed = Vec::new();
    for line in known.lines() {
        let (case, expected) = line.split_once(": ").expect("a case");
        let (set, precision) = case.split_once(' ').expect("a set and a precision");
        let set = InstructionSet::by_name(set).expect("a set");
        if !set.is_available() {
            continue;
        }
        model::force_instruction_set(set).expect("is available");
        let values = compute(precision.parse().expect("a precision"));
        let size = root_mean_square(&values);
        let found = format!("{:#018x}, {size:.9e}", hash_bits(&values));
        println!("{case}: {found}");
        let (_, known_size) = expected.split_once(", ").expect("a hash and a size");
        let known_size: f64 = known_size.parse().expect("a number");
        let is_near = (size - known_size).abs() <= 1e-5 * known_size;
        if !is_near || (library == LIBRARY && found != expected) {
            changed.push(case);
        }
    }
    assert!(
        changed.is_empty(),
        "{what}: the numbers changed: raise NUMERICS (crates/model/src/lib.rs), and write what is \
         printed above into this test; changed are: {}",
        changed.join(", ")
    );
}

fn hash_bits(values: &[f64]) -> u64 {
    values
        .iter()
        .flat_map(|value| value.to_bits().to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

fn root_mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}

/// The bits of the functions that the program takes from the mathematical library.
fn hash_library() -> u64 {
    let mut values = Vec::new();
    for step in 1..4000_u16 {
        let x = black_box(f64::from(step) * 0.0173);
        let narrow = black_box(x as f32);
        values.extend([
            x.ln(),
            (-x).exp(),
            x.sin(),
            x.cos(),
            10_000_f64.powf(-x / 70.0),
        ]);
        values.extend(
            [
                narrow.ln(),
                (-narrow).exp(),
                10_000_f32.powf(-narrow / 70.0),
            ]
            .map(f64::from),
        );
    }
    hash_bits(&values)
}
