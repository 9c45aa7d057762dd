//! From the text of a task file to a checked task: every key, what must fit what, and its
//! exemplars. Never here: where the text comes from.

use std::collections::{BTreeMap, BTreeSet};

use schema::{
    Exemplars, LabelSet, Language, Scoring, Task,
    task::{ChoiceAnswers, Exemplar, TaskFile, TaskLanguage},
};
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use crate::table::TableFormat;

/// What is wrong with a task file.
#[derive(Debug, PartialEq)]
pub(super) struct TaskProblem {
    /// Line, from 1, where it is known.
    pub(super) line: Option<usize>,
    /// The key, what is wrong, and what to do.
    pub(super) message: String,
}

/// A key by its parts, and what is wrong with its value.
type KeyFault = (Vec<String>, String);

/// Reads and checks a task. `base` gives the text of the shipped task that a file `extends`.
pub(super) fn read(
    text: &str,
    base: impl Fn(&str) -> Option<&'static str>,
) -> Result<Task, TaskProblem> {
    let mut task = parse(text, base)?;
    complete(&mut task);
    check(&task).map_err(|(key, message)| TaskProblem {
        line: find_line(text, &key),
        message: format!("{}: {message}", key.join(".")),
    })?;
    Ok(task)
}

fn parse(text: &str, base: impl Fn(&str) -> Option<&'static str>) -> Result<Task, TaskProblem> {
    let own: toml::Table = parse_toml(text)?;
    let Some(name) = own
        .get("extends")
        .and_then(toml::Value::as_str)
        .map(str::to_owned)
    else {
        return parse_toml(text);
    };
    let Some(base) = base(&name) else {
        let message =
            format!("extends: there is no shipped task `{name}`; name one of them or leave it out");
        return Err(TaskProblem {
            line: find_line(text, &["extends".to_owned()]),
            message,
        });
    };
    let base: toml::Table = toml::from_str(base).map_err(|e| TaskProblem {
        line: None,
        message: e.to_string(),
    })?;
    let merged: Result<Task, toml::de::Error> = merge(base, own).try_into();
    merged.map_err(|error| TaskProblem {
        line: None,
        message: error.message().to_owned(),
    })
}

fn parse_toml<T: DeserializeOwned>(text: &str) -> Result<T, TaskProblem> {
    toml::from_str(text).map_err(|error: toml::de::Error| TaskProblem {
        line: error.span().map(|span| line_of(text, span.start)),
        message: format!(
            "{}; the keys of a task file are in docs/tasks.md",
            error.message()
        ),
    })
}

/// `own` over `base`, tables key by key.
fn merge(mut base: toml::Table, own: toml::Table) -> toml::Table {
    for (key, value) in own {
        let value = match (base.remove(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => {
                toml::Value::Table(merge(below, above))
            }
            (_, value) => value,
        };
        base.insert(key, value);
    }
    base
}

/// Label words that were left out are the labels.
fn complete(task: &mut Task) {
    let labels = task.labels.clone();
    for row in task.languages.values_mut().chain(&mut task.default) {
        if row.label_words.is_empty() {
            row.label_words.clone_from(&labels);
        }
    }
}

fn check(task: &Task) -> Result<(), KeyFault> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if task.name.is_empty() || !task.name.chars().all(fits) {
        return fault(
            &["name"],
            "must be letters, digits, `-` and `_`, since files are named after it".to_owned(),
        );
    }
    let below = |part: &str| !part.is_empty() && part != ".." && !part.contains(['\\', ':', '\0']);
    if !task.folder.is_empty() && !task.folder.split('/').all(below) {
        let problem = format!(
            "`{}` must lead down from the folder of the data: no `..`, no `/` at its beginning or end",
            task.folder
        );
        return fault(&["folder"], problem);
    }
    check_distinct(&["labels"], &task.labels)?;
    check_distinct(&["fields"], &task.fields)?;
    if task.labels.len() < 2 {
        return fault(
            &["labels"],
            "a task has at least two labels; add them".to_owned(),
        );
    }
    check_fields(task)?;
    if task.languages.is_empty() && task.default.is_none() {
        return fault(
            &["languages"],
            "missing; add a row `[languages.en]` or `[default]`".to_owned(),
        );
    }
    if !task.agnostic.is_empty() {
        check_words(task, &["agnostic"], &task.agnostic)?;
    }
    for (language, row) in &task.languages {
        check_row(task, &["languages", language.code()], row)?;
        check_language(*language, row)?;
    }
    if let Some(row) = &task.default {
        check_row(task, &["default"], row)?;
    }
    check_label_sets(task)?;
    check_choices(task)?;
    task.files
        .iter()
        .try_for_each(|file| check_file(task, file))
}

fn check_fields(task: &Task) -> Result<(), KeyFault> {
    let has_prompt = !task.fields.is_empty();
    let compares_texts = !task.text_choices().is_empty() && !task.quotes;
    if task.fields.iter().any(|field| field == "answer") || !(has_prompt || compares_texts) {
        let problem = "a task has at least one field, and none is called `answer`; one that compares whole texts has \
                       none, but `choices` whose answers are `texts`, and `quotes = false`";
        return fault(&["fields"], problem.to_owned());
    }
    let group: Vec<String> = task.group.iter().cloned().collect();
    let of_fields = [
        ("optional", &task.optional),
        ("trim", &task.trim),
        ("group", &group),
    ];
    for (key, names) in of_fields {
        if let Some(other) = names.iter().find(|name| !task.fields.contains(name)) {
            let known = task.fields.join(", ");
            return fault(
                &[key],
                format!("`{other}` is not a field; there is: {known}"),
            );
        }
    }
    Ok(())
}

fn check_row(task: &Task, at: &[&str], row: &TaskLanguage) -> Result<(), KeyFault> {
    let key = |name: &'static str| [at, &[name]].concat();
    if row.headers.len() != task.fields.len() + 1 {
        let problem = format!(
            "{} for {} fields; give one before each field and one that ends the question",
            row.headers.len(),
            task.fields.len()
        );
        return fault(&key("headers"), problem);
    }
    check_words(task, &key("label_words"), &row.label_words)?;
    for (word, meaning) in &row.released_words {
        if task.label(meaning).is_none() || row.label_words.contains(word) {
            return fault(
                &key("released_words"),
                format!("`{word}` = `{meaning}` is not a label, or is a label word already"),
            );
        }
    }
    match row.values.keys().find(|field| !task.fields.contains(field)) {
        Some(field) => fault(
            &key("values"),
            format!(
                "`{field}` is not a field; there is: {}",
                task.fields.join(", ")
            ),
        ),
        None => Ok(()),
    }
}

/// A code that is not known yet needs a name and a script.
fn check_language(language: Language, row: &TaskLanguage) -> Result<(), KeyFault> {
    let at = ["languages", language.code()];
    match (&row.name, &row.script) {
        (None, None) if language.is_known() => Ok(()),
        (None, None) => {
            let problem = "the code is not known; add `name = ...` (English) and `script = ...` (ISO 15924) here";
            fault(&at, problem.to_owned())
        }
        (name, script) => {
            let (name, script) = (name.as_deref(), script.as_deref());
            Language::add(
                language.code(),
                name.unwrap_or_default(),
                script.unwrap_or_default(),
            )
            .map(|_| ())
            .or_else(|problem| fault(&at, problem))
        }
    }
}

fn check_label_sets(task: &Task) -> Result<(), KeyFault> {
    for (name, sets) in &task.label_sets {
        if !matches!(name.parse(), Ok(LabelSet::Own(_))) {
            let problem = "every task has a set of this name, or it is not a name; use letters, digits, `-` and `_`";
            return fault(&["label_sets", name], problem.to_owned());
        }
        for (language, words) in sets {
            let at = ["label_sets", name, language];
            let is_known = language.parse().is_ok_and(|language| {
                task.default.is_some() || task.languages.contains_key(&language)
            });
            if language != "all" && !is_known {
                return fault(
                    &at,
                    "is not a language of the task; write its code, or `all` for every language"
                        .to_owned(),
                );
            }
            check_words(task, &at, words)?;
        }
    }
    Ok(())
}

/// A question may lack its last choices, but not so many that nothing is left to choose.
fn check_optional_choices(task: &Task, choices: &[String]) -> Result<(), KeyFault> {
    let may_lack = |choice: &String| task.optional.contains(choice);
    let Some(first) = choices.iter().position(may_lack) else {
        return Ok(());
    };
    if first < 2 {
        let problem = format!(
            "`{}` is one of the first two choices, which no question lacks",
            choices[first]
        );
        return fault(&["optional"], problem);
    }
    match choices[first..].iter().find(|choice| !may_lack(choice)) {
        Some(later) => fault(
            &["optional"],
            format!("a question lacks its last choices alone; add `{later}`"),
        ),
        None => Ok(()),
    }
}

fn check_choices(task: &Task) -> Result<(), KeyFault> {
    let Some(choices) = &task.choices else {
        return Ok(());
    };
    check_distinct(&["choices", "fields"], &choices.fields)?;
    if choices.fields.len() != task.labels.len() {
        let problem = format!(
            "{} for {} labels; name the column of each choice",
            choices.fields.len(),
            task.labels.len()
        );
        return fault(&["choices", "fields"], problem);
    }
    match choices.answers {
        ChoiceAnswers::Letters => match choices
            .fields
            .iter()
            .find(|choice| !task.fields.contains(choice))
        {
            Some(hidden) => {
                let problem = format!(
                    "`{hidden}` is not among `fields`, so that the question would not show that choice"
                );
                fault(&["choices", "fields"], problem)
            }
            None => check_optional_choices(task, &choices.fields),
        },
        ChoiceAnswers::Texts
            if task
                .scoring
                .is_none_or(|scoring| scoring == Scoring::Prefix) =>
        {
            let problem = "where answers are texts it must be given, and not `prefix`; write scoring = \"sequence\"";
            fault(&["scoring"], problem.to_owned())
        }
        ChoiceAnswers::Texts => Ok(()),
    }
}

fn check_file(task: &Task, file: &TaskFile) -> Result<(), KeyFault> {
    let format = match &file.format {
        Some(format) => format
            .parse()
            .map_err(|unknown: schema::words::UnknownWord| unknown.to_string()),
        None => TableFormat::of(std::path::Path::new(&file.path)).ok_or_else(|| {
            format!(
                "`{}` does not say its format; add `format`: {}",
                file.path,
                TableFormat::WORDS.join(", ")
            )
        }),
    };
    format.map_err(|problem| (vec!["files".to_owned()], problem))?;
    let fits = |part: &str| !part.is_empty() && part != ".." && !part.contains(['\\', '\0']);
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    if !fits(name) || folder.contains('*') || !folder.is_empty() && !folder.split('/').all(fits) {
        let problem = format!(
            "path `{}` must lead down from the task's folder; `*` is allowed in the file's name only",
            file.path
        );
        return fault(&["files"], problem);
    }
    if !file.answers.is_empty() {
        check_words(task, &["files"], &file.answers)?;
    }
    let known: BTreeSet<&str> = task
        .fields
        .iter()
        .chain(task.text_choices())
        .map(String::as_str)
        .chain(["answer"])
        .collect();
    match file
        .columns
        .keys()
        .find(|key| !known.contains(key.as_str()))
    {
        Some(key) => {
            let known: Vec<_> = known.into_iter().collect();
            fault(
                &["files"],
                format!(
                    "columns: there is no `{key}` to fill; there is: {}",
                    known.join(", ")
                ),
            )
        }
        None => Ok(()),
    }
}

/// One word per label, none twice.
fn check_words(task: &Task, key: &[&str], words: &[String]) -> Result<(), KeyFault> {
    if words.len() != task.labels.len() {
        return fault(
            key,
            format!(
                "{} for {} labels; give one for each, in their order",
                words.len(),
                task.labels.len()
            ),
        );
    }
    check_distinct(key, words)
}

fn check_distinct(key: &[&str], words: &[String]) -> Result<(), KeyFault> {
    match words
        .iter()
        .enumerate()
        .find(|(i, word)| word.is_empty() || words[..*i].contains(word))
    {
        Some((_, word)) => fault(
            key,
            format!("label word `{word}` is empty or a duplicate; take another word"),
        ),
        None => Ok(()),
    }
}

fn fault<T>(key: &[&str], problem: String) -> Result<T, KeyFault> {
    Err((key.iter().map(|part| (*part).to_owned()).collect(), problem))
}

/// The exemplars in the task's own file.
pub(super) fn read_exemplars(task: &Task) -> Result<Exemplars, String> {
    let mut exemplars = Exemplars::new();
    for (language, rows) in &task.exemplars {
        let list = rows.iter().enumerate().map(|(at, row)| {
            exemplar(task, row)
                .map_err(|problem| format!("exemplars.{language}: number {}: {problem}", at + 1))
        });
        exemplars.insert(*language, list.collect::<Result<_, _>>()?);
    }
    Ok(exemplars)
}

fn exemplar(task: &Task, row: &BTreeMap<String, String>) -> Result<Exemplar, String> {
    let keys: Vec<&String> = task.fields.iter().chain(task.text_choices()).collect();
    if let Some(extra) = row
        .keys()
        .find(|key| *key != "answer" && !keys.contains(key))
    {
        return Err(format!("key `{extra}` does not belong here; take it out"));
    }
    let answer = text_of(row, "answer")?;
    let Some(label) = task.label(&answer) else {
        let known = task.labels.join(", ");
        return Err(format!("`{answer}` is not a label; there is: {known}"));
    };
    Ok(Exemplar {
        fields: texts_of(row, &task.fields)?,
        label,
        choices: texts_of(row, task.text_choices())?,
    })
}

fn texts_of(row: &BTreeMap<String, String>, keys: &[String]) -> Result<Vec<String>, String> {
    keys.iter().map(|key| text_of(row, key)).collect()
}

fn text_of(row: &BTreeMap<String, String>, key: &str) -> Result<String, String> {
    row.get(key)
        .cloned()
        .ok_or_else(|| format!("key `{key}` is missing; add it"))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .bytes()
        .take(offset)
        .filter(|&byte| byte == b'\n')
        .count()
}

/// The line of a key, or of the nearest table above it that the text has.
fn find_line(text: &str, key: &[String]) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut line = None;
    for part in key {
        let Some((found, value)) = table
            .iter()
            .find(|(name, _)| name.get_ref() == part.as_str())
        else {
            break;
        };
        line = Some(line_of(text, found.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    line
}
