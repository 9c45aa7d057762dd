//! An archive read: every file's hash is checked, no path leads out of the folder that it is unpacked into, and no file may
//! be larger than a run's files are.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Component, Path, PathBuf},
};

use run::{RunError, Watch};
use schema::disk::{DiskError, write_with};
use zip::ZipArchive;

use crate::{
    Contents,
    contents::{FORMAT, NAME, RECIPE, RUN},
    error::{ArchiveError, Result},
};

/// More than the list of files of the largest run.
const LARGEST_TEXT: u64 = 256 << 20;
/// A file that unpacks to more times its packed size was made to fill a disk.
const LARGEST_RATIO: u64 = 2000;

/// An archive of `lingualign pack`.
pub struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    /// What it holds.
    pub contents: Contents,
}

impl Archive {
    /// Opens it and reads what it holds.
    ///
    /// # Errors
    /// It cannot be read, is no archive, or one of a newer program.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(DiskError::at("open", path))?;
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(ArchiveError::of_zip(path))?;
        let text = read_text(&mut zip, NAME, path)?;
        let contents: Contents =
            serde_json::from_str(&text).map_err(|problem| ArchiveError::Damaged {
                path: path.to_owned(),
                problem: format!("its {NAME} cannot be understood ({problem})"),
            })?;
        if contents.format != FORMAT {
            return Err(ArchiveError::Damaged {
                path: path.to_owned(),
                problem: format!(
                    "its form is {}, and this program reads {FORMAT}; take the program that packed it ({})",
                    contents.format, contents.program
                ),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            zip,
            contents,
        })
    }

    /// Its recipe, every default written out.
    ///
    /// # Errors
    /// It is missing or no text.
    pub fn recipe(&mut self) -> Result<String> {
        read_text(&mut self.zip, RECIPE, &self.path)
    }

    /// Writes its files into a folder. Files that are there with the right hash are kept.
    ///
    /// # Errors
    /// A file is missing, damaged or would be outside of the folder; a file cannot be written; an interruption.
    pub fn unpack(&mut self, folder: &Path, watch: &mut dyn Watch) -> Result<()> {
        let run = self.contents.run.clone().into_iter();
        let mut files: Vec<(String, String)> = run
            .map(|(name, sha256)| (format!("{RUN}/{name}"), sha256))
            .collect();
        let others = self.contents.files.values();
        files.extend(others.map(|file| (file.path.clone(), file.sha256.clone())));
        watch.start("unpack", files.len(), "files");
        for (done, (name, sha256)) in files.iter().enumerate() {
            if watch.is_interrupted() {
                let message =
                    "interrupted while the archive was unpacked; run the same command again";
                return Err(RunError::Interrupted(message.to_owned()).into());
            }
            let place = self.place(folder, name)?;
            if !place.is_file() || hub::hash_file(&place)? != *sha256 {
                self.unpack_file(name, &place, sha256)?;
            }
            watch.advance(done + 1, name);
        }
        let (recipe, contents) = (self.recipe()?, read_text(&mut self.zip, NAME, &self.path)?);
        schema::write_whole(&folder.join(RECIPE), recipe.as_bytes())?;
        schema::write_whole(&folder.join(NAME), contents.as_bytes())?;
        watch.finish("");
        Ok(())
    }

    /// Where a file is to be, if its name leads nowhere else.
    fn place(&self, folder: &Path, name: &str) -> Result<PathBuf> {
        let is_plain = |part| matches!(part, Component::Normal(_));
        let path = Path::new(name);
        let is_odd = name.contains('\\') || name.split('/').any(str::is_empty);
        if is_odd || !path.components().all(is_plain) {
            return Err(damaged(
                &self.path,
                &format!("it names a file outside of itself, {name:?}"),
            ));
        }
        Ok(folder.join(path))
    }

    fn unpack_file(&mut self, name: &str, place: &Path, sha256: &str) -> Result<()> {
        let mut member = match self.zip.by_name(name) {
            Ok(member) => member,
            Err(problem) => {
                return Err(damaged(
                    &self.path,
                    &format!("{name} cannot be read from it ({problem})"),
                ));
            }
        };
        let most = member
            .compressed_size()
            .saturating_add(1)
            .saturating_mul(LARGEST_RATIO);
        let mut limited = (&mut member).take(most);
        write_with(place, |file| io::copy(&mut limited, file).map(drop))?;
        if hub::hash_file(place)? != sha256 {
            std::fs::remove_file(place).map_err(DiskError::at("remove", place))?;
            return Err(damaged(
                &self.path,
                &format!("{name} is not as it was packed"),
            ));
        }
        Ok(())
    }
}

fn damaged(path: &Path, problem: &str) -> ArchiveError {
    ArchiveError::Damaged {
        path: path.to_owned(),
        problem: format!("{problem}; get the archive again"),
    }
}

fn read_text(zip: &mut ZipArchive<BufReader<File>>, name: &str, path: &Path) -> Result<String> {
    let member = zip.by_name(name).map_err(ArchiveError::of_zip(path))?;
    let mut text = String::new();
    member
        .take(LARGEST_TEXT)
        .read_to_string(&mut text)
        .map_err(|problem| ArchiveError::Damaged {
            path: path.to_owned(),
            problem: format!("its {name} cannot be read ({problem})"),
        })?;
    Ok(text)
}

#[cfg(test)]
mod tests;
