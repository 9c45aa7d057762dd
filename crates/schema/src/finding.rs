//! What an audit of data says: findings with a severity, a kind, the items meant, evidence and
//! a suggestion.
//!
//! A finding is one file and one kind (and one word, where words differ). Never here: how
//! anything is found.

use serde::{Deserialize, Serialize};

use crate::{language::Language, words::words};

words! {
    /// How much a finding matters.
    Severity {
        /// A measured accuracy, a training pair or a comparison between languages is wrong for
        /// certain, or the file cannot be read.
        Error "error",
        /// Probably a defect; worth a look before numbers are believed.
        Warning "warning",
        /// Worth knowing, weak evidence, or a defect that the chosen protocol repairs or keeps
        /// on purpose.
        Note "note",
    }
}

words! {
    /// What is wrong.
    Kind {
        /// The file is no JSON list of objects, or no UTF-8.
        Syntax "syntax",
        /// A key is missing.
        MissingField "missing_field",
        /// A key that does not belong there, or one that is there twice.
        ExtraField "extra_field",
        /// A text without content.
        EmptyField "empty_field",
        /// A value that is not a text, or an item that is no object.
        FieldType "field_type",
        /// Items are missing or extra beside the English file.
        ItemCount "item_count",
        /// A gold word outside the task's vocabulary.
        LabelWords "label_words",
        /// A label sequence that disagrees with the English one.
        LabelOrder "label_order",
        /// Labels are far from equally frequent, or from the English shares.
        ClassBalance "class_balance",
        /// A training pair that is not made of header words, an instruction and a question, or
        /// that holds an answer.
        Template "template",
        /// Text in another language than the file's name says.
        Language "language",
        /// A copy of the English text.
        Untranslated "untranslated",
        /// Sentences were dropped or added.
        Sentences "sentences",
        /// A text much longer or shorter than its English length predicts.
        LengthRatio "length_ratio",
        /// U+FFFD, text decoded with the wrong encoding, markup, HTML entities, control
        /// characters.
        Characters "characters",
        /// A number of the English text is missing.
        Numbers "numbers",
        /// The names of the English text are missing.
        Names "names",
        /// Quotation marks of the English text are missing.
        Quotation "quotation",
        /// The same question twice.
        Duplicates "duplicates",
        /// A test question that is in training data or exemplars.
        Leakage "leakage",
        /// Tokens per word and character, and what the longest example allowed would cut.
        Tokens "tokens",
        /// Two choices of one question are the same.
        Choices "choices",
        /// Something was not read or not compared, and why.
        Coverage "coverage",
    }
}

words! {
    /// The content of an audited file.
    Role {
        /// Questions with golds.
        Test "test",
        /// Translation pairs into English.
        Pairs "pairs",
        /// Questions with labels, to train on or to draw exemplars from.
        Labelled "labelled",
    }
}

impl Role {
    /// As people call such a file.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Pairs => "pair",
            Self::Labelled => "labelled",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Task name: `emotion`, `snli`, `paws`.
    pub task: String,
    /// Language of the file.
    pub language: Language,
    /// The file, relative to the audited folder, with `/`.
    pub file: String,
    /// What is wrong.
    pub kind: Kind,
    /// Indices in the file, from 0, rising; of the English file where items are missing here.
    /// Empty: the whole file.
    pub items: Vec<usize>,
    /// How many items are meant.
    pub count: usize,
    /// What was seen, quoted.
    pub evidence: String,
    /// What to do.
    pub suggestion: String,
}

/// How many files of one task and role an audit read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesRead {
    /// Task name.
    pub task: String,
    /// Their content.
    pub role: Role,
    /// Files that were read, to their end.
    pub read: usize,
    /// Files that should have been.
    pub of: usize,
    /// Items in those that were read.
    pub items: usize,
}

/// `data audit --json` and the run folder's `audit.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// By task, language, file and severity.
    pub findings: Vec<Finding>,
    /// Kinds whose errors the recipe accepts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Kind>,
    /// What was read, by task and role; empty in older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<FilesRead>,
}

impl AuditRecord {
    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }

    /// `3 of 3 test files, 2 of 2 pair files`; empty where nothing is known of it.
    pub fn count_read(&self) -> String {
        let of_role = |role: &Role| {
            let rows = self.read.iter().filter(|files| files.role == *role);
            let (read, of) = rows.fold((0, 0), |(read, of), files| {
                (read + files.read, of + files.of)
            });
            let ending = if of == 1 { "" } else { "s" };
            (of > 0).then(|| format!("{read} of {of} {} file{ending}", role.noun()))
        };
        let shown: Vec<String> = Role::ALL.iter().filter_map(of_role).collect();
        shown.join(", ")
    }

    /// Errors of a kind that is not accepted.
    pub fn refused(&self) -> Vec<&Finding> {
        let errors = self
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error);
        errors
            .filter(|finding| !self.accepted.contains(&finding.kind))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: Severity, kind: Kind) -> Finding {
        Finding {
            severity,
            task: "snli".to_owned(),
            language: Language::De,
            file: "snli/snli_de600_test.json".to_owned(),
            kind,
            items: vec![3],
            count: 1,
            evidence: "item 3".to_owned(),
            suggestion: "mend it".to_owned(),
        }
    }

    #[test]
    fn a_finding_is_written_with_the_fixed_names() {
        let text = serde_json::to_string(&finding(Severity::Error, Kind::LabelWords))
            .expect("plain values");
        let wanted = "{\"severity\":\"error\",\"task\":\"snli\",\"language\":\"de\",\"file\":\"snli/snli_de600_test.json\",\
                      \"kind\":\"label_words\",\"items\":[3],\"count\":1,\"evidence\":\"item 3\",\"suggestion\":\"mend it\"}";
        assert_eq!(text, wanted);
        assert_eq!(
            serde_json::from_str::<Finding>(&text).expect("as written"),
            finding(Severity::Error, Kind::LabelWords)
        );
    }

    #[test]
    fn what_was_read_is_counted_by_role_and_older_records_are_readable() {
        let files = |task: &str, role, read, of| FilesRead {
            task: task.to_owned(),
            role,
            read,
            of,
            items: 40,
        };
        let record = AuditRecord {
            read: vec![
                files("emotion", Role::Test, 3, 3),
                files("emotion", Role::Pairs, 1, 1),
                files("xnli", Role::Test, 1, 2),
            ],
            ..AuditRecord::default()
        };
        assert_eq!(record.count_read(), "4 of 5 test files, 1 of 1 pair file");
        let older: AuditRecord = serde_json::from_str("{\"findings\":[]}").expect("readable");
        assert_eq!((older.read.len(), older.count_read()), (0, String::new()));
    }

    #[test]
    fn only_errors_that_are_not_accepted_are_refused() {
        let findings = vec![
            finding(Severity::Error, Kind::LabelWords),
            finding(Severity::Error, Kind::Syntax),
            finding(Severity::Note, Kind::Names),
        ];
        let mut record = AuditRecord {
            findings,
            accepted: vec![Kind::LabelWords],
            read: Vec::new(),
        };
        assert_eq!(
            record.refused().iter().map(|f| f.kind).collect::<Vec<_>>(),
            [Kind::Syntax]
        );
        assert_eq!(
            (
                record.count(Severity::Error),
                record.count(Severity::Warning)
            ),
            (2, 0)
        );
        record.accepted.push(Kind::Syntax);
        assert!(record.refused().is_empty());
    }
}
