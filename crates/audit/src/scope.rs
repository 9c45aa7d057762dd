//! The scope of an audit: the files of a folder, or those that a recipe uses.
//!
//! Never here: what is in the files.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use data::{DataError, Tokenizer, tasks, testset};
use schema::{Exemplars, FewShot, Language, Protocol, Recipe, Setting, Task};

use crate::AuditError;

/// The files of one audit and how they are judged.
pub struct Scope {
    /// The folder that holds the tasks' folders.
    pub dir: PathBuf,
    /// The files, by task, role and language.
    pub sources: Vec<AuditedFile>,
    /// Exemplars that are compared with the test files.
    pub exemplars: Vec<ExemplarSource>,
    /// Tokenizers whose cost is counted.
    pub tokenizers: Vec<NamedTokenizer>,
    /// Tokens beyond which a training example is cut.
    pub cutoff_len: usize,
    /// Rules under which the data will be used; what they repair or keep on purpose is a note.
    pub protocol: Option<Protocol>,
}

/// One file.
pub struct AuditedFile {
    /// Where it is.
    pub path: PathBuf,
    /// As findings name it: relative to the folder, with `/`.
    pub name: String,
    /// Its task.
    pub task: &'static Task,
    /// Its language, from the name.
    pub language: Language,
    /// Its content.
    pub role: Role,
    /// Only there to be compared with: it has no findings of its own.
    pub is_reference: bool,
}

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Questions with golds, `..._test.json`.
    Test,
    /// Translation pairs into English, `..._train_question.json`.
    Pairs,
    /// Questions with labels, `..._train.json`; no stage of the program reads them.
    Labelled,
}

impl Role {
    const ALL: [Self; 3] = [Self::Test, Self::Pairs, Self::Labelled];

    fn ending(self) -> &'static str {
        match self {
            Self::Test => "_test.json",
            Self::Pairs => "_train_question.json",
            Self::Labelled => "_train.json",
        }
    }
}

/// Exemplars, shipped or in a file `{task: {language: text}}`.
pub enum ExemplarSource {
    /// Those that ship with the task.
    Builtin(&'static Task, &'static Exemplars),
    /// A file of texts.
    File(PathBuf),
}

/// A tokenizer and the name that findings give it.
pub struct NamedTokenizer {
    /// As the user named the model.
    pub name: String,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
}

impl Scope {
    /// All files of `dir` in the released layout, of one task or of all, beside the shipped
    /// exemplars and `dir`'s own `few_shot.json`, if there is one. Languages and folders that
    /// are missing are simply not there.
    ///
    /// # Errors
    /// An unknown task; a folder that cannot be read.
    pub fn of_folder(dir: &Path, task: Option<&str>) -> Result<Self, AuditError> {
        let wanted = match task {
            Some(name) => vec![tasks::task(name)?],
            None => tasks::all()?,
        };
        let mut scope = Self::empty(dir);
        for task in wanted {
            for role in Role::ALL {
                for &language in task.languages.keys() {
                    scope.add_files(task, role, language, false)?;
                }
            }
            scope
                .exemplars
                .push(ExemplarSource::Builtin(task, tasks::exemplars(&task.name)?));
        }
        let shared = dir.join("few_shot.json");
        if shared.is_file() {
            scope.exemplars.push(ExemplarSource::File(shared));
        }
        Ok(scope)
    }

    /// The files that `recipe` reads: test files of its tasks and languages, pair files of its
    /// settings, its exemplars. English test files are compared with whether they are asked or
    /// not. That a file is missing is for the stage to say that needs it.
    ///
    /// # Errors
    /// A task that does not exist; a folder that cannot be read.
    pub fn of_recipe(recipe: &Recipe) -> Result<Self, AuditError> {
        let mut scope = Self {
            protocol: recipe.eval.asking.protocol,
            ..Self::empty(&recipe.data.dir)
        };
        for name in &recipe.eval.tasks {
            let task = tasks::task(name)?;
            for language in languages_of(task, recipe) {
                let is_asked = recipe.eval.asks_all() || recipe.eval.languages.contains(&language);
                if is_asked || language == Language::En {
                    scope.add_files(task, Role::Test, language, !is_asked)?;
                }
            }
            for few_shot in recipe.eval.asking.exemplar_sets(task) {
                match few_shot.source() {
                    FewShot::Builtin => {
                        scope
                            .exemplars
                            .push(ExemplarSource::Builtin(task, tasks::exemplars(name)?));
                    }
                    FewShot::File(path) => scope.add_exemplars(std::slice::from_ref(path)),
                    // The items of a test file that are shown are not scored.
                    FewShot::Head(_) | FewShot::Seed(_) | FewShot::Varied(..) => {}
                }
            }
        }
        if let Some(train) = &recipe.train {
            scope.cutoff_len = train.cutoff_len;
            for name in &train.tasks {
                let task = tasks::task(name)?;
                for language in train
                    .settings
                    .iter()
                    .flat_map(Setting::seen)
                    .filter(|&l| l != Language::En)
                {
                    scope.add_files(task, Role::Pairs, language, false)?;
                }
            }
        }
        Ok(scope)
    }

    /// The files of exemplars.
    pub fn exemplar_files(&self) -> impl Iterator<Item = &Path> {
        self.exemplars.iter().filter_map(|source| match source {
            ExemplarSource::File(path) => Some(path.as_path()),
            ExemplarSource::Builtin(..) => None,
        })
    }

    /// Further files of exemplars; one that is there already is not read twice.
    pub fn add_exemplars(&mut self, files: &[PathBuf]) {
        for file in files {
            if !self.exemplar_files().any(|known| known == file) {
                self.exemplars.push(ExemplarSource::File(file.clone()));
            }
        }
    }

    fn empty(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            sources: Vec::new(),
            exemplars: Vec::new(),
            tokenizers: Vec::new(),
            cutoff_len: 2048, // the recipe's default
            protocol: None,
        }
    }

    fn add_files(
        &mut self,
        task: &'static Task,
        role: Role,
        language: Language,
        is_reference: bool,
    ) -> Result<(), AuditError> {
        let folder = self.dir.join(&task.folder);
        // Other forms than the released layout, and answers that are texts, are read by the
        // evaluation alone.
        if !folder.is_dir() || !task.files.is_empty() || !task.text_choices().is_empty() {
            return Ok(());
        }
        for path in testset::find_all(&folder, task, language, role.ending())? {
            self.push(task, role, language, path, is_reference);
        }
        Ok(())
    }

    fn push(
        &mut self,
        task: &'static Task,
        role: Role,
        language: Language,
        path: PathBuf,
        is_reference: bool,
    ) {
        if self.sources.iter().any(|source| source.path == path) {
            return;
        }
        let relative = path.strip_prefix(&self.dir).unwrap_or(&path);
        let name = relative
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect::<Vec<_>>()
            .join("/");
        self.sources.push(AuditedFile {
            path,
            name,
            task,
            language,
            role,
            is_reference,
        });
    }
}

/// The languages of whose files the audit may speak: the task's and those asked, English with
/// which they are compared.
fn languages_of(task: &Task, recipe: &Recipe) -> BTreeSet<Language> {
    let asked = recipe
        .eval
        .languages
        .iter()
        .copied()
        .filter(|_| !recipe.eval.asks_all());
    task.languages
        .keys()
        .copied()
        .chain(asked)
        .chain([Language::En])
        .filter(|l| tasks::row(task, *l).is_ok())
        .collect()
}

/// The texts of one exemplar.
pub(crate) struct ExemplarText {
    pub(crate) task: String,
    pub(crate) language: Language,
    pub(crate) parts: Vec<String>,
}

impl ExemplarSource {
    /// As evidence names it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Builtin(task, _) => format!("the exemplars that ship with {}", task.name),
            Self::File(path) => path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned(),
        }
    }
}

/// The row of a task that a language must have: tasks are checked when they are read.
pub(crate) fn headers(task: &Task, language: Language) -> Result<&[String], DataError> {
    Ok(&tasks::row(task, language)?.headers)
}
