//! Lines of JSON with a checksum behind each, as work that may be interrupted appends them to a
//! file. Never here: what the lines say, files.

use std::io::{self, Write};

use serde::Serialize;

/// A line as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedLine<'a> {
    /// Its JSON.
    pub json: &'a [u8],
    /// Whether the checksum behind it is that of the JSON; `None`: there is none.
    pub is_sound: Option<bool>,
}

impl<'a> CheckedLine<'a> {
    /// Splits a line.
    pub fn split(line: &'a [u8]) -> Self {
        let line = line.trim_ascii_end();
        let bare = Self {
            json: line,
            is_sound: None,
        };
        let Some(end) = line.iter().rposition(|&byte| byte == b' ') else {
            return bare;
        };
        let (json, sum) = (&line[..end], &line[end + 1..]);
        match sum.len() == 32 && sum.iter().all(u8::is_ascii_hexdigit) {
            true => Self {
                json,
                is_sound: Some(checksum(json).as_bytes() == sum),
            },
            false => bare,
        }
    }
}

/// Lines of these entries.
///
/// # Errors
/// An entry has no JSON.
pub fn encode(entries: &[impl Serialize]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for entry in entries {
        let json = serde_json::to_vec(entry)?;
        let sum = checksum(&json);
        lines.extend(json);
        writeln!(lines, " {sum}")?;
    }
    Ok(lines)
}

/// The first half of the SHA-256 of a line's JSON: a changed byte would be another result.
fn checksum(json: &[u8]) -> String {
    let mut sum = hub::hash_bytes(json);
    sum.truncate(32);
    sum
}
