//! Tasks: those that ship (`assets/tasks/*.toml`, the paper's three with their exemplars first)
//! and those in a user's file; parsed and checked once. Never here: test files.

mod read;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use schema::{
    Exemplars, Label, LabelSet, Language, Task,
    task::{Exemplar, TaskLanguage},
};

use self::read::TaskProblem;
use crate::{DataError, items};

/// A parsed task with its exemplars.
struct ReadTask {
    task: Task,
    exemplars: Exemplars,
}

/// A task that ships.
struct ShippedTask {
    file: &'static str,
    text: &'static str,
    /// Path and text of its exemplars, if they have a file.
    exemplars: Option<(&'static str, &'static str)>,
}

macro_rules! shipped {
    ($($name:literal),+; $($bare:literal),+) => {
        &[
            $(ShippedTask {
                file: concat!("assets/tasks/", $name, ".toml"),
                text: include_str!(concat!("../../../../assets/tasks/", $name, ".toml")),
                exemplars: Some((
                    concat!("assets/tasks/exemplars/", $name, ".json"),
                    include_str!(concat!("../../../../assets/tasks/exemplars/", $name, ".json")),
                )),
            },)+
            $(ShippedTask {
                file: concat!("assets/tasks/", $bare, ".toml"),
                text: include_str!(concat!("../../../../assets/tasks/", $bare, ".toml")),
                exemplars: None,
            },)+
        ]
    };
}

const SHIPPED: &[ShippedTask] = shipped!["emotion", "snli", "paws"; "xnli", "paws_x", "belebele", "xcopa", "xstorycloze", "global_mmlu", "sib200", "include", "mmlu_prox", "global_piqa", "global_piqa_parallel", "mubench_snli", "multiblimp"];

static TASKS: LazyLock<Result<Vec<ReadTask>, (String, String)>> =
    LazyLock::new(|| SHIPPED.iter().map(ShippedTask::parse).collect());

impl ShippedTask {
    /// # Errors
    /// The broken file, and what is wrong with it.
    fn parse(&self) -> Result<ReadTask, (String, String)> {
        let task = read::read(self.text, shipped_text)
            .map_err(|problem| (self.file.to_owned(), problem.message))?;
        let (file, exemplars) = match self.exemplars {
            Some((file, text)) => (file, parse_exemplars(&task, text)),
            None => (self.file, read::read_exemplars(&task)),
        };
        let exemplars = exemplars.map_err(|problem| (file.to_owned(), problem))?;
        Ok(ReadTask { task, exemplars })
    }
}

/// Tasks of users' files, by the text that was read; kept as long as the program runs, as the
/// shipped ones are.
static FILES: Mutex<Vec<(String, &'static ReadTask)>> = Mutex::new(Vec::new());

fn shipped() -> Result<&'static [ReadTask], DataError> {
    match &*TASKS {
        Ok(tasks) => Ok(tasks),
        Err((file, problem)) => Err(DataError::shipped(file.clone(), problem.clone())),
    }
}

fn shipped_text(name: &str) -> Option<&'static str> {
    let file = format!("assets/tasks/{name}.toml");
    SHIPPED
        .iter()
        .find(|shipped| shipped.file == file)
        .map(|shipped| shipped.text)
}

fn find(given: &str) -> Result<&'static ReadTask, DataError> {
    if given.ends_with(".toml") {
        return find_file(Path::new(given));
    }
    let all = shipped()?;
    if let Some(found) = all.iter().find(|shipped| shipped.task.name == given) {
        return Ok(found);
    }
    // The last one read: a test may write a file of one name again.
    read_files()
        .iter()
        .rev()
        .find(|(_, read)| read.task.name == given)
        .map(|(_, read)| *read)
        .ok_or_else(|| {
            DataError::unknown(
                "task",
                given,
                format!(
                    "{}; or give the path of a task file, such as ./{given}.toml",
                    join(all.iter().map(|shipped| shipped.task.name.as_str()))
                ),
            )
        })
}

fn find_file(path: &Path) -> Result<&'static ReadTask, DataError> {
    let text = items::read_text(path)?;
    let key = format!("{}\n{text}", path.display());
    if let Some((_, read)) = read_files().iter().find(|(known, _)| *known == key) {
        return Ok(read);
    }
    let read: &'static ReadTask = Box::leak(Box::new(read_file(path, &text)?));
    read_files().push((key, read));
    Ok(read)
}

fn read_files() -> MutexGuard<'static, Vec<(String, &'static ReadTask)>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_file(path: &Path, text: &str) -> Result<ReadTask, DataError> {
    let unusable = |problem| DataError::unusable(format!("task file {}", path.display()), problem);
    let task =
        read::read(text, shipped_text).map_err(|TaskProblem { line, message }| match line {
            Some(line) => DataError::syntax(path, line, message),
            None => unusable(message),
        })?;
    let shown = path.to_string_lossy();
    let stem = Task::name_of(&shown);
    if task.name != stem {
        let problem = format!(
            "name: is `{}`, but the file is called `{stem}.toml`; make them the same",
            task.name
        );
        return Err(unusable(problem));
    }
    if shipped()?
        .iter()
        .any(|shipped| shipped.task.name == task.name)
    {
        return Err(unusable(format!(
            "name: `{stem}` is a shipped task; choose another name, for the file too"
        )));
    }
    let mut exemplars = read::read_exemplars(&task).map_err(unusable)?;
    if let (true, Some(base)) = (exemplars.is_empty(), &task.extends) {
        exemplars.clone_from(&find(base)?.exemplars);
    }
    Ok(ReadTask { task, exemplars })
}

/// The shipped tasks whose files have the released layout, in the order of the paper.
///
/// # Errors
/// A shipped file is broken.
pub fn all() -> Result<Vec<&'static Task>, DataError> {
    Ok(shipped()?
        .iter()
        .map(|shipped| &shipped.task)
        .filter(|task| task.files.is_empty())
        .collect())
}

/// The other shipped tasks: their files are tables, each in forms of its own.
///
/// # Errors
/// A shipped file is broken.
pub fn of_tables() -> Result<Vec<&'static Task>, DataError> {
    Ok(shipped()?
        .iter()
        .map(|shipped| &shipped.task)
        .filter(|task| !task.files.is_empty())
        .collect())
}

/// The task that `given` calls: a shipped name, or the path of a task file, which ends in
/// `.toml`.
///
/// # Errors
/// An unknown name, with the known ones; a file that cannot be read or is not a sound task (line,
/// key).
pub fn task(given: &str) -> Result<&'static Task, DataError> {
    Ok(&find(given)?.task)
}

/// The task in the text of a file at `path`, which need not exist; it is not kept.
///
/// # Errors
/// As [`task`].
pub fn parse(path: &Path, text: &str) -> Result<Task, DataError> {
    Ok(read_file(path, text)?.task)
}

/// The builtin exemplars of a task, by its name or path: for the paper's tasks at least
/// [`Task::shots`] per language, parallel between languages; empty where a task has none.
///
/// # Errors
/// As [`task`]; a file's task is known by its name once it was read.
pub fn exemplars(given: &str) -> Result<&'static Exemplars, DataError> {
    Ok(&find(given)?.exemplars)
}

/// The row of one language: its own, or the task's default.
///
/// # Errors
/// The task lacks the language; names those it has.
pub fn row(task: &Task, language: Language) -> Result<&TaskLanguage, DataError> {
    task.languages
        .get(&language)
        .or(task.default.as_ref())
        .ok_or_else(|| {
            DataError::unknown(
                format!("language of task {}", task.name),
                language.to_string(),
                join(task.languages.keys().map(|l| l.code())),
            )
        })
}

/// The label words, in task order.
///
/// [`LabelSet::Same`] is refused for a task whose label words are English in every language
/// (PAWS), and for a language other than English whose words are the English ones. Where
/// answers are texts it is the only set, and the words here are the labels' names: each
/// question has its own texts.
///
/// # Errors
/// The task lacks the language, or has no such label set in it; names the sets it has.
pub fn label_words(
    task: &Task,
    language: Language,
    set: LabelSet,
) -> Result<Vec<String>, DataError> {
    let mut sets = label_sets(task, language)?;
    match sets.iter().position(|(known, _)| *known == set) {
        Some(at) => Ok(sets.swap_remove(at).1),
        None => Err(DataError::unknown(
            format!(
                "label set for task {} in language {language} called",
                task.name
            ),
            set.to_string(),
            join(sets.iter().map(|(known, _)| known.to_string())),
        )),
    }
}

/// Every label set of a task in a language, with its words in task order; see [`label_words`].
///
/// # Errors
/// The task lacks the language.
pub fn label_sets(
    task: &Task,
    language: Language,
) -> Result<Vec<(LabelSet, Vec<String>)>, DataError> {
    let row = row(task, language)?;
    let mut translated = task
        .languages
        .iter()
        .filter(|(language, row)| **language != Language::En && row.label_words != task.labels);
    let has_same =
        translated.next().is_some() && (language == Language::En || row.label_words != task.labels);
    if !task.text_choices().is_empty() {
        return Ok(vec![(LabelSet::Same, task.labels.clone())]);
    }
    let mut sets = vec![(LabelSet::English, task.labels.clone())];
    sets.extend(has_same.then(|| (LabelSet::Same, row.label_words.clone())));
    sets.extend((!task.agnostic.is_empty()).then(|| (LabelSet::Agnostic, task.agnostic.clone())));
    for (name, words) in &task.label_sets {
        let words = words.get(language.code()).or_else(|| words.get("all"));
        sets.extend(words.and_then(|words| Some((name.parse().ok()?, words.clone()))));
    }
    Ok(sets)
}

/// Reads `{language: [{field: text, ..., "answer": English label}]}` and checks it against the
/// task.
fn parse_exemplars(task: &Task, text: &str) -> Result<Exemplars, String> {
    let raw: BTreeMap<Language, Box<serde_json::value::RawValue>> =
        serde_json::from_str(text).map_err(|e| e.to_string())?;
    let mut exemplars = Exemplars::new();
    for (language, list) in raw {
        let items = items::parse(Path::new(language.code()), list.get(), &task.fields)
            .map_err(|e| e.to_string())?;
        let mut exemplars_of_language = Vec::with_capacity(items.len());
        for item in items {
            let answer = &item.answer.text;
            let label = task
                .label(answer)
                .ok_or_else(|| format!("{language}: `{answer}` is not a label"))?;
            exemplars_of_language.push(Exemplar {
                fields: item.fields,
                label,
                choices: Vec::new(),
            });
        }
        exemplars.insert(language, exemplars_of_language);
    }
    check_exemplars(task, &exemplars)?;
    Ok(exemplars)
}

/// Every language of the task has the same labels in the same order, at least as many as the
/// paper's shots.
fn check_exemplars(task: &Task, exemplars: &Exemplars) -> Result<(), String> {
    let Some(first) = exemplars.values().next() else {
        return Err("no exemplars".to_owned());
    };
    let expected: Vec<Label> = first.iter().map(|exemplar| exemplar.label).collect();
    for language in task.languages.keys() {
        let list = exemplars
            .get(language)
            .ok_or_else(|| format!("no exemplars for {language}"))?;
        let labels = list.iter().map(|exemplar| exemplar.label);
        if list.len() < task.shots || !labels.eq(expected.iter().copied()) {
            return Err(format!(
                "{language}: {} exemplars, or in another order of labels",
                list.len()
            ));
        }
    }
    Ok(())
}

fn join(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    words
        .into_iter()
        .map(|word| word.as_ref().to_owned())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests;
