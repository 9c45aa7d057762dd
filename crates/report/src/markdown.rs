//! Text as Markdown shows it: what would be markup is escaped.
//!
//! Never here: tables, layout.

use schema::escape::show_on_a_line;

/// Text inside a line. Code spans, which our own sentences have, stay.
pub(crate) fn markdown(text: &str) -> String {
    let text = show_on_a_line(text);
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    let mut before = None;
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        match c {
            '<' if next.is_some_and(|n| n.is_ascii_alphabetic() || "/!?".contains(n)) => {
                escaped.push_str("&lt;");
            }
            '&' if next.is_some_and(|n| n.is_ascii_alphabetic() || n == '#') => {
                escaped.push_str("&amp;");
            }
            '*' => escaped.push_str("\\*"),
            '\\' if next.is_none_or(|n| n.is_ascii_punctuation()) => escaped.push_str("\\\\"),
            '(' | '[' | ':' if before == Some(']') => {
                escaped.push('\\');
                escaped.push(c);
            }
            _ => escaped.push(c),
        }
        before = Some(c);
    }
    if begins_block(&escaped) {
        escaped.insert(0, '\\');
    }
    escaped
}

/// Whether a line that begins so is no paragraph: a heading, a quote, a list, code, a rule.
fn begins_block(line: &str) -> bool {
    let is_list = ["- ", "+ "].iter().any(|sign| line.starts_with(sign));
    is_list
        || ["#", ">", "```", "~~~", "---", "===", "___"]
            .iter()
            .any(|sign| line.starts_with(sign))
}

/// A cell of a table.
pub(crate) fn markdown_cell(cell: &str) -> String {
    markdown(cell).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text() {
        let cases = [
            (
                "<script>alert(1)</script>",
                "&lt;script>alert(1)&lt;/script>",
            ),
            (
                "[click](javascript:x) ![i](u)",
                "[click]\\(javascript:x) ![i]\\(u)",
            ),
            ("[x]: http://evil", "[x]\\: http://evil"),
            ("# a\nheading", "\\# a heading"),
            ("**bold** &lt;", "\\*\\*bold\\*\\* &amp;lt;"),
            ("a\\", "a\\\\"),
            ("\u{202e}txt", "\\u{202e}txt"),
        ];
        for (text, expected) in cases {
            assert_eq!(markdown(text), expected, "{text}");
        }
        assert_eq!(markdown_cell("a|b\\"), "a\\|b\\\\");
    }

    #[test]
    fn our_own_sentences_stay() {
        for text in [
            "+6.8 [+4.9, +8.7] points with zh/de=>en, p <0.001",
            "There is no `manifest.json`: recipe & hashes are unknown.",
            "−0.2 [−0.4, +0.1]",
        ] {
            assert_eq!(markdown(text), text);
        }
    }
}
