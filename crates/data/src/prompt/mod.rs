//! Prompts, to the letter of the paper's released scripts: question = header words and fields,
//! ending in a header and an opening quote; exemplar = question, label word, closing quote;
//! exemplars and question are joined by newlines. A task without quotes has its exemplars and
//! question joined by empty lines.
//!
//! A model that was tuned on conversations may be asked by its chat template instead
//! (`conversation`). Never here: token ids of labels.

mod answer;
mod conversation;
mod exemplars;
mod frame;
mod layout;

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use schema::{Asking, FewShot, Label, LabelSet, Language, PromptForm, Scoring, Task};

pub use self::answer::{AnswerFrame, AnswerTurn};
pub use self::frame::find_frame;
use crate::{DataError, Tokenizer, tasks, testset::TestSet};

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
    /// Indices of the prompts whose very question the exemplars show, and so its answer.
    pub own_answers: Vec<usize>,
    /// What is around an answer.
    pub answer: AnswerFrame,
    /// Hash of the chat template; `None` where none is used.
    pub template_sha256: Option<String>,
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
    /// The label texts, where they differ by question, the first ones of the task's labels; else
    /// empty.
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
        self.own_answers.contains(&at)
    }

    /// Token ids of `texts`, which are prompts of this file, on all threads.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn encode(
        &self,
        tokenizer: &Tokenizer,
        texts: &[&str],
    ) -> Result<Vec<Vec<u32>>, DataError> {
        let texts = texts.par_iter();
        texts
            .map(|text| self.answer.encode(tokenizer, text))
            .collect()
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
        let problem = "the questions have different answers, which have nothing in common; choose the scoring \
                       `sequence`, `sequence-mean`, `sequence-bytes`, `sequence-characters` or `pmi`";
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
    Ok(layout::lay_out(task, set, few_shot, labels)?.plain())
}

/// As [`render`], with exemplars, labels and form of a way to ask: plain, or as conversations of
/// the chat template that comes with `tokenizer`.
///
/// # Errors
/// As [`render`]; no chat template, or one that cannot be used.
pub fn ask(
    tokenizer: &Tokenizer,
    task: &Task,
    set: &TestSet,
    asking: &Asking,
) -> Result<Rendered, DataError> {
    let layout = layout::lay_out(task, set, &asking.few_shot, asking.labels)?;
    match asking.prompt {
        PromptForm::Plain => Ok(layout.plain()),
        form => conversation::render(layout, tokenizer, form),
    }
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
    let parts = headers.iter().zip(fields).zip(&task.fields);
    for ((header, field), name) in parts {
        if field.is_empty() && task.optional.contains(name) {
            continue;
        }
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

fn fail(few_shot: &FewShot, problem: String) -> DataError {
    DataError::unusable(format!("few-shot exemplars `{few_shot}`"), problem)
}
