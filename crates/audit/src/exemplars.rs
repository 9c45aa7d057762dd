//! Exemplars as texts, and what is wrong with a file of them.
//!
//! Never here: whether a test file holds them (`leakage`).

use std::{collections::BTreeMap, fs};

use schema::{
    Finding, Language,
    finding::{Kind, Severity},
};

use crate::{
    scope::{ExemplarSource, ExemplarText, headers},
    set::AuditSet,
    text::shorten,
};

/// White space at the ends of a file's lines is part of every prompt: where one language has it
/// and others have not, their accuracies are not comparable.
pub(crate) fn check(
    sources: &[ExemplarSource],
    sets: &[AuditSet<'_>],
    findings: &mut Vec<Finding>,
) {
    for source in sources {
        let ExemplarSource::File(path) = source else {
            continue;
        };
        let texts = match read_file(path) {
            Ok(texts) => texts,
            Err(problem) => {
                let Some(set) = sets.first() else { continue };
                let found = set.finding(
                    Kind::Syntax,
                    Severity::Error,
                    Vec::new(),
                    problem,
                    "write {task: {language: text}}",
                );
                findings.push(Finding {
                    file: source.name(),
                    count: 0,
                    ..found
                });
                continue;
            }
        };
        for (task, languages) in &texts {
            findings.extend(find_trailing(source, task, languages, sets));
            findings.extend(find_unsplit(source, task, languages, sets));
        }
    }
}

/// Lines that end in white space, in languages that are the odd ones out among those of a file.
fn find_trailing(
    source: &ExemplarSource,
    task: &str,
    languages: &BTreeMap<Language, String>,
    sets: &[AuditSet<'_>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let with: Vec<(&Language, &String)> = languages
        .iter()
        .filter(|(_, text)| text.lines().any(|line| trailing_spaces(line) > 0))
        .collect();
    if with.len() * 2 > languages.len() {
        return findings;
    }
    for (language, text) in with {
        let Some(set) = sets
            .iter()
            .find(|set| set.source.task.name == task && set.language() == *language)
        else {
            continue;
        };
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| trailing_spaces(line) > 0);
        let seen: Vec<(usize, String)> = lines
            .map(|(at, line)| {
                (
                    at,
                    format!(
                        "{} spaces after `{}`",
                        trailing_spaces(line),
                        shorten(line, 40)
                    ),
                )
            })
            .collect();
        let what =
            "white space ends a line here and in few other languages; the line's index in the text";
        let suggestion = "remove it: it is part of every prompt of this language and of no other";
        let found = set.finding_of(Kind::Characters, Severity::Warning, &seen, what, suggestion);
        findings.extend(found.map(|finding| Finding {
            file: source.name(),
            ..finding
        }));
    }
    findings
}

/// Texts that do not have the task's header words: which questions they show is not known, and so
/// not whether these are asked.
fn find_unsplit(
    source: &ExemplarSource,
    task: &str,
    languages: &BTreeMap<Language, String>,
    sets: &[AuditSet<'_>],
) -> Vec<Finding> {
    let describe = |(language, text): (&Language, &String)| {
        let is_of =
            |set: &&AuditSet<'_>| set.source.task.name == task && set.language() == *language;
        let set = sets.iter().find(is_of)?;
        if text.trim().is_empty() || !split(task, *language, text).is_empty() {
            return None;
        }
        let evidence = format!(
            "the exemplars do not have the task's header words, so they were not compared with the questions: `{}`",
            shorten(text, 60)
        );
        let suggestion = "write the headers of the task file around them";
        let found = set.finding(
            Kind::Coverage,
            Severity::Warning,
            Vec::new(),
            evidence,
            suggestion,
        );
        Some(Finding {
            file: source.name(),
            count: 0,
            ..found
        })
    };
    languages.iter().filter_map(describe).collect()
}

/// Bytes of white space at a line's end.
fn trailing_spaces(line: &str) -> usize {
    line.len() - line.trim_end().len()
}

/// `{task: {language: text}}`, or what is wrong with the file.
fn read_file(
    path: &std::path::Path,
) -> Result<BTreeMap<String, BTreeMap<Language, String>>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| format!("line {}: {error}", error.line().max(1)))
}

/// The exemplars of a source, each as its parts.
pub(crate) fn list(source: &ExemplarSource) -> Vec<ExemplarText> {
    match source {
        ExemplarSource::Builtin(task, exemplars) => exemplars
            .iter()
            .flat_map(|(language, list)| list.iter().map(move |exemplar| (language, exemplar)))
            .map(|(language, exemplar)| ExemplarText {
                task: task.name.clone(),
                language: *language,
                parts: exemplar.fields.clone(),
            })
            .collect(),
        ExemplarSource::File(path) => {
            let texts = read_file(path).unwrap_or_default(); // a broken file is a finding of `check`
            let mut found = Vec::new();
            for (task, languages) in &texts {
                for (language, text) in languages {
                    found.extend(split(task, *language, text));
                }
            }
            found
        }
    }
}

/// The exemplars of a text: everything up to a line that begins with the last header is one
/// question.
fn split(task: &str, language: Language, text: &str) -> Vec<ExemplarText> {
    let Ok(shipped) = data::tasks::task(task) else {
        return Vec::new();
    };
    let Ok(headers) = headers(shipped, language) else {
        return Vec::new();
    };
    let Some((last, others)) = headers.split_last() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((question, after)) = rest.split_once(last.as_str()) {
        let mut parts = Vec::new();
        let mut question = question;
        for (at, header) in others.iter().enumerate() {
            question = question.strip_prefix(header.as_str()).unwrap_or(question);
            let end = others
                .get(at + 1)
                .and_then(|next| question.find(next.as_str()))
                .unwrap_or(question.len());
            parts.push(question[..end].to_owned());
            question = &question[end..];
        }
        found.push(ExemplarText {
            task: task.to_owned(),
            language,
            parts,
        });
        rest = after.split_once('\n').map_or("", |(_, next)| next);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_exemplars_is_split_into_questions() {
        let text = "Premise: A b.\nHypothesis: C.\nAnswer: \"neutral\"\nPremise: D.\nHypothesis: E.\nAnswer: \"entailment\"";
        let found = split("snli", Language::En, text);
        let parts: Vec<Vec<String>> = found.into_iter().map(|exemplar| exemplar.parts).collect();
        assert_eq!(parts, [["A b.", "C."], ["D.", "E."]]);
        let text = "Bad film.\nEmotion: \"negative\"   \nGood.\nEmotion: \"positive\"";
        let parts: Vec<Vec<String>> = split("emotion", Language::En, text)
            .into_iter()
            .map(|e| e.parts)
            .collect();
        assert_eq!(parts, [["Bad film."], ["Good."]]);
    }
}
