//! The folder of a model that a command writes: whether it may be written, whether there is room,
//! and how its files get their names. Never here: what is in the files.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use schema::disk::{DiskError, Draft};

use crate::{
    RunError,
    error::{At, Result, bail},
    estimate::gigabytes,
    machine,
    output::OutputCheck,
    watch::Watch,
};

/// The file that makes a folder a model's.
pub(crate) const CONFIG: &str = "config.json";

/// As large as Hugging Face makes them.
pub(crate) const SHARD_BYTES: u64 = 5_000_000_000;

/// The index of several weight files.
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// Files beside the weights that are copied with a model: what its tokenizer and its generation
/// need, and its licence.
pub(crate) const BESIDE: &[&str] = &[
    "LICENSE",
    "LICENSE.txt",
    "NOTICE",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
];

/// A folder that may be written.
pub(crate) struct ModelFolder<'a> {
    folder: &'a Path,
}

impl<'a> ModelFolder<'a> {
    /// Fails where the folder holds what these commands do not write, or a whole model that is not
    /// to be replaced, or what the command reads.
    pub(crate) fn check(folder: &'a Path, replace: bool, check: &OutputCheck) -> Result<Self> {
        let is_whole = !files_that(folder, is_mark).is_empty();
        if is_whole && !replace && holds_only_a_model(folder) {
            bail!(
                "cannot write into {}: there is a model already; name another folder, or replace it with --replace",
                folder.display()
            );
        }
        check.folder(folder, &holds_only_a_model)?;
        check.file(&folder.join(CONFIG), &holds_only_a_model_beside)?;
        Ok(Self { folder })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder
    }

    /// Fails where the disk has less room than `bytes`; `remedy` is for the user. A model that is
    /// replaced stays until the new one is whole, so its own bytes are no room.
    pub(crate) fn check_room(&self, bytes: u64, remedy: &str) -> Result<()> {
        let Some(room) = machine::disk_room(self.folder) else {
            return Ok(()); // not known: the write itself fails
        };
        if room < bytes {
            bail!(
                "cannot write into {}: the model has {}, and the disk has room for {}; name a folder on another disk{remedy}",
                self.folder.display(),
                gigabytes(bytes),
                gigabytes(room)
            );
        }
        Ok(())
    }

    /// A file of these bytes, without a name yet.
    pub(crate) fn draft(&self, bytes: &[u8]) -> Result<Draft> {
        let mut draft = Draft::create_in(self.folder)?;
        draft
            .write_all(bytes)
            .map_err(DiskError::at("write into", self.folder))?;
        Ok(draft)
    }

    /// Appends a piece to a file without a name, `done` bytes of all files having been written.
    pub(crate) fn write_piece(
        &self,
        draft: &mut Draft,
        bytes: &[u8],
        done: &mut usize,
        watch: &mut dyn Watch,
    ) -> Result<()> {
        draft
            .write_all(bytes)
            .map_err(DiskError::at("write into", self.folder))?;
        *done += bytes.len();
        if watch.step(*done) {
            return Ok(());
        }
        let kept = format!("interrupted; {} is as it was", self.folder.display());
        Err(RunError::Interrupted(kept))
    }

    /// Gives all files their names, in this order; the last one makes the folder a model's. While
    /// they get them there is no such file: whoever looks finds the old model, none, or the new one.
    pub(crate) fn name_all(&self, drafts: Vec<(String, Draft)>) -> Result<()> {
        for mark in files_that(self.folder, is_mark) {
            remove(&mark)?;
        }
        for path in files_that(self.folder, is_named) {
            let name = path.file_name().unwrap_or_default();
            if !drafts.iter().any(|(new, _)| OsStr::new(new) == name) {
                remove(&path)?;
            }
        }
        for (name, draft) in drafts {
            draft.finish(&self.folder.join(name))?;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => {
            Err(failure).at_path("remove", path)
        }
        _ => Ok(()),
    }
}

/// Whether all that a folder holds are files of the names that these commands give, and what a
/// killed one left.
fn holds_only_a_model(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = files_that(folder, |name| is_named(name) || is_left(name));
    entries.count() == ours.len()
}

fn holds_only_a_model_beside(file: &Path) -> bool {
    file.parent().is_some_and(holds_only_a_model)
}

/// Ordinary files by their names.
fn files_that(folder: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let files = files.filter(|entry| wanted(&entry.file_name().to_string_lossy()));
    files.map(|entry| entry.path()).collect()
}

/// Whether a file says that a model is whole.
fn is_mark(name: &str) -> bool {
    name == CONFIG || is_gguf(name)
}

fn is_gguf(name: &str) -> bool {
    name.starts_with("model.") && name.ends_with(".gguf")
}

/// Whether one of these commands gives such a name.
fn is_named(name: &str) -> bool {
    [CONFIG, "model.safetensors", INDEX].contains(&name)
        || BESIDE.contains(&name)
        || is_gguf(name)
        || name.starts_with("model-") && name.ends_with(".safetensors")
}

/// Whether a file has no name yet.
fn is_left(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

/// The files of a folder by name; none where there is no folder.
#[cfg(test)]
pub(crate) fn contents(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.expect("an entry"))
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("reads"))
        })
        .collect()
}
