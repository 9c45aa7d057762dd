//! The parts of all prompts of a test file, before they are put together: exemplars, questions,
//! label words. Never here: which items are exemplars (`exemplars`).

use std::{collections::BTreeMap, path::Path};

use schema::{FewShot, LabelSet, Language, Task};

use super::{AnswerFrame, Prompt, Rendered, content_free_questions, exemplars, fail, question};
use crate::{DataError, items, tasks, testset::TestSet};

/// What is shown before a question.
pub(super) enum Shown {
    /// A file's text, taken unchanged.
    Text(String),
    /// Questions, each ending in its closing header, with their label words.
    Solved(Vec<(String, String)>),
}

impl Shown {
    /// As plain prompts show it.
    fn text(&self, style: AnswerStyle) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Solved(solved) => {
                let quote = style.closing_quote;
                let lines: Vec<String> = solved
                    .iter()
                    .map(|(question, word)| format!("{question}{word}{quote}"))
                    .collect();
                lines.join(style.separator)
            }
        }
    }
}

/// How a task's plain prompts write answers.
#[derive(Clone, Copy)]
struct AnswerStyle {
    closing_quote: &'static str,
    /// Between exemplars, and before the question.
    separator: &'static str,
}

impl AnswerStyle {
    fn of(quotes: bool) -> Self {
        let (closing_quote, separator) = match quotes {
            true => ("\"", "\n"),
            false => ("", "\n\n"),
        };
        Self {
            closing_quote,
            separator,
        }
    }
}

/// The parts of all prompts of a file.
pub(super) struct Layout {
    language: Language,
    /// As [`Task::quotes`].
    quotes: bool,
    /// What comes before the exemplars; may be empty.
    pub(super) instruction: String,
    pub(super) shown: Shown,
    /// The items that are scored; the text is the question alone.
    pub(super) prompts: Vec<Prompt>,
    /// The content-free questions alone.
    pub(super) content_free: Vec<String>,
    /// What ends every question.
    pub(super) closing: String,
    words: Vec<String>,
}

impl Layout {
    /// Puts the parts together as the paper's prompts, or without quotes.
    pub(super) fn plain(self) -> Rendered {
        let style = AnswerStyle::of(self.quotes);
        let lines = [self.instruction, self.shown.text(style)];
        let lines = lines.iter().filter(|part| !part.is_empty());
        let few_shot: String = lines
            .map(|part| format!("{part}{}", style.separator))
            .collect();
        let mut answer = match self.quotes {
            true => AnswerFrame::quoted(),
            false => AnswerFrame::open(&self.closing),
        };
        let mut prompts = self.prompts;
        let own_answers = (0..prompts.len())
            .filter(|&at| shows(&few_shot, &prompts[at].text))
            .collect();
        for prompt in &mut prompts {
            let question = cut_end(&prompt.text, &answer);
            prompt.text = format!("{few_shot}{question}");
        }
        answer.begins_text = prompts.iter().all(|prompt| prompt.text.is_empty());
        let content_free = self.content_free.iter();
        Rendered {
            language: self.language,
            content_free: content_free
                .map(|question| few_shot.clone() + cut_end(question, &answer))
                .collect(),
            closing: cut_end(&self.closing, &answer).to_owned(),
            prompts,
            words: self.words,
            own_answers,
            answer,
            template_sha256: None,
            few_shot,
        }
    }
}

/// A question without the white space that goes to the answer.
fn cut_end<'a>(question: &'a str, answer: &AnswerFrame) -> &'a str {
    question
        .strip_suffix(answer.before.as_str())
        .unwrap_or(question)
}

/// Whether exemplars show a question.
fn shows(few_shot: &str, question: &str) -> bool {
    !question.is_empty()
        && (few_shot.starts_with(question) || few_shot.contains(&format!("\n{question}")))
}

/// Takes exemplars and questions out of their files.
///
/// # Errors
/// As [`super::render`].
pub(super) fn lay_out(
    task: &Task,
    set: &TestSet,
    few_shot: &FewShot,
    labels: LabelSet,
) -> Result<Layout, DataError> {
    let words = tasks::label_words(task, set.language, labels)?;
    let headers = match few_shot.variation().english_headers {
        true => Language::En,
        false => set.language,
    };
    let (shown, unscored) = choose_shown(task, set, few_shot, labels, &words)?;
    let mut prompts = Vec::with_capacity(set.items.len() - unscored);
    for item in &set.items[unscored..] {
        prompts.push(Prompt {
            item: item.index,
            gold: item.gold,
            answerable: item.answerable,
            text: question(task, headers, &item.fields)?,
            choices: match task.offered(&item.fields) {
                Some(offered) => words[..offered].to_vec(),
                None => item.choices.clone(),
            },
        });
    }
    // Without content there are no choices, and without choices nothing to be answered.
    let content_free = if task.text_choices().is_empty() && task.offered(&[]).is_none() {
        content_free_questions(task, headers)?
    } else {
        Vec::new()
    };
    Ok(Layout {
        language: set.language,
        quotes: task.quotes,
        instruction: tasks::row(task, headers)?.instruction.clone(),
        shown,
        prompts,
        content_free,
        closing: question(task, headers, &[])?,
        words,
    })
}

/// The exemplars, and how many leading items of the test file are not scored.
fn choose_shown(
    task: &Task,
    set: &TestSet,
    few_shot: &FewShot,
    labels: LabelSet,
    words: &[String],
) -> Result<(Shown, usize), DataError> {
    if let FewShot::File(path) = few_shot.source() {
        let text = read_exemplars(path, task, set.language, few_shot)?;
        check_shown_labels(task, set.language, labels, words, &text)
            .map_err(|problem| fail(few_shot, problem))?;
        return Ok((Shown::Text(text), 0));
    }
    let chosen = exemplars::choose(task, set, few_shot)?;
    let headers = match few_shot.variation().english_headers {
        true => Language::En,
        false => chosen.language,
    };
    let mut solved = Vec::with_capacity(chosen.list.len());
    for exemplar in &chosen.list {
        let word = exemplar
            .choices
            .get(exemplar.label.0)
            .unwrap_or(&words[exemplar.label.0]);
        solved.push((question(task, headers, &exemplar.fields)?, word.clone()));
    }
    Ok((Shown::Solved(solved), chosen.unscored))
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
        .map_or("", |h| match task.quotes {
            true => h.trim_start(),
            false => h.trim(),
        });
    if header.is_empty() {
        return Ok(()); // nothing says where an answer begins
    }
    let answers: Vec<&str> = text
        .split(header)
        .skip(1)
        .filter_map(|rest| match task.quotes {
            true => rest.split('"').next(),
            false => rest.lines().next().map(str::trim),
        })
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
