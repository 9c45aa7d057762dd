//! Every reader of outside bytes as a target: bytes in, "read" or "refused" out.
//!
//! The same targets run under libFuzzer (`fuzz_targets/`), under a driver of our own on a stable
//! compiler (`src/bin/drive.rs`), and for a fixed number of inputs in the tests. Seeds are made
//! here, not stored. Never here: what a reader should answer; that is for the crates' tests.

#![forbid(unsafe_code)]

mod answers;
mod mutate;
mod readers;
mod seeds;

use std::path::Path;

use tempfile::TempDir;

pub use mutate::Mutator;
pub use readers::TARGETS;

/// Whether bytes were read, or why not.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A reader and what it is asked.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, as `cargo fuzz run` and the driver take it.
    pub name: &'static str,
    /// Whole inputs that the reader accepts.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Puts the bytes into a file of this folder and reads it.
    pub read: fn(&Path, &[u8]) -> Outcome,
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// A temporary folder; in memory where there is such a place, since what is written whole waits
/// for the disk.
///
/// # Panics
/// No such folder can be made.
pub fn scratch() -> TempDir {
    TempDir::new_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .expect("a temporary folder")
}

/// One input, in a folder that the thread keeps: what libFuzzer calls.
///
/// # Panics
/// No such target; no temporary folder; or the reader's own panic, which is the finding.
pub fn run(name: &str, bytes: &[u8]) {
    thread_local! {
        static FOLDER: TempDir = scratch();
    }
    let target = target(name).expect("a target");
    FOLDER.with(|folder| {
        // Refused is as good as read.
        drop((target.read)(folder.path(), bytes));
    });
}
