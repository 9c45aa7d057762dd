//! Tasks as data: fields, header words and label words per language, and the ways to ask and to
//! score.
//!
//! The shipped tasks (the paper's three, section 4, and others) are `assets/tasks/*.toml`; a
//! user's is a file of the same form (docs/tasks.md). Never here: reading them (crate `data`).

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    FewShot, Language, language,
    words::{UnknownWord, words},
};

/// A label of a task: its index in [`Task::labels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Label(pub usize);

/// One task as its TOML file gives it. What the three tasks of the paper do not use is left out
/// of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// `emotion`, `snli`, `paws`: also the stem of its own file, and of its test files in the
    /// released layout.
    pub name: String,
    /// What it asks, for people.
    pub title: String,
    /// Folder of its test files under the data's folder: `ap_emotion`, `snli`, `paws`; empty:
    /// that folder itself.
    #[serde(default)]
    pub folder: String,
    /// JSON keys of a question's parts, in the order of the prompt; none where whole texts are
    /// compared, without a prompt.
    pub fields: Vec<String>,
    /// Fields that a question may lack: it then shows neither them nor their headers. Of choices
    /// they are the last ones, and a choice that is lacking is not scored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<String>,
    /// Fields whose white space at both ends is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trim: Vec<String>,
    /// The field whose text several questions may share, as a premise; `None`: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether an answer stands in double quotes, as in the paper's prompts. If not, it follows
    /// the white space that ends the last header, and an empty line follows the answer of an
    /// exemplar: the form of lm-evaluation-harness.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub quotes: bool,
    /// Whether an item is the same question in every language. If not, the audit does not hold
    /// the languages against each other.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub parallel: bool,
    /// Exemplars where nobody says how many.
    pub shots: usize,
    /// English names of the labels, in task order.
    pub labels: Vec<String>,
    /// Label words without a meaning for the task (Table 6), in the order of `labels`; empty if
    /// there are none.
    #[serde(default)]
    pub agnostic: Vec<String>,
    /// Further label sets by name: the words of each language by its code, or of every language
    /// under `all`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub label_sets: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// The scoring where nobody says which; `None`: the paper's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scoring: Option<Scoring>,
    /// The exemplars where nobody says which; `None`: the head of each test file, `shots`
    /// items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub few_shot: Option<FewShot>,
    /// Of multiple-choice questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choices: Option<Choices>,
    /// The forms in which its test files come; empty: the released layout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<TaskFile>,
    /// The shipped task whose keys this file changes or adds to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// Exemplars that are in the task's file: fields, choices and `answer`, an English label,
    /// by their keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exemplars: BTreeMap<Language, Vec<BTreeMap<String, String>>>,
    /// The row of every language that has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<TaskLanguage>,
    /// One row per language.
    #[serde(default)]
    pub languages: BTreeMap<Language, TaskLanguage>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_yes(is: &bool) -> bool {
    *is
}

/// Choices that differ by question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choices {
    /// Columns of the choices, in the order of [`Task::labels`].
    pub fields: Vec<String>,
    /// What is answered.
    pub answers: ChoiceAnswers,
}

/// One form in which test questions come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskFile {
    /// Path under the task's folder: `{language}` stands for a code in any of its spellings,
    /// `*` in the file's name for anything.
    pub path: String,
    /// `csv`, `tsv`, `json`, `jsonl` or `parquet`; `None`: by the extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Of CSV and TSV: whether fields are in double quotes where needed; `None`: CSV yes, TSV
    /// no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<bool>,
    /// Of CSV and TSV without a header: the names of the columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Vec<String>>,
    /// Column of a field, a choice or `answer`, where it has another name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
    /// The values of the answer's column, in the order of [`Task::labels`]; empty: the label
    /// words of the language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
    /// Texts and answers of rows that are left out: what was not translated, what has no gold
    /// label. `""` is an empty one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// The column that says the language, where a file has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_column: Option<String>,
    /// How the files spell a language, where it is none of the known spellings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub codes: BTreeMap<Language, String>,
}

/// The row of one language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskLanguage {
    /// English name of a language that is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// ISO 15924 code of its script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Text on lines of its own before exemplars and question; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instruction: String,
    /// Header before each field, and last the header that ends the question (with its opening
    /// quote).
    pub headers: Vec<String>,
    /// The words the scorer knows, in the order of [`Task::labels`]; also the gold words of the
    /// test files. Left out: the labels themselves.
    #[serde(default)]
    pub label_words: Vec<String>,
    /// Gold words of the released files that the scorer does not know (its defects), with the
    /// label they mean.
    #[serde(default)]
    pub released_words: BTreeMap<String, String>,
    /// By field, a value in the file and what the prompt shows for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
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

    /// Where its exemplars come from where nobody says otherwise.
    pub fn own_few_shot(&self) -> FewShot {
        self.few_shot.clone().unwrap_or(FewShot::Head(self.shots))
    }

    /// How its labels are scored where nobody says otherwise.
    pub fn own_scoring(&self) -> Scoring {
        self.scoring.unwrap_or(Scoring::Prefix)
    }

    /// Columns that hold the label words of each question; empty where they are the task's.
    pub fn text_choices(&self) -> &[String] {
        match &self.choices {
            Some(Choices {
                fields,
                answers: ChoiceAnswers::Texts,
            }) => fields,
            _ => &[],
        }
    }

    /// Place of the field that puts questions into groups.
    pub fn group_place(&self) -> usize {
        let is_it = |field: &String| Some(field) == self.group.as_ref();
        self.fields.iter().position(is_it).unwrap_or(0)
    }

    /// How many choices a question with these fields offers, where questions may lack their last
    /// ones; `None`: each has all.
    pub fn offered(&self, fields: &[String]) -> Option<usize> {
        let choices = match &self.choices {
            Some(choices) if choices.answers == ChoiceAnswers::Letters => &choices.fields,
            _ => return None,
        };
        if !choices.iter().any(|choice| self.optional.contains(choice)) {
            return None;
        }
        let is_there = |choice: &&String| {
            let place = self.fields.iter().position(|field| field == *choice);
            place
                .and_then(|at| fields.get(at))
                .is_some_and(|text| !text.is_empty())
        };
        Some(choices.iter().take_while(is_there).count())
    }

    /// The name of a task by what a user calls it: a shipped name, or the path of its file,
    /// `.../name.toml`.
    pub fn name_of(given: &str) -> &str {
        match given.strip_suffix(".toml") {
            Some(path) => path.rsplit(['/', '\\']).next().unwrap_or(path),
            None => given,
        }
    }
}

/// One written exemplar: its fields in task order and its label's English name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exemplar {
    /// Field values, in the order of [`Task::fields`].
    pub fields: Vec<String>,
    /// The label.
    pub label: Label,
    /// The texts that stand for the labels, where they differ by question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// The builtin exemplars of a task, per language, parallel.
pub type Exemplars = BTreeMap<Language, Vec<Exemplar>>;

words! {
    /// What the answer to a multiple-choice question is.
    ChoiceAnswers {
        /// The label of the choice (`A`, `B`, ...); the question shows the choices.
        Letters "letters",
        /// The choice's own text.
        Texts "texts",
    }
}

/// Which words the answer is chosen among (Table 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub enum LabelSet {
    /// The English label words, for every language.
    English,
    /// The words of the question's language.
    Same,
    /// Words that mean nothing for the task (ox/horse).
    Agnostic,
    /// A set that the task's file names ([`Task::label_sets`]).
    Own(&'static str),
}

impl LabelSet {
    /// The sets that every task may have, as they are written.
    pub const WORDS: &[&str] = &["english", "same", "agnostic"];
}

impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::English => "english",
            Self::Same => "same",
            Self::Agnostic => "agnostic",
            Self::Own(name) => name,
        })
    }
}

impl FromStr for LabelSet {
    type Err = UnknownWord;

    /// Any name that can be part of a file's name; whether the task has such a set is seen when
    /// it is asked.
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let fits = |c: char| c.is_alphanumeric() || "-_".contains(c);
        match text {
            "english" => Ok(Self::English),
            "same" => Ok(Self::Same),
            "agnostic" => Ok(Self::Agnostic),
            own if !own.is_empty() && own.len() <= 60 && own.chars().all(fits) => {
                Ok(Self::Own(language::keep(own)))
            }
            _ => Err(UnknownWord {
                word: text.to_owned(),
                known: Self::WORDS,
            }),
        }
    }
}

impl<'de> Deserialize<'de> for LabelSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl From<LabelSet> for String {
    fn from(set: LabelSet) -> Self {
        set.to_string()
    }
}

words! {
    /// How a label's score is made from next-token probabilities.
    Scoring {
        /// The paper's rule: the sum over all vocabulary entries that are a character prefix of
        /// the label.
        Prefix "prefix",
        /// The product over the label's tokens, normalised over the labels.
        Sequence "sequence",
        /// The geometric mean over these tokens, normalised over the labels.
        SequenceMean "sequence-mean",
        /// exp of ln p of the label by byte of its text (UTF-8), normalised over the labels.
        SequenceBytes "sequence-bytes",
        /// exp of ln p of the label by character of its text (Unicode code point), normalised
        /// over the labels.
        SequenceCharacters "sequence-characters",
        /// `sequence` divided by its share after content-free questions, normalised (contextual
        /// calibration, arXiv 2102.09690).
        Contextual "contextual",
        /// `sequence` divided by its mean over all questions that are scored, normalised (batch
        /// calibration, arXiv 2309.17249).
        Batch "batch",
        /// p(label | prompt) / p(label | closing header), normalised (domain-conditional PMI,
        /// arXiv 2104.08315).
        Pmi "pmi",
    }
}

words! {
    /// What a forward pass measures beside the scores that choose.
    Scorers {
        /// What the chosen scoring needs, no more.
        Chosen "chosen",
        /// Prefix sums and exact probabilities, so that every scoring can be computed from the
        /// records.
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
        /// As the file stores them: quantised blocks stay blocks, f32 stays f32, f16 and bf16
        /// become bf16.
        Packed "packed",
        /// The projections in bitsandbytes' 4-bit NF4, quantised when loaded or as stored; the
        /// rest in bf16.
        Nf4 "nf4",
    }
}

words! {
    /// Whether a block keeps only its input for backward and runs its forward again there.
    /// Memory and time, no number.
    ActivationCheckpointing {
        /// Where an estimate says that training would not fit otherwise.
        Auto "auto",
        /// Always.
        On "true",
        /// Never.
        Off "false",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_sets_are_the_three_or_a_tasks_own() {
        assert_eq!("same".parse(), Ok(LabelSet::Same));
        let own: LabelSet = "mine".parse().expect("a name");
        assert_eq!(
            (own, own.to_string().as_str()),
            (LabelSet::Own("mine"), "mine")
        );
        assert_eq!(
            serde_json::to_string(&[own, LabelSet::English]).expect("JSON"),
            r#"["mine","english"]"#
        );
        assert_eq!(
            serde_json::from_str::<LabelSet>(r#""mine""#).expect("a set"),
            own
        );
        let error = "a.b"
            .parse::<LabelSet>()
            .expect_err("stands in file names")
            .to_string();
        assert_eq!(
            error,
            "unknown value `a.b`; one of: english, same, agnostic"
        );
    }

    #[test]
    fn a_task_is_called_by_its_name_or_its_file() {
        assert_eq!(
            ["snli", "a/b/topic.toml", "topic.toml"].map(Task::name_of),
            ["snli", "topic", "topic"]
        );
    }
}
