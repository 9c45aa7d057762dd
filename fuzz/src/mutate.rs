//! Changes to an input: bytes, blocks, numbers at the places where formats keep them, and words
//! that text formats give a meaning. Never here: coverage; libFuzzer has that.

use rand::{Rng, RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// Longest input that a change makes.
const LONGEST: usize = 1 << 20;

/// Words that readers of JSON, TOML and tables trip over.
const WORDS: &[&str] = &[
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "-0.0",
    "NaN",
    "18446744073709551616",
    "9223372036854775807",
    "4294967295",
    "[]",
    "{}",
    "\"\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\u{202e}",
    "\u{feff}",
    "\u{0}",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    ",",
    "\"",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "'",
    "..",
    "../../x",
    "/dev/zero",
    "\u{1b}]0;x\u{7}",
    "0x10",
    "1_000",
    "1979-05-27",
    "inf",
    "en",
    "de",
    "\"type\":\"",
];

/// Numbers for eight, four, two or one bytes.
const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    i32::MAX as u64,
    u32::MAX as u64,
    1 << 32,
    1 << 40,
    i64::MAX as u64,
    u64::MAX - 7,
    u64::MAX,
];

/// Draws inputs from seeds; the same number gives the same inputs.
pub struct Mutator {
    generator: ChaCha8Rng,
    seeds: Vec<Vec<u8>>,
}

impl Mutator {
    /// Over `seeds`, of which there is at least one.
    pub fn new(seeds: Vec<Vec<u8>>, number: u64) -> Self {
        Self {
            generator: ChaCha8Rng::seed_from_u64(number),
            seeds,
        }
    }

    /// A seed with one change, two in half of the cases, three in a quarter, and so on.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self
            .seeds
            .choose(&mut self.generator)
            .cloned()
            .unwrap_or_default();
        self.change(&mut input);
        while self.generator.random_bool(0.5) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        match self.generator.random_range(0..10) {
            0 => self.flip_bit(input),
            1 => self.set_byte(input),
            2 | 3 => self.set_number(input),
            4 | 5 => self.put_word(input),
            6 => self.cut(input),
            7 => self.repeat(input),
            8 => self.remove(input),
            _ => self.splice(input),
        }
    }

    fn place(&mut self, length: usize) -> usize {
        // Headers are in front, and matter most.
        let end = match self.generator.random_bool(0.5) {
            true => length.min(256),
            false => length,
        };
        self.generator.random_range(0..=end.saturating_sub(1))
    }

    fn flip_bit(&mut self, input: &mut [u8]) {
        let at = self.place(input.len());
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << self.generator.random_range(0..8);
        }
    }

    fn set_byte(&mut self, input: &mut [u8]) {
        let at = self.place(input.len());
        if let Some(byte) = input.get_mut(at) {
            *byte = self.generator.next_u32() as u8;
        }
    }

    fn set_number(&mut self, input: &mut [u8]) {
        let at = self.place(input.len());
        let width = [1, 2, 4, 8][self.generator.random_range(0..4)];
        let number = NUMBERS[self.generator.random_range(0..NUMBERS.len())];
        if let Some(bytes) = input.get_mut(at..at + width) {
            bytes.copy_from_slice(&number.to_le_bytes()[..width]);
        }
    }

    /// In the place of the value that is there, or between two bytes.
    fn put_word(&mut self, input: &mut Vec<u8>) {
        let word = WORDS[self.generator.random_range(0..WORDS.len())].as_bytes();
        let at = self.place(input.len()).min(input.len());
        let is_end = |byte: &u8| b",]}\n\t".contains(byte);
        let end = match self.generator.random_bool(0.5) {
            true => input[at..].iter().take(64).position(is_end).unwrap_or(0),
            false => 0,
        };
        input.splice(at..at + end, word.iter().copied());
    }

    fn cut(&mut self, input: &mut Vec<u8>) {
        let length = self.place(input.len());
        input.truncate(length);
    }

    fn repeat(&mut self, input: &mut Vec<u8>) {
        let (at, length) = self.block(input.len());
        let block = input[at..at + length].to_vec();
        let times = self.generator.random_range(1..=16);
        let to = self.place(input.len()).min(input.len());
        input.splice(to..to, block.repeat(times));
    }

    fn remove(&mut self, input: &mut Vec<u8>) {
        let (at, length) = self.block(input.len());
        input.drain(at..at + length);
    }

    /// A block of another seed over what is here.
    fn splice(&mut self, input: &mut Vec<u8>) {
        let Some(other) = self.seeds.choose(&mut self.generator).cloned() else {
            return;
        };
        let (at, length) = self.block(other.len());
        let to = self.place(input.len()).min(input.len());
        let end = (to + length).min(input.len());
        input.splice(to..end, other[at..at + length].iter().copied());
    }

    fn block(&mut self, length: usize) -> (usize, usize) {
        let at = self.place(length).min(length);
        let most = (length - at).min(128);
        (at, self.generator.random_range(0..=most))
    }
}
