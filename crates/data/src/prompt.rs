//! Prompts, to the letter of the paper's released scripts: question = header words and fields, ending in a header and an
//! opening quote; exemplar = question, label word, closing quote; exemplars and question are joined by newlines.
//!
//! Never here: tokens, special tokens, chat templates.

use std::{collections::BTreeMap, path::Path};

use schema::{FewShot, Label, LabelSet, Language, Task};

use crate::{
    DataError, items, tasks,
    testset::{Item, TestSet},
};

/// What content-free questions say in every field: the three of contextual calibration (arXiv 2102.09690, section 5).
pub const CONTENT_FREE: [&str; 3] = ["N/A", "[MASK]", ""];

/// All prompts of one test file.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// Language of the questions.
    pub language: Language,
    /// What stands before every question: the exemplars with their last newline; empty with no exemplars.
    pub few_shot: String,
    /// One prompt per scored item, in file order.
    pub prompts: Vec<Prompt>,
    /// The prompts of the content-free questions after the same exemplars.
    pub content_free: Vec<String>,
}

/// The prompt of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Index of the item in its file, from 0.
    pub item: usize,
    /// The right label.
    pub gold: Label,
    /// As [`Item::answerable`].
    pub answerable: bool,
    /// Exemplars and question.
    pub text: String,
}

impl Rendered {
    /// The texts of all prompts, for a tokenizer.
    pub fn texts(&self) -> Vec<&str> {
        self.prompts.iter().map(|prompt| prompt.text.as_str()).collect()
    }
}

/// Renders every question of `set` that is scored. With [`FewShot::Head`] the first items are the exemplars and are not
/// scored; with [`FewShot::Builtin`] all builtin exemplars are taken, which may be more than [`Task::shots`]. Exemplars show the words of
/// `labels`; under the paper's protocol for the label that the gold word means.
///
/// # Errors
/// The label set does not exist here; too few items; a file of exemplars that is missing, broken, lacks the task or the
/// language, or shows words of another label set.
pub fn render(task: &Task, set: &TestSet, few_shot: &FewShot, labels: LabelSet) -> Result<Rendered, DataError> {
    let words = tasks::label_words(task, set.language, labels)?;
    let (exemplars, scored) = match few_shot {
        FewShot::Head(count) => {
            let (head, scored) = split_head(set, *count)?;
            (join_exemplars(task, set.language, &words, head.iter().map(|i| (&i.fields, i.gold)))?, scored)
        }
        FewShot::Builtin => {
            let Some(list) = tasks::exemplars(&task.name)?.get(&set.language) else {
                return Err(fail(few_shot, format!("none for {}; use head:K or file:PATH", set.language)));
            };
            let list = list.iter().map(|e| (&e.fields, e.label));
            (join_exemplars(task, set.language, &words, list)?, &set.items[..])
        }
        FewShot::File(path) => {
            let text = read_exemplars(path, task, set.language, few_shot)?;
            check_shown_labels(task, set.language, labels, &words, &text).map_err(|problem| fail(few_shot, problem))?;
            (text, &set.items[..])
        }
    };
    let few_shot = if exemplars.is_empty() { exemplars } else { exemplars + "\n" };
    let prompt = |item: &Item| -> Result<Prompt, DataError> {
        let text = format!("{few_shot}{}", question(task, set.language, &item.fields)?);
        Ok(Prompt { item: item.index, gold: item.gold, answerable: item.answerable, text })
    };
    let prompts = scored.iter().map(prompt).collect::<Result<Vec<_>, _>>()?;
    let content_free = content_free_questions(task, set.language)?.into_iter().map(|q| few_shot.clone() + &q).collect();
    Ok(Rendered { language: set.language, few_shot, prompts, content_free })
}

/// One question without exemplars: each header with its field, and the header that ends the question.
///
/// # Errors
/// The task lacks the language.
pub fn question(task: &Task, language: Language, fields: &[String]) -> Result<String, DataError> {
    let headers = &tasks::row(task, language)?.headers;
    let mut text = String::new();
    for (header, field) in headers.iter().zip(fields) {
        text.push_str(header);
        text.push_str(field);
    }
    text.extend(headers.last().map(String::as_str));
    Ok(text)
}

/// The fields of a text that has the form of [`question`]; `None` if it has not. Header words within a field may be taken
/// for headers.
pub fn split_question<'a>(task: &Task, language: Language, question: &'a str) -> Option<Vec<&'a str>> {
    let headers = &task.languages.get(&language)?.headers;
    let (first, others) = headers.split_first()?;
    let mut rest = question.strip_prefix(first.as_str())?;
    let mut fields = Vec::new();
    for header in others {
        let (field, after) = rest.split_once(header.as_str())?;
        fields.push(field);
        rest = after;
    }
    (rest.trim().is_empty() && fields.len() == task.fields.len()).then_some(fields)
}

/// The question whose every field is [`CONTENT_FREE`]: its scores are what the prompt prefers before any content.
///
/// # Errors
/// The task lacks the language.
pub fn content_free_questions(task: &Task, language: Language) -> Result<Vec<String>, DataError> {
    CONTENT_FREE.iter().map(|&text| question(task, language, &vec![text.to_owned(); task.fields.len()])).collect()
}

fn split_head(set: &TestSet, count: usize) -> Result<(&[Item], &[Item]), DataError> {
    if count >= set.items.len() {
        let problem = format!("{} has {} items, so none is left to score", set.path.display(), set.items.len());
        return Err(fail(&FewShot::Head(count), format!("{problem}; take fewer exemplars")));
    }
    Ok(set.items.split_at(count))
}

fn join_exemplars<'a>(
    task: &Task,
    language: Language,
    words: &[String],
    list: impl Iterator<Item = (&'a Vec<String>, Label)>,
) -> Result<String, DataError> {
    let exemplar = |(fields, label): (&Vec<String>, Label)| {
        Ok(format!("{}{}\"", question(task, language, fields)?, words[label.0]))
    };
    Ok(list.map(exemplar).collect::<Result<Vec<_>, DataError>>()?.join("\n"))
}

/// The text of one language in `{task: {language: text}}`.
fn read_exemplars(path: &Path, task: &Task, language: Language, few_shot: &FewShot) -> Result<String, DataError> {
    let text = items::read_text(path)?;
    let mut file: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(&text).map_err(|e| items::broken(path, &e))?;
    let Some(mut languages) = file.remove(&task.name) else {
        let there: Vec<_> = file.into_keys().collect();
        return Err(fail(few_shot, format!("no task `{}` in it; there is: {}", task.name, there.join(", "))));
    };
    languages.remove(language.code()).ok_or_else(|| {
        let there: Vec<_> = languages.into_keys().collect();
        fail(few_shot, format!("no language `{language}` under `{}`; there is: {}", task.name, there.join(", ")))
    })
}

/// Text taken as it stands must not show answers that are not scored: every answer found behind the closing header has to
/// be one of `words`; where none is found, no English label may stand in quotes when others are scored.
fn check_shown_labels(
    task: &Task,
    language: Language,
    labels: LabelSet,
    words: &[String],
    text: &str,
) -> Result<(), String> {
    let header = tasks::row(task, language).map_err(|e| e.to_string())?.headers.last().map_or("", |h| h.trim_start());
    let answers: Vec<&str> = text.split(header).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let in_quotes = |word: &&String| labels != LabelSet::English && text.contains(&format!("\"{word}\""));
    let foreign = match answers.iter().find(|answer| !words.iter().any(|word| word == *answer)) {
        Some(answer) => Some((*answer).to_owned()),
        None if answers.is_empty() => task.labels.iter().filter(|word| !words.contains(word)).find(in_quotes).cloned(),
        None => None,
    };
    match foreign {
        None => Ok(()),
        Some(answer) => Err(format!(
            "its text for {language} answers `{answer}`, but the label set `{labels}` has {}; use head:K or builtin, \
             which show the words that are scored, or a file written with them",
            words.join(", ")
        )),
    }
}

fn fail(few_shot: &FewShot, problem: String) -> DataError {
    DataError::FewShot { source_of: few_shot.to_string(), problem }
}
