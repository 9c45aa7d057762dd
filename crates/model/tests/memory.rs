//! The estimate of memory beside what is really allocated, by an allocator that counts. Alone
//! in its program: other tests would be counted too. Never here: resident memory, which is the
//! allocator's and the system's affair.

#[path = "../../../tests/golden/families.rs"]
mod families;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use candle_core::Device;
use hub::ModelFiles;
use model::{
    Adapter, Decoder, Gradients, LoraConfig, Projection, Rows,
    memory::{MemoryEstimate, TrainingMicroBatch},
    ops::lora::Dropout,
};
use schema::task::Precision;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(
            LIVE.fetch_add(layout.size(), Relaxed) + layout.size(),
            Relaxed,
        );
        // SAFETY: the caller's promise is the one that the system's allocator wants.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NAMES: [&str; 3] = ["tiny_llama", "tiny_mistral", "tiny_qwen2"];
/// Norms behind attention and mlp, and of queries and keys, layers that slide with their own angles;
/// merged projections.
const FAMILIES: [&str; 2] = ["gemma3", "phi3"];
/// Of a micro-batch, in 16 sequences.
const TOKENS: usize = 1600;
/// Rows with a loss.
const LEARNT: usize = 200;

fn load(name: &str, precision: Precision) -> Decoder {
    if FAMILIES.contains(&name) {
        let made = tempfile::tempdir().expect("a folder");
        families::write(name, made.path());
        return load_from(made.path(), precision);
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    load_from(&golden.join(name), precision)
}

fn load_from(dir: &Path, precision: Precision) -> Decoder {
    let dir = dir.to_owned();
    let weights = vec![dir.join("model.safetensors")];
    Decoder::load(
        &ModelFiles::Folder { dir, weights },
        precision,
        &Device::Cpu,
    )
    .expect("loads")
}

/// Live bytes that forward added, and the most that lived at once until the end of backward.
fn measure(model: &Decoder, work: &TrainingMicroBatch) -> (usize, usize) {
    let input_ids: Vec<u32> = (0..work.tokens as u32).map(|i| i * 7 % 257).collect();
    let rows = Rows::new(vec![work.tokens / 16; 16], 0);
    let learnt: Vec<u32> = (0..work.learnt as u32).collect();
    let dropout = work.dropout.then_some(Dropout {
        share: 0.1,
        seed: 1,
    });
    let mut gradients = Gradients::default();
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let (hidden, saved) = model.forward(&input_ids, &rows, dropout).expect("forward");
    let kept = LIVE.load(Relaxed) - before - 4 * hidden.elem_count();
    let (_, d_hidden) = model.loss(&hidden, &learnt, &learnt, true).expect("loss");
    drop(hidden);
    model
        .backward(saved, &d_hidden.expect("asked for"), &mut gradients)
        .expect("backward");
    (kept, PEAK.load(Relaxed) - before)
}

fn adapter(model: &mut Decoder, work: &TrainingMicroBatch) -> Adapter {
    let config = LoraConfig {
        rank: work.rank,
        alpha: 16.0,
        dropout: 0.0,
        targets: work.targets.clone(),
        rslora: false,
        dora: work.dora,
    };
    let initial = |_, count| vec![0.01; count];
    let mut adapter = Adapter::new(config, model.config(), initial).expect("adapter");
    if work.dora {
        model.start_magnitudes(&mut adapter).expect("fits");
    }
    adapter
}

fn check(what: &str, estimated: u64, measured: usize, most: f64) {
    let off = estimated as f64 / measured as f64 - 1.0;
    assert!(
        off.abs() <= most,
        "{what}: {estimated} estimated, {measured} measured, off by {:.1} %",
        100.0 * off
    );
}

fn check_training(name: &str, model: &mut Decoder, work: &TrainingMicroBatch) {
    let adapter = adapter(model, work);
    model.set_adapter(Some(&adapter)).expect("fits");
    model.set_activation_checkpointing(work.activation_checkpointing);
    // The least of some: a thread that gets its first work of a kind late keeps memory for
    // itself then.
    let runs = [(); 3].map(|()| measure(model, work));
    let (kept, peak) = runs
        .into_iter()
        .reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))
        .expect("three");
    let estimate = MemoryEstimate::training(&model.config().shape(), work);
    check(
        &format!("{name}: kept by {work:?}"),
        estimate.kept,
        kept,
        0.05,
    );
    check(
        &format!("{name}: peak of {work:?}"),
        estimate.kept + estimate.block.max(estimate.head),
        peak,
        0.1,
    );
}

/// One test: another one beside it would be counted too.
#[test]
fn estimates_are_what_is_allocated() {
    assert!(
        FAMILIES
            .iter()
            .all(|name| families::names().iter().any(|n| n == name))
    );
    for name in NAMES.into_iter().chain(FAMILIES) {
        for precision in [Precision::F32, Precision::Bf16] {
            let mut model = load(name, precision);
            let all = model.config().projections();
            let readers = [Projection::Q, Projection::V, Projection::Qkv];
            let some = all.iter().copied().filter(|p| readers.contains(p));
            for targets in [some.collect(), all.clone()] {
                for (dropout, dora, activation_checkpointing) in [
                    (false, false, false),
                    (false, false, true),
                    (true, false, false),
                    (true, false, true),
                    (false, true, false),
                    (false, true, true),
                ] {
                    let (targets, rank) = (targets.clone(), 8);
                    let (tokens, learnt) = (TOKENS, LEARNT);
                    let work = TrainingMicroBatch {
                        precision,
                        tokens,
                        learnt,
                        rank,
                        targets,
                        dora,
                        dropout,
                        activation_checkpointing,
                    };
                    check_training(name, &mut model, &work);
                }
            }
            check_evaluation(name, &mut model, precision);
        }
    }
}

fn check_evaluation(name: &str, model: &mut Decoder, precision: Precision) {
    let (tokens, prefix) = (TOKENS, TOKENS / 4);
    model.set_adapter(None).expect("removes");
    let input_ids: Vec<u32> = (0..tokens as u32).map(|i| i * 7 % 257).collect();
    let rows = Rows::new(vec![tokens / 16; 16], prefix);
    let run = || {
        let (cache, _) = model.prefill(&input_ids[..prefix], None).expect("prefill");
        model
            .hidden(&input_ids, &rows, Some(&cache))
            .expect("hidden");
    };
    run(); // what threads keep for themselves is made once, and does not grow with the model
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    run();
    let estimate = MemoryEstimate::evaluation(&model.config().shape(), precision, tokens, prefix);
    check(
        &format!("{name}: evaluation in {precision}"),
        estimate.kept + estimate.block,
        PEAK.load(Relaxed) - before,
        0.1,
    );
}
