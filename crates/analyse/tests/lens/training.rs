//! Training on a small model: what comes out, that it is the same every time, and what is
//! refused.

use std::{collections::BTreeMap, fs};

use analyse::{
    AnalyseError, Prompts,
    tuned_lens::{TunedLens, Tuning, train},
};
use candle_core::Device;
use schema::{Language, inside::TunedLensRecord};

use super::{Bench, LAYERS, WIDTH, with_threads};

fn tuning<'a>(bench: &'a Bench, prompts: &'a [Prompts], steps: usize, seed: u64) -> Tuning<'a> {
    let about = BTreeMap::from([("model".to_owned(), "small".to_owned())]);
    Tuning {
        model: &bench.model,
        prompts,
        steps,
        tokens: 96,
        vocabulary: 128,
        seed,
        resamples: 200,
        about,
    }
}

/// The file's bytes and the records.
fn trained(
    bench: &Bench,
    prompts: &[Prompts],
    steps: usize,
    seed: u64,
) -> (Vec<u8>, Vec<TunedLensRecord>) {
    let file = tempfile::tempdir()
        .expect("a folder")
        .path()
        .join("lens.safetensors");
    let records =
        train(&tuning(bench, prompts, steps, seed), &file, &mut |_| true).expect("trains");
    let bytes = fs::read(&file).expect("a file");
    fs::remove_dir_all(file.parent().expect("a folder")).expect("removes");
    (bytes, records)
}

#[test]
fn no_updates_are_the_raw_lens() {
    let bench = Bench::new();
    let lists = [
        bench.numbered(Language::Ru, 20),
        bench.numbered(Language::Zh, 20),
    ];
    let file = bench.folder.path().join("lens.safetensors");
    let records = train(&tuning(&bench, &lists, 0, 1), &file, &mut |_| true).expect("trains");
    assert_eq!(
        records
            .iter()
            .map(|record| record.layer)
            .collect::<Vec<_>>(),
        [0, 1]
    );
    for record in &records {
        assert!(
            record.raw_kl > 0.1 && record.raw_kl == record.tuned_kl && record.tokens > 10,
            "{record:?}"
        );
        assert_eq!((record.gain_low, record.gain_high), (0.0, 0.0));
    }
    let lens = TunedLens::open(&file, &Device::Cpu).expect("opens");
    assert_eq!((lens.layers(), lens.width()), (LAYERS, WIDTH));
    let about = [
        ("model", "small"),
        ("seed", "1"),
        ("steps", "0"),
        ("tokens", "96"),
        ("vocabulary", "128"),
    ];
    assert_eq!(
        lens.about,
        about
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    );
    let records = bench.read(&lists[0], Language::Ru, Some(&lens), 100);
    assert!(
        records
            .chunks(2)
            .all(|pair| pair[0].correct == pair[1].correct && pair[0].entropy == pair[1].entropy)
    );
}

#[test]
fn training_gains_on_what_is_held_out_and_is_the_same_every_time() {
    let bench = Bench::new();
    let lists = [
        bench.numbered(Language::Ru, 60),
        bench.numbered(Language::Zh, 60),
    ];
    let (bytes, records) = with_threads(2, || trained(&bench, &lists, 60, 5));
    for record in &records {
        assert!(
            record.tuned_kl < 0.9 * record.raw_kl && record.gain_low > 0.0,
            "{record:?}"
        );
        let gain = record.raw_kl - record.tuned_kl;
        assert!(
            record.gain_low < gain && gain < record.gain_high,
            "{record:?}"
        );
    }
    assert!(with_threads(1, || trained(&bench, &lists, 60, 5)) == (bytes.clone(), records));
    assert!(
        trained(&bench, &lists, 60, 6).0 != bytes,
        "the seed draws nothing"
    );
}

#[test]
fn a_stop_leaves_no_file() {
    let bench = Bench::new();
    let lists = [bench.numbered(Language::Ru, 20)];
    let file = bench.folder.path().join("lens.safetensors");
    let mut seen = Vec::new();
    let stopped = train(&tuning(&bench, &lists, 4, 1), &file, &mut |done| {
        seen.push(done);
        done < 6
    });
    assert!(matches!(
        stopped,
        Err(AnalyseError::Stopped {
            done: 6,
            total: 8,
            unit: "updates"
        })
    ));
    assert_eq!(seen, [2, 4, 6]);
    assert!(!file.exists());
    train(&tuning(&bench, &lists, 4, 1), &file, &mut |done| done < 8)
        .expect("nothing is left to stop");
    assert!(file.exists());
}

#[test]
fn what_cannot_be_trained_on_is_refused() {
    let bench = Bench::new();
    let file = bench.folder.path().join("lens.safetensors");
    let one = [
        bench.numbered(Language::Ru, 1),
        bench.numbered(Language::Zh, 1),
    ];
    let error = train(&tuning(&bench, &one, 4, 1), &file, &mut |_| true).expect_err("one item");
    assert_eq!(
        error.to_string(),
        "the tuned lens: 2 prompts of fewer than two items; one is held out"
    );
    let error = train(&tuning(&bench, &[], 4, 1), &file, &mut |_| true).expect_err("no prompts");
    assert_eq!(
        error.to_string(),
        "the tuned lens: 0 prompts of fewer than two items; one is held out"
    );
    let lists = [bench.numbered(Language::Ru, 20)];
    let none = Tuning {
        tokens: 0,
        ..tuning(&bench, &lists, 4, 1)
    };
    let error = train(&none, &file, &mut |_| true).expect_err("no tokens");
    assert_eq!(error.to_string(), "tokens per update: 0; give 1 or more");
    assert!(!file.exists());
}
