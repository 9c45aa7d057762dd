//! A tokenizer's cost for a file: tokens per word and per character, and examples that would be
//! cut.

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{AuditError, NamedTokenizer, Role, set::AuditSet};

/// Texts that are encoded between two looks at whether to stop.
const CHUNK: usize = 1000;

pub(crate) fn check(
    set: &AuditSet<'_>,
    named: &NamedTokenizer,
    cutoff_len: usize,
) -> Result<Vec<Finding>, AuditError> {
    let texts: Vec<String> = set.items.iter().map(|item| item.parts.join("\n")).collect();
    let lengths = count_tokens(set, named, &texts)?;
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
    let targets = count_tokens(set, named, &english)?;
    let cut: Vec<(usize, String)> = lengths
        .iter()
        .zip(&targets)
        .map(|(source, target)| source + target)
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

/// The number of tokens of each text.
fn count_tokens(
    set: &AuditSet<'_>,
    named: &NamedTokenizer,
    texts: &[String],
) -> Result<Vec<usize>, AuditError> {
    let mut lengths = Vec::with_capacity(texts.len());
    for some in texts.chunks(CHUNK) {
        set.pulse.go_on()?;
        let ids = named.tokenizer.encode_all(some)?;
        lengths.extend(ids.iter().map(Vec::len));
    }
    Ok(lengths)
}
