//! The file with which a task's other test files are compared: the English one, or where there is
//! none the one that agrees most with the others; and what is said where there is none.

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use super::is_compared;
use crate::set::AuditSet;

/// What the test files of a task are compared with; the index of its set.
#[derive(Clone, Copy)]
pub(super) enum Reference {
    English(usize),
    Other(usize),
    /// There are several English files.
    Several,
    /// There is no other file.
    Nothing,
}

impl Reference {
    pub(super) fn of(task: &str, sets: &[AuditSet<'_>]) -> Self {
        let of_task = |at: &usize| is_compared(&sets[*at]) && sets[*at].source.task.name == task;
        let all: Vec<usize> = (0..sets.len()).filter(of_task).collect();
        let english: Vec<usize> = all
            .iter()
            .copied()
            .filter(|&at| sets[at].is_english())
            .collect();
        match english.as_slice() {
            [at] if sets[*at].items.is_empty() => Self::Nothing,
            [at] => Self::English(*at),
            [_, _, ..] => Self::Several,
            [] => choose(&all, sets),
        }
    }

    /// What a file is not compared with.
    pub(super) fn describe(self, at: usize, sets: &[AuditSet<'_>]) -> Option<Finding> {
        let set = &sets[at];
        let (severity, evidence) = match self {
            Self::English(_) => return None,
            Self::Other(other) if other == at => (
                Severity::Note,
                "there is no English test file: the other languages' golds and items were compared with this one's, which agrees \
                 most with the rest; texts were compared with nothing"
                    .to_owned(),
            ),
            Self::Other(other) => (
                Severity::Note,
                format!(
                    "there is no English test file: golds and items were compared with those of {}, texts with nothing",
                    sets[other].source.name
                ),
            ),
            Self::Several => (
                Severity::Warning,
                "there are several English test files: golds, items and texts were compared with none of them".to_owned(),
            ),
            Self::Nothing => (
                Severity::Warning,
                "there is no English test file that can be read, and none of another language: golds, items and texts were \
                 compared with nothing"
                    .to_owned(),
            ),
        };
        let suggestion = match self {
            Self::Several => "keep one English file",
            _ => "put the English test file there, if the task has one",
        };
        Some(set.finding(Kind::Coverage, severity, Vec::new(), evidence, suggestion))
    }
}

/// The file whose golds, position by position, agree most with those of the others.
fn choose(all: &[usize], sets: &[AuditSet<'_>]) -> Reference {
    let filled: Vec<usize> = all
        .iter()
        .copied()
        .filter(|&at| !sets[at].items.is_empty())
        .collect();
    let agreement = |at: usize| -> usize {
        let others = filled.iter().filter(|&&other| other != at);
        others
            .map(|&other| count_equal(&sets[at], &sets[other]))
            .sum()
    };
    // The first of equals.
    let best = filled
        .iter()
        .copied()
        .max_by_key(|&at| (agreement(at), std::cmp::Reverse(at)));
    match best {
        Some(at) if filled.len() > 1 => Reference::Other(at),
        _ => Reference::Nothing,
    }
}

fn count_equal(one: &AuditSet<'_>, other: &AuditSet<'_>) -> usize {
    let golds = one.numbered().zip(&other.items);
    golds
        .filter(|((_, a), b)| a.label.is_some() && a.label == b.label)
        .count()
}
