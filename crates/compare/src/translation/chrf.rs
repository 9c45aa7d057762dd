//! chrF++ (Popović 2017) as sacrebleu computes it: `nrefs:1|case:mixed|eff:yes|nc:6|nw:2|space:no`.

use std::collections::HashMap;

use super::tokenise::is_space;

/// Longest n-grams of characters and of words.
const CHARACTERS: usize = 6;
const WORDS: usize = 2;
const ORDERS: usize = CHARACTERS + WORDS;
/// Recall weighs as much as so many precisions, squared.
const BETA: f64 = 2.0;

/// What the score of a corpus is made of, summed over its lines: for each length, characters
/// first, the n-grams of the answers, of the references, and of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChrfCounts([[u64; 3]; ORDERS]);

impl ChrfCounts {
    /// Of one line.
    pub fn of(answer: &str, reference: &str) -> Self {
        let mut counts = Self::default();
        let [own, known] = [answer, reference]
            .map(|text| text.chars().filter(|c| !is_space(*c)).collect::<Vec<_>>());
        for n in 1..=CHARACTERS {
            counts.0[n - 1] = matches(&own, &known, n);
        }
        let [own, known] = [answer, reference].map(split_words);
        for n in 1..=WORDS {
            counts.0[CHARACTERS + n - 1] = matches(&own, &known, n);
        }
        counts
    }

    /// Adds the counts of a line that stands there so many times.
    pub fn add(&mut self, line: &Self, times: u64) {
        for (sum, counts) in self.0.iter_mut().zip(&line.0) {
            for (sum, count) in sum.iter_mut().zip(counts) {
                *sum += times * count;
            }
        }
    }

    /// The score, 0 to 100; of lengths that both sides have.
    pub fn score(&self) -> f64 {
        let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
        for &[own, known, both] in &self.0 {
            if own > 0 && known > 0 {
                precision += both as f64 / own as f64;
                recall += both as f64 / known as f64;
                orders += 1.0;
            }
        }
        if precision + recall == 0.0 {
            return 0.0;
        }
        let (precision, recall, weight) = (precision / orders, recall / orders, BETA * BETA);
        100.0 * (1.0 + weight) * precision * recall / (weight * precision + recall)
    }
}

/// Words, with a sign at the end, or else at the beginning, of one as a word of its own.
fn split_words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        // ASCII signs are one byte long.
        let inner = word.len() - 1;
        let is_long = word.chars().nth(1).is_some();
        if is_long && word.ends_with(|c: char| c.is_ascii_punctuation()) {
            words.extend([&word[..inner], &word[inner..]]);
        } else if is_long && word.starts_with(|c: char| c.is_ascii_punctuation()) {
            words.extend([&word[..1], &word[1..]]);
        } else {
            words.push(word);
        }
    }
    words
}

/// N-grams of the answer, of the reference, and of both. Those of an answer do not count where
/// the reference has none.
fn matches<T: Eq + std::hash::Hash>(own: &[T], known: &[T], n: usize) -> [u64; 3] {
    let (own, known) = (count(own, n), count(known, n));
    let both = own
        .iter()
        .map(|(gram, &times)| times.min(known.get(gram).copied().unwrap_or(0)))
        .sum();
    let all = |counts: &HashMap<&[T], u64>| counts.values().sum();
    [
        if known.is_empty() { 0 } else { all(&own) },
        all(&known),
        both,
    ]
}

fn count<T: Eq + std::hash::Hash>(units: &[T], n: usize) -> HashMap<&[T], u64> {
    let mut counts = HashMap::new();
    for gram in units.windows(n) {
        *counts.entry(gram).or_default() += 1;
    }
    counts
}
