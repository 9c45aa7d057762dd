//! Lengths beside the English: texts much longer or shorter than their English predicts, and
//! dropped or added sentences.
//!
//! The logarithm of the ratio of lengths in characters, less its median over the file, grows
//! narrower with the square root of the length (Gale and Church 1993), so it is scaled by that
//! and measured in robust standard deviations of the file.

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{
    robust::center_and_spread,
    set::AuditSet,
    text::{ends_sentence, shorten},
};

/// Texts that a file must have before anything is typical.
const FEWEST: usize = 20;
/// Robust standard deviations and the factor beyond which a length is odd, any pair; and beyond
/// which it is a warning.
const ODD: [(f64, f64); 3] = [(6.0, 1.8), (3.0, 3.0), (1.5, 4.0)];
const VERY_ODD: (f64, f64) = (9.0, 3.0);
/// Deviations that go with a dropped or added sentence, and the share of the sentence's length
/// that must be gone.
const SENTENCE: (f64, f64) = (2.5, 0.6);
/// Deviations from which a dropped or added sentence is a warning.
const SENTENCE_SURE: f64 = 6.0;
/// Share of texts with as many sentences as in English from which their number says something.
const KEPT: f64 = 0.7;

/// One text beside its English.
struct TextLengths<'a> {
    item: usize,
    part: usize,
    here: &'a str,
    english: &'a str,
    /// Logarithm of the ratio of lengths, less what is typical.
    residual: f64,
    /// The same in robust standard deviations.
    deviations: f64,
}

pub(crate) fn check(set: &AuditSet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if set.is_english() {
        return findings;
    }
    let mut rows = Vec::new();
    let parts = set
        .items
        .iter()
        .map(|item| item.parts.len())
        .max()
        .unwrap_or(0);
    for part in 0..parts {
        rows.extend(measure(set, part));
    }
    let odd = check_ratio(set, &rows);
    let sentences = check_sentences(set, &rows);
    findings.extend(odd);
    findings.extend(sentences);
    findings
}

/// Characters and a little: a text of few characters says little.
fn length(text: &str) -> f64 {
    text.chars().count() as f64 + 4.0
}

fn measure<'a>(set: &'a AuditSet<'_>, part: usize) -> Vec<TextLengths<'a>> {
    let texts = set.numbered().flat_map(|(item, row)| {
        row.translations()
            .filter(move |(at, ..)| *at == part)
            .map(move |(_, here, english)| (item, here, english))
    });
    let texts: Vec<(usize, &str, &str)> = texts.collect();
    let ratios: Vec<f64> = texts
        .iter()
        .map(|(_, here, english)| (length(here) / length(english)).ln())
        .collect();
    let Some((typical, _)) = center_and_spread(&ratios).filter(|_| texts.len() >= FEWEST) else {
        return Vec::new();
    };
    let scaled: Vec<f64> = texts
        .iter()
        .zip(&ratios)
        .map(|((_, _, english), ratio)| (ratio - typical) * length(english).sqrt())
        .collect();
    let spread = center_and_spread(&scaled)
        .map_or(1.0, |(_, spread)| spread)
        .max(0.2);
    texts
        .iter()
        .zip(ratios.iter().zip(&scaled))
        .map(|(&(item, here, english), (ratio, scaled))| TextLengths {
            item,
            part,
            here,
            english,
            residual: ratio - typical,
            deviations: scaled / spread,
        })
        .collect()
}

impl TextLengths<'_> {
    /// Whether it deviates by more than so many deviations and by more than this factor.
    fn is_beyond(&self, (deviations, factor): (f64, f64)) -> bool {
        self.deviations.abs() > deviations && self.residual.abs() > f64::ln(factor)
    }

    fn describe(&self, set: &AuditSet<'_>) -> String {
        let way = if self.residual > 0.0 {
            "longer"
        } else {
            "shorter"
        };
        format!(
            "`{}` {:.1} times {way} than usual, `{}` for `{}`",
            set.part_name(self.part),
            self.residual.abs().exp(),
            shorten(self.here, 40),
            shorten(self.english, 40)
        )
    }
}

fn check_ratio(set: &AuditSet<'_>, rows: &[TextLengths<'_>]) -> Option<Finding> {
    let mut odd: Vec<&TextLengths<'_>> = rows
        .iter()
        .filter(|row| ODD.iter().any(|limits| row.is_beyond(*limits)))
        .collect();
    odd.sort_by(|a, b| b.deviations.abs().total_cmp(&a.deviations.abs()));
    let seen: Vec<(usize, String)> = odd
        .iter()
        .map(|row| (row.item, row.describe(set)))
        .collect();
    let severity = if odd.iter().any(|row| row.is_beyond(VERY_ODD)) {
        Severity::Warning
    } else {
        Severity::Note
    };
    let suggestion = "compare these with the English: something was lost, added or repeated";
    set.finding_of(
        Kind::LengthRatio,
        severity,
        &seen,
        "lengths that the English does not explain",
        suggestion,
    )
}

/// A text and the numbers of its sentences.
struct Sentences<'a> {
    text: &'a TextLengths<'a>,
    here: f64,
    english: f64,
}

impl Sentences<'_> {
    /// Whether a sentence was dropped or added, and the length shows it.
    fn is_odd(&self) -> bool {
        let (fewer, more) = (self.here.min(self.english), self.here.max(self.english));
        let change = (more / fewer).ln() * SENTENCE.1;
        let explains = if self.here < self.english {
            -self.text.residual
        } else {
            self.text.residual
        };
        self.here != self.english
            && explains > change.min(0.6)
            && self.text.deviations.abs() > SENTENCE.0
    }

    fn describe(&self, set: &AuditSet<'_>) -> String {
        format!(
            "{} for {} in `{}`, `{}` for `{}`",
            self.here,
            self.english,
            set.part_name(self.text.part),
            shorten(self.text.here, 50),
            shorten(self.text.english, 50)
        )
    }
}

fn check_sentences(set: &AuditSet<'_>, rows: &[TextLengths<'_>]) -> Option<Finding> {
    let counted = rows.iter().map(|text| Sentences {
        text,
        here: count_sentences(text.here) as f64,
        english: count_sentences(text.english) as f64,
    });
    let several: Vec<Sentences<'_>> = counted
        .filter(|texts| texts.here > 1.0 || texts.english > 1.0)
        .collect();
    let kept = several
        .iter()
        .filter(|texts| texts.here == texts.english)
        .count();
    // A script that does not mark the ends of sentences says nothing.
    let merged = several
        .iter()
        .filter(|texts| texts.here + 1.0 < texts.english);
    if merged.count() as f64 > (1.0 - KEPT) * several.len() as f64 {
        return None;
    }
    let mut odd: Vec<&Sentences<'_>> = several.iter().filter(|texts| texts.is_odd()).collect();
    odd.sort_by(|a, b| {
        let [a, b] = [a, b].map(|texts| texts.text.deviations.abs());
        b.total_cmp(&a)
    });
    let seen: Vec<(usize, String)> = odd
        .iter()
        .map(|texts| (texts.text.item, texts.describe(set)))
        .collect();
    let is_sure = odd
        .iter()
        .any(|texts| texts.text.deviations.abs() > SENTENCE_SURE);
    let severity = if is_sure && kept > 0 {
        Severity::Warning
    } else {
        Severity::Note
    };
    set.finding_of(
        Kind::Sentences,
        severity,
        &seen,
        "sentences here for sentences in English",
        "compare these with the English: a sentence was dropped or added",
    )
}

/// Stretches of text up to a mark that ends a sentence, where a space, a closing mark or the
/// end follows; at least 1.
fn count_sentences(text: &str) -> usize {
    let text: Vec<char> = text.trim().chars().collect();
    let (mut count, mut has_letters) = (0, false);
    for (at, &c) in text.iter().enumerate() {
        has_letters |= c.is_alphanumeric();
        let next = text.get(at + 1).copied();
        let is_wide = c >= '\u{900}';
        let is_end = next
            .is_none_or(|next| next.is_whitespace() || "\"'”’»)」』）".contains(next) || is_wide);
        if has_letters
            && ends_sentence(c)
            && is_end
            && (next.is_none() || c != '.' || !is_abbreviated(&text[..at]))
        {
            count += 1;
            has_letters = false;
        }
    }
    count + usize::from(has_letters || count == 0)
}

/// Whether a text ends in `J`, `Dr` or `3`: a full stop there hardly ends a sentence.
fn is_abbreviated(before: &[char]) -> bool {
    let word: Vec<char> = before
        .iter()
        .rev()
        .take_while(|c| c.is_alphanumeric())
        .copied()
        .collect();
    let is_number = word.iter().all(char::is_ascii_digit);
    (1..=2).contains(&word.len())
        && (is_number || word.last().is_some_and(|first| first.is_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_in_several_scripts() {
        let cases = [
            ("One. Two! Three?", 3),
            ("Really?! Yes...", 2),
            ("J. Smith paid 3.50 to Dr. No", 1),
            ("It takes 150 ml. Then wait. And then", 3),
            ("Der 3. Juli war in 12.", 1),
            ("He said \"no.\" Then he left.", 2),
            ("一つ。二つ！三つ", 3),
            ("यह एक है। यह दो है।", 2),
            ("no end", 1),
        ];
        for (text, count) in cases {
            assert_eq!(count_sentences(text), count, "{text}");
        }
    }
}
