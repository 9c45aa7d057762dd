//! Quotation marks of the English text that are missing in the translation.

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{set::AuditSet, text::shorten};

/// Above this share of quoted texts without marks the language's writers, or the engine, leave
/// them out in general.
const CUSTOM: f64 = 0.3;

pub(crate) fn check(set: &AuditSet<'_>) -> Option<Finding> {
    if set.is_english() {
        return None;
    }
    let (mut quoted, mut lost) = (0_usize, Vec::new());
    for (index, item) in set.numbered() {
        for (part, here, english) in item
            .translations()
            .filter(|(.., english)| is_quoted(english))
        {
            quoted += 1;
            if !has_mark(here) {
                let texts = format!("`{}` for `{}`", shorten(here, 60), shorten(english, 60));
                lost.push((index, format!("`{}`, {texts}", set.part_name(part))));
            }
        }
    }
    let is_custom = lost.len() as f64 > CUSTOM * quoted as f64 && quoted > 10;
    let what = if is_custom {
        format!(
            "{} of {quoted} quoted texts have no quotation mark: it seems to be the custom here",
            lost.len()
        )
    } else {
        format!(
            "{} of {quoted} quoted texts have no quotation mark",
            lost.len()
        )
    };
    let suggestion =
        "compare these with the English: a quotation may read as the writer's own words";
    set.finding_of(Kind::Quotation, Severity::Note, &lost, &what, suggestion)
}

/// There is something between two double marks.
fn is_quoted(english: &str) -> bool {
    let mut marks = english.match_indices(['"', '“', '”']).map(|(at, _)| at);
    match (marks.next(), marks.next()) {
        (Some(first), Some(second)) => {
            english[first..second]
                .chars()
                .filter(|c| c.is_alphabetic())
                .count()
                > 1
        }
        _ => false,
    }
}

/// Any quotation mark; an apostrophe between letters does not count.
fn has_mark(text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    (0..text.len()).any(|at| is_mark(text[at]) && !is_apostrophe(&text, at))
}

/// A single mark between two letters.
fn is_apostrophe(text: &[char], at: usize) -> bool {
    matches!(text[at], '\'' | '’' | '‘' | '`' | '´')
        && at > 0
        && text[at - 1].is_alphabetic()
        && text.get(at + 1).is_some_and(|c| c.is_alphabetic())
}

fn is_mark(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '«' | '»' | '‘'..='‟' | '‹' | '›' | '〈'..='』' | '〝'..='〟' | '＂' | '＇' | '｢' | '｣' | '″' | '`' | '´'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_many_languages_and_no_apostrophes() {
        for text in [
            "„gut“",
            "«bon»",
            "「良い」",
            "《书》",
            "'fine'",
            "‘fine’",
            "it's \"x\"",
        ] {
            assert!(has_mark(text), "{text}");
        }
        for text in ["l'été d’hier", "ж`ж", "none"] {
            assert!(!has_mark(text), "{text}");
        }
        assert!(is_quoted("a \"word\" here"));
        assert!(!is_quoted("a 5\" pipe"));
    }
}
