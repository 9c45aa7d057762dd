//! Text of other hands, made fit to be shown: what a terminal or a browser would obey instead of
//! showing is written out, and what is endless is cut. Never here: printing, HTML, Markdown.

use std::{borrow::Cow, fmt::Write};

/// Characters of a message that is shown whole.
const LONGEST: usize = 4000;
/// Characters of either end of a longer one.
const SHOWN: usize = 1500;

/// Whether a character steers what shows it: a control character other than a line's end or a
/// tab, a line break of Unicode, or one that turns the direction of the text after it
/// (U+202A to U+202E, U+2066 to U+2069).
fn steers(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with `\u{1b}` and the like in place of characters that steer.
pub fn show_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) {
            // writing into a string does not fail
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// As [`show_controls`], on one line.
pub fn show_on_a_line(text: &str) -> String {
    show_controls(text).replace(['\n', '\t'], " ")
}

/// A message as [`show_controls`] shows it, its middle left out if it is endless.
pub fn show_message(text: &str) -> String {
    let count = text.chars().count();
    if count <= LONGEST {
        return show_controls(text).into_owned();
    }
    let head: String = text.chars().take(SHOWN).collect();
    let tail: String = text.chars().skip(count - SHOWN).collect();
    let left_out = count - 2 * SHOWN;
    show_controls(&format!(
        "{head} … ({left_out} characters left out) … {tail}"
    ))
    .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_is_shown() {
        assert_eq!(show_controls("ein Wort\n\tמילה"), "ein Wort\n\tמילה");
        assert_eq!(
            show_controls("\u{1b}]0;title\u{7}\r\u{202e}txt\u{2066}\u{9b}"),
            "\\u{1b}]0;title\\u{7}\\u{d}\\u{202e}txt\\u{2066}\\u{9b}"
        );
        assert_eq!(show_on_a_line("a\nb\tc"), "a b c");
    }

    #[test]
    fn an_endless_message_is_cut() {
        let long = format!("begin {} end", "ä".repeat(200_000));
        let shown = show_message(&long);
        assert!(shown.starts_with("begin ä") && shown.ends_with("ä end"));
        assert!(
            shown.contains("ä … (197010 characters left out) … ä"),
            "{}",
            &shown[2990..3100]
        );
        assert_eq!(show_message("short\u{1b}"), "short\\u{1b}");
    }
}
