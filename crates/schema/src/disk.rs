//! Files are written whole: to a temporary name in the same folder, synced, then renamed. Files
//! that stay open under their own name, such as locks, are opened without following a link.

mod leftovers;
mod own_file;

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

pub use leftovers::remove_leftovers_below;
pub use own_file::{is_one_file, is_same_file, open_own, own_length};

/// What to do about a damaged file of a model, wherever it is met.
pub const FETCH_AGAIN: &str = "fetch it again: `lingualign model pull NAME --force` for a model in the cache, and by the way \
                               it came for a file of your own";

/// A file could not be read or written; names the file.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} {path}: {source}")]
pub struct DiskError {
    /// `read`, `write`, `create`, ...
    pub act: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl DiskError {
    /// For `map_err`: names what was tried and on which file.
    pub fn at<'a>(act: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self {
            act,
            path: path.to_owned(),
            source,
        }
    }
}

/// Writes `bytes` to `path` so that a reader, or a crash at any moment, sees the old file or
/// the new one, never a part. Missing parent folders are created.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write_whole`], for content that is streamed.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut io::BufWriter<&mut fs::File>) -> io::Result<()>,
) -> Result<(), DiskError> {
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(DiskError::at("create", folder))?;
    let write = || -> io::Result<()> {
        let mut temporary = leftovers::temporary_in(folder)?;
        let mut buffered = io::BufWriter::new(temporary.as_file_mut());
        fill(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        persist(temporary, path)
    };
    write().map_err(DiskError::at("write", path))
}

/// A file whose name is known only when all of it is written; dropped before [`Self::finish`],
/// it leaves nothing.
pub struct Draft {
    file: io::BufWriter<tempfile::NamedTempFile>,
}

impl Draft {
    /// A file without a name in `folder`, which is created if it is missing.
    ///
    /// # Errors
    /// The folder cannot be created or written to.
    pub fn create_in(folder: &Path) -> Result<Self, DiskError> {
        fs::create_dir_all(folder).map_err(DiskError::at("create", folder))?;
        let file = leftovers::temporary_in(folder).map_err(DiskError::at("write into", folder))?;
        Ok(Self {
            file: io::BufWriter::new(file),
        })
    }

    /// Gives the file its name, in the same folder; a file of that name is
    /// replaced.
    ///
    /// # Errors
    /// The rest cannot be written, or the file not renamed.
    pub fn finish(self, path: &Path) -> Result<(), DiskError> {
        let unbuffered = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error);
        unbuffered
            .and_then(|temporary| persist(temporary, path))
            .map_err(DiskError::at("write", path))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn persist(temporary: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    make_readable(temporary.as_file())?;
    temporary.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Writes one JSON value a line, whole.
pub fn write_json_lines<T: serde::Serialize>(path: &Path, rows: &[T]) -> Result<(), DiskError> {
    write_with(path, |file| {
        for row in rows {
            serde_json::to_writer(&mut *file, row)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// A temporary file is private to its owner; a result is an ordinary file.
#[cfg(unix)]
fn make_readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &fs::File) -> io::Result<()> {
    Ok(())
}

/// Bytes up to the end of the last whole line of a file that is only appended to. What follows
/// was being written when the program died.
pub fn whole_lines(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/file.json");
        write_whole(&path, b"old").expect("writes");
        let failed = write_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        let error = failed.expect_err("the filler failed");
        assert!(
            error.to_string().contains("file.json: disk full"),
            "{error}"
        );
        assert_eq!(fs::read(&path).expect("still there"), b"old");
        assert_eq!(
            fs::read_dir(path.parent().expect("a parent"))
                .expect("lists")
                .count(),
            1
        );
    }

    #[test]
    fn a_draft_has_no_name_until_it_is_finished() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("new");
        let names = || {
            fs::read_dir(&below)
                .expect("lists")
                .map(|e| e.expect("an entry").file_name())
                .collect::<Vec<_>>()
        };
        let mut draft = Draft::create_in(&below).expect("creates");
        draft.write_all(b"whole").expect("writes");
        assert!(
            names()
                .iter()
                .all(|name| name.to_string_lossy().starts_with('.'))
        );
        draft.finish(&below.join("a.json")).expect("renames");
        assert_eq!(
            (names(), fs::read(below.join("a.json")).expect("reads")),
            (vec!["a.json".into()], b"whole".to_vec())
        );
        drop(Draft::create_in(&below).expect("creates"));
        assert_eq!(names().len(), 1);
    }
}
