//! Which tokens speak for a label: the paper's sets of label prefixes, and whole token
//! sequences.
//!
//! Never here: probabilities.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::{DataError, Tokenizer, prefix, prompt::AnswerFrame, tokenizer::VocabularyKind};

/// For every label word, the tokens whose next-token probabilities sum to its score: the rule
/// of the paper's released scorer, ids in rising order.
///
/// The set of a word holds
/// * every vocabulary entry that equals a non-empty character prefix of the word, bare or after the tokenizer's space
///   mark, compared as it is written in the vocabulary;
/// * if the word begins with a non-ASCII character and the vocabulary has byte entries, the entry `<0xNN>` of its first
///   byte;
/// * in byte-level vocabularies, the first token of each of those prefixes encoded by itself.
///
/// Sets of different labels may overlap; that is the rule's own weakness.
///
/// # Errors
/// A word without any such token.
pub fn prefix_sets(tokenizer: &Tokenizer, words: &[String]) -> Result<Vec<Vec<u32>>, DataError> {
    let sets = possible_prefix_sets(tokenizer, words)?;
    match words.iter().zip(&sets).find(|(_, set)| set.is_empty()) {
        None => Ok(sets),
        Some((word, _)) => Err(tokenizer.error(format!(
            "no token begins the label word `{word}`; choose another label set, or the scoring `sequence`"
        ))),
    }
}

/// As [`prefix_sets`], with an empty set for a word that no token begins.
///
/// # Errors
/// The tokenizer fails.
pub fn possible_prefix_sets(
    tokenizer: &Tokenizer,
    words: &[String],
) -> Result<Vec<Vec<u32>>, DataError> {
    words
        .iter()
        .map(|word| prefix_set(tokenizer, word))
        .collect()
}

fn prefix_set(tokenizer: &Tokenizer, word: &str) -> Result<Vec<u32>, DataError> {
    let mark = tokenizer.kind().space_mark();
    let mut ids = BTreeSet::new();
    for (start, character) in word.char_indices() {
        let part = &word[..start + character.len_utf8()];
        ids.extend(tokenizer.id(part));
        ids.extend(tokenizer.id(&format!("{mark}{part}")));
        if tokenizer.kind() == VocabularyKind::ByteLevel {
            ids.extend(tokenizer.encode_plain(part)?.first());
        }
    }
    if let Some(byte) = word.bytes().next().filter(|byte| !byte.is_ascii()) {
        ids.extend(tokenizer.id(&format!("<0x{byte:02X}>")));
    }
    Ok(ids.into_iter().collect())
}

/// The answers to one prompt as token sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequences {
    /// Leading tokens of the prompt that stay; usually all. The last ones go where a tokenizer
    /// merges across the place at which prompt and answer meet.
    pub kept: usize,
    /// For every label word, the tokens that follow the kept ones; never empty, and none begins
    /// with another.
    pub rows: Vec<Vec<u32>>,
}

/// The token sequences of every label word after `prompt`, in its frame.
///
/// Prompt, word and what ends the answer are encoded as one text, so the tokens are those that
/// the model would see. The end is left out where the word can do without it: it says nothing of
/// the choice. A closing quote stays where the word's last token holds it, and any end stays in
/// all sequences where one would begin with another (`sea`, `seal`), because only the end
/// distinguishes them then. `kept` counts special tokens that were added before the prompt.
///
/// # Errors
/// The tokenizer fails; or the prompt keeps no token at all, so that nothing could predict the
/// first one of an answer.
pub fn sequences(
    tokenizer: &Tokenizer,
    prompt: &str,
    words: &[String],
    frame: &AnswerFrame,
) -> Result<Sequences, DataError> {
    let encode_all = |end: &str| -> Result<Vec<Vec<u32>>, DataError> {
        let before = &frame.before;
        let texts = words
            .iter()
            .map(|word| frame.encode(tokenizer, &format!("{prompt}{before}{word}{end}")));
        texts.collect()
    };
    let alone = frame.encode(tokenizer, prompt)?;
    let whole = encode_all(&frame.after)?;
    let open = if frame.is_chat {
        // The end is a special token, which no tokenizer joins with a word.
        encode_all("")?
    } else {
        let quote = tokenizer.id(&frame.after);
        let without = |ids: &Vec<u32>| ids.strip_suffix(quote.as_slice()).unwrap_or(ids).to_vec();
        whole.iter().map(without).collect()
    };
    let mut found = branch_off(&alone, &open);
    if has_beginnings(&found.rows) {
        found = branch_off(&alone, &whole);
    }
    if found.kept == 0 && frame.begins_text {
        return Err(tokenizer.error(
            "there is no token that begins or ends a text, so that nothing predicts the first token of one; ask a \
             task that has a prompt"
                .to_owned(),
        ));
    }
    if found.kept == 0 {
        return Err(tokenizer.error(format!(
            "no token of the prompt `{prompt}` stays as it is before an answer"
        )));
    }
    Ok(found)
}

/// Where the first of `texts` leaves the prompt, and what follows there; at least one token of
/// each.
fn branch_off<T: AsRef<[u32]>>(prompt: &[u32], texts: &[T]) -> Sequences {
    let shared = texts.iter().map(|ids| {
        let ids = ids.as_ref();
        prefix::common_length(prompt, ids).min(ids.len().saturating_sub(1))
    });
    let kept = shared.min().unwrap_or(prompt.len());
    Sequences {
        kept,
        rows: texts
            .iter()
            .map(|ids| ids.as_ref()[kept..].to_vec())
            .collect(),
    }
}

/// Whether a row begins with another one.
fn has_beginnings(rows: &[Vec<u32>]) -> bool {
    (0..rows.len())
        .any(|at| (0..rows.len()).any(|other| at != other && rows[at].starts_with(&rows[other])))
}

/// [`sequences`] of every prompt, on all threads; `words` are those of the prompt at an index.
///
/// # Errors
/// As [`sequences`].
pub fn sequences_all<'a, S: AsRef<str> + Sync>(
    tokenizer: &Tokenizer,
    prompts: &[S],
    words: impl Fn(usize) -> &'a [String] + Sync,
    frame: &AnswerFrame,
) -> Result<Vec<Sequences>, DataError> {
    prompts
        .par_iter()
        .enumerate()
        .map(|(at, prompt)| sequences(tokenizer, prompt.as_ref(), words(at), frame))
        .collect()
}

/// Rows that a model runs to predict every token of `rows` beside those of the prompt: all
/// tokens but each last one, and what several begin with once.
pub fn trie_rows(rows: &[Vec<u32>]) -> usize {
    let beginnings = rows
        .iter()
        .flat_map(|row| (1..row.len()).map(|length| &row[..length]));
    beginnings.collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::tests::{byte_level, sentencepiece};

    fn sets(tokenizer: &Tokenizer, words: &[&str]) -> Vec<Vec<String>> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let sets = prefix_sets(tokenizer, &words).expect("every word begins with a token");
        sets.iter()
            .map(|ids| ids.iter().filter_map(|id| tokenizer.token(*id)).collect())
            .collect()
    }

    #[test]
    fn byte_level_prefixes() {
        // In rising order of ids: single bytes come before what is merged from them.
        let wanted = [vec!["p", "po", "Ġp", "Ġpo"], vec!["a", "ab", "Ġab"]];
        assert_eq!(sets(&byte_level(), &["pos", "abc"]), wanted);
        // No entry is spelt `積`; the first of its three bytes is its first token.
        assert_eq!(sets(&byte_level(), &["積"]), [["ç"]]);
    }

    #[test]
    fn sentencepiece_prefixes() {
        assert_eq!(sets(&sentencepiece(), &["abc"]), [["ab", "▁ab", "▁a", "a"]]);
        // Its first token would be the space mark; it is not taken, the byte entry is.
        assert_eq!(sets(&sentencepiece(), &["éa"]), [["<0xC3>"]]);
        let error =
            prefix_sets(&sentencepiece(), &["x".to_owned()]).expect_err("no piece begins with x");
        assert!(error.to_string().contains("label word `x`"), "{error}");
    }

    #[test]
    fn what_labels_begin_with_is_one_row() {
        assert_eq!(trie_rows(&[vec![1, 9], vec![2, 9]]), 2);
        assert_eq!(trie_rows(&[vec![1, 2, 9], vec![1, 3, 9], vec![1, 9]]), 3);
        assert_eq!(
            trie_rows(&[vec![1], vec![2]]),
            0,
            "the prompt predicts them"
        );
    }

    #[test]
    fn sequences_keep_the_prompt_unless_a_merge_crosses_its_end() {
        let words = ["ab".to_owned(), "c".to_owned()];
        let tokenizer = byte_level();
        let found =
            sequences(&tokenizer, "ab: \"", &words, &AnswerFrame::quoted()).expect("encodes");
        assert_eq!(
            found.kept,
            tokenizer.encode("ab: \"").expect("encodes").len()
        );
        assert_eq!(found.rows[0], [tokenizer.id("ab").expect("an entry")]);
        assert_eq!(found.rows[1], [tokenizer.id("c").expect("a byte")]);

        // `"a` is a piece, so the prompt's last token goes.
        let tokenizer = sentencepiece();
        let prompt = tokenizer.encode("c\"").expect("encodes");
        let found = sequences(&tokenizer, "c\"", &words, &AnswerFrame::quoted()).expect("encodes");
        assert_eq!(found.kept, prompt.len() - 1);
        for (row, word) in found.rows.iter().zip(&words) {
            let whole = [&prompt[..found.kept], row].concat();
            let quoted = tokenizer.encode(&format!("c\"{word}\"")).expect("encodes");
            assert_eq!(whole, quoted[..quoted.len() - 1], "{word}");
        }
        assert_eq!(
            sequences_all(&tokenizer, &["c\""], |_| &words, &AnswerFrame::quoted())
                .expect("encodes"),
            [found]
        );
    }

    #[test]
    fn the_quote_tells_a_word_from_one_that_goes_on() {
        let tokenizer = byte_level();
        let quote = tokenizer.id("\"").expect("a byte");
        let words = |list: &[&str]| {
            list.iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        let found = sequences(
            &tokenizer,
            "x \"",
            &words(&["c", "cab", "x"]),
            &AnswerFrame::quoted(),
        )
        .expect("encodes");
        assert!(
            found.rows.iter().all(|row| row.last() == Some(&quote)),
            "{found:?}"
        );
        let found = sequences(
            &tokenizer,
            "x \"",
            &words(&["c", "xab", "ac"]),
            &AnswerFrame::quoted(),
        )
        .expect("encodes");
        assert!(
            found.rows.iter().all(|row| !row.contains(&quote)),
            "{found:?}"
        );
        let found = sequences(
            &tokenizer,
            "x \"",
            &words(&["", "c"]),
            &AnswerFrame::quoted(),
        )
        .expect("encodes");
        assert_eq!(
            found.rows[0],
            [quote],
            "an empty answer is recognised by its quote"
        );
    }
}
