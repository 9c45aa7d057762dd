//! Whether a result may be written where the user wants it, asked before any work is done. A path
//! is refused where something else than an ordinary file stands, where it is something that the
//! command reads, or where it would replace what the command did not write. Never here: writing.

mod place;

use std::{fs, path::Path};

use data::testset;
use hub::{Cache, ModelFiles};
use schema::disk::is_one_file;

use self::place::{ReadPlace, find_place};
use crate::error::{At, Result, bail};

/// What a command reads, and whether it may replace files: what the paths that it will write are
/// held against.
pub struct OutputCheck {
    reads: Vec<ReadPlace>,
    replace: bool,
}

impl OutputCheck {
    /// `replace`: ordinary files that the command did not write may be replaced too.
    pub fn new(replace: bool) -> Self {
        Self {
            reads: Vec::new(),
            replace,
        }
    }

    /// The command reads this file or folder; `what` names it in messages.
    #[must_use]
    pub fn reading(mut self, what: &'static str, path: &Path) -> Self {
        self.reads.extend(ReadPlace::find(what, path));
        self
    }

    /// The command reads this model, which may be a name, and with one the folder of fetched
    /// models.
    ///
    /// # Errors
    /// There is no folder of fetched models.
    pub fn reading_model(self, name: &str) -> Result<Self> {
        let path = Path::new(name);
        if path.exists() {
            return Ok(self.reading("the model", path));
        }
        let cache = Cache::from_env()?;
        Ok(["hub", "packages", "datasets"]
            .iter()
            .fold(self, |check, kind| {
                check.reading("fetched models and data", &cache.root().join(kind))
            }))
    }

    /// The files of a model that was found.
    #[must_use]
    pub fn reading_files(self, files: &ModelFiles) -> Self {
        match files {
            ModelFiles::Folder { dir, .. } => self.reading("the model", dir),
            ModelFiles::Gguf { path } => self.reading("the model", path),
        }
    }

    /// The command reads a task's test files below `dir`. Where that is the folder in which the
    /// program was started, or one above it, results are kept in it too: then only the task's own
    /// folder is held against them, or its files where it has none.
    #[must_use]
    pub fn reading_data(self, dir: &Path, task: &schema::Task) -> Self {
        let is_project = std::env::current_dir()
            .is_ok_and(|here| find_place(&here).starts_with(find_place(dir)));
        if !is_project {
            return self.reading("the data", dir);
        }
        let folder = dir.join(&task.folder);
        if find_place(&folder) != find_place(dir) {
            return self.reading("the data", &folder);
        }
        let languages = testset::languages(dir, task).unwrap_or_default();
        let files = languages
            .iter()
            .filter_map(|&language| testset::find(dir, task, language).ok());
        files.fold(self, |check, file| check.reading("the data", &file))
    }

    /// Fails where `path` is no place for a result. `is_ours` says whether a file that is there is
    /// one that the same command wrote; an empty one is free.
    ///
    /// # Errors
    /// It is a folder, link, device, pipe or socket; an input, or inside one; a file that the
    /// command did not write, unless it may replace it; its folder cannot be made or written into.
    pub fn file(&self, path: &Path, is_ours: &dyn Fn(&Path) -> bool) -> Result<()> {
        let shown = path.display();
        if path == Path::new("-") {
            bail!("cannot write `-`: results go to files; name one");
        }
        refuse_inputs(&self.reads, path)?;
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => bail!("cannot write {shown}: it is a folder"),
            Ok(found) if found.is_symlink() => {
                let target = fs::read_link(path).unwrap_or_default();
                bail!(
                    "cannot write {shown}: it is a link to {}; name an ordinary file, or that file itself",
                    target.display()
                );
            }
            Ok(found) if !found.is_file() => bail!(
                "cannot write {shown}: it is no ordinary file but a device, pipe or socket; results are written \
                 beside their place and renamed, so name an ordinary file"
            ),
            Ok(found) if found.len() > 0 && !self.replace && !is_ours(path) => bail!(
                "cannot write {shown}: it is there already, and this command did not write it; name another file, or \
                 replace it with --replace"
            ),
            _ => probe(path.parent().unwrap_or(path)),
        }
    }

    /// As [`Self::file`] for a folder that gets several files. `is_ours` says whether a folder that
    /// is there and not empty was written by the same command.
    ///
    /// # Errors
    /// It is a file, an input or inside one, or holds something else; it cannot be made or written
    /// into.
    pub fn folder(&self, path: &Path, is_ours: &dyn Fn(&Path) -> bool) -> Result<()> {
        let shown = path.display();
        refuse_inputs(&self.reads, path)?;
        if path.is_dir() {
            let mut entries = fs::read_dir(path).at_path("list", path)?;
            if entries.next().is_some() && !is_ours(path) {
                bail!(
                    "cannot write into {shown}: it holds files that this command did not write; name another folder, \
                     or empty it"
                );
            }
        }
        probe(path)
    }
}

/// Fails where `path` is an input, or inside one.
fn refuse_inputs(reads: &[ReadPlace], path: &Path) -> Result<()> {
    let place = find_place(path);
    for read in reads {
        let is_input = place == read.place && !read.is_folder
            || path.is_file() && read.files().iter().any(|file| is_one_file(file, path));
        let (what, shown) = (read.what, read.given.display());
        if is_input {
            bail!(
                "cannot write {}: this command reads it ({what}, {shown}); name another file",
                path.display()
            );
        }
        if read.is_folder && place.starts_with(&read.place) {
            bail!(
                "cannot write {}: it is inside {what}, {shown}, which this command reads; name a place outside of it",
                path.display()
            );
        }
    }
    Ok(())
}

/// Fails where no file can be made in `folder`, which need not be there yet; makes nothing.
fn probe(folder: &Path) -> Result<()> {
    let place = find_place(folder);
    let mut above = place.ancestors();
    match above.find(|folder| fs::symlink_metadata(folder).is_ok()) {
        Some(file) if !file.is_dir() => bail!(
            "cannot create {}: {} is no folder",
            folder.display(),
            file.display()
        ),
        found => {
            let folder = found.unwrap_or(&place);
            tempfile::tempfile_in(folder)
                .at(|| format!("cannot write into {}", folder.display()))?;
            Ok(())
        }
    }
}

/// Whether `folder` is a run's: it has a manifest, or the locks that a run makes before anything
/// else. Another process may be making the rest at this moment.
pub(crate) fn is_run_folder(folder: &Path) -> bool {
    let run = schema::run_folder::RunFolder::new(folder);
    let is_only_lock = || {
        let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.all(|entry| entry.path() == run.lock())
    };
    run.manifest().exists() || run.locks().is_dir() || is_only_lock()
}

/// Holds the folder of a run against what the run reads.
pub(crate) fn check_run_folder(
    folder: &Path,
    model: &ModelFiles,
    recipe: &schema::Recipe,
) -> Result<()> {
    let mut check = OutputCheck::new(false).reading_files(model);
    for task in &recipe.eval.tasks {
        check = check.reading_data(&recipe.data.dir, data::tasks::task(task)?);
    }
    let dir = &recipe.data.dir;
    if find_place(folder) == find_place(dir) {
        bail!(
            "cannot write into {}: it is the data's folder; give another one with --out",
            folder.display()
        );
    }
    check.folder(folder, &is_run_folder)
}

/// Nothing that is there is this command's.
pub fn nothing_is_ours(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests;
