//! What a page holds in itself: its script, by a hash that the page's policy names, and files as
//! addresses.

use std::{fs, io, path::Path};

use sha2::{Digest, Sha256};

/// The script of a page of tables.
pub(crate) const SCRIPT: &str = include_str!("tables.js");

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a policy calls [`SCRIPT`]: `sha256-...`.
pub(crate) fn script_source() -> String {
    format!("sha256-{}", base64(&Sha256::digest(SCRIPT.as_bytes())))
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let joined = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS[(joined >> (18 - 6 * place)) as usize & 63];
            let is_there = place <= group.len();
            text.push(if is_there { char::from(digit) } else { '=' });
        }
    }
    text
}

/// A file as an address that holds it whole.
///
/// # Errors
/// It cannot be read.
pub(crate) fn inline_file(path: &Path) -> io::Result<String> {
    let kind = match path.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        Some("md") => "text/markdown",
        _ => "text/plain",
    };
    Ok(format!("data:{kind};base64,{}", base64(&fs::read(path)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (text, expected) in cases {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
