//! A made-up tokenizer of any size, for made-up models: byte-level BPE whose merges are written
//! down by a rule instead of learnt from texts. Every text comes back as it was. Entries: the 256
//! bytes; pairs of letters, the frequent ones of English first, and letters after a space;
//! characters of two bytes; then, in turn, four letters and characters of three bytes; last, the
//! token that ends a text. Never here: reading tokenizers.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::DataError;

/// The token that ends a text: the last entry of the vocabulary.
pub const END: &str = "<|endoftext|>";

/// Letters by how often English has them.
const LETTERS: &[u8] = b"etaoinshrdlcumwfgypbvkjxqz";
const BYTES: usize = 256;

/// The texts of the two files of a tokenizer.
pub struct MadeUpTokenizer {
    /// `tokenizer.json`
    pub tokenizer: String,
    /// `tokenizer_config.json`
    pub config: String,
    /// The id of [`END`].
    pub end: usize,
}

/// A tokenizer with `vocab_size` entries, the same for the same size.
///
/// # Errors
/// The vocabulary has no room for all bytes, or more than the rule can fill.
pub fn make_up(vocab_size: usize) -> Result<MadeUpTokenizer, DataError> {
    let merges = merges();
    let (least, most) = (BYTES + 1, BYTES + merges.len() + 1);
    if !(least..=most).contains(&vocab_size) {
        return Err(DataError::Unusable {
            what: "a made-up tokenizer".to_owned(),
            problem: format!(
                "`vocab_size` is {vocab_size}; it can have {least} (every byte and the end of a text) to {most} entries"
            ),
        });
    }
    let merges = &merges[..vocab_size - least];
    let end = vocab_size - 1;
    let spelling = Spelling::new();
    let entries = (0..=u8::MAX).map(|byte| spelling.write(&[byte]));
    let entries = entries.chain(merges.iter().map(|pair| spelling.write(&pair.concat())));
    let mut vocabulary: Map<String, Value> = entries.zip((0..).map(Value::from)).collect();
    vocabulary.insert(END.to_owned(), end.into());
    let merges: Vec<[String; 2]> = merges
        .iter()
        .map(|[left, right]| [spelling.write(left), spelling.write(right)])
        .collect();
    let step = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [{"id": end, "content": END, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true}],
        "normalizer": null,
        "pre_tokenizer": step,
        "post_processor": null,
        "decoder": step,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges},
    });
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": null,
        "eos_token": END,
        "unk_token": null,
        "pad_token": END,
        "clean_up_tokenization_spaces": false,
        "added_tokens_decoder": {end.to_string(): {"content": END, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}},
    });
    Ok(MadeUpTokenizer {
        tokenizer: format!("{tokenizer}\n"),
        config: format!("{config:#}\n"),
        end,
    })
}

/// Every merge that the rule knows, best first, as the bytes of its two parts. No two make the
/// same entry, and the parts of each are bytes or made before.
fn merges() -> Vec<[Vec<u8>; 2]> {
    let letters: Vec<Vec<u8>> = LETTERS.iter().map(|&letter| vec![letter]).collect();
    let pairs = by_sum_of_places(&letters);
    let after_space = letters.iter().map(|letter| [vec![b' '], letter.clone()]);
    let two = products(0xC2..=0xDF, 0x80..=0xBF);
    let starts = products(0xE0..=0xEF, 0x80..=0xBF);
    let three: Vec<[Vec<u8>; 2]> = starts
        .iter()
        .flat_map(|start| (0x80..=0xBF).map(|last| [start.concat(), vec![last]]))
        .collect();
    let joined: Vec<Vec<u8>> = pairs.iter().map(|pair| pair.concat()).collect();
    let mut four = by_sum_of_places(&joined).into_iter();
    let mut all = pairs;
    all.extend(after_space);
    all.extend(two);
    all.extend(starts);
    for character in three {
        all.extend(four.next());
        all.push(character);
    }
    all.extend(four);
    all
}

/// All pairs of `parts`: first those whose places in the list have a small sum.
fn by_sum_of_places(parts: &[Vec<u8>]) -> Vec<[Vec<u8>; 2]> {
    (0..2 * parts.len())
        .flat_map(|sum| {
            let lefts = (0..=sum).filter(move |&left| left.max(sum - left) < parts.len());
            lefts.map(move |left| [parts[left].clone(), parts[sum - left].clone()])
        })
        .collect()
}

/// All pairs of a first and a last byte.
fn products(
    first: std::ops::RangeInclusive<u8>,
    last: std::ops::RangeInclusive<u8>,
) -> Vec<[Vec<u8>; 2]> {
    first
        .flat_map(|first| last.clone().map(move |last| [vec![first], vec![last]]))
        .collect()
}

/// How a byte-level vocabulary writes bytes: those that print as themselves, the others, in
/// order, as the characters from U+0100 on (the alphabet of GPT-2).
struct Spelling([char; BYTES]);

impl Spelling {
    fn new() -> Self {
        let printing: BTreeSet<char> = ('!'..='~').chain('¡'..='¬').chain('®'..='ÿ').collect();
        let mut others = '\u{100}'..;
        Self(std::array::from_fn(|byte| {
            let own = char::from(byte as u8);
            if printing.contains(&own) {
                own
            } else {
                others.next().unwrap_or(own) // there are a million
            }
        }))
    }

    fn write(&self, bytes: &[u8]) -> String {
        bytes
            .iter()
            .map(|&byte| self.0[usize::from(byte)])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use proptest::prelude::*;

    use super::*;
    use crate::Tokenizer;

    fn load(vocab_size: usize) -> (Tokenizer, MadeUpTokenizer) {
        let folder = tempfile::tempdir().expect("a folder");
        let made = make_up(vocab_size).expect("a size that fits");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("tokenizer.json"), &made.tokenizer).expect("writes");
        fs::write(at("tokenizer_config.json"), &made.config).expect("writes");
        fs::write(at("config.json"), "{\"model_type\": \"llama\"}").expect("writes");
        let read = Tokenizer::from_folder(folder.path()).expect("reads its own file");
        (read, made)
    }

    // Promise: no entry is made twice, and each merge only of what was there before; else some
    // reader of the file would refuse it or cut texts in another way.
    #[test]
    fn every_merge_makes_a_new_entry_of_older_ones() {
        let mut known: BTreeSet<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
        for [left, right] in merges() {
            assert!(known.contains(&left) && known.contains(&right));
            assert!(known.insert([left, right].concat()));
        }
        // Bytes, pairs of letters, letters after a space, two bytes, beginnings of three and three,
        // four letters.
        let parts = [
            256,
            26 * 26,
            26,
            30 * 64,
            16 * 64,
            16 * 64 * 64,
            26_usize.pow(4),
        ];
        assert_eq!(known.len(), parts.iter().sum::<usize>());
    }

    #[test]
    fn sizes_are_those_asked_for_and_bounded() {
        for size in [257, 300, 32_000] {
            let (read, made) = load(size);
            assert_eq!((read.vocab_size(), made.end), (size, size - 1));
            assert_eq!(read.eos(), Some(made.end as u32));
        }
        for size in [256, 526_416] {
            let refusal = make_up(size).err().expect("refused").to_string();
            assert!(refusal.contains(&size.to_string()), "{refusal}");
            assert!(refusal.contains("257"), "{refusal}");
            assert!(refusal.contains("526415"), "{refusal}");
        }
    }

    #[test]
    fn texts_of_many_scripts_take_fewer_tokens_than_bytes() {
        let (read, _) = load(32_000);
        let count = |text: &str| read.encode(text).expect("encodes").len();
        assert_eq!(count("the rest"), 5); // `t`, `he`, ` r`, `es`, `t`: `he` and `es` come first
        assert_eq!(count("Das ist ein Satz über Größe."), 22); // 30 bytes
        assert_eq!(count("дом"), 3);
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>()) {
            thread_local! {
                static SMALL: Tokenizer = load(257).0;
                static LARGE: Tokenizer = load(20_000).0;
            }
            for tokenizer in [&SMALL, &LARGE] {
                let back = tokenizer.with(|read| {
                    let ids = read.encode(&text).expect("encodes");
                    read.decode(&ids).expect("decodes")
                });
                prop_assert_eq!(&back, &text);
            }
        }
    }
}
