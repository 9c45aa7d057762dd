//! How fast a prompt is read: one forward pass of N tokens, and the head on the last row alone, as
//! `llama-bench -p N -n 0` does it. Prints one JSON object a length, with the seconds of each
//! repetition; the first one, which reads the file, is left out. bench/llama_cpp.py runs it.
//!
//! `cargo run --release -p lingualign-model --example prompt_rate MODEL [PRECISION] [LENGTHS]
//! [REPETITIONS]`, such as `model.gguf packed 64,128,512 5`; `RAYON_NUM_THREADS` and
//! `LINGUALIGN_KERNELS` as everywhere.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{path::PathBuf, time::Instant};

use candle_core::Device;
use hub::{Cache, Sources};
use model::{Decoder, Rows};
use schema::task::Precision;

/// The program's allocator, which keeps what it has: another one would show its page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
/// `mi_option_purge_delay`
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() {
    // SAFETY: nothing else runs yet; -1 is never.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    if let Ok(name) = std::env::var("LINGUALIGN_KERNELS") {
        let set = model::InstructionSet::by_name(&name).expect("a set of kernels");
        model::force_instruction_set(set).expect("a set that the processor has");
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument =
        |at: usize, usual: &str| arguments.get(at).map_or(usual, String::as_str).to_owned();
    if arguments.is_empty() {
        return println!("usage: prompt_rate MODEL [PRECISION] [LENGTHS] [REPETITIONS]");
    }
    let precision: Precision = argument(1, "packed").parse().expect("a precision");
    let lengths = argument(2, "64,128,512");
    let repetitions: usize = argument(3, "5").parse().expect("a number");
    let decoder = load(&arguments[0], precision);
    let vocabulary = decoder.config().vocab_size;
    for length in lengths.split(',') {
        let length: usize = length.parse().expect("a number of tokens");
        let ids: Vec<u32> = (0..length)
            .map(|at| (at * 7919 % vocabulary) as u32)
            .collect();
        let rows = Rows::new([length], 0);
        let mut seconds = Vec::new();
        for _ in 0..=repetitions {
            let begin = Instant::now();
            let last = decoder
                .hidden_at(&ids, &rows, None, &[length as u32 - 1])
                .unwrap();
            decoder.logits(&last).unwrap();
            seconds.push(begin.elapsed().as_secs_f64());
        }
        println!(
            "{{\"tokens\": {length}, \"threads\": {}, \"kernels\": \"{}\", \"precision\": \"{precision}\", \"seconds\": {:?}}}",
            rayon::current_num_threads(),
            model::instruction_set().name(),
            &seconds[1..]
        );
    }
}

/// A file or a folder.
fn load(path: &str, precision: Precision) -> Decoder {
    let nowhere = Cache::at(PathBuf::from("."));
    let found = hub::find_model_from(path, &nowhere, &Sources::from_env(), &mut hub::Silent);
    Decoder::load(&found.unwrap().files, precision, &Device::Cpu).unwrap()
}
