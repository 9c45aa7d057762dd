//! The lines of a file of records, read one at a time, so that a file may be large, and the checks
//! that several kinds of record share.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use schema::disk::DiskError;
use serde::de::DeserializeOwned;

use crate::error::CompareError;

/// Calls `take` with the line, from 1, and the record of every line of a file of JSON Lines; it
/// returns what is wrong with it.
pub(crate) fn each_record<T: DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(usize, T) -> Result<(), String>,
) -> Result<(), CompareError> {
    let mut reader = BufReader::with_capacity(
        1 << 17,
        File::open(path).map_err(DiskError::at("read", path))?,
    );
    let (mut bytes, mut line) = (Vec::new(), 0);
    loop {
        bytes.clear();
        if reader
            .read_until(b'\n', &mut bytes)
            .map_err(DiskError::at("read", path))?
            == 0
        {
            return Ok(());
        }
        line += 1;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let record = serde_json::from_slice(&bytes).map_err(|problem| CompareError::BadLine {
            path: path.to_owned(),
            line,
            problem,
        })?;
        take(line, record).map_err(|problem| CompareError::BadRecord {
            path: path.to_owned(),
            line,
            problem,
        })?;
    }
}

/// What is wrong with the first of some named numbers that is not within `low..=high`.
pub(crate) fn check_within(low: f64, high: f64, numbers: &[(&str, f64)]) -> Result<(), String> {
    match numbers
        .iter()
        .find(|(_, number)| !(low..=high).contains(number))
    {
        Some((name, number)) => Err(format!(
            "`{name}` is {number}, which is not between {low} and {high}"
        )),
        None => Ok(()),
    }
}

/// What is wrong with the first of some named numbers that is not finite.
pub(crate) fn check_finite(numbers: &[(&str, Option<f64>)]) -> Result<(), String> {
    match numbers
        .iter()
        .find(|(_, number)| number.is_some_and(|number| !number.is_finite()))
    {
        Some((name, number)) => Err(format!(
            "`{name}` is {}, which is not a number",
            number.unwrap_or(f64::NAN)
        )),
        None => Ok(()),
    }
}
