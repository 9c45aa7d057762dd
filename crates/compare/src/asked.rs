//! All answers of a run as they were given, item by item, for a reader who wants to see them. Never
//! here: statistics.

use std::collections::BTreeMap;

use schema::{LabelSet, Language, PromptForm};

use crate::{answers::AnswerSet, columns::AnswerColumns, folder::BASE, run_records::RunRecords};

/// One way to ask a task, and the models that were asked so.
pub struct AskedWay<'a> {
    /// Task name.
    pub task: &'a str,
    /// Which label words were scored.
    pub labels: LabelSet,
    /// In which form.
    pub prompt: PromptForm,
    /// After which exemplars.
    pub few_shot: &'a str,
    /// Whether the results are of these exemplars; those of the others are beside them.
    pub is_first: bool,
    /// English label names, sorted.
    pub label_names: &'a [String],
    /// The base model first, then the adapters by name.
    pub models: Vec<ModelAnswers<'a>>,
}

/// What one model answered.
pub struct ModelAnswers<'a> {
    /// `base` or an adapter's name.
    pub name: &'a str,
    languages: &'a BTreeMap<Language, AnswerColumns>,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub struct ItemAnswer<'a> {
    /// Index of the item in its file, from 0.
    pub item: usize,
    /// The right label: its place among the names.
    pub gold: u32,
    /// The chosen label.
    pub chosen: u32,
    /// Whether the answer counts as right.
    pub correct: bool,
    /// The score of each label.
    pub scores: &'a [f64],
    /// The number that [`schema::AnswerRecord::prompt_hash`] is.
    pub prompt_hash: Option<u64>,
}

impl ModelAnswers<'_> {
    /// The languages, in their order.
    pub fn languages(&self) -> impl Iterator<Item = Language> {
        self.languages.keys().copied()
    }

    /// The answers in a language, in the order of the items.
    pub fn answers(&self, language: Language) -> impl Iterator<Item = ItemAnswer<'_>> {
        let columns = self.languages.get(&language).into_iter();
        columns.flat_map(|columns| {
            (0..columns.items.len()).map(|row| ItemAnswer {
                item: columns.items[row],
                gold: columns.gold[row],
                chosen: columns.chosen[row],
                correct: columns.correct[row],
                scores: columns.scores.row(row),
                prompt_hash: columns.prompts[row],
            })
        })
    }
}

impl RunRecords {
    /// Every way in which a task was asked, by task, label set, form and exemplars.
    pub fn ways(&self) -> Vec<AskedWay<'_>> {
        let mut ways: Vec<AskedWay<'_>> = Vec::new();
        for models in self.answers.values() {
            let base = models.get_key_value(BASE);
            let others = models.iter().filter(|(name, _)| *name != BASE);
            let first_of_question = ways.len();
            for (name, sets) in base.into_iter().chain(others) {
                for set in sets {
                    add(&mut ways, first_of_question, name, set);
                }
            }
        }
        ways
    }
}

/// Adds a model's answers to the way in which it was asked; of one question the ways begin at
/// `first`.
fn add<'a>(ways: &mut Vec<AskedWay<'a>>, first: usize, name: &'a str, set: &'a AnswerSet) {
    let model = ModelAnswers {
        name,
        languages: &set.languages,
    };
    let head = &set.head;
    let known = ways[first..]
        .iter_mut()
        .find(|way| way.few_shot == head.few_shot && way.label_names == set.label_names);
    match known {
        Some(way) => way.models.push(model),
        None => ways.push(AskedWay {
            task: &head.task,
            labels: head.labels,
            prompt: head.prompt,
            few_shot: &head.few_shot,
            is_first: ways.len() == first,
            label_names: &set.label_names,
            models: vec![model],
        }),
    }
}
