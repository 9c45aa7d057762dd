//! Tasks as data: fields, header words and label words per language, and the ways to ask and to score.
//!
//! The three shipped tasks (paper, section 4) are `assets/tasks/*.toml`; their exemplars `assets/tasks/exemplars/*.json`.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Language;

/// A label of a task: its index in [`Task::labels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Label(pub usize);

/// One task as its TOML file gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// `emotion`, `snli`, `paws`: also the stem of its files.
    pub name: String,
    /// What it asks, for people.
    pub title: String,
    /// Folder of its files in the released layout: `ap_emotion`, `snli`, `paws`.
    pub folder: String,
    /// JSON keys of a question's parts, in the order of the prompt.
    pub fields: Vec<String>,
    /// Exemplars the paper uses.
    pub shots: usize,
    /// English names of the labels, in task order.
    pub labels: Vec<String>,
    /// Label words without a meaning for the task (Table 6), in the order of `labels`; empty if there are none.
    #[serde(default)]
    pub agnostic: Vec<String>,
    /// One row per language.
    pub languages: BTreeMap<Language, TaskLanguage>,
}

/// The row of one language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskLanguage {
    /// Header before each field, and last the header that ends the question (with its opening quote).
    pub headers: Vec<String>,
    /// The words the scorer knows, in the order of [`Task::labels`]; also the gold words of the test files.
    pub label_words: Vec<String>,
    /// Gold words of the released files that the scorer does not know (its defects), with the label they mean.
    #[serde(default)]
    pub released_words: BTreeMap<String, String>,
}

impl Task {
    /// The label with this English name.
    pub fn label(&self, name: &str) -> Option<Label> {
        self.labels.iter().position(|l| l == name).map(Label)
    }

    /// English name of a label.
    pub fn label_name(&self, label: Label) -> &str {
        &self.labels[label.0]
    }
}

/// One written exemplar: its fields in task order and its label's English name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exemplar {
    /// Field values, in the order of [`Task::fields`].
    pub fields: Vec<String>,
    /// The label.
    pub label: Label,
}

/// The builtin exemplars of a task, per language, parallel.
pub type Exemplars = BTreeMap<Language, Vec<Exemplar>>;

/// A closed list of words as an enum: serialised, shown and parsed as written.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, as it is written.
            pub const WORDS: &[&str] = &[$($word),+];
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { word: text.to_owned(), known: Self::WORDS }),
                }
            }
        }
    };
}

pub(crate) use words;

/// A word that is none of a closed list.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown value `{word}`; one of: {}", known.join(", "))]
pub struct UnknownWord {
    /// What was given.
    pub word: String,
    /// What is allowed.
    pub known: &'static [&'static str],
}

words! {
    /// Which words the answer is chosen among (Table 6).
    LabelSet {
        /// The English label words, for every language.
        English "english",
        /// The words of the question's language.
        Same "same",
        /// Words that mean nothing for the task (ox/horse).
        Agnostic "agnostic",
    }
}

words! {
    /// How a label's score is made from next-token probabilities.
    Scoring {
        /// The paper's rule: the sum over all vocabulary entries that are a character prefix of the label.
        Prefix "prefix",
        /// The product over the label's tokens and the closing quote, normalised over the labels.
        Sequence "sequence",
        /// The geometric mean over these tokens, normalised over the labels.
        SequenceMean "sequence-mean",
        /// `sequence` divided by its share after content-free questions, normalised (contextual calibration, arXiv
        /// 2102.09690).
        Contextual "contextual",
        /// `sequence` divided by its mean over all questions that are scored, normalised (batch calibration, arXiv
        /// 2309.17249).
        Batch "batch",
        /// p(label | prompt) / p(label | closing header), normalised (domain-conditional PMI, arXiv 2104.08315).
        Pmi "pmi",
    }
}

words! {
    /// What a forward pass measures beside the scores that choose.
    Scorers {
        /// What the chosen scoring needs, no more.
        Chosen "chosen",
        /// Prefix sums and exact probabilities, so that every scoring can be computed from the records.
        All "all",
    }
}

words! {
    /// What is done with the released files' defective gold words.
    Protocol {
        /// As the released code: a gold word its scorer does not know can never be right.
        Paper "paper",
        /// Label words and label order are repaired from the file of repairs, and it is said.
        Corrected "corrected",
    }
}

words! {
    /// Number format of the weights; products accumulate in f32 always.
    Precision {
        /// 32-bit floats.
        F32 "f32",
        /// bfloat16.
        Bf16 "bf16",
        /// As the file stores them: quantised blocks stay blocks, f32 stays f32, f16 and bf16 become bf16.
        Packed "packed",
        /// The projections in bitsandbytes' 4-bit NF4, quantised when loaded or as stored; the rest in bf16.
        Nf4 "nf4",
    }
}

words! {
    /// Whether a block keeps only its input for backward and runs its forward again there. Memory and time, no number.
    ActivationCheckpointing {
        /// Where an estimate says that training would not fit otherwise.
        Auto "auto",
        /// Always.
        On "true",
        /// Never.
        Off "false",
    }
}

/// Where the exemplars come from; prints as it is written on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FewShot {
    /// The first K items of each language's own test file, which are then not scored. 0: none.
    Head(usize),
    /// A JSON file `{task: {language: text}}`.
    File(PathBuf),
    /// The exemplars that ship with the task.
    Builtin,
}

impl FromStr for FewShot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "builtin" => Ok(Self::Builtin),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("head", count)) => {
                count.parse().map(Self::Head).map_err(|_| format!("`{count}` in `{text}` is no number of exemplars"))
            }
            _ => Err(format!("`{text}` is no source of exemplars; use head:K, file:PATH or builtin")),
        }
    }
}

impl TryFrom<String> for FewShot {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<FewShot> for String {
    fn from(few_shot: FewShot) -> Self {
        few_shot.to_string()
    }
}

impl fmt::Display for FewShot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(count) => write!(f, "head:{count}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Builtin => f.write_str("builtin"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_sources_round_trip() {
        assert_eq!("same".parse(), Ok(LabelSet::Same));
        let error = "sam".parse::<LabelSet>().expect_err("unknown");
        assert_eq!(error.to_string(), "unknown value `sam`; one of: english, same, agnostic");
        for text in ["head:6", "file:a/b.json", "builtin"] {
            assert_eq!(text.parse::<FewShot>().map(|f| f.to_string()), Ok(text.to_owned()));
        }
        assert!("head:x".parse::<FewShot>().is_err() && "tail:3".parse::<FewShot>().is_err());
    }
}
