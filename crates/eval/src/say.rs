//! What a model says where nothing constrains it: greedy decoding up to the closing quote. A
//! check that the label chosen among labels is what would be said. Never here: scores.

use std::ops::AddAssign;

use data::Tokenizer;
use model::{Decoder, KvCache, generate};

use crate::{error::EvalError, questions::Question};

/// Tokens beyond the longest label after which a model that closes no quote is stopped.
const BEYOND: usize = 4;

/// How often what is said is the chosen label's word, another label's, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The chosen label.
    pub chosen: usize,
    /// Another label.
    pub other: usize,
    /// No label.
    pub none: usize,
}

impl Said {
    /// Counts one answer; blanks around a word do not count.
    pub(crate) fn count(&mut self, said: &str, words: &[String], chosen: usize) {
        match words.iter().position(|word| word == said.trim()) {
            Some(label) if label == chosen => self.chosen += 1,
            Some(_) => self.other += 1,
            None => self.none += 1,
        }
    }
}

impl AddAssign for Said {
    fn add_assign(&mut self, other: Self) {
        self.chosen += other.chosen;
        self.other += other.other;
        self.none += other.none;
    }
}

/// Continues a question by the likeliest token until a quote is closed, the text ends, or the
/// longest label and [`BEYOND`] tokens are exceeded; returns what stands before the quote.
pub(crate) fn say(
    model: &Decoder,
    tokenizer: &Tokenizer,
    cache: Option<&KvCache>,
    question: &Question,
    longest_label: usize,
) -> Result<String, EvalError> {
    let (mut cache, mut hidden) = model.prefill(&question.suffix, cache)?;
    let mut made = Vec::new();
    loop {
        let next = generate::likeliest(model, &hidden)?;
        if Some(next) == tokenizer.eos() {
            return Ok(tokenizer.decode(&made)?);
        }
        made.push(next);
        let text = tokenizer.decode(&made)?;
        if let Some((said, _)) = text.split_once('"') {
            return Ok(said.to_owned());
        }
        if made.len() >= longest_label + BEYOND {
            return Ok(text);
        }
        (cache, hidden) = model.prefill(&[next], Some(&cache))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_chosen_label_another_or_none() {
        let words = ["ja".to_owned(), "nein".to_owned()];
        let mut said = Said::default();
        for (text, chosen) in [
            ("ja", 0),
            (" ja\n", 0),
            ("nein", 0),
            ("nein, ja", 1),
            ("", 0),
            ("Ja", 0),
        ] {
            said.count(text, &words, chosen);
        }
        assert_eq!(
            said,
            Said {
                chosen: 2,
                other: 1,
                none: 3
            }
        );
    }
}
