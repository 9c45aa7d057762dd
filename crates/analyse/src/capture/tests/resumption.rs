//! A capture that was stopped or killed goes on to the same bytes, and takes nothing of another
//! one.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
};

use super::*;

/// Small enough for several batches.
const TOKENS: usize = 60;

/// A capture that was stopped in its middle.
struct Stopped {
    model: Decoder,
    prompts: Prompts,
    folder: TempDir,
    /// Rows that are on disk.
    done: usize,
    /// The file as it becomes when nobody stops it.
    expected: Vec<u8>,
}

impl Stopped {
    fn new() -> Self {
        let (model, prompts) = (load("tiny_llama"), prompts(&QUESTIONS));
        let expected = fs::read(captured(&model, &prompts, TOKENS).1).expect("reads");
        let folder = tempfile::tempdir().expect("a folder");
        let mut stopped = Self {
            model,
            prompts,
            folder,
            done: 0,
            expected,
        };
        let mut batches = 0;
        let result = capture(
            &stopped.model,
            &stopped.prompts,
            &stopped.file(),
            TOKENS,
            &mut |_, _| {
                batches += 1;
                batches < 2
            },
        );
        let Err(AnalyseError::Stopped {
            done,
            total: 8,
            unit: "prompts",
        }) = result
        else {
            panic!("{result:?}")
        };
        assert!(0 < done && done < 8, "{done}");
        stopped.done = done;
        stopped
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.path().join(format!("de.safetensors{ending}"))
    }

    fn file(&self) -> PathBuf {
        self.path("")
    }

    /// The same capture again; how many rows it took over.
    fn again(&self) -> Result<usize, AnalyseError> {
        let mut taken = None;
        capture(
            &self.model,
            &self.prompts,
            &self.file(),
            TOKENS,
            &mut |done, _| {
                taken.get_or_insert(done);
                true
            },
        )?;
        Ok(taken.unwrap_or(8))
    }

    /// As [`Stopped::again`], which must end at the same bytes and leave nothing beside them.
    #[track_caller]
    fn finish(&self) -> usize {
        let taken = self.again().expect("goes on");
        assert!(
            fs::read(self.file()).expect("reads") == self.expected,
            "other bytes"
        );
        let names: Vec<_> = fs::read_dir(self.folder.path())
            .expect("lists")
            .map(|e| e.expect("an entry").file_name())
            .collect();
        assert_eq!(names, ["de.safetensors"], "something is left");
        taken
    }

    #[track_caller]
    fn refused(&self) -> String {
        self.again().expect_err("refused").to_string()
    }

    fn progress(&self) -> String {
        fs::read_to_string(self.path(".progress")).expect("reads")
    }
}

#[test]
fn stopped_after_every_batch() {
    let stopped = Stopped::new();
    let file = stopped.folder.path().join("often.safetensors");
    let mut all_done = vec![0];
    for _ in 0..8 {
        assert!(!file.exists(), "a file that is not whole has no name");
        match capture(
            &stopped.model,
            &stopped.prompts,
            &file,
            TOKENS,
            &mut |_, _| false,
        ) {
            Ok(()) => break,
            Err(AnalyseError::Stopped { done, .. }) => all_done.push(done),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(
        all_done.len() > 4 && all_done.is_sorted_by(|a, b| a < b),
        "each gets further: {all_done:?}"
    );
    assert!(fs::read(file).expect("reads") == stopped.expected);
}

#[test]
fn a_stopped_capture_goes_on_and_says_how_far_it_was() {
    let stopped = Stopped::new();
    assert!(!stopped.file().exists() && stopped.path(".partial").exists());
    assert_eq!(stopped.finish(), stopped.done);
    let message = AnalyseError::Stopped {
        done: 3,
        total: 8,
        unit: "prompts",
    }
    .to_string();
    assert_eq!(
        message,
        "interrupted after 3 of 8 prompts; run the same command again to resume"
    );
}

#[test]
fn rows_that_are_not_known_to_be_on_disk_are_made_again() {
    let stopped = Stopped::new();
    // As if the program had died between the last batch and its line: the rows are there, but
    // may be torn.
    let progress = stopped.progress();
    let lines: Vec<&str> = progress.split_inclusive('\n').collect();
    fs::write(stopped.path(".progress"), lines[..lines.len() - 1].concat()).expect("writes");
    let last: Value = serde_json::from_str(lines[lines.len() - 1]).expect("JSON");
    let row = last["done"][0].as_u64().expect("a row") as usize;
    let mut partial = fs::read(stopped.path(".partial")).expect("reads");
    let place = stopped.expected.len() - (8 - row) * 4 * 48 * 4; // of `last`, the last tensor
    assert_eq!(partial[place..][..16], stopped.expected[place..][..16]);
    partial[place..][..16].fill(0xFF);
    fs::write(stopped.path(".partial"), partial).expect("writes");
    let taken = stopped.finish();
    assert_eq!(
        taken,
        stopped.done - last["done"].as_array().expect("a list").len()
    );
}

#[test]
fn a_torn_line_is_dropped() {
    let stopped = Stopped::new();
    let mut log = OpenOptions::new()
        .append(true)
        .open(stopped.path(".progress"))
        .expect("opens");
    log.write_all(b"{\"done\":[7,").expect("writes");
    drop(log);
    // Stopped once more: what is appended stands on a line of its own.
    let result = capture(
        &stopped.model,
        &stopped.prompts,
        &stopped.file(),
        TOKENS,
        &mut |_, _| false,
    );
    let Err(AnalyseError::Stopped { done, .. }) = result else {
        panic!("{result:?}")
    };
    assert!(done > stopped.done);
    assert!(
        stopped
            .progress()
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{}",
        stopped.progress()
    );
    assert_eq!(stopped.finish(), done);
}

#[test]
fn progress_that_no_capture_wrote_is_refused_by_line() {
    for (line, why) in [
        ("nonsense", "expected"),
        ("{\"done\":[8]}", "not what a capture writes here"),
        ("{\"done\":[-1]}", "invalid value"),
        ("{\"done\":\"all\"}", "invalid type"),
        ("{\"begun\":\"00\"}", "not what a capture writes here"),
        ("", "EOF"),
    ] {
        let stopped = Stopped::new();
        let kept = stopped.progress();
        let lines: Vec<&str> = kept.split_inclusive('\n').collect();
        fs::write(
            stopped.path(".progress"),
            format!("{}{line}\n{}", lines[0], lines[1..].concat()),
        )
        .expect("writes");
        let message = stopped.refused();
        for needle in [
            "de.safetensors.progress: line 2: ",
            why,
            "; remove the file to start over",
        ] {
            assert!(message.contains(needle), "`{needle}` in {message}");
        }
        fs::remove_file(stopped.path(".progress")).expect("removes");
        assert_eq!(stopped.finish(), 0, "as the message says");
    }
    let stopped = Stopped::new();
    let kept = stopped.progress();
    let without_beginning: String = kept.split_inclusive('\n').skip(1).collect();
    fs::write(stopped.path(".progress"), without_beginning).expect("writes");
    assert!(
        stopped
            .refused()
            .contains("line 1: not what a capture writes here")
    );
}

#[test]
fn a_damaged_partial_file_is_made_anew() {
    let damages: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes.clear(),
        |bytes| bytes.truncate(100),
        |bytes| bytes.truncate(bytes.len() - 4 * 48 * 4 - 1),
        |bytes| bytes[20] ^= 1,
        // Within the list of items, which is before the first state.
        |bytes| {
            let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
            bytes[8 + header] ^= 1;
        },
    ];
    for (at, damage) in damages.into_iter().enumerate() {
        let stopped = Stopped::new();
        let mut bytes = fs::read(stopped.path(".partial")).expect("reads");
        // No longer than what is known to be there.
        let last: usize = stopped
            .progress()
            .lines()
            .skip(1)
            .flat_map(done_rows)
            .max()
            .expect("some");
        bytes.truncate(stopped.expected.len() - (7 - last) * 4 * 48 * 4);
        damage(&mut bytes);
        fs::write(stopped.path(".partial"), bytes).expect("writes");
        assert_eq!(stopped.finish(), 0, "damage {at}");
    }
    let stopped = Stopped::new();
    fs::remove_file(stopped.path(".partial")).expect("removes");
    assert_eq!(stopped.finish(), 0);
}

// Promise: rows that are no longer as they were written are found and made again, and no other.
#[test]
fn a_changed_row_is_made_again() {
    let stopped = Stopped::new();
    let rows: Vec<usize> = stopped
        .progress()
        .lines()
        .skip(1)
        .flat_map(done_rows)
        .collect();
    let mut bytes = fs::read(stopped.path(".partial")).expect("reads");
    let place = stopped.expected.len() - (8 - rows[0]) * 4 * 48 * 4; // of `last`, the last tensor
    bytes[place + 5] ^= 1;
    fs::write(stopped.path(".partial"), bytes).expect("writes");
    assert_eq!(stopped.finish(), stopped.done - 1);
}

// Promise: the rows of a program that wrote no checksums are made again.
#[test]
fn rows_without_a_checksum_are_made_again() {
    let stopped = Stopped::new();
    let old: String = stopped
        .progress()
        .lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).expect("JSON");
            drop(line.as_object_mut().expect("an object").remove("sums"));
            format!("{line}\n")
        })
        .collect();
    fs::write(stopped.path(".progress"), old).expect("writes");
    assert_eq!(stopped.finish(), 0);
}

fn done_rows(line: &str) -> Vec<usize> {
    let line: Value = serde_json::from_str(line).expect("JSON");
    line["done"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row.as_u64().expect("a row") as usize)
        .collect()
}

#[test]
fn what_was_begun_of_other_inputs_is_not_taken() {
    let others: [fn(&mut Stopped); 3] = [
        |stopped| stopped.prompts = prompts(&["Öl", "x", "Die Sonne", "a", "b", "c", "d", "e"]),
        |stopped| stopped.prompts = prompts(&QUESTIONS[..5]),
        // As many tokens, one other.
        |stopped| {
            let mut questions = QUESTIONS;
            questions[7] = "y";
            stopped.prompts = prompts(&questions);
        },
    ];
    for (at, change) in others.into_iter().enumerate() {
        let mut stopped = Stopped::new();
        change(&mut stopped);
        stopped.expected =
            fs::read(captured(&stopped.model, &stopped.prompts, TOKENS).1).expect("reads");
        assert_eq!(stopped.finish(), 0, "other inputs {at}");
    }
    let stopped = Stopped::new();
    let capture = |poolings: &[Pooling], about: BTreeMap<String, String>| {
        let mut taken = None;
        let watch = &mut |done, _| {
            taken.get_or_insert(done);
            false
        };
        let result = capture_in_batches(
            &stopped.model,
            &stopped.prompts,
            poolings,
            &stopped.file(),
            &about,
            TOKENS,
            watch,
        );
        assert!(
            matches!(result, Err(AnalyseError::Stopped { .. })),
            "{result:?}"
        );
        taken
    };
    assert_eq!(
        capture(&Pooling::ALL[..3], about()),
        Some(0),
        "other poolings"
    );
    let tuned = BTreeMap::from([("model".to_owned(), "tuned".to_owned())]);
    assert_eq!(
        capture(&Pooling::ALL[..3], tuned.clone()),
        Some(0),
        "another model"
    );
    assert!(capture(&Pooling::ALL[..3], tuned) > Some(0), "the same");
}

#[test]
fn a_second_process_is_kept_out() {
    let stopped = Stopped::new();
    let held = File::options()
        .write(true)
        .open(stopped.path(".progress"))
        .expect("opens");
    held.lock().expect("locks");
    let message = stopped.refused();
    assert!(
        message
            .contains("de.safetensors.progress: another process is writing this file; wait for it"),
        "{message}"
    );
    drop(held);
    assert_eq!(
        stopped.finish(),
        stopped.done,
        "what was there is as it was"
    );
}

#[test]
fn a_state_that_is_not_finite_is_refused_and_what_was_before_it_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("model");
    fs::create_dir(&model).expect("a folder");
    fs::copy(
        golden("tiny_llama").join("config.json"),
        model.join("config.json"),
    )
    .expect("copies");
    let mut bytes = fs::read(golden("tiny_llama").join("model.safetensors")).expect("reads");
    let (head, rest) = bytes.split_at_mut(8);
    let (header, values) =
        rest.split_at_mut(u64::from_le_bytes(head.try_into().expect("eight bytes")) as usize);
    let header: Value = serde_json::from_slice(header).expect("JSON");
    let embedding = header["model.embed_tokens.weight"]["data_offsets"][0]
        .as_u64()
        .expect("a number") as usize;
    // The vector of the letter x, with which one question begins.
    values[embedding + b'x' as usize * 48 * 4..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(model.join("model.safetensors"), bytes).expect("writes");
    let (model, prompts) = (load_folder(&model), prompts(&QUESTIONS));
    let file = folder.path().join("de.safetensors");
    for _ in 0..2 {
        let result = capture(&model, &prompts, &file, 1, &mut |_, _| true);
        let message = result.expect_err("refused").to_string();
        assert!(
            message.starts_with("`all` of row 7 is not finite; check the weights"),
            "{message}"
        );
        assert!(!file.exists());
        let progress =
            fs::read_to_string(folder.path().join("de.safetensors.progress")).expect("reads");
        let mut done: Vec<usize> = progress.lines().skip(1).flat_map(done_rows).collect();
        done.sort_unstable();
        assert_eq!(
            done,
            [0, 1, 2, 4, 5, 6],
            "those that come before it in the order of their tokens"
        );
    }
}
