//! The scope of an audit: the files of a folder, or those that a recipe uses.
//!
//! Never here: what is in the files.

mod tables;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use data::{DataError, Tokenizer, tasks, testset};
pub use schema::finding::Role;
use schema::{Exemplars, FewShot, Language, Protocol, Recipe, Setting, Task, few_shot::Pool};

use crate::AuditError;

/// The files of one audit and how they are judged.
pub struct Scope {
    /// The folder that holds the tasks' folders.
    pub dir: PathBuf,
    /// The tasks whose files were looked for.
    pub tasks: Vec<&'static Task>,
    /// The files, by task, role and language.
    pub sources: Vec<AuditedFile>,
    /// Files that should be there and are not.
    pub missing: Vec<MissingFile>,
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
    /// Its language, from the name; of a file with several, the one whose items are meant.
    pub language: Language,
    /// Its content.
    pub role: Role,
    /// Only there to be compared with: it has no findings of its own.
    pub is_reference: bool,
}

/// A file that should be there, or of which there are too many.
pub struct MissingFile {
    /// Its task.
    pub task: &'static Task,
    /// Its language.
    pub language: Language,
    /// Its content.
    pub role: Role,
    /// What is there instead, and what to do.
    pub problem: String,
    /// What to do, where that is neither to put a file there nor to keep one of several.
    pub suggestion: Option<String>,
    /// Whether it counts among the files that should have been read.
    pub is_counted: bool,
}

/// How the names of such files end in the released layout.
fn ending(role: Role) -> &'static str {
    match role {
        Role::Test => "_test.json",
        Role::Pairs => "_train_question.json",
        Role::Labelled => "_train.json",
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
    /// All files of one task in `dir`, in the forms and languages in which the evaluation finds
    /// them, or of all shipped tasks; beside them the tasks' own exemplars and `dir`'s own
    /// `few_shot.json`, if there is one. Languages and folders that are missing are simply not
    /// there.
    ///
    /// # Errors
    /// An unknown task; a folder that cannot be read.
    pub fn of_folder(dir: &Path, task: Option<&str>) -> Result<Self, AuditError> {
        let mut scope = Self::empty(dir);
        scope.tasks = match task {
            Some(name) => vec![tasks::task(name)?],
            None => tasks::all()?,
        };
        for task in scope.tasks.clone() {
            for &role in Role::ALL {
                for language in testset::possible_languages(task) {
                    scope.add_files(task, role, language, false)?;
                }
            }
            scope
                .exemplars
                .push(ExemplarSource::Builtin(task, tasks::exemplars(&task.name)?));
        }
        if task.is_none() {
            tables::add(&mut scope)?;
        }
        let shared = dir.join("few_shot.json");
        if shared.is_file() {
            scope.exemplars.push(ExemplarSource::File(shared));
        }
        Ok(scope)
    }

    /// The files that `recipe` reads: test files of its tasks and languages, pair files of its
    /// settings, its exemplars. English test files are compared with whether they are asked or
    /// not, and those of all languages where there is no English one. Files that are asked for
    /// and not there are in `missing`.
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
            scope.tasks.push(task);
            scope.add_asked(task, recipe)?;
            for few_shot in recipe.eval.asking.exemplar_sets(task) {
                match few_shot.source() {
                    FewShot::Builtin => {
                        scope
                            .exemplars
                            .push(ExemplarSource::Builtin(task, tasks::exemplars(name)?));
                    }
                    FewShot::File(path) => scope.add_exemplars(std::slice::from_ref(path)),
                    FewShot::Seed(draw) if draw.pool == Pool::Train => {
                        for language in languages_of(task, recipe) {
                            scope.add_files(task, Role::Labelled, language, false)?;
                        }
                    }
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
                    scope.note_missing(task, Role::Pairs, language);
                }
            }
        }
        Ok(scope)
    }

    /// The test files of the languages that are asked, and those to compare them with.
    fn add_asked(&mut self, task: &'static Task, recipe: &Recipe) -> Result<(), AuditError> {
        let all = languages_of(task, recipe);
        let is_asked = |language: &Language| {
            recipe.eval.asks_all() || recipe.eval.languages.contains(language)
        };
        for &language in &all {
            if is_asked(&language) || language == Language::En {
                self.add_files(task, Role::Test, language, !is_asked(&language))?;
            }
        }
        if !recipe.eval.asks_all() {
            for &language in &recipe.eval.languages {
                self.note_missing(task, Role::Test, language);
            }
        } else if !self.has(task, Role::Test, None) {
            self.note_missing(task, Role::Test, Language::En);
        }
        if !self.has(task, Role::Test, Some(Language::En)) {
            for language in all.into_iter().filter(|language| !is_asked(language)) {
                self.add_files(task, Role::Test, language, true)?;
            }
        }
        Ok(())
    }

    fn has(&self, task: &Task, role: Role, language: Option<Language>) -> bool {
        self.sources.iter().any(|source| {
            source.task.name == task.name
                && source.role == role
                && language.is_none_or(|language| source.language == language)
        })
    }

    /// Says that a file is not there, unless it is.
    fn note_missing(&mut self, task: &'static Task, role: Role, language: Language) {
        let is_noted = self.missing.iter().any(|missing| {
            missing.task.name == task.name && missing.role == role && missing.language == language
        });
        if !is_noted && !self.has(task, role, Some(language)) {
            let (noun, folder) = (role.noun(), self.dir.join(&task.folder));
            let folder = folder.display();
            self.missing.push(MissingFile {
                task,
                language,
                role,
                problem: format!("no {noun} file of {language} in {folder}, so it was not read"),
                suggestion: None,
                is_counted: true,
            });
        }
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
            tasks: Vec::new(),
            sources: Vec::new(),
            missing: Vec::new(),
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
        let found = match role {
            Role::Test => self.list_tests(task, language)?,
            Role::Pairs | Role::Labelled => {
                let folder = self.dir.join(&task.folder);
                match folder.is_dir() {
                    true => testset::find_all(&folder, task, language, ending(role))?,
                    false => Vec::new(),
                }
            }
        };
        if found.len() > 1 && !is_reference && role == Role::Test {
            let names: Vec<String> = found.iter().map(|p| testset::file_name(p)).collect();
            self.missing.push(MissingFile {
                task,
                language,
                role,
                problem: format!(
                    "several test files of {language}, which the evaluation refuses: {}",
                    names.join(", ")
                ),
                suggestion: None,
                is_counted: false,
            });
        }
        for path in found {
            self.push(task, role, language, path, is_reference);
        }
        Ok(())
    }

    /// The test files of a language; a table of several languages that cannot be looked into is
    /// taken once, so that its reading says what is wrong.
    fn list_tests(
        &self,
        task: &'static Task,
        language: Language,
    ) -> Result<Vec<PathBuf>, AuditError> {
        let found = testset::list(&self.dir, task, language)?;
        let is_there = testset::is_there(&self.dir, task, language);
        let is_known = |path: &PathBuf| self.sources.iter().any(|source| source.path == *path);
        Ok(match is_there {
            Ok(true) => found,
            Ok(false) => Vec::new(),
            Err(_) => found.into_iter().filter(|path| !is_known(path)).collect(),
        })
    }

    fn push(
        &mut self,
        task: &'static Task,
        role: Role,
        language: Language,
        path: PathBuf,
        is_reference: bool,
    ) {
        let is_known = |source: &AuditedFile| {
            source.path == path && source.language == language && source.task.name == task.name
        };
        if self.sources.iter().any(is_known) {
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
    testset::possible_languages(task)
        .into_iter()
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
