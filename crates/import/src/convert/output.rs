//! The files that are written: one for each language, without a name until all of them are
//! whole.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use data::{DataError, testset};
use schema::{
    Label, Language,
    disk::{DiskError, Draft, is_one_file},
};

use super::{ImportPlan, ImportTarget, PairSource, QuestionSplit, reading::keys};
use crate::refuse;

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// The file.
    pub path: PathBuf,
    /// Its language.
    pub language: Language,
    /// Items in it.
    pub items: usize,
    /// Items of each label, in task order; empty where there are no labels.
    pub labels: Vec<usize>,
}

/// The files of one import while they are written.
pub(super) struct OutputFiles<'a> {
    plan: &'a ImportPlan<'a>,
    folder: PathBuf,
    keys: Vec<String>,
    files: BTreeMap<Language, OutputFile>,
}

struct OutputFile {
    draft: Draft,
    items: usize,
    labels: Vec<usize>,
    /// Files of the same language that are there already.
    old: Vec<PathBuf>,
}

impl<'a> OutputFiles<'a> {
    pub(super) fn new(plan: &'a ImportPlan<'a>) -> Self {
        let folder = match &plan.target {
            ImportTarget::Questions { task, .. } | ImportTarget::Pairs { task, .. } => {
                plan.out.join(&task.folder)
            }
            ImportTarget::Text { .. } => plan.out.clone(),
        };
        Self {
            plan,
            folder,
            keys: keys(&plan.target),
            files: BTreeMap::new(),
        }
    }

    /// # Errors
    /// A file of the language is there already, and is not to be replaced.
    pub(super) fn check_free(&self, language: Language) -> Result<Vec<PathBuf>, DataError> {
        let old = match self.ending() {
            _ if !self.folder.is_dir() => Vec::new(),
            Some((task, ending)) => testset::find_all(&self.folder, task, language, ending)?,
            None => [self.name(language, 0)]
                .into_iter()
                .filter(|path| path.symlink_metadata().is_ok())
                .collect(),
        };
        if let Some(input) = old.iter().find(|path| self.is_read(path)) {
            let problem = "is a file that is read here; choose another folder";
            return Err(refuse(&input.display().to_string(), problem));
        }
        if let Some(other) = old.iter().find(|path| !is_ordinary(path)) {
            let problem = "is a link or no ordinary file; choose another folder, or remove it";
            return Err(refuse(&other.display().to_string(), problem));
        }
        match old.first() {
            Some(path) if !self.plan.replace => {
                let problem = "is there already; choose another folder, or replace it";
                Err(refuse(&path.display().to_string(), problem))
            }
            _ => Ok(old),
        }
    }

    /// Whether a file is an input, under this name or another.
    fn is_read(&self, path: &Path) -> bool {
        let english = match &self.plan.target {
            ImportTarget::Pairs {
                source: PairSource::Files { english, .. },
                ..
            } => Some(english),
            _ => None,
        };
        let inputs = self.plan.inputs.iter().chain(english);
        inputs
            .map(|input| &input.path)
            .any(|input| is_one_file(input, path))
    }

    pub(super) fn write(
        &mut self,
        language: Language,
        label: Option<Label>,
        values: &[String],
    ) -> Result<(), DataError> {
        let labels = match &self.plan.target {
            ImportTarget::Questions { task, .. } => task.labels.len(),
            _ => 0,
        };
        if !self.files.contains_key(&language) {
            let old = self.check_free(language)?;
            let draft = Draft::create_in(&self.folder)?;
            self.files.insert(
                language,
                OutputFile {
                    draft,
                    items: 0,
                    labels: vec![0; labels],
                    old,
                },
            );
        }
        let is_list = !matches!(self.plan.target, ImportTarget::Text { .. });
        let Some(file) = self.files.get_mut(&language) else {
            return Ok(());
        };
        let start = match (is_list, file.items) {
            (false, _) => "",
            (true, 0) => "[\n  ",
            (true, _) => ",\n  ",
        };
        write_item(&mut file.draft, start, &self.keys, values)
            .map_err(DiskError::at("write into", &self.folder))?;
        if !is_list {
            file.draft
                .write_all(b"\n")
                .map_err(DiskError::at("write into", &self.folder))?;
        }
        file.items += 1;
        if let Some(count) = label.and_then(|label| file.labels.get_mut(label.0)) {
            *count += 1;
        }
        Ok(())
    }

    /// Gives all files their names.
    pub(super) fn finish(mut self) -> Result<Vec<WrittenFile>, DataError> {
        let files = std::mem::take(&mut self.files);
        let mut written = Vec::new();
        for (language, mut file) in files {
            let path = self.name(language, file.items);
            if self.ending().is_some() {
                file.draft
                    .write_all(b"\n]\n")
                    .map_err(DiskError::at("write", &path))?;
            }
            file.draft.finish(&path)?;
            for old in file.old.iter().filter(|old| **old != path) {
                fs::remove_file(old).map_err(DiskError::at("remove", old))?;
            }
            written.push(WrittenFile {
                path,
                language,
                items: file.items,
                labels: file.labels,
            });
        }
        Ok(written)
    }

    /// The task and the end of the names; none for plain text.
    fn ending(&self) -> Option<(&'a schema::Task, &'static str)> {
        match &self.plan.target {
            ImportTarget::Questions {
                task,
                part: QuestionSplit::Test,
                ..
            } => Some((task, "_test.json")),
            ImportTarget::Questions {
                task,
                part: QuestionSplit::Train,
                ..
            } => Some((task, "_train.json")),
            ImportTarget::Pairs { task, .. } => Some((task, "_train_question.json")),
            ImportTarget::Text { .. } => None,
        }
    }

    fn name(&self, language: Language, items: usize) -> PathBuf {
        let name = match (self.ending(), &self.plan.target) {
            (Some((task, ending)), _) => format!("{}_{language}{items}{ending}", task.name),
            (None, ImportTarget::Text { name, .. }) => format!("{name}_{language}.jsonl"),
            (None, _) => format!("{language}.jsonl"),
        };
        self.folder.join(Path::new(&name))
    }
}

fn is_ordinary(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_file())
}

/// `{"key": "value", ...}` on one line.
fn write_item(
    file: &mut impl Write,
    start: &str,
    keys: &[String],
    values: &[String],
) -> std::io::Result<()> {
    file.write_all(start.as_bytes())?;
    for (at, (key, value)) in keys.iter().zip(values).enumerate() {
        file.write_all(if at == 0 { b"{" } else { b", " })?;
        serde_json::to_writer(&mut *file, key)?;
        file.write_all(b": ")?;
        serde_json::to_writer(&mut *file, value)?;
    }
    file.write_all(b"}")
}
