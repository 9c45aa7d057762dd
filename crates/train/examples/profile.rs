//! Where the time of one training update and of one batch of questions goes, by op.
//!
//! `cargo run --release -p lingualign-train --example profile MODEL.gguf [f32|bf16|packed|nf4]
//! [qv|all]` Sixteen examples of 107 tokens, 48 of which are learnt, with random ids; then 32
//! questions of 62 tokens after a shared prefix of 391. The numbers are of the median of
//! several runs.
//!
//! A list of numbers as the fourth argument, `32,64,128`, asks so many questions in one batch
//! instead, and reads a prefix of 391 tokens so often in one batch as 32 goes into each: what several adapters
//! could save at most if their rows shared a pass over the weights.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use candle_core::Device;
use data::example::Example;
use hub::ModelFiles;
use model::{
    Adapter, Decoder, LoraConfig, Projection, Rows,
    profile::{self, ProfileEntry},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schema::task::Precision;
use train::step;

const RUNS: usize = 9;
const BATCH_RUNS: usize = 3;

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
    let Some(path) = arguments.first() else {
        return println!("usage: profile MODEL.gguf [PRECISION] [qv|all]");
    };
    let precision = match arguments.get(1).map(String::as_str) {
        Some("bf16") => Precision::Bf16,
        Some("packed") => Precision::Packed,
        Some("nf4") => Precision::Nf4,
        _ => Precision::F32,
    };
    let all = arguments.get(2).is_some_and(|targets| targets == "all");
    let mut decoder = Decoder::load(
        &ModelFiles::Gguf { path: path.into() },
        precision,
        &Device::Cpu,
    )
    .unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let targets = if all {
        Projection::ALL.to_vec()
    } else {
        vec![Projection::Q, Projection::V]
    };
    let config = LoraConfig {
        rank: 8,
        alpha: 16.0,
        dropout: 0.0,
        targets,
        rslora: false,
        dora: false,
    };
    let adapter = Adapter::new(config, decoder.config(), |_, count| {
        (0..count)
            .map(|_| random.random_range(-0.04..0.04))
            .collect()
    })
    .unwrap();
    println!(
        "{} threads, {}, {precision}",
        rayon::current_num_threads(),
        model::instruction_set()
    );

    let most = decoder.config().vocab_size.min(40_000) as u32;
    let mut ids =
        |count: usize| -> Vec<u32> { (0..count).map(|_| random.random_range(100..most)).collect() };
    let examples: Vec<Example> = (0..16)
        .map(|_| Example {
            input_ids: ids(107),
            prompt_len: 59,
        })
        .collect();
    let examples: Vec<&Example> = examples.iter().collect();
    decoder.set_adapter(Some(&adapter)).unwrap();
    if let Some(batches) = arguments.get(3) {
        let batches = batches.split(',').map(|count| count.parse().unwrap());
        return compare_batches(&decoder, &batches.collect::<Vec<usize>>(), &mut ids);
    }
    let (time, entries) = median(|| {
        step::loss_and_gradients(&decoder, &examples, 1024, None).unwrap();
    });
    report("training update, tokens", 16 * 107, time, &entries);

    let (prefix, suffixes) = (ids(391), ids(32 * 62));
    let (cache, _) = decoder.prefill(&prefix, None).unwrap();
    let rows = Rows::new([62; 32], 391);
    let last: Vec<u32> = (1..=32).map(|q| q * 62 - 1).collect();
    let (time, entries) = median(|| {
        let hidden = decoder.hidden(&suffixes, &rows, Some(&cache)).unwrap();
        decoder
            .logits(&decoder.select(&hidden, &last).unwrap())
            .unwrap();
    });
    report("questions", 32, time, &entries);
}

/// Asks so many questions at once and reads so many prefixes at once, in turn.
fn compare_batches(decoder: &Decoder, batches: &[usize], ids: &mut impl FnMut(usize) -> Vec<u32>) {
    let (cache, _) = decoder.prefill(&ids(391), None).unwrap();
    let mut seconds = vec![[Vec::new(), Vec::new()]; batches.len()];
    for _ in 0..=BATCH_RUNS {
        for (&count, [questions, prefixes]) in batches.iter().zip(&mut seconds) {
            let (rows, suffixes) = (Rows::new(vec![62; count], 391), ids(count * 62));
            let last: Vec<u32> = (1..=count as u32).map(|q| q * 62 - 1).collect();
            let begin = Instant::now();
            let hidden = decoder.hidden_at(&suffixes, &rows, Some(&cache), &last);
            decoder.logits(&hidden.unwrap()).unwrap();
            questions.push(begin.elapsed().as_secs_f64());
            let copies = (count / 32).max(1);
            let (rows, all) = (Rows::new(vec![391; copies], 0), ids(copies * 391));
            let begin = Instant::now();
            decoder.hidden_at(&all, &rows, None, &[0]).unwrap();
            prefixes.push(begin.elapsed().as_secs_f64() / copies as f64);
        }
    }
    for (&count, times) in batches.iter().zip(&mut seconds) {
        let [questions, prefixes] = times.each_mut().map(|times| {
            times.remove(0);
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        println!(
            "{count} questions at once: {:.2} ms each; {} prefixes at once: {:.0} ms each",
            1e3 * questions / count as f64,
            (count / 32).max(1),
            1e3 * prefixes
        );
    }
}

/// The run in the middle, by its time.
fn median(mut run: impl FnMut()) -> (Duration, Vec<ProfileEntry>) {
    run();
    let mut runs: Vec<_> = (0..RUNS)
        .map(|_| {
            profile::start();
            let begin = Instant::now();
            run();
            (begin.elapsed(), profile::stop())
        })
        .collect();
    runs.sort_by_key(|(time, _)| *time);
    runs.swap_remove(RUNS / 2)
}

fn report(what: &str, count: usize, time: Duration, entries: &[ProfileEntry]) {
    println!(
        "\n{what}: {:.1} per second, {:.1} ms\n",
        count as f64 / time.as_secs_f64(),
        1e3 * time.as_secs_f64()
    );
    println!("| op | calls | ms | share | GFLOP/s |\n|---|---:|---:|---:|---:|");
    let row = |op: &str, calls: String, part: Duration, speed: String| {
        let share = 100.0 * part.as_secs_f64() / time.as_secs_f64();
        println!(
            "| {op} | {calls} | {:.1} | {share:.1} % | {speed} |",
            1e3 * part.as_secs_f64()
        );
    };
    for entry in entries {
        let speed = if entry.work == 0 {
            String::new()
        } else {
            format!("{:.0}", entry.work as f64 / entry.time.as_secs_f64() / 1e9)
        };
        row(entry.op, entry.calls.to_string(), entry.time, speed);
    }
    let known: Duration = entries.iter().map(|e| e.time).sum();
    row(
        "the rest",
        String::new(),
        time.saturating_sub(known),
        String::new(),
    );
}
