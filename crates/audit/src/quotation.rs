//! Quotation marks of the English text that are missing in the translation.

use schema::{
    Finding,
    finding::{Kind, Severity},
};

use crate::{set::Set, text::shorten};

/// Above this share of quoted texts without marks the language's writers, or the engine, leave them out in general.
const CUSTOM: f64 = 0.3;

pub(crate) fn check(set: &Set<'_>) -> Option<Finding> {
    if set.is_english() {
        return None;
    }
    let (mut quoted, mut lost) = (0_usize, Vec::new());
    for (index, item) in set.items.iter().enumerate() {
        for (part, here, english) in item.translations().filter(|(.., english)| is_quoted(english)) {
            quoted += 1;
            if !here.contains(is_mark) {
                let texts = format!("`{}` for `{}`", shorten(here, 60), shorten(english, 60));
                lost.push((index, format!("`{}`, {texts}", set.part_name(part))));
            }
        }
    }
    let is_custom = lost.len() as f64 > CUSTOM * quoted as f64 && quoted > 10;
    let what = if is_custom {
        format!("{} of {quoted} quoted texts have no quotation mark: it seems to be the custom here", lost.len())
    } else {
        format!("{} of {quoted} quoted texts have no quotation mark", lost.len())
    };
    let suggestion = "read these beside the English: what is quoted may read as said by the writer";
    set.finding_of(Kind::Quotation, Severity::Note, &lost, &what, suggestion)
}

/// Something stands between two double marks.
fn is_quoted(english: &str) -> bool {
    let is_double = |c: char| matches!(c, '"' | '“' | '”');
    let mut marks = english.match_indices(is_double).map(|(at, _)| at);
    match (marks.next(), marks.next()) {
        (Some(first), Some(second)) => english[first..second].chars().filter(|c| c.is_alphabetic()).count() > 1,
        _ => false,
    }
}

fn is_mark(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '«' | '»' | '‘'..='‟' | '‹' | '›' | '〈'..='』' | '〝'..='〟' | '＂' | '＇' | '｢' | '｣' | '″' | '`' | '´'
    )
}
