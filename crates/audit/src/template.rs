//! Translation pairs taken apart: header words and fields of the question in both languages, and
//! the instruction between them (paper, section 3). A pair of another form, or with an answer, is a
//! finding.

use schema::{
    Finding, Language,
    finding::{Kind, Severity},
};

use crate::{
    AuditError,
    scope::headers,
    set::{AuditItem, AuditSet},
    text::shorten,
};

/// Fills `set.items` from rows of `input` and `answer`.
pub(crate) fn split(
    set: &mut AuditSet<'_>,
    rows: &[Vec<Option<String>>],
    findings: &mut Vec<Finding>,
) -> Result<(), AuditError> {
    let task = set.source.task;
    let (own, english) = (headers(task, set.language())?, headers(task, Language::En)?);
    let instruction = format!(
        "Translate the input from {} to English:",
        set.language().name()
    );
    let mut seen = PairProblems::default();
    for (item, row) in rows.iter().enumerate() {
        if set.pulse.is_stopped() {
            break;
        }
        let [input, answer] = [0, 1].map(|at| row.get(at).cloned().flatten().unwrap_or_default());
        let question = match input.trim_end_matches('\n').rsplit_once('\n') {
            Some((question, last)) if last == instruction => question,
            _ if input.is_empty() => "",
            _ => {
                let last = input
                    .trim_end_matches('\n')
                    .lines()
                    .last()
                    .unwrap_or_default();
                seen.instructions
                    .push((item, format!("`{}`", shorten(last, 60))));
                &input
            }
        };
        let parts = seen.parts(item, question, own);
        let english = seen.parts(item, &answer, english);
        set.items.push(AuditItem {
            parts: parts.into(),
            english: english.into(),
            ..AuditItem::default()
        });
    }
    findings.extend(seen.describe(set, &instruction));
    Ok(())
}

/// Problems of the pairs of one file.
#[derive(Default)]
struct PairProblems {
    instructions: Vec<(usize, String)>,
    answers: Vec<(usize, String)>,
    headers: Vec<(usize, String)>,
}

impl PairProblems {
    /// The fields between the headers; the whole text where it is not made so.
    fn parts(&mut self, item: usize, question: &str, headers: &[String]) -> Vec<String> {
        let question = question.trim_end_matches('\n');
        if question.is_empty() {
            return Vec::new();
        }
        match between_headers(question, headers) {
            Ok(parts) => parts,
            Err(Mismatch::Answered(rest)) => {
                self.answers
                    .push((item, format!("`{}`", shorten(rest, 40))));
                vec![question.to_owned()]
            }
            Err(Mismatch::NoHeader(header)) => {
                self.headers.push((
                    item,
                    format!("no `{}` in `{}`", header.trim(), shorten(question, 50)),
                ));
                vec![question.to_owned()]
            }
        }
    }

    fn describe(&self, set: &AuditSet<'_>, instruction: &str) -> Vec<Finding> {
        let all = [
            set.finding_of(
                Kind::Template,
                Severity::Error,
                &self.instructions,
                &format!("`input` does not end in the line `{instruction}`"),
                "write the instruction with the file's own language, or these pairs teach another task",
            ),
            set.finding_of(
                Kind::Template,
                Severity::Error,
                &self.answers,
                "an answer follows the question, which must end in the opening quote",
                "cut the pair after the last header; the method trains on questions alone",
            ),
            set.finding_of(
                Kind::Template,
                Severity::Warning,
                &self.headers,
                "the question does not have the task's header words",
                "write the headers of the task file, so that training and test questions look alike",
            ),
        ];
        all.into_iter().flatten().collect()
    }
}

enum Mismatch<'a> {
    /// The first header that is not where it should be.
    NoHeader(&'a str),
    /// The text after the last header.
    Answered(&'a str),
}

fn between_headers<'a>(
    question: &'a str,
    headers: &'a [String],
) -> Result<Vec<String>, Mismatch<'a>> {
    let Some((first, others)) = headers.split_first() else {
        return Ok(vec![question.to_owned()]);
    };
    let mut rest = question
        .strip_prefix(first.as_str())
        .ok_or(Mismatch::NoHeader(first))?;
    let mut parts = Vec::new();
    for (at, header) in others.iter().enumerate() {
        let is_last = at + 1 == others.len();
        let found = if is_last {
            rest.rsplit_once(header.as_str())
        } else {
            rest.split_once(header.as_str())
        };
        let (part, after) = found.ok_or(Mismatch::NoHeader(header))?;
        parts.push(part.to_owned());
        rest = after;
    }
    if rest.trim().is_empty() {
        Ok(parts)
    } else {
        Err(Mismatch::Answered(rest))
    }
}
