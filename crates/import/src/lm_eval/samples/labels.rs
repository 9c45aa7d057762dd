//! The names of the answers of a file of samples: the label names of the task where it is
//! known.

use std::{collections::BTreeSet, path::Path};

use data::{DataError, tasks};
use schema::{LabelSet, Language, Task};

use super::line::LoggedSample;

/// The label set of records whose words are none of a known task's.
const FOREIGN: LabelSet = LabelSet::Own("lm-eval");

/// How the answers of a file are called.
pub(super) struct Naming {
    pub(super) label_set: LabelSet,
    rule: NamingRule,
}

enum NamingRule {
    /// Each row names them.
    Own,
    /// A word, and the label that it means.
    Words(Vec<String>, Vec<String>),
    /// By their place.
    Places(Vec<String>),
}

impl Naming {
    /// For all lines of a file of `task` in `language`.
    ///
    /// # Errors
    /// A line has another number of answers than the first.
    pub(super) fn of(
        path: &Path,
        lines: &[LoggedSample],
        task: &str,
        language: Language,
    ) -> Result<Self, DataError> {
        let (first, count) = (&lines[0], lines[0].choices.len());
        if let Some(other) = lines.iter().find(|line| line.choices.len() != count) {
            let problem = format!(
                "{} answers, but {count} on line {}; only tasks with one number of answers can be compared",
                other.choices.len(),
                first.number
            );
            return Err(other.refuse(path, problem));
        }
        if let Some(own) = &first.own {
            return Ok(Self {
                label_set: own.label_set,
                rule: NamingRule::Own,
            });
        }
        let known = find_task(task)?.filter(|task| task.labels.len() == count);
        if let Some(task) = known {
            if !task.text_choices().is_empty() {
                return Ok(Self {
                    label_set: LabelSet::Same,
                    rule: NamingRule::Places(task.labels.clone()),
                });
            }
            for (label_set, words) in label_sets(task, language)? {
                if lines
                    .iter()
                    .all(|line| is_permutation(&line.words(), &words))
                {
                    return Ok(Self {
                        label_set,
                        rule: NamingRule::Words(words, task.labels.clone()),
                    });
                }
            }
        }
        let words: Vec<String> = first.words().into_iter().map(str::to_owned).collect();
        let are_names = words.iter().all(|word| !word.is_empty())
            && words.iter().collect::<BTreeSet<_>>().len() == count;
        let rule = match are_names
            && lines
                .iter()
                .all(|line| is_permutation(&line.words(), &words))
        {
            true => NamingRule::Words(words.clone(), words),
            false => {
                NamingRule::Places((1..=count).map(|place| format!("choice{place}")).collect())
            }
        };
        Ok(Self {
            label_set: FOREIGN,
            rule,
        })
    }

    /// The names of a line's answers, in their order.
    pub(super) fn names(&self, line: &LoggedSample) -> Result<Vec<String>, String> {
        match (&self.rule, &line.own) {
            (NamingRule::Own, Some(own)) if own.labels.len() == line.choices.len() => {
                Ok(own.labels.clone())
            }
            (NamingRule::Own, Some(own)) => Err(format!(
                "`doc` names {} labels for {} answers",
                own.labels.len(),
                line.choices.len()
            )),
            (NamingRule::Own, None) => {
                Err("`doc` lacks `label_set`, which the rows before it have".to_owned())
            }
            (NamingRule::Places(names), _) => Ok(names.clone()),
            (NamingRule::Words(words, names), _) => {
                let mut found = Vec::with_capacity(words.len());
                for word in line.words() {
                    match words.iter().position(|known| known == word) {
                        Some(at) => found.push(names[at].clone()),
                        None => return Err(format!("`{word}` is not a label")),
                    }
                }
                Ok(found)
            }
        }
    }
}

fn is_permutation(found: &[&str], words: &[String]) -> bool {
    found.len() == words.len() && words.iter().all(|word| found.contains(&word.as_str()))
}

/// The shipped task of this name; a task of somebody else's is none.
fn find_task(name: &str) -> Result<Option<&'static Task>, DataError> {
    match tasks::task(name) {
        Ok(task) => Ok(Some(task)),
        Err(DataError::Unknown { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every label set that the task has in a language, with its words; none if it lacks the
/// language.
fn label_sets(task: &Task, language: Language) -> Result<Vec<(LabelSet, Vec<String>)>, DataError> {
    match tasks::label_sets(task, language) {
        Err(DataError::Unknown { .. }) => Ok(Vec::new()),
        sets => sets,
    }
}
