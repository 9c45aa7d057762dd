//! Prompts, to the letter of the paper's released scripts: question = header words and fields,
//! ending in a header and an opening quote; exemplar = question, label word, closing quote;
//! exemplars and question are joined by newlines.
//!
//! Never here: tokens, special tokens, chat templates.

mod exemplars;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use schema::{FewShot, Label, LabelSet, Language, Scoring, Task};

use crate::{DataError, items, tasks, testset::TestSet};

/// What content-free questions say in every field: the three of contextual calibration (arXiv
/// 2102.09690, section 5).
pub const CONTENT_FREE: [&str; 3] = ["N/A", "[MASK]", ""];

/// All prompts of one test file.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// Language of the questions.
    pub language: Language,
    /// The text before every question: the exemplars with their last newline; empty with no
    /// exemplars.
    pub few_shot: String,
    /// One prompt per scored item, in file order.
    pub prompts: Vec<Prompt>,
    /// The prompts of the content-free questions after the same exemplars; none where the
    /// choices differ by question.
    pub content_free: Vec<String>,
    /// What ends every question: its closing header and opening quote.
    pub closing: String,
    /// The label words of every question that has none of its own.
    pub words: Vec<String>,
}

/// The prompt of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    /// Index of the item in its file, from 0.
    pub item: usize,
    /// The right label.
    pub gold: Label,
    /// As `Item::answerable`.
    pub answerable: bool,
    /// Exemplars and question.
    pub text: String,
    /// The label texts, where they differ by question; else empty.
    pub choices: Vec<String>,
}

impl Rendered {
    /// The texts of all prompts, for a tokenizer.
    pub fn texts(&self) -> Vec<&str> {
        self.prompts
            .iter()
            .map(|prompt| prompt.text.as_str())
            .collect()
    }

    /// The label words of the prompt at this index of [`Rendered::prompts`]; any
    /// later one is content-free.
    pub fn words_of(&self, at: usize) -> &[String] {
        self.prompts
            .get(at)
            .map(|prompt| prompt.choices.as_slice())
            .filter(|own| !own.is_empty())
            .unwrap_or(&self.words)
    }

    /// Whether every question has the same answers.
    pub fn has_common_words(&self) -> bool {
        self.prompts.iter().all(|prompt| prompt.choices.is_empty())
    }

    /// Whether the exemplars show the very question at this index, and so its answer.
    pub fn shows_own_answer(&self, at: usize) -> bool {
        let question = self
            .prompts
            .get(at)
            .and_then(|prompt| prompt.text.strip_prefix(&self.few_shot));
        question.is_some_and(|question| {
            !question.is_empty()
                && (self.few_shot.starts_with(question)
                    || self.few_shot.contains(&format!("\n{question}")))
        })
    }

    /// The label words of every question, for a scoring that makes
    /// something of them once.
    ///
    /// # Errors
    /// The questions differ in them.
    pub fn common_words(&self, scoring: Scoring) -> Result<&[String], DataError> {
        if self.has_common_words() {
            return Ok(&self.words);
        }
        let problem = "the answers are the questions' own texts, which have nothing in common; choose the scoring \
                       `sequence`, `sequence-mean` or `pmi`";
        Err(DataError::unusable(format!("scoring `{scoring}`"), problem))
    }
}

/// Renders every question of `set` that is scored. With [`FewShot::Head`] the first items are
/// the exemplars and are not scored, with [`FewShot::Seed`] none of the items among which they
/// were drawn; with [`FewShot::Builtin`] all builtin exemplars are taken, which may be more
/// than [`Task::shots`]. Exemplars show the words of `labels`, whatever language they are in;
/// under the paper's protocol for the label that the gold word means.
///
/// # Errors
/// The label set does not exist here; too few items; a file of exemplars that is missing,
/// broken, lacks the task or the language, or shows words of another label set.
pub fn render(
    task: &Task,
    set: &TestSet,
    few_shot: &FewShot,
    labels: LabelSet,
) -> Result<Rendered, DataError> {
    let words = tasks::label_words(task, set.language, labels)?;
    let headers = match few_shot.variation().english_headers {
        true => Language::En,
        false => set.language,
    };
    let (text, unscored) = render_exemplars(task, set, few_shot, labels, &words)?;
    let instruction = &tasks::row(task, headers)?.instruction;
    let lines = [instruction.as_str(), &text]
        .into_iter()
        .filter(|part| !part.is_empty());
    let few_shot: String = lines.map(|part| format!("{part}\n")).collect();
    let mut prompts = Vec::with_capacity(set.items.len() - unscored);
    for item in &set.items[unscored..] {
        prompts.push(Prompt {
            item: item.index,
            gold: item.gold,
            answerable: item.answerable,
            text: format!("{few_shot}{}", question(task, headers, &item.fields)?),
            choices: item.choices.clone(),
        });
    }
    // Without content there are no choices, and without choices nothing to be answered.
    let asked = if task.text_choices().is_empty() {
        content_free_questions(task, headers)?
    } else {
        Vec::new()
    };
    let content_free = asked
        .into_iter()
        .map(|question| few_shot.clone() + &question)
        .collect();
    let closing = question(task, headers, &[])?;
    Ok(Rendered {
        language: set.language,
        few_shot,
        prompts,
        content_free,
        closing,
        words,
    })
}

/// The exemplars as text, and how many leading items of the test file are not scored.
fn render_exemplars(
    task: &Task,
    set: &TestSet,
    few_shot: &FewShot,
    labels: LabelSet,
    words: &[String],
) -> Result<(String, usize), DataError> {
    if let FewShot::File(path) = few_shot.source() {
        let text = read_exemplars(path, task, set.language, few_shot)?;
        check_shown_labels(task, set.language, labels, words, &text)
            .map_err(|problem| fail(few_shot, problem))?;
        return Ok((text, 0));
    }
    let chosen = exemplars::choose(task, set, few_shot)?;
    let headers = match few_shot.variation().english_headers {
        true => Language::En,
        false => chosen.language,
    };
    let mut shown = Vec::with_capacity(chosen.list.len());
    for exemplar in &chosen.list {
        let word = exemplar
            .choices
            .get(exemplar.label.0)
            .unwrap_or(&words[exemplar.label.0]);
        let question = question(task, headers, &exemplar.fields)?;
        shown.push(format!("{question}{word}\""));
    }
    Ok((shown.join("\n"), chosen.unscored))
}

/// The files beside the test file on which the exemplars of a language depend.
///
/// # Errors
/// A labelled training file is missing from which they are drawn; a folder that cannot be read.
pub fn exemplar_files(
    dir: &Path,
    task: &Task,
    language: Language,
    few_shot: &FewShot,
) -> Result<Vec<PathBuf>, DataError> {
    exemplars::list_files(dir, task, language, few_shot)
}

/// One question without exemplars: each header with its field, and the header that ends the
/// question.
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

/// The fields of a question that [`question`] could have made: the other way round. The inner
/// error says what does not fit; a field that holds a header itself is taken for none.
///
/// # Errors
/// The task lacks the language.
pub fn fields(
    task: &Task,
    language: Language,
    question: &str,
) -> Result<Result<Vec<String>, String>, DataError> {
    let headers = &tasks::row(task, language)?.headers;
    let mut rest = question;
    let mut fields = Vec::new();
    for (at, header) in headers.iter().enumerate() {
        // The last header ends the question, so that it is looked for at the end alone.
        let is_last = at + 1 == headers.len();
        let found = if is_last {
            rest.strip_suffix(header.as_str()).map(|field| (field, ""))
        } else {
            rest.split_once(header.as_str())
        };
        let Some((before, after)) = found else {
            return Ok(Err(format!(
                "the question lacks the header `{}` of {language}",
                header.escape_debug()
            )));
        };
        match at {
            0 if before.is_empty() => {}
            0 => {
                return Ok(Err(format!(
                    "the question begins with `{}`",
                    before.escape_debug()
                )));
            }
            _ => fields.push(before.to_owned()),
        }
        rest = after;
    }
    for field in &fields {
        if let Some(header) = headers
            .iter()
            .find(|header| !header.is_empty() && field.contains(header.as_str()))
        {
            return Ok(Err(format!(
                "the header `{}` is in it twice",
                header.escape_debug()
            )));
        }
        if field.trim().is_empty() {
            return Ok(Err("a part of the question is empty".to_owned()));
        }
    }
    Ok(Ok(fields))
}

/// A question, or what a model says instead of one, without the header words of `language`: one
/// line for each that has content. A line that begins with the last header is the place of the
/// answer, and left out.
///
/// # Errors
/// The task lacks the language.
pub fn strip_headers(task: &Task, language: Language, text: &str) -> Result<String, DataError> {
    let headers: Vec<&str> = tasks::row(task, language)?
        .headers
        .iter()
        .map(|header| header.trim())
        .collect();
    let (last, others) = match headers.split_last() {
        Some((last, others)) if !last.is_empty() => (Some(*last), others),
        _ => (None, headers.as_slice()),
    };
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        let line = last
            .and_then(|last| line.strip_suffix(last))
            .unwrap_or(line);
        if last.is_some_and(|last| line.starts_with(last)) {
            continue;
        }
        let named = others.iter().filter(|header| !header.is_empty());
        let line = named
            .filter_map(|header| line.strip_prefix(header))
            .next()
            .unwrap_or(line)
            .trim();
        if !line.is_empty() {
            lines.push(line);
        }
    }
    Ok(lines.join("\n"))
}

/// The question whose every field is [`CONTENT_FREE`]: its scores are what the prompt prefers
/// before any content.
///
/// # Errors
/// The task lacks the language.
pub fn content_free_questions(task: &Task, language: Language) -> Result<Vec<String>, DataError> {
    CONTENT_FREE
        .iter()
        .map(|&text| question(task, language, &vec![text.to_owned(); task.fields.len()]))
        .collect()
}

/// The text of one language in `{task: {language: text}}`.
fn read_exemplars(
    path: &Path,
    task: &Task,
    language: Language,
    few_shot: &FewShot,
) -> Result<String, DataError> {
    let text = items::read_text(path)?;
    let mut file: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_str(&text).map_err(|e| items::broken(path, &e))?;
    let Some(mut languages) = file.remove(&task.name) else {
        let there: Vec<_> = file.into_keys().collect();
        return Err(fail(
            few_shot,
            format!(
                "no task `{}` in it; there is: {}",
                task.name,
                there.join(", ")
            ),
        ));
    };
    languages.remove(language.code()).ok_or_else(|| {
        let there: Vec<_> = languages.into_keys().collect();
        fail(
            few_shot,
            format!(
                "no language `{language}` under `{}`; there is: {}",
                task.name,
                there.join(", ")
            ),
        )
    })
}

/// Text taken unchanged must not show answers that are not scored: every answer found behind
/// the closing header has to be one of `words`; where none is found, no English label may be
/// in quotes when others are scored.
fn check_shown_labels(
    task: &Task,
    language: Language,
    labels: LabelSet,
    words: &[String],
    text: &str,
) -> Result<(), String> {
    let header = tasks::row(task, language)
        .map_err(|e| e.to_string())?
        .headers
        .last()
        .map_or("", |h| h.trim_start());
    let answers: Vec<&str> = text
        .split(header)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let foreign = match answers
        .iter()
        .find(|answer| !words.iter().any(|word| word == *answer))
    {
        Some(answer) => Some((*answer).to_owned()),
        None if answers.is_empty() && labels != LabelSet::English => task
            .labels
            .iter()
            .filter(|word| !words.contains(word))
            .find(|word| text.contains(&format!("\"{word}\"")))
            .cloned(),
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
    DataError::unusable(format!("few-shot exemplars `{few_shot}`"), problem)
}
