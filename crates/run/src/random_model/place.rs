//! The folder of a made-up model: whether it may be written, whether there is room, and how its
//! files get their names. Never here: what is in the files.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use schema::disk::Draft;

use super::{
    RandomModelRequest,
    shape::{CONFIG, config_file},
};
use crate::{
    error::{At, Result, bail},
    estimate::gigabytes,
    machine,
    output::OutputCheck,
};

/// A folder that may be written.
pub(super) struct Place<'a> {
    folder: &'a Path,
}

impl<'a> Place<'a> {
    /// Fails where the folder holds what this command does not write, or a whole model that is not
    /// to be replaced, or the configuration that is imitated.
    pub(super) fn check(request: &RandomModelRequest<'a>) -> Result<Self> {
        let folder = request.out;
        let check = OutputCheck::new(request.replace);
        let check = match config_file(request.like) {
            Some(file) => check.reading("the model to imitate", &file),
            None => check,
        };
        let is_whole = folder.join(CONFIG).exists();
        if is_whole && !request.replace && holds_only_a_model(folder) {
            bail!(
                "cannot write into {}: there is a model already; name another folder, or replace it with --replace",
                folder.display()
            );
        }
        check.folder(folder, &holds_only_a_model)?;
        check.file(&folder.join(CONFIG), &holds_only_a_model_beside)?;
        Ok(Self { folder })
    }

    /// Fails where the disk has less room than `bytes`. A model that is replaced stays until the
    /// new one is whole, so its own bytes are no room.
    pub(super) fn check_room(&self, bytes: u64) -> Result<()> {
        let Some(room) = machine::disk_room(self.folder) else {
            return Ok(()); // not known: the write itself fails
        };
        if room < bytes {
            bail!(
                "cannot write into {}: the model has {}, and the disk has room for {}; name a folder on another disk, or \
                 take fewer --layers",
                self.folder.display(),
                gigabytes(bytes),
                gigabytes(room)
            );
        }
        Ok(())
    }

    /// Gives all files their names, in this order. While they get them there is no `config.json`:
    /// whoever looks finds the old model, none, or the new one.
    pub(super) fn name_all(&self, drafts: Vec<(String, Draft)>) -> Result<()> {
        remove(&self.folder.join(CONFIG))?;
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

/// Whether all that a folder holds are files of the names that this command gives, and what a
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

/// Whether this command gives such a name.
fn is_named(name: &str) -> bool {
    let others = [
        CONFIG,
        "model.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    others.contains(&name) || name.starts_with("model-") && name.ends_with(".safetensors")
}

/// Whether a file has no name yet.
fn is_left(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}
