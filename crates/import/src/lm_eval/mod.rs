//! Files of EleutherAI's lm-evaluation-harness (lm-eval, versions 0.4): its tasks with our
//! prompts ([`export`]), our answers as its results and samples ([`results`]), and its samples
//! as our records ([`samples`]).
//!
//! What all three share is the [`Doc`]: a prompt that is rendered, with what is needed to know
//! it again. docs/lm-eval.md is the page about it. Never here: running lm-eval, a clock,
//! statistics beyond the two numbers that its files hold.

pub mod export;
mod naming;
pub mod results;
pub mod samples;

use std::collections::BTreeMap;

use data::prompt::{AnswerFrame, Prompt, Rendered};
use schema::{Asking, LabelSet, Language, Protocol, Task};
use serde_json::{Value, json};

pub use naming::{name_task, sanitize_model};

/// The gold index given to lm-eval for a question that has no right answer: not the index of an
/// answer, so that each counts as wrong, but one that Python's lists have, because lm-eval looks
/// up the first row's.
const UNANSWERABLE: i64 = -1;

/// One question as a row of a data set that lm-eval reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Doc {
    /// Index of the item in its file, from 0.
    pub item: usize,
    /// As in the records: items with one number share a text.
    pub group: Option<u64>,
    /// Language of the question.
    pub language: Language,
    /// Task name.
    pub task: String,
    /// Which words are scored.
    pub label_set: LabelSet,
    /// Where the exemplars came from.
    pub few_shot: String,
    /// Rules for defective data.
    pub protocol: Option<Protocol>,
    /// English names of the labels, in the order of `choices`.
    pub labels: Vec<String>,
    /// English name of the right label.
    pub label: String,
    /// What is scored after the prompt.
    pub choices: Vec<String>,
    /// Index of the right choice; -1 where none counts as right.
    pub gold: i64,
    /// Exemplars and question.
    pub prompt: String,
}

impl Doc {
    /// The row. lm-eval hashes its text, so the order of the keys matters.
    pub fn to_json(&self) -> Value {
        json!({
            "item": self.item,
            "group": self.group,
            "language": self.language,
            "task": self.task,
            "label_set": self.label_set,
            "few_shot": self.few_shot,
            "protocol": self.protocol,
            "labels": self.labels,
            "label": self.label,
            "choices": self.choices,
            "gold": self.gold,
            "prompt": self.prompt,
        })
    }
}

/// Every question of a file that can be scored, rendered as `asking` says. `groups`: the items
/// that share a text, each with the number of that text.
pub fn docs(
    task: &Task,
    asking: &Asking,
    rendered: &Rendered,
    groups: &BTreeMap<usize, u64>,
) -> Vec<Doc> {
    let row = |(at, prompt): (usize, &Prompt)| Doc {
        item: prompt.item,
        group: groups.get(&prompt.item).copied(),
        language: rendered.language,
        task: task.name.clone(),
        label_set: asking.labels,
        few_shot: asking.few_shot.to_string(),
        protocol: asking.protocol,
        labels: task.labels[..rendered.words_of(at).len()].to_vec(),
        label: task.label_name(prompt.gold).to_owned(),
        choices: continue_with(&rendered.answer, rendered.words_of(at)),
        gold: if prompt.answerable {
            prompt.gold.0 as i64
        } else {
            UNANSWERABLE
        },
        prompt: prompt.text.clone(),
    };
    rendered.prompts.iter().enumerate().map(row).collect()
}

/// The words as they are scored, with the white space before them: with the closing quote where one
/// word begins with another, because only the quote distinguishes them then.
fn continue_with(frame: &AnswerFrame, words: &[String]) -> Vec<String> {
    let (before, after) = (&frame.before, &frame.after);
    let begins =
        |at: usize, other: usize| at != other && words[at].starts_with(words[other].as_str());
    let ambiguous = (0..words.len()).any(|at| (0..words.len()).any(|other| begins(at, other)));
    words
        .iter()
        .map(|word| {
            let end = if ambiguous { after.as_str() } else { "" };
            format!("{before}{word}{end}")
        })
        .collect()
}
