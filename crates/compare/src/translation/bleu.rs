//! BLEU (Papineni et al. 2002) as sacrebleu computes it (Post 2018, arXiv 1804.08771):
//! `nrefs:1|case:mixed|eff:no|smooth:exp`, of a sentence with `eff:yes`.

use std::collections::HashMap;

use super::tokenise::Tokenisation;

/// Longest n-grams.
const ORDER: usize = 4;

/// What the score of a corpus is made of, summed over its lines: words of the answers and of the
/// references, matching n-grams and all n-grams of the answers, by length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BleuCounts {
    answer: u64,
    reference: u64,
    correct: [u64; ORDER],
    total: [u64; ORDER],
}

impl BleuCounts {
    /// Of one line.
    pub fn of(answer: &str, reference: &str, tokenisation: Tokenisation) -> Self {
        let [answer, reference] = [answer, reference].map(|text| tokenisation.split(text));
        let mut counts = Self {
            answer: answer.len() as u64,
            reference: reference.len() as u64,
            ..Self::default()
        };
        for n in 1..=ORDER {
            let known = count(&reference, n);
            for (gram, times) in count(&answer, n) {
                counts.total[n - 1] += times;
                counts.correct[n - 1] += times.min(known.get(gram).copied().unwrap_or(0));
            }
        }
        counts
    }

    /// Adds the counts of a line that stands there so many times.
    pub fn add(&mut self, line: &Self, times: u64) {
        self.answer += times * line.answer;
        self.reference += times * line.reference;
        for n in 0..ORDER {
            self.correct[n] += times * line.correct[n];
            self.total[n] += times * line.total[n];
        }
    }

    /// The score of a corpus, 0 to 100.
    pub fn score(&self) -> f64 {
        self.smoothed(false)
    }

    /// The score of one sentence, 0 to 100: of the lengths of n-grams that it has.
    pub fn sentence_score(&self) -> f64 {
        self.smoothed(true)
    }

    /// A length without a match counts as half, a quarter, ... of one match.
    fn smoothed(&self, effective: bool) -> f64 {
        if self.correct.iter().all(|&count| count == 0) {
            return 0.0;
        }
        let (mut halves, mut orders, mut logs) = (1.0, ORDER, 0.0);
        for n in 0..ORDER {
            let (correct, total) = (self.correct[n] as f64, self.total[n] as f64);
            if self.total[n] == 0 && !effective {
                return 0.0;
            }
            if self.total[n] == 0 {
                break;
            }
            if effective {
                orders = n + 1;
            }
            logs += if self.correct[n] == 0 {
                halves *= 2.0;
                (100.0 / (halves * total)).ln()
            } else {
                (100.0 * correct / total).ln()
            };
        }
        self.brevity() * (logs / orders as f64).exp()
    }

    /// What answers that are shorter than their references lose.
    fn brevity(&self) -> f64 {
        match (self.answer, self.reference) {
            (answer, reference) if answer >= reference => 1.0,
            (0, _) => 0.0,
            (answer, reference) => (1.0 - reference as f64 / answer as f64).exp(),
        }
    }
}

fn count(words: &[String], n: usize) -> HashMap<&[String], u64> {
    let mut counts = HashMap::new();
    for gram in words.windows(n) {
        *counts.entry(gram).or_default() += 1;
    }
    counts
}
