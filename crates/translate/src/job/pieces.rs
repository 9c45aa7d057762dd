//! Texts taken apart into the lines that are sent, each once, and put together again. Never
//! here: engines.

use std::collections::HashMap;

/// The lines to send for a list of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextPieces {
    /// The lines, none blank and none twice, in the order in which the texts first hold them.
    pub(super) lines: Vec<String>,
    /// For each line, the text that first holds it.
    pub(super) first_text: Vec<usize>,
    /// Lines before equal ones were left out.
    pub(super) all: usize,
    texts: Vec<Vec<TextPiece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TextPiece {
    /// Blanks and line breaks: they stay as they are.
    Kept(String),
    /// The index of a line.
    Sent(usize),
}

impl TextPieces {
    /// Blanks around a line are not sent; with `split_lines`, neither are line breaks within a
    /// text.
    pub(super) fn of(texts: &[String], split_lines: bool) -> Self {
        let mut pieces = Self {
            lines: vec![],
            first_text: vec![],
            all: 0,
            texts: vec![],
        };
        let mut known = HashMap::new();
        for (index, text) in texts.iter().enumerate() {
            let mut row = Vec::new();
            let parts: Vec<&str> = if split_lines {
                text.split_inclusive(['\n', '\r']).collect()
            } else {
                vec![text]
            };
            for part in parts {
                let line = part.trim();
                let before = part.len() - part.trim_start().len();
                row.push(TextPiece::Kept(part[..before].to_owned()));
                if !line.is_empty() {
                    pieces.all += 1;
                    row.push(TextPiece::Sent(*known.entry(line).or_insert_with(|| {
                        pieces.lines.push(line.to_owned());
                        pieces.first_text.push(index);
                        pieces.lines.len() - 1
                    })));
                    row.push(TextPiece::Kept(part[before + line.len()..].to_owned()));
                }
            }
            pieces.texts.push(row);
        }
        pieces
    }

    /// The texts with each line replaced by its translation, given in the order of `lines`.
    pub(super) fn join(&self, translations: &[String]) -> Vec<String> {
        let texts = self.texts.iter().map(|row| {
            let pieces = row.iter().map(|piece| match piece {
                TextPiece::Kept(text) => text.as_str(),
                TextPiece::Sent(line) => translations[*line].as_str(),
            });
            pieces.collect()
        });
        texts.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn lines_are_sent_once_without_what_surrounds_them() {
        let texts = owned(&[" a b\n", "c\r\n\r\na b", "", " \t", "c"]);
        let pieces = TextPieces::of(&texts, true);
        assert_eq!(
            (pieces.lines.clone(), pieces.all),
            (owned(&["a b", "c"]), 4)
        );
        assert_eq!(pieces.first_text, [0, 1]);
        assert_eq!(
            pieces.join(&owned(&["X", "Y"])),
            owned(&[" X\n", "Y\r\n\r\nX", "", " \t", "Y"])
        );
        assert_eq!(
            TextPieces::of(&texts, false).lines,
            owned(&["a b", "c\r\n\r\na b", "c"])
        );
    }

    proptest! {
        #[test]
        fn what_is_taken_apart_is_put_together(texts in prop::collection::vec("[ab \\n\\r\u{3000}]{0,8}", 0..8), split in any::<bool>()) {
            let pieces = TextPieces::of(&texts, split);
            prop_assert!(pieces.lines.iter().enumerate().all(|(at, line)| !line.trim().is_empty() && !pieces.lines[..at].contains(line)));
            prop_assert!(!split || pieces.lines.iter().all(|line| !line.contains(['\n', '\r'])));
            prop_assert_eq!(pieces.join(&pieces.lines), texts);
        }
    }
}
