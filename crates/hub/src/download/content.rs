//! What came in place of a file: a web page of a login or a proxy, or Git LFS's pointer. Never
//! here: whether it came whole.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use schema::disk::DiskError;

use super::Failure;
use crate::HubError;

/// The part of a file's beginning that shows what it is.
const HEAD: u64 = 1024;

/// Refuses a file that is not what its name says, and removes it.
pub(super) fn check(url: &str, name: &str, part: &Path) -> Result<(), Failure> {
    let mut head = Vec::new();
    let mut file = File::open(part).map_err(DiskError::at("read", part))?;
    let read = (&mut file).take(HEAD).read_to_end(&mut head);
    read.map_err(DiskError::at("read", part))?;
    drop(file);
    let Some(problem) = judge(name, &head) else {
        return Ok(());
    };
    fs::remove_file(part).map_err(DiskError::at("remove", part))?;
    Err(Failure::Final(HubError::Network {
        url: url.to_owned(),
        problem,
    }))
}

/// What is wrong with a file that begins so.
fn judge(name: &str, head: &[u8]) -> Option<String> {
    if head.starts_with(b"version https://git-lfs.github.com/spec/") {
        return Some(format!(
            "the server sent Git LFS's pointer to `{name}` instead of the file itself; nothing was kept. Is HF_ENDPOINT a \
             mirror that holds no large files?"
        ));
    }
    let is_page = is_web_page(head) && !name.ends_with(".html") && !name.ends_with(".htm");
    is_page.then(|| {
        format!(
            "the server sent a web page instead of `{name}`; nothing was kept. Open the address in a browser: a login, or \
             a page of a proxy, may be in between"
        )
    })
}

/// Whether text begins as HTML does.
pub(super) fn is_web_page(head: &[u8]) -> bool {
    let head = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head);
    let head = head.trim_ascii_start();
    let begins = |tag: &[u8]| {
        head.get(..tag.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(tag))
    };
    begins(b"<!doctype html") || begins(b"<html") || begins(b"<head")
}
