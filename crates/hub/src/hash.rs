//! SHA-256 of whole files, and a cheap fingerprint of a model for manifests. Never here: what
//! is compared with what.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use schema::disk::DiskError;
use sha2::{Digest, Sha256};

use crate::{HubError, ModelFiles, Progress, folder, progress::check_interrupted};

/// The part of a file's beginning and of its end that a fingerprint sees.
const EDGE: u64 = 1 << 20;
/// Bytes between two looks at whether to stop.
const WATCHED: u64 = 8 << 20;

/// SHA-256 of the file at `path`, in lower-case hexadecimal; read as a stream.
///
/// # Errors
/// [`HubError::Disk`] if the file cannot be read.
pub fn hash_file(path: &Path) -> Result<String, HubError> {
    let hash = || -> io::Result<String> {
        let mut hasher = Sha256::new();
        feed(&mut hasher, &mut File::open(path)?)?;
        Ok(hex(&hasher.finalize()))
    };
    hash()
        .map_err(DiskError::at("read", path))
        .map_err(HubError::from)
}

/// As [`hash_file`], unless the user wants to stop: files of many gigabytes take minutes.
pub(crate) fn hash_watched(path: &Path, progress: &dyn Progress) -> Result<String, HubError> {
    let mut file = File::open(path).map_err(DiskError::at("read", path))?;
    let mut hasher = Sha256::new();
    loop {
        check_interrupted(progress, path)?;
        let mut piece = (&mut file).take(WATCHED);
        feed(&mut hasher, &mut piece).map_err(DiskError::at("read", path))?;
        if piece.limit() > 0 {
            return Ok(hex(&hasher.finalize()));
        }
    }
}

/// SHA-256 of `bytes`, in lower-case hexadecimal.
pub fn hash_bytes(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Identifies a model's files, in a moment even for large ones: SHA-256 over, for
/// each file in the order of names, its name, its size, its first and its last MiB (all of it
/// up to 2 MiB).
///
/// Files: weights, `config.json`, the shard index and the tokenizer's files; for GGUF the one
/// file. The folder's place does not matter, the names within do. A change deep inside a large
/// file that keeps its size is not seen: use [`hash_file`] for that.
///
/// # Errors
/// [`HubError::Disk`] if a file cannot be read.
pub fn fingerprint(files: &ModelFiles) -> Result<String, HubError> {
    let mut paths: Vec<PathBuf> = match files {
        ModelFiles::Gguf { path } => vec![path.clone()],
        ModelFiles::Folder { dir, weights } => {
            let beside = [folder::CONFIG, folder::INDEX]
                .iter()
                .chain(folder::OPTIONAL)
                .map(|name| dir.join(name));
            weights
                .iter()
                .cloned()
                .chain(beside.filter(|path| path.is_file()))
                .collect()
        }
    };
    paths.sort();
    paths.dedup();
    let mut hasher = Sha256::new();
    for path in &paths {
        feed_edges(&mut hasher, path).map_err(DiskError::at("read", path))?;
    }
    Ok(hex(&hasher.finalize()))
}

fn feed_edges(hasher: &mut Sha256, path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    // With its length before it, no name can be mistaken for content.
    hasher.update((name.len() as u64).to_le_bytes());
    hasher.update(name);
    hasher.update(size.to_le_bytes());
    if size <= 2 * EDGE {
        return feed(hasher, &mut file);
    }
    feed(hasher, &mut (&mut file).take(EDGE))?;
    file.seek(SeekFrom::Start(size - EDGE))?;
    feed(hasher, &mut file)
}

fn feed(hasher: &mut Sha256, input: &mut dyn Read) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 17];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn gguf_fingerprint(path: &Path) -> String {
        fingerprint(&ModelFiles::Gguf {
            path: path.to_owned(),
        })
        .expect("reads")
    }

    #[test]
    fn hashes_as_the_standard_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("abc");
        fs::write(&path, "abc").expect("writes");
        // FIPS 180-2, appendix B.1
        assert_eq!(
            hash_file(&path).expect("reads"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let error = hash_file(&folder.path().join("none")).expect_err("no such file");
        assert!(
            error.to_string().contains("cannot read") && error.to_string().contains("none"),
            "{error}"
        );
    }

    #[test]
    fn a_fingerprint_sees_name_size_and_both_edges() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.gguf");
        let mut bytes = vec![7; 3 << 20];
        let see = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("writes");
            gguf_fingerprint(&path)
        };
        let whole = see(&bytes);
        assert_eq!(see(&bytes), whole);
        assert_ne!(see(&bytes[1..]), whole, "size");
        bytes[EDGE as usize - 1] = 8;
        assert_ne!(see(&bytes), whole, "end of the first MiB");
        bytes[EDGE as usize - 1] = 7;
        bytes[2 << 20] = 8;
        assert_ne!(see(&bytes), whole, "beginning of the last MiB");
        bytes[2 << 20] = 7;
        bytes[(2 << 20) - 1] = 8;
        assert_eq!(see(&bytes), whole, "the middle is not seen, as documented");
        let renamed = folder.path().join("other.gguf");
        bytes[(2 << 20) - 1] = 7;
        fs::write(&renamed, &bytes).expect("writes");
        assert_ne!(gguf_fingerprint(&renamed), whole, "name");
    }

    #[test]
    fn a_small_file_is_seen_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.gguf");
        fs::write(&path, vec![7; 2 << 20]).expect("writes");
        let whole = gguf_fingerprint(&path);
        let mut changed = vec![7; 2 << 20];
        changed[(1 << 20) + 5] = 8;
        fs::write(&path, changed).expect("writes");
        assert_ne!(gguf_fingerprint(&path), whole);
    }
}
