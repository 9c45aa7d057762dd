//! How probable a character is after those before it, by language: n-grams of one to four characters,
//! cut down from the models of lingua (P. M. Stahl, Apache-2.0; its sources are the Leipzig Corpora).
//!
//! `bench/ngrams` makes the file and describes its form. Never here: texts.

use std::collections::HashMap;

use super::spoken::Sharing;

/// Characters of the longest n-gram, each a byte of the key.
pub(super) const LONGEST: usize = 4;
/// A character that no n-gram has.
const UNKNOWN: u8 = u8::MAX;
/// Steps of the file for each nat.
const STEPS: f32 = 12.0;

/// The n-grams of the languages of one script.
pub(super) struct Table {
    pub(super) languages: Sharing,
    symbols: HashMap<char, u8>,
    /// In rising order, the first character in the highest byte, zeros behind the last one.
    keys: Vec<u32>,
    /// By n-gram: where its languages and their probabilities are in `bytes`.
    places: Vec<u32>,
    bytes: &'static [u8],
}

/// What the table says of an n-gram.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// A bit for each language that has it.
    pub(super) mask: u32,
    /// A byte for each of these.
    steps: &'static [u8],
}

impl Entry {
    /// Each language that has the n-gram, by its place among those of the script, with the natural
    /// logarithm of the probability.
    pub(super) fn logs(self) -> impl Iterator<Item = (usize, f32)> {
        let mut rest = self.mask;
        self.steps.iter().map(move |step| {
            let language = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            (language, -f32::from(*step) / STEPS)
        })
    }
}

impl Table {
    /// A character's place among those of the n-grams.
    pub(super) fn symbol(&self, c: char) -> u8 {
        self.symbols.get(&c).copied().unwrap_or(UNKNOWN)
    }

    /// `None` where no language has the n-gram.
    pub(super) fn find(&self, key: u32) -> Option<Entry> {
        let at = self.keys.binary_search(&key).ok()?;
        let mut rest = &self.bytes[self.places[at] as usize..];
        let mask = take_number(&mut rest);
        let steps = &rest[..mask.count_ones() as usize];
        Some(Entry { mask, steps })
    }

    /// Reads the next script of the file.
    ///
    /// # Panics
    /// If the file, which is part of the program, was made for other languages.
    pub(super) fn take(languages: Sharing, bytes: &mut &'static [u8]) -> Self {
        let names: Vec<String> = languages.iter().map(|l| format!("{l:?}")).collect();
        assert_eq!(take_line(bytes), names.join(" "), "languages of ngrams.bin");
        let symbols = take_line(bytes).chars().zip(1..UNKNOWN).collect();
        let (count, rest) = bytes.split_at(size_of::<u32>());
        *bytes = rest;
        let count = count
            .iter()
            .rev()
            .fold(0, |all, byte| all << 8 | usize::from(*byte));
        let all = *bytes;
        let (mut keys, mut places) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut key = 0;
        for _ in 0..count {
            key += take_number(bytes);
            keys.push(key);
            places.push((all.len() - bytes.len()) as u32);
            let has = take_number(bytes).count_ones() as usize;
            *bytes = &bytes[has..];
        }
        Self {
            languages,
            symbols,
            keys,
            places,
            bytes: all,
        }
    }
}

/// The text up to the end of the line.
pub(super) fn take_line(bytes: &mut &'static [u8]) -> String {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
    *bytes = bytes.get(end + 1..).unwrap_or_default();
    line
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn take_number(bytes: &mut &'static [u8]) -> u32 {
    let (mut number, mut shift) = (0, 0);
    while let Some((&byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u32::from(byte & 127) << shift;
        shift += 7;
        if byte < 128 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::{
        super::spoken::{CYRILLIC, DEVANAGARI, LATIN, Spoken},
        *,
    };

    /// The numbers are lingua's: how often a character stands in its texts, of how many.
    #[test]
    fn probabilities_are_those_of_the_models() {
        let mut bytes: &'static [u8] = include_bytes!("ngrams.bin");
        assert_eq!(take_line(&mut bytes), "ngrams 1");
        let tables = [LATIN, CYRILLIC, DEVANAGARI].map(|script| Table::take(script, &mut bytes));
        assert!(bytes.is_empty(), "the whole file");
        let [latin, ..] = &tables;
        let english = LATIN
            .iter()
            .position(|language| *language == Spoken::English);
        let entry = latin
            .find(u32::from(latin.symbol('a')) << 24)
            .expect("an n-gram");
        let (_, log) = entry
            .logs()
            .find(|(at, _)| Some(*at) == english)
            .expect("English");
        let exact = f32::ln(7_915_445.0 / 93_616_591.0);
        assert!((log - exact).abs() <= 0.5 / STEPS, "{log}, {exact}");
        assert!(latin.find(u32::from(latin.symbol('я')) << 24).is_none());
    }
}
