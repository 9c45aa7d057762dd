//! A tokenizer's cost for a file: tokens per word and per character, and examples that would be
//! cut.

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{AuditError, NamedTokenizer, Role, set::AuditSet};

pub(crate) fn check(
    set: &AuditSet<'_>,
    named: &NamedTokenizer,
    cutoff_len: usize,
) -> Result<Vec<Finding>, AuditError> {
    let texts: Vec<String> = set.items.iter().map(|item| item.parts.join("\n")).collect();
    let lengths: Vec<usize> = named
        .tokenizer
        .encode_all(&texts)?
        .iter()
        .map(Vec::len)
        .collect();
    let tokens: usize = lengths.iter().sum();
    let words: usize = texts
        .iter()
        .map(|text| text.split_whitespace().count())
        .sum();
    let characters: usize = texts
        .iter()
        .map(|text| text.chars().filter(|c| !c.is_whitespace()).count())
        .sum();
    let evidence = format!(
        "{}: {:.2} tokens per word between spaces, {:.2} per character, {} for the longest item",
        named.name,
        tokens as f64 / words.max(1) as f64,
        tokens as f64 / characters.max(1) as f64,
        lengths.iter().max().copied().unwrap_or(0)
    );
    let suggestion =
        "many tokens per word cost time and leave the model less of what it knows about the words";
    let mut findings = vec![set.finding(
        Kind::Tokens,
        Severity::Note,
        Vec::new(),
        evidence,
        suggestion,
    )];
    if set.source.role == Role::Pairs {
        findings.extend(check_cutoff(set, named, &lengths, cutoff_len)?);
    }
    Ok(findings)
}

/// Pairs that are longer than training takes; `lengths` are those of the sources.
fn check_cutoff(
    set: &AuditSet<'_>,
    named: &NamedTokenizer,
    lengths: &[usize],
    cutoff_len: usize,
) -> Result<Option<Finding>, AuditError> {
    let english: Vec<String> = set
        .items
        .iter()
        .map(|item| item.english.join("\n"))
        .collect();
    let targets = named.tokenizer.encode_all(&english)?;
    let cut: Vec<(usize, String)> = lengths
        .iter()
        .zip(&targets)
        .map(|(source, target)| source + target.len())
        .enumerate()
        .filter(|(_, length)| *length > cutoff_len)
        .map(|(item, length)| (item, format!("{length} tokens")))
        .collect();
    let what = format!(
        "{}: longer than the cutoff of {cutoff_len} tokens, so cut in training",
        named.name
    );
    let suggestion = "raise train.cutoff_len, or remove the longest pairs";
    Ok(set.finding_of(Kind::Tokens, Severity::Warning, &cut, &what, suggestion))
}
