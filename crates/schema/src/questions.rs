//! The texts of questions, kept beside the answers so that one can read what was asked: the fields
//! of each question once for a task and language, and around them what each way to ask puts.
//! Never here: how a prompt is made (crate `data`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{PromptForm, task::LabelSet};

/// A line of `questions/<task>.<language>.jsonl`: first the ways to ask, then the questions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum QuestionLine {
    /// A way to ask.
    Asked(AskedRecord),
    /// A question of the test file.
    Question(QuestionRecord),
}

/// What one way to ask puts around the fields of every question of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AskedRecord {
    /// Which label words were scored.
    pub labels: LabelSet,
    /// In which form the prompt reached the model.
    pub prompt: PromptForm,
    /// Where the exemplars came from, as in the answers.
    pub few_shot: String,
    /// The word that stands for each label, by its English name; empty where the answers are the
    /// questions' own texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, String>,
    /// The texts between the fields: exemplars and first header before the first, then a text
    /// between each two, and last what ends the prompt. One more than there are fields.
    pub frame: Vec<String>,
    /// The whole prompts of the items whose prompt is not the frame with their fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "as_pairs")]
    pub whole: BTreeMap<usize, String>,
}

/// The parts of one question that every way to ask has in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuestionRecord {
    /// Index of the item in its file, from 0.
    pub item: usize,
    /// Its texts, in the order of the task's fields.
    pub fields: Vec<String>,
    /// The texts of its answers by the labels' English names, where they differ by question.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub choices: BTreeMap<String, String>,
    /// The right label, by its English name.
    pub gold: String,
}

impl AskedRecord {
    /// The prompt of a question, as the model read it.
    pub fn prompt_of(&self, question: &QuestionRecord) -> String {
        match self.whole.get(&question.item) {
            Some(whole) => whole.clone(),
            None => fill(&self.frame, &question.fields),
        }
    }
}

/// A list of pairs in the file: a key that is a number cannot be read inside a tagged record.
mod as_pairs {
    use super::{BTreeMap, Deserialize, Serialize};

    pub(super) fn serialize<S: serde::Serializer>(
        map: &BTreeMap<usize, String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<usize, String>, D::Error> {
        let pairs = Vec::<(usize, String)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().collect())
    }
}

/// The texts of `frame` with `fields` between them.
pub fn fill(frame: &[String], fields: &[String]) -> String {
    let mut prompt = String::new();
    for (at, text) in frame.iter().enumerate() {
        prompt.push_str(text);
        prompt.extend(fields.get(at).map(String::as_str));
    }
    prompt
}

/// By what a prompt is known in an answer's record: the first 16 hexadecimal digits of the SHA-256
/// of its UTF-8 text, exemplars and chat template included.
pub fn prompt_hash(prompt: &str) -> String {
    let hash = Sha256::digest(prompt.as_bytes());
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_prompt_is_put_together_and_known_by_its_hash() {
        let asked = AskedRecord {
            labels: LabelSet::English,
            prompt: PromptForm::Plain,
            few_shot: "head:0".to_owned(),
            words: BTreeMap::new(),
            frame: texts(&["A: ", "\nB: ", "\nSame: \""]),
            whole: [(7, "a".to_owned())].into(),
        };
        let question = |item| QuestionRecord {
            item,
            fields: texts(&["one", "two"]),
            choices: BTreeMap::new(),
            gold: "no".to_owned(),
        };
        assert_eq!(asked.prompt_of(&question(1)), "A: one\nB: two\nSame: \"");
        assert_eq!(asked.prompt_of(&question(7)), "a");
        let line = QuestionLine::Asked(asked);
        let text = serde_json::to_string(&line).expect("JSON");
        assert!(text.contains(r#""whole":[[7,"a"]]"#), "{text}");
        assert_eq!(
            serde_json::from_str::<QuestionLine>(&text).expect("a line"),
            line
        );
        // printf abc | sha256sum
        assert_eq!(prompt_hash("abc"), "ba7816bf8f01cfea");
    }
}
