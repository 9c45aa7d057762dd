//! The texts of one task in one language for the page, and whether they are those that were asked:
//! each answer's record has a hash of its prompt. Never here: putting a prompt together.

use std::collections::{BTreeMap, BTreeSet};

use compare::{AskedWay, QuestionTexts};
use schema::{
    Language,
    questions::{AskedRecord, QuestionRecord, prompt_hash},
};
use serde::Serialize;

/// A file of texts.
#[derive(Serialize)]
pub(super) struct TextChunk {
    /// The fields of each item that was asked.
    items: BTreeMap<usize, Vec<String>>,
    /// The texts of the answers, by label, where they are the item's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    choices: BTreeMap<usize, BTreeMap<String, String>>,
    ways: BTreeMap<String, WayTexts>,
}

/// What one way to ask puts around them.
#[derive(Serialize)]
struct WayTexts {
    words: BTreeMap<String, String>,
    frame: Vec<String>,
    whole: BTreeMap<usize, String>,
    /// Items whose prompt here is not the one that a record was made from.
    other: BTreeSet<usize>,
    /// Whether a record does not say which prompt it was made from.
    unchecked: bool,
}

/// The texts of the items that any model was asked.
pub(super) fn gather_texts(
    ways: &[AskedWay<'_>],
    ids: &[String],
    (task, language): (&str, Language),
    texts: QuestionTexts,
) -> TextChunk {
    let mut chunk = TextChunk {
        items: BTreeMap::new(),
        choices: BTreeMap::new(),
        ways: BTreeMap::new(),
    };
    let questions: BTreeMap<usize, &QuestionRecord> = texts
        .questions
        .iter()
        .map(|question| (question.item, question))
        .collect();
    let mut asked = BTreeSet::new();
    for (way, id) in ways.iter().zip(ids).filter(|(way, _)| way.task == task) {
        let same = |text: &&AskedRecord| {
            (text.labels, text.prompt, text.few_shot.as_str())
                == (way.labels, way.prompt, way.few_shot)
        };
        let Some(text) = texts.ways.iter().find(same) else {
            continue;
        };
        let checked = check(way, language, text, &questions, &mut asked);
        chunk.ways.insert(id.clone(), checked);
    }
    for item in asked {
        if let Some(question) = questions.get(&item) {
            chunk.items.insert(item, question.fields.clone());
            if !question.choices.is_empty() {
                chunk.choices.insert(item, question.choices.clone());
            }
        }
    }
    chunk
}

/// The texts of a way to ask held against the records; adds the items to `asked`.
fn check(
    way: &AskedWay<'_>,
    language: Language,
    text: &AskedRecord,
    questions: &BTreeMap<usize, &QuestionRecord>,
    asked: &mut BTreeSet<usize>,
) -> WayTexts {
    let mut hashes: BTreeMap<usize, Option<String>> = BTreeMap::new();
    let (mut other, mut unchecked) = (BTreeSet::new(), false);
    for model in &way.models {
        for answer in model.answers(language) {
            asked.insert(answer.item);
            let Some(recorded) = answer.prompt_hash else {
                unchecked = true;
                continue;
            };
            let found = hashes.entry(answer.item).or_insert_with(|| {
                let question = questions.get(&answer.item)?;
                Some(prompt_hash(&text.prompt_of(question)))
            });
            if *found != Some(format!("{recorded:016x}")) {
                other.insert(answer.item);
            }
        }
    }
    let whole = text.whole.iter().filter(|(item, _)| asked.contains(item));
    WayTexts {
        words: text.words.clone(),
        frame: text.frame.clone(),
        whole: whole.map(|(item, text)| (*item, text.clone())).collect(),
        other,
        unchecked,
    }
}
