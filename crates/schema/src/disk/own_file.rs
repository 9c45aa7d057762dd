//! Files that are kept open under their own name: locks, journals, parts of downloads. In a folder
//! that others may write into, such a name may be a link to somebody's file; it is refused, and
//! nothing is emptied by opening it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    path::Path,
};

use super::DiskError;

/// Opens a file with `options`, which say nothing of creating it, or creates it.
///
/// # Errors
/// It is a link or no ordinary file, or cannot be opened.
pub fn open_own(path: &Path, options: &OpenOptions) -> Result<File, DiskError> {
    open(path, options).map_err(DiskError::at("open", path))
}

fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    loop {
        let opened = match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => return Err(io::Error::other(linked(path))),
            Ok(found) if !found.is_file() => {
                return Err(io::Error::other("it is no ordinary file; remove it"));
            }
            Ok(_) => options.open(path),
            // Creates nothing through a link, even one that was put there a moment ago.
            Err(e) if e.kind() == ErrorKind::NotFound => {
                options.clone().create_new(true).open(path)
            }
            Err(e) => Err(e),
        };
        match opened {
            Ok(file) if is_same_file(&file, path) => return Ok(file),
            // It was exchanged, removed or made meanwhile.
            Ok(_) => {}
            Err(e)
                if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists)
                    && path
                        .parent()
                        .is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir()) => {}
            Err(e) => return Err(e),
        }
    }
}

fn linked(path: &Path) -> String {
    let target = fs::read_link(path).unwrap_or_default();
    format!(
        "it is a link to {}, and what a link points to is not changed; remove the link",
        target.display()
    )
}

/// Bytes of a file that [`open_own`] opens; 0 where there is none.
///
/// # Errors
/// It is a link, or cannot be looked at.
pub fn own_length(path: &Path) -> Result<u64, DiskError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            Err(DiskError::at("open", path)(io::Error::other(linked(path))))
        }
        Ok(found) => Ok(found.len()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(0),
        Err(e) => Err(DiskError::at("read", path)(e)),
    }
}

/// Whether `path` itself, not what it may link to, is the open file.
#[cfg(unix)]
pub fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Whether both are there and are one file, by whatever names and links.
#[cfg(unix)]
pub fn is_one_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => a.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

/// Whether both are there and are one file; hard links cannot be asked for.
#[cfg(not(unix))]
pub fn is_one_file(a: &Path, b: &Path) -> bool {
    let real = (fs::canonicalize(a), fs::canonicalize(b));
    a.is_file() && matches!(real, (Ok(a), Ok(b)) if a == b)
}

/// Whether `path` itself, not what it may link to, is there; which file it is cannot be asked.
#[cfg(not(unix))]
pub fn is_same_file(_: &File, path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_is_refused_and_its_target_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (lock, target) = (folder.path().join(".lock"), folder.path().join("target"));
        fs::write(&target, "mine").expect("writes");
        symlink(&target, &lock).expect("links");
        let options = OpenOptions::new().read(true).write(true).clone();
        let error = open_own(&lock, &options).expect_err("a link").to_string();
        assert!(
            error.contains(".lock: it is a link to") && error.contains("remove the link"),
            "{error}"
        );
        assert_eq!(fs::read(&target).expect("reads"), b"mine");
        fs::remove_file(&target).expect("removes");
        open_own(&lock, &options).expect_err("a link to nothing");
        assert!(!target.exists(), "nothing is made through a link");
        fs::remove_file(&lock).expect("removes");
        open_own(&lock, &options).expect("creates");
        open_own(&lock, &options).expect("opens");
    }
}
