//! Reads little-endian fields and never past the file's end; a claimed length is compared with
//! what is left of the file before anything is allocated. Never here: what the fields mean.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use schema::disk::DiskError;

use crate::HubError;

/// List elements in one file. A [`super::Value`] takes 32 bytes however small it is in the
/// file, so a large file could otherwise ask for many times its own size; the largest
/// vocabularies have about two million elements in all.
const MOST_ELEMENTS: u64 = 1 << 23;

pub(super) struct Fields<'a> {
    pub(super) path: &'a Path,
    input: BufReader<File>,
    pub(super) position: u64,
    pub(super) length: u64,
    elements: u64,
}

impl<'a> Fields<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self, HubError> {
        let file = File::open(path).map_err(DiskError::at("open", path))?;
        let metadata = file.metadata().map_err(DiskError::at("read", path))?;
        let length = metadata.len();
        Ok(Self {
            path,
            input: BufReader::with_capacity(1 << 16, file),
            position: 0,
            length,
            elements: 0,
        })
    }

    pub(super) fn error(&self, at: &str, problem: impl Into<String>) -> HubError {
        HubError::Gguf {
            path: self.path.to_owned(),
            at: super::show(at),
            problem: problem.into(),
        }
    }

    fn left(&self) -> u64 {
        self.length - self.position
    }

    /// Refuses `count` things of at least `smallest` bytes each if the rest of the file cannot
    /// hold them.
    pub(super) fn check_count(
        &self,
        at: &str,
        what: &str,
        count: u64,
        smallest: u64,
    ) -> Result<usize, HubError> {
        let problem = || {
            let left = self.left();
            format!(
                "claims {count} {what}, but only {left} bytes are left in the file: it is cut short or damaged; get it again"
            )
        };
        if count > self.left() / smallest {
            return Err(self.error(at, problem()));
        }
        usize::try_from(count).map_err(|_| self.error(at, problem()))
    }

    /// As [`Self::check_count`], for a list, and counts its elements towards the file's total.
    pub(super) fn check_list(
        &mut self,
        at: &str,
        count: u64,
        smallest: u64,
    ) -> Result<usize, HubError> {
        let checked = self.check_count(at, "list elements", count, smallest)?;
        self.elements += count;
        if self.elements > MOST_ELEMENTS {
            return Err(self.error(at, format!("the file's lists have more than {MOST_ELEMENTS} elements; no model needs so many, so the file is not read")));
        }
        Ok(checked)
    }

    fn fill(&mut self, at: &str, bytes: &mut [u8]) -> Result<(), HubError> {
        let wanted = bytes.len() as u64;
        if wanted > self.left() {
            return Err(self.error(at, "the file ends here: it is cut short; get it again"));
        }
        self.input
            .read_exact(bytes)
            .map_err(DiskError::at("read", self.path))?;
        self.position += wanted;
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self, at: &str) -> Result<[u8; N], HubError> {
        let mut bytes = [0; N];
        self.fill(at, &mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, at: &str) -> Result<u32, HubError> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    pub(super) fn u64(&mut self, at: &str) -> Result<u64, HubError> {
        Ok(u64::from_le_bytes(self.array(at)?))
    }

    pub(super) fn text(&mut self, at: &str) -> Result<String, HubError> {
        let length = self.u64(at)?;
        let mut bytes = vec![0; self.check_count(at, "bytes of text", length, 1)?];
        self.fill(at, &mut bytes)?;
        String::from_utf8(bytes).map_err(|e| {
            self.error(
                at,
                format!(
                    "text is not UTF-8 ({}); the file is damaged or of another format",
                    e.utf8_error()
                ),
            )
        })
    }
}
