//! Where the time goes: wall time and work by op, counted while it is switched on. Never here:
//! deciding anything by it.
//!
//! An op's time is that of its caller's thread, the wait for the other threads included, so
//! that the rows of a profile add up to the time of a step. Ops that call ops count once, as
//! themselves.

use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

macro_rules! ops {
    ($($name:ident $text:literal),* $(,)?) => {
        /// The ops that are counted apart.
        #[allow(missing_docs)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Op { $($name),* }

        const ALL: &[(Op, &str)] = &[$((Op::$name, $text)),*];
    };
}

ops! {
    Embed "embed",
    RmsNorm "rms_norm",
    RmsNormBackward "rms_norm backward",
    LayerNorm "layer_norm",
    LayerNormBackward "layer_norm backward",
    Linear "linear",
    LinearBackward "linear backward",
    Gated "gated",
    GatedBackward "gated backward",
    Lora "lora, dora",
    LoraBackward "lora, dora backward",
    Rope "rope",
    Attend "attend",
    AttendBackward "attend backward",
    CrossEntropy "cross_entropy",
    Softmax "softmax",
    Elementwise "add, activations alone",
}

const COUNT: usize = ALL.len();

#[derive(Default)]
struct Counter {
    nanoseconds: AtomicU64,
    calls: AtomicU64,
    work: AtomicU64,
}

static ON: AtomicBool = AtomicBool::new(false);
static COUNTERS: [Counter; COUNT] = [const {
    Counter {
        nanoseconds: AtomicU64::new(0),
        calls: AtomicU64::new(0),
        work: AtomicU64::new(0),
    }
}; COUNT];

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// One op's row of a profile.
#[derive(Clone, Debug)]
pub struct ProfileEntry {
    /// The op.
    pub op: &'static str,
    /// Calls.
    pub calls: u64,
    /// Wall time of all calls.
    pub time: Duration,
    /// Multiplications and additions of its matrix products; 0 where it has none that count.
    pub work: u64,
}

/// Starts counting from nothing.
pub fn start() {
    for counter in &COUNTERS {
        for value in [&counter.nanoseconds, &counter.calls, &counter.work] {
            value.store(0, Ordering::Relaxed);
        }
    }
    ON.store(true, Ordering::Relaxed);
}

/// Stops counting: the ops that ran since [`start`], the longest first.
pub fn stop() -> Vec<ProfileEntry> {
    ON.store(false, Ordering::Relaxed);
    let mut entries: Vec<ProfileEntry> = ALL
        .iter()
        .zip(&COUNTERS)
        .map(|((_, op), counter)| ProfileEntry {
            op,
            calls: counter.calls.load(Ordering::Relaxed),
            time: Duration::from_nanos(counter.nanoseconds.load(Ordering::Relaxed)),
            work: counter.work.load(Ordering::Relaxed),
        })
        .filter(|e| e.calls > 0)
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.time));
    entries
}

/// An op at work: counted when it is dropped.
pub(crate) struct Running {
    op: Op,
    work: usize,
    begin: Instant,
}

/// To be held by an op, which multiplies and adds `work` times in products; nothing while
/// nothing is counted.
#[inline]
pub(crate) fn enter(op: Op, work: usize) -> Option<Running> {
    if !ON.load(Ordering::Relaxed) || INSIDE.replace(true) {
        return None;
    }
    Some(Running {
        op,
        work,
        begin: Instant::now(),
    })
}

impl Drop for Running {
    fn drop(&mut self) {
        let counter = &COUNTERS[self.op as usize];
        counter
            .nanoseconds
            .fetch_add(self.begin.elapsed().as_nanos() as u64, Ordering::Relaxed);
        counter.calls.fetch_add(1, Ordering::Relaxed);
        counter.work.fetch_add(self.work as u64, Ordering::Relaxed);
        INSIDE.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_while_it_is_on_and_each_op_once() {
        drop(enter(Op::Softmax, 5));
        start();
        let outer = enter(Op::Embed, 11);
        assert!(
            enter(Op::Softmax, 7).is_none(),
            "what is inside another op is the other's"
        );
        std::thread::sleep(Duration::from_millis(2));
        drop(outer);
        drop(enter(Op::Embed, 11));
        let entries = stop();
        assert!(enter(Op::Embed, 1).is_none());
        let embed = entries.iter().find(|e| e.op == "embed").expect("counted");
        assert_eq!((embed.calls, embed.work), (2, 22));
        assert!(embed.time >= Duration::from_millis(2), "{:?}", embed.time);
    }
}
