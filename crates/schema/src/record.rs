//! What the stages leave behind, one JSON object a line. `report` computes everything from
//! these.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    Asking, PromptForm,
    language::Language,
    task::{LabelSet, Precision, Protocol, Scoring},
};

/// One answered question: a line of `answers/<model>/<task>.<language>.jsonl` and of `eval
/// --out`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// The model as the user named it.
    pub model: String,
    /// The adapter's folder or setting; `None` for the base model.
    pub adapter: Option<String>,
    /// Task name: `emotion`, `snli`, `paws`.
    pub task: String,
    /// Language of the question.
    pub language: Language,
    /// Index of the item in its file, from 0.
    pub item: usize,
    /// Items with the same number share a text (SNLI's premise), so their answers are not
    /// independent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u64>,
    /// The right label, by its English name. Under [`Protocol::Paper`] it is what the gold word
    /// means.
    pub gold: String,
    /// The label with the highest score, by its English name; the first in task order where two
    /// are equal.
    pub chosen: String,
    /// Whether the protocol counts the answer as right.
    pub correct: bool,
    /// Score of each label, keyed by English name; probabilities, see [`Scoring`].
    pub scores: BTreeMap<String, f64>,
    /// Share of each label in the scores of content-free questions after the same exemplars,
    /// their mean: the label's prior (contextual calibration, arXiv 2102.09690). Empty where it
    /// was not measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prior: BTreeMap<String, f64>,
    /// The paper's prefix sum of each label, whatever `scoring` is. This map and the four below
    /// are empty where they were not measured ([`crate::Scorers::Chosen`], or a label that no entry of
    /// the vocabulary begins).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prefix_scores: BTreeMap<String, f64>,
    /// ln p of each label's tokens after the prompt, nats; with the closing quote where one
    /// label begins another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub log_probs: BTreeMap<String, f64>,
    /// Tokens of each label: the factors of that probability.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub label_tokens: BTreeMap<String, usize>,
    /// Bytes of each label's text in UTF-8; this and the next one where the texts are each
    /// question's own, or the scoring divides by them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub label_bytes: BTreeMap<String, usize>,
    /// Characters of each label's text: Unicode code points.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub label_characters: BTreeMap<String, usize>,
    /// ln of each label's mean share of the exact probabilities after the content-free
    /// questions, nats.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prior_log_probs: BTreeMap<String, f64>,
    /// As `log_probs`, after the header that ends a question and nothing else (domain premise,
    /// arXiv 2104.08315).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub domain_log_probs: BTreeMap<String, f64>,
    /// What free greedy decoding says up to the closing quote; `None` where it was not asked
    /// for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// Whether the two best scores are equal.
    #[serde(default)]
    pub tied: bool,
    /// How the scores were made.
    pub scoring: Scoring,
    /// Which label words were scored.
    pub labels: LabelSet,
    /// Which rules for defective data; `None`: such data is refused.
    pub protocol: Option<Protocol>,
    /// Where the exemplars came from, as in `--few-shot`.
    pub few_shot: String,
    /// In which form the prompt reached the model; left out where it is plain.
    #[serde(
        default = "PromptForm::plain",
        skip_serializing_if = "PromptForm::is_plain"
    )]
    pub prompt: PromptForm,
    /// Tokens of the whole prompt, shared prefix included.
    pub prompt_tokens: usize,
    /// [`crate::questions::prompt_hash`] of the whole prompt; `None` where the program that wrote
    /// the record did not say it, and in records of other programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_hash: Option<String>,
    /// What makes the answer worth less.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<Caveat>,
}

/// One translated line: a line of `translations/<model>/<task>.<from>-<into>.jsonl` and of `eval
/// --task translation --out`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TranslationRecord {
    /// The model as the user named it.
    pub model: String,
    /// The adapter's folder or name; `None` for the base model.
    pub adapter: Option<String>,
    /// The task whose questions are translated.
    pub task: String,
    /// Language of the source.
    pub from: Language,
    /// Language asked for.
    pub into: Language,
    /// Index of the question in its file, from 0.
    pub item: usize,
    /// Whether an adapter of the recipe was validated with it, though it learnt none of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub validated: bool,
    /// What was to be translated.
    pub source: String,
    /// The translation in the data.
    pub reference: String,
    /// The model's.
    pub answer: String,
    /// Whether the model came to an end of its own within the tokens it may take.
    pub ended: bool,
    /// chrF++ of the line, 0 to 100.
    pub chrf: f64,
    /// BLEU of the line, 0 to 100.
    pub bleu: f64,
    /// What the identifier of languages takes the answer for; `None` where it is too short to
    /// tell, or in no script that the identifier knows.
    pub language: Option<String>,
    /// Whether it is certain to be in another language than the one asked for; `None` where the
    /// identifier does not know that one.
    pub wrong_language: Option<bool>,
    /// Whether it is the source again, or nearly so, where the reference is not.
    pub copied: bool,
}

/// What only the evaluation knows of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caveat {
    /// The prompt with its labels has more tokens than the model has positions
    /// (`max_position_embeddings`).
    BeyondContext,
    /// The exemplars before the question show this very question with its answer.
    IsExemplar,
}

/// What computed the answers of one language: no path and no time, so that two of them are
/// equal exactly if the same answers must come out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answerer {
    /// Name and version of the program.
    pub program: String,
    /// Changes when the program computes other numbers from the same inputs.
    pub numerics: String,
    /// Fingerprint of the model's files: SHA-256 over names, sizes, and the first and last MiB
    /// of each.
    pub model_fingerprint: String,
    /// SHA-256 of the adapter's weights and configuration; `None` for the base model.
    pub adapter_sha256: Option<String>,
    /// Number format of the weights.
    pub dtype: Precision,
    /// `cpu`, `cuda`, `metal`.
    pub device: String,
    /// Instruction set of the CPU's products.
    pub instruction_set: String,
}

/// What the answers of one language were made from. All hashes are SHA-256 in hexadecimal
/// digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// What computed them.
    #[serde(flatten)]
    pub answerer: Answerer,
    /// As in the records.
    pub model: String,
    /// As in the records.
    pub adapter: Option<String>,
    /// Task name.
    pub task: String,
    /// Language of the questions.
    pub language: Language,
    /// How they were asked.
    #[serde(flatten)]
    pub asking: Asking,
    /// The test file, and the English one where the protocol looks at it.
    pub data_sha256: String,
    /// The text of every prompt of the file, exemplars included, and those without content.
    pub prompts_sha256: String,
    /// Label words, the token ids that speak for them, and the version of the rules.
    pub scorer_sha256: String,
    /// The chat template; `None` where prompts are plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_sha256: Option<String>,
}

/// `<file>.meta.json`, beside a file of answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswersMeta {
    /// SHA-256 of the file of answers.
    pub answers_sha256: String,
    /// One for each model and language, in the order of the records.
    pub evaluations: Vec<Provenance>,
}

/// Path of the [`AnswersMeta`] of a file of answers.
pub fn meta_path(answers: &Path) -> PathBuf {
    beside(answers, ".meta.json")
}

/// Where an evaluation that is not finished keeps what it has, to go on from.
pub fn partial_path(answers: &Path) -> PathBuf {
    beside(answers, ".partial")
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// One optimiser update: a line of `train/<setting>.jsonl` with `"kind": "step"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Optimiser updates so far, from 1.
    pub step: usize,
    /// Epochs so far, as a fraction.
    pub epoch: f64,
    /// Mean cross-entropy over all target tokens of the batch (Eq. 2), nats.
    pub loss: f64,
    /// Learning rate of this update.
    pub learning_rate: f64,
    /// Norm of all gradients before clipping.
    pub grad_norm: f64,
    /// Tokens run through the model.
    pub tokens: usize,
    /// Tokens with a loss.
    pub target_tokens: usize,
    /// Wall-clock seconds of the update.
    pub seconds: f64,
}

/// One pass over the validation split: a line of `train/<setting>.jsonl` with `"kind":
/// "validation"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationRecord {
    /// Optimiser updates so far; 0 is before training.
    pub step: usize,
    /// Mean cross-entropy over all target tokens of the split, nats.
    pub loss: f64,
    /// Whether it is the lowest so far.
    pub best: bool,
}

/// One language in one probe of a training: a line of `train/<setting>.probes.jsonl`. What is
/// computed of it, as accuracy and AUC, is in `compare`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRecord {
    /// Optimiser updates so far; 0 is before training, when the adapter changes nothing yet.
    pub update: usize,
    /// The language.
    pub language: Language,
    /// The task whose questions are asked: the one whose questions are learnt.
    pub task: String,
    /// The answers, in file order; empty for a language that is only translated from.
    pub answers: Vec<ProbeAnswer>,
    /// Loss of translating from this language, on pairs of the validation split; `None` for a
    /// language that has none there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub translation: Option<ProbeLoss>,
    /// How alike the states are to those of the English questions; `None` for English, and where
    /// it cannot be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<ProbeAlignment>,
}

/// An answer in a probe: parts of the [`AnswerRecord`] that the evaluation would write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// Index of the item in its file, from 0.
    pub item: usize,
    /// The right label, by its English name.
    pub gold: String,
    /// Whether the protocol counts the answer as right.
    pub correct: bool,
    /// Score of each label, keyed by English name.
    pub scores: BTreeMap<String, f64>,
}

/// Loss over target tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeLoss {
    /// Mean cross-entropy, nats.
    pub mean: f64,
    /// How many tokens.
    pub target_tokens: usize,
}

/// Debiased linear CKA with the English questions of the same items (arXiv 2010.15327).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeAlignment {
    /// Of the means over all tokens of a question after this layer, the middle one.
    pub layer: usize,
    /// -1 to 1.
    pub cka: f64,
}

/// A line of `train/<setting>.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum TrainRecord {
    /// An optimiser update.
    Step(StepRecord),
    /// A validation pass.
    Validation(ValidationRecord),
}

#[cfg(test)]
mod tests {
    use super::*;

    // Written by the program before `Asking` was a value of its own.
    const PROVENANCES: [&str; 2] = [
        r#"{"program":"lingualign 0.1.0","numerics":"4","model_fingerprint":"fd22","adapter_sha256":null,"dtype":"f32","device":"cpu","instruction_set":"avx512bf16","model":"smollm2-135m-instruct","adapter":null,"task":"emotion","language":"hi","labels":"english","scoring":"prefix","scorers":"all","protocol":null,"few_shot":"builtin","limit":null,"greedy":0,"data_sha256":"4fac","prompts_sha256":"1e70","scorer_sha256":"dfd8"}"#,
        r#"{"program":"lingualign 0.1.0","numerics":"4","model_fingerprint":"fd22","adapter_sha256":"01","dtype":"nf4","device":"cuda","instruction_set":"avx2","model":"m","adapter":"a","task":"snli","language":"zh","labels":"mine","scoring":"sequence-mean","scorers":"chosen","protocol":"corrected","few_shot":"seed:1:4:train+order:7+exemplars:english+headers:english","limit":3,"greedy":2,"data_sha256":"4f","prompts_sha256":"1e","scorer_sha256":"df"}"#,
    ];

    #[test]
    fn a_provenance_keeps_its_bytes() {
        for old in PROVENANCES {
            let read: Provenance = serde_json::from_str(old).expect("a provenance");
            assert_eq!(serde_json::to_string(&read).expect("JSON"), old);
        }
    }
}
