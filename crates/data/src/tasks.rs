//! The three tasks of the paper (section 4) from `assets/tasks/*.toml`, and their builtin exemplars; parsed and checked
//! once. Never here: test files.

use std::{collections::BTreeMap, path::Path, sync::LazyLock};

use schema::{
    Exemplars, Label, LabelSet, Language, Task,
    task::{Exemplar, TaskLanguage},
};

use crate::{DataError, items};

/// A parsed task with its exemplars.
struct ShippedTask {
    task: Task,
    exemplars: Exemplars,
}

macro_rules! shipped {
    ($($name:literal),+) => {
        &[$((
            concat!("assets/tasks/", $name, ".toml"),
            include_str!(concat!("../../../assets/tasks/", $name, ".toml")),
            concat!("assets/tasks/exemplars/", $name, ".json"),
            include_str!(concat!("../../../assets/tasks/exemplars/", $name, ".json")),
        )),+]
    };
}

/// Path and text of a task, path and text of its exemplars.
const SHIPPED: &[(&str, &str, &str, &str)] = shipped!["emotion", "snli", "paws"];

static TASKS: LazyLock<Result<Vec<ShippedTask>, (String, String)>> = LazyLock::new(|| {
    let parse = |&(file, text, exemplars_file, exemplars_text): &(&str, &str, &str, &str)| {
        let task = parse_task(text).map_err(|problem| (file.to_owned(), problem))?;
        let exemplars =
            parse_exemplars(&task, exemplars_text).map_err(|problem| (exemplars_file.to_owned(), problem))?;
        Ok(ShippedTask { task, exemplars })
    };
    SHIPPED.iter().map(parse).collect()
});

fn shipped() -> Result<&'static [ShippedTask], DataError> {
    match &*TASKS {
        Ok(tasks) => Ok(tasks),
        Err((file, problem)) => Err(DataError::Shipped { file: file.clone(), problem: problem.clone() }),
    }
}

fn find(name: &str) -> Result<&'static ShippedTask, DataError> {
    let all = shipped()?;
    all.iter().find(|shipped| shipped.task.name == name).ok_or_else(|| DataError::Unknown {
        what: "task".to_owned(),
        given: name.to_owned(),
        known: join(all.iter().map(|shipped| shipped.task.name.as_str())),
    })
}

/// All shipped tasks, in the order of the paper.
pub fn all() -> Result<Vec<&'static Task>, DataError> {
    Ok(shipped()?.iter().map(|shipped| &shipped.task).collect())
}

/// The shipped task of this name: `emotion`, `snli` or `paws`.
///
/// # Errors
/// An unknown name, with the known ones.
pub fn task(name: &str) -> Result<&'static Task, DataError> {
    Ok(&find(name)?.task)
}

/// The builtin exemplars of a shipped task, by its name: at least [`Task::shots`] per language, parallel between languages.
///
/// # Errors
/// An unknown name, with the known ones.
pub fn exemplars(name: &str) -> Result<&'static Exemplars, DataError> {
    Ok(&find(name)?.exemplars)
}

/// The row of one language.
///
/// # Errors
/// The task lacks the language; names those it has.
pub fn row(task: &Task, language: Language) -> Result<&TaskLanguage, DataError> {
    task.languages.get(&language).ok_or_else(|| DataError::Unknown {
        what: format!("language of task {}", task.name),
        given: language.to_string(),
        known: join(task.languages.keys().map(|l| l.code())),
    })
}

/// The words that stand for the labels, in task order.
///
/// [`LabelSet::Same`] is refused for a task whose label words are English in every language (PAWS), and for a language
/// other than English whose words are the English ones.
///
/// # Errors
/// The task lacks the language, or has no such label set in it; names the sets it has.
pub fn label_words(task: &Task, language: Language, set: LabelSet) -> Result<Vec<String>, DataError> {
    let row = row(task, language)?;
    let own_words =
        |language: &Language, row: &TaskLanguage| *language != Language::En && row.label_words != task.labels;
    let has_same = task.languages.iter().any(|(language, row)| own_words(language, row))
        && (language == Language::En || own_words(&language, row));
    let sets = [
        (LabelSet::English, Some(&task.labels)),
        (LabelSet::Same, has_same.then_some(&row.label_words)),
        (LabelSet::Agnostic, (!task.agnostic.is_empty()).then_some(&task.agnostic)),
    ];
    match sets.iter().find(|(known, _)| *known == set) {
        Some((_, Some(words))) => Ok((*words).clone()),
        _ => Err(DataError::Unknown {
            what: format!("label set for task {} in language {language} called", task.name),
            given: set.to_string(),
            known: join(sets.iter().filter(|(_, words)| words.is_some()).map(|(known, _)| known.to_string())),
        }),
    }
}

/// Reads and checks a task: every language has one header more than there are fields, and one word per label.
fn parse_task(text: &str) -> Result<Task, String> {
    let task: Task = toml::from_str(text).map_err(|e| e.to_string())?;
    check_distinct("labels", &task.labels)?;
    if task.labels.len() < 2 || task.fields.is_empty() || task.languages.is_empty() {
        return Err("a task has at least two labels, one field and one language".to_owned());
    }
    if !task.agnostic.is_empty() && task.agnostic.len() != task.labels.len() {
        return Err(format!("agnostic: {} words for {} labels", task.agnostic.len(), task.labels.len()));
    }
    check_distinct("agnostic", &task.agnostic)?;
    for (language, row) in &task.languages {
        let at = |key: &str| format!("languages.{language}.{key}");
        if row.headers.len() != task.fields.len() + 1 {
            return Err(format!("{}: {} for {} fields", at("headers"), row.headers.len(), task.fields.len()));
        }
        if row.label_words.len() != task.labels.len() {
            return Err(format!("{}: {} for {} labels", at("label_words"), row.label_words.len(), task.labels.len()));
        }
        check_distinct(&at("label_words"), &row.label_words)?;
        for (word, meaning) in &row.released_words {
            if task.label(meaning).is_none() || row.label_words.contains(word) {
                return Err(format!("{}: `{word}` = `{meaning}`", at("released_words")));
            }
        }
    }
    Ok(task)
}

fn check_distinct(key: &str, words: &[String]) -> Result<(), String> {
    match words.iter().enumerate().find(|(i, word)| word.is_empty() || words[..*i].contains(word)) {
        Some((_, word)) => Err(format!("{key}: `{word}` is empty or stands twice")),
        None => Ok(()),
    }
}

/// Reads `{language: [{field: text, ..., "answer": English label}]}` and checks it against the task.
fn parse_exemplars(task: &Task, text: &str) -> Result<Exemplars, String> {
    let raw: BTreeMap<Language, Box<serde_json::value::RawValue>> =
        serde_json::from_str(text).map_err(|e| e.to_string())?;
    let mut exemplars = Exemplars::new();
    for (language, list) in raw {
        let items = items::parse(Path::new(language.code()), list.get(), &task.fields).map_err(|e| e.to_string())?;
        let exemplar = |item: items::RawItem| {
            let answer = &item.answer.text;
            let label = task.label(answer).ok_or_else(|| format!("{language}: `{answer}` is no label"))?;
            Ok(Exemplar { fields: item.fields, label })
        };
        let list = items.into_iter().map(exemplar).collect::<Result<Vec<_>, String>>()?;
        exemplars.insert(language, list);
    }
    check_exemplars(task, &exemplars)?;
    Ok(exemplars)
}

/// Every language of the task has the same labels in the same order, at least as many as the paper's shots.
fn check_exemplars(task: &Task, exemplars: &Exemplars) -> Result<(), String> {
    let labels = |list: &Vec<Exemplar>| list.iter().map(|e| e.label).collect::<Vec<Label>>();
    let Some(first) = exemplars.values().next().map(labels) else { return Err("no exemplars".to_owned()) };
    for language in task.languages.keys() {
        let list = exemplars.get(language).ok_or_else(|| format!("no exemplars for {language}"))?;
        if list.len() < task.shots || labels(list) != first {
            return Err(format!("{language}: {} exemplars, or in another order of labels", list.len()));
        }
    }
    Ok(())
}

fn join(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    words.into_iter().map(|word| word.as_ref().to_owned()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_tasks_are_whole() {
        for task in all().expect("the assets are sound") {
            assert_eq!(task.languages.len(), 20, "{}", task.name);
            assert_eq!(exemplars(&task.name).expect("exemplars").len(), 20, "{}", task.name);
        }
        assert_eq!(task("snli").expect("snli").labels, ["entailment", "neutral", "contradiction"]);
        assert_eq!(task("emotion").expect("emotion").labels, ["positive", "negative"]);
        assert_eq!(task("paws").expect("paws").labels, ["same", "different"]);
        let error = task("xnli").expect_err("not shipped");
        assert_eq!(error.to_string(), "no task `xnli`; there is: emotion, snli, paws");
    }

    #[test]
    fn label_sets_per_task_and_language() {
        let words = |name: &str, language, set| label_words(task(name).expect("a task"), language, set);
        assert_eq!(words("emotion", Language::De, LabelSet::Same).expect("has"), ["positiv", "negativ"]);
        assert_eq!(words("emotion", Language::En, LabelSet::Same).expect("has"), ["positive", "negative"]);
        assert_eq!(words("snli", Language::Ja, LabelSet::English).expect("has")[1], "neutral");
        assert_eq!(words("snli", Language::Ja, LabelSet::Agnostic).expect("has"), ["ox", "horse", "sheep"]);
        assert_eq!(words("paws", Language::Zh, LabelSet::Agnostic).expect("has"), ["ox", "horse"]);
        let error = words("paws", Language::De, LabelSet::Same).expect_err("PAWS golds are English");
        assert_eq!(
            error.to_string(),
            "no label set for task paws in language de called `same`; there is: english, agnostic"
        );
    }

    #[test]
    fn a_task_that_does_not_fit_itself_is_refused() {
        let text = SHIPPED[0].1;
        assert!(parse_task(text).is_ok());
        let error = parse_task(&text.replacen("[\"\", \"\\nEmotion: \\\"\"]", "[\"\"]", 1)).expect_err("a header less");
        assert_eq!(error, "languages.en.headers: 1 for 1 fields");
        let error =
            parse_task(&text.replacen("[\"positiv\", \"negativ\"]", "[\"positiv\"]", 1)).expect_err("a word less");
        assert!(error.contains("label_words: 1 for 2 labels"), "{error}");
        assert!(parse_task(&format!("colour = 1\n{text}")).is_err());
    }
}
