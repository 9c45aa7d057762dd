//! The body of one answer into a `.part` file, and its check. Never here: requests, repetition.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use schema::disk::{DiskError, open_own};

use super::{
    Failure,
    apart::Blocks,
    request::{Answer, read_number, read_range},
};
use crate::{HubError, Progress, hash::hash_watched, progress::check_interrupted};

/// A file whose size the server does not say may have this many bytes.
const MOST_UNANNOUNCED: u64 = 256 << 20;

/// Appends to or replaces `part`, of which `have` bytes are there; returns the SHA-256 of the
/// whole.
pub(super) fn receive(
    answer: Answer,
    name: &str,
    part: &Path,
    have: u64,
    progress: &mut dyn Progress,
) -> Result<String, Failure> {
    let headers = answer.response.headers();
    let (from, total) = match answer.response.status().as_u16() {
        206 => match read_range(headers) {
            Some((first, total)) if first == have && answer.sha256.is_some() => (have, Some(total)),
            _ => return Err(restart(part, "the server continued another file")?),
        },
        416 => return finish_or_restart(answer.sha256.as_deref(), part, progress),
        _ => (
            0,
            answer
                .size
                .or_else(|| read_number(headers, "content-length")),
        ),
    };
    let total = answer.size.or(total);
    refuse_unbounded(&answer, total)?;
    progress.start(name, total);
    progress.advance(from);
    let body = Blocks::of(answer.response.into_body().into_reader());
    let received = copy(&body, part, from, total, progress);
    progress.finish();
    received?;
    check(part, answer.sha256.as_deref(), from > 0, progress)
}

/// An answer that ends with its connection looks whole wherever it is cut. Without a length or a
/// hash to compare with, it is not taken.
fn refuse_unbounded(answer: &Answer, total: Option<u64>) -> Result<(), Failure> {
    let headers = answer.response.headers();
    let in_chunks = headers
        .get("transfer-encoding")
        .is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if total.is_some() || answer.sha256.is_some() || in_chunks {
        return Ok(());
    }
    let problem = "the server says neither the length nor the SHA-256 of the file, so it cannot be known whether it came \
                   whole; nothing was kept. Is HF_ENDPOINT right, or a proxy in between?";
    Err(Failure::Final(HubError::Network {
        url: answer.url.clone(),
        problem: problem.to_owned(),
    }))
}

/// The part is as long as the file: it was complete, or it belongs to another version.
fn finish_or_restart(
    sha256: Option<&str>,
    part: &Path,
    progress: &dyn Progress,
) -> Result<String, Failure> {
    match sha256 {
        Some(_) => check(part, sha256, true, progress),
        None => Err(restart(part, "what was there is no beginning of the file")?),
    }
}

fn restart(part: &Path, problem: &str) -> Result<Failure, HubError> {
    remove(part)?;
    Ok(Failure::Passing {
        problem: format!("{problem}; beginning anew"),
        pause: Some(Duration::ZERO),
    })
}

fn remove(part: &Path) -> Result<(), HubError> {
    match fs::remove_file(part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(DiskError::at("remove", part)(e).into())
        }
        _ => Ok(()),
    }
}

fn copy(
    body: &Blocks,
    part: &Path,
    from: u64,
    total: Option<u64>,
    progress: &mut dyn Progress,
) -> Result<(), Failure> {
    let mut file = open_own(part, OpenOptions::new().append(true))?;
    if from == 0 {
        file.set_len(0).map_err(DiskError::at("write", part))?;
    }
    let mut done = from;
    let broken = loop {
        let block = match body.next(progress, part) {
            Ok(None) => break None,
            Ok(Some(Ok(block))) => block,
            Ok(Some(Err(e))) => break Some(e.to_string()),
            Err(stopped) => {
                file.sync_all().map_err(DiskError::at("write", part))?;
                return Err(stopped.into());
            }
        };
        done += block.len() as u64;
        if done > total.unwrap_or(MOST_UNANNOUNCED) {
            drop(file);
            remove(part)?;
            return Err(mismatch(
                part,
                "size",
                total.unwrap_or(MOST_UNANNOUNCED).to_string(),
                format!("at least {done}"),
            ));
        }
        file.write_all(&block)
            .map_err(DiskError::at("write", part))?;
        progress.advance(block.len() as u64);
        if progress.is_interrupted() {
            file.sync_all().map_err(DiskError::at("write", part))?;
            check_interrupted(progress, part)?;
        }
    };
    file.sync_all().map_err(DiskError::at("write", part))?;
    match (broken, total) {
        (None, Some(total)) if done < total => Err(Failure::passing(format!(
            "the transfer ended after {done} of {total} bytes"
        ))),
        (Some(why), _) => Err(Failure::passing(format!(
            "the transfer broke off after {done} bytes ({why})"
        ))),
        _ => Ok(()),
    }
}

fn check(
    part: &Path,
    sha256: Option<&str>,
    continued: bool,
    progress: &dyn Progress,
) -> Result<String, Failure> {
    let found = hash_watched(part, progress)?;
    match sha256 {
        Some(expected) if expected != found => {
            if continued {
                return Err(restart(part, "the beginning was of another version")?);
            }
            remove(part)?;
            Err(mismatch(part, "SHA-256", expected.to_owned(), found))
        }
        _ => Ok(found),
    }
}

fn mismatch(part: &Path, what: &'static str, expected: String, found: String) -> Failure {
    let path = part.with_extension("");
    Failure::Final(HubError::Mismatch {
        path,
        what,
        expected,
        found,
    })
}
