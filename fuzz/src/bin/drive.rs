//! Drives targets on a stable compiler: `cargo run --release -p lingualign-fuzz --bin drive -- TARGET|all [--runs N] [--seconds N]
//! [--seed N] [--keep FOLDER]`.
//!
//! Prints one line per target: inputs, accepted, inputs per second, panics, the slowest input, the peak of the memory. An input
//! that panics is kept in the folder, once per message; one that takes more than ten seconds is kept and ends the program.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{
    collections::BTreeSet,
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use lingualign_fuzz::{Mutator, TARGETS, Target, scratch};

/// An input that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(10);

#[derive(Parser)]
struct Options {
    /// Names joined by commas, or `all`.
    #[arg(default_value = "all")]
    targets: String,
    /// Most inputs for each target.
    #[arg(long, default_value_t = 100_000)]
    runs: u64,
    /// Most seconds for each target.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Which inputs are drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of the findings.
    #[arg(long, default_value = "target/fuzz")]
    keep: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let wanted = options.targets.as_str();
    let targets: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| wanted == "all" || wanted.split(',').any(|name| name == target.name))
        .collect();
    if targets.is_empty() {
        eprintln!("no target is called {wanted}");
        return ExitCode::FAILURE;
    }
    fs::create_dir_all(&options.keep).expect("the folder of findings");
    panic::set_hook(Box::new(|_| {}));
    let failed = targets
        .into_iter()
        .filter(|target| !drive(target, &options))
        .count();
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Whether the target stood its inputs.
fn drive(target: &'static Target, options: &Options) -> bool {
    let folder = scratch();
    let mut inputs = Mutator::new((target.seeds)(), options.seed);
    let start = Instant::now();
    let (mut runs, mut accepted, mut slowest) = (0, 0_u64, Duration::ZERO);
    let mut findings = BTreeSet::new();
    let (begun, watched) = mpsc::channel();
    let watcher = watch(target.name, watched, options.keep.clone());
    while runs < options.runs && start.elapsed().as_secs() < options.seconds {
        let input = inputs.next_input();
        begun.send(Some(input.clone())).expect("the watcher lives");
        let began = Instant::now();
        let read = panic::catch_unwind(AssertUnwindSafe(|| (target.read)(folder.path(), &input)));
        begun.send(None).expect("the watcher lives");
        slowest = slowest.max(began.elapsed());
        runs += 1;
        match read {
            Ok(read) => accepted += u64::from(read.is_ok()),
            Err(problem) => {
                if findings.insert(describe(&*problem)) {
                    keep(
                        &options.keep,
                        &format!("{}.{}", target.name, findings.len()),
                        &input,
                    );
                }
            }
        }
    }
    drop(begun);
    watcher.join().expect("the watcher ends");
    println!(
        "{:<18} {runs:>9} inputs {accepted:>8} accepted {:>8.0}/s slowest {:>6.0} ms peak {:>5} MB {} panics",
        target.name,
        runs as f64 / start.elapsed().as_secs_f64(),
        slowest.as_secs_f64() * 1e3,
        peak_megabytes(),
        findings.len(),
    );
    for finding in &findings {
        println!("    {finding}");
    }
    findings.is_empty()
}

/// Ends the program when an input takes too long.
fn watch(
    name: &'static str,
    begun: mpsc::Receiver<Option<Vec<u8>>>,
    folder: PathBuf,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while let Ok(input) = begun.recv() {
            let Some(input) = input else { continue };
            if let Err(mpsc::RecvTimeoutError::Timeout) = begun.recv_timeout(LONGEST) {
                keep(&folder, name, &input);
                eprintln!(
                    "{name}: an input takes more than ten seconds; it is in {}",
                    folder.display()
                );
                std::process::exit(1);
            }
        }
    })
}

fn keep(folder: &Path, name: &str, input: &[u8]) {
    fs::write(folder.join(format!("{name}.input")), input).expect("the finding can be kept");
}

fn describe(problem: &(dyn std::any::Any + Send)) -> String {
    let text = problem.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| problem.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
        .chars()
        .take(300)
        .collect()
}

/// `VmHWM` of Linux; 0 elsewhere.
fn peak_megabytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes / 1024)
}
