//! The model's free answer: greedy decoding up to the closing quote. Checks that the label
//! chosen among labels is the one that the model would write. Never here: scores.

use std::ops::AddAssign;

use data::Tokenizer;
use model::{Decoder, KvCache, generate};

use crate::{
    error::EvalError,
    questions::{EncodedQuestion, EncodedQuestions},
};

/// Tokens beyond the longest label after which a model that closes no quote is stopped.
const BEYOND: usize = 4;

/// How often the free answer is the chosen label's word, another label's, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FreeAnswerCounts {
    /// The chosen label.
    pub chosen: usize,
    /// Another label.
    pub other: usize,
    /// No label.
    pub none: usize,
}

impl FreeAnswerCounts {
    /// Counts one answer; blanks around a word are ignored.
    pub(crate) fn count(&mut self, said: &str, words: &[String], chosen: usize) {
        match words.iter().position(|word| word == said.trim()) {
            Some(label) if label == chosen => self.chosen += 1,
            Some(_) => self.other += 1,
            None => self.none += 1,
        }
    }
}

impl AddAssign for FreeAnswerCounts {
    fn add_assign(&mut self, other: Self) {
        self.chosen += other.chosen;
        self.other += other.other;
        self.none += other.none;
    }
}

/// Continues a question by the likeliest token until a quote is closed, the text ends, or the
/// longest label and [`BEYOND`] tokens are exceeded; returns the text before the quote.
pub(crate) fn say(
    model: &Decoder,
    tokenizer: &Tokenizer,
    cache: Option<&KvCache>,
    questions: &EncodedQuestions,
    question: &EncodedQuestion,
) -> Result<String, EvalError> {
    let (mut cache, mut hidden) = model.prefill(&question.suffix, cache)?;
    let mut made = Vec::new();
    loop {
        let next = generate::likeliest(model, &hidden)?;
        if questions.ends.contains(&next) {
            return Ok(tokenizer.decode(&made)?);
        }
        made.push(next);
        let text = tokenizer.decode(&made)?;
        let quoted = text.split_once('"').filter(|_| questions.has_quotes);
        if let Some((said, _)) = quoted {
            return Ok(said.to_owned());
        }
        if made.len() >= questions.longest_label + BEYOND {
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
        let mut said = FreeAnswerCounts::default();
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
            FreeAnswerCounts {
                chosen: 2,
                other: 1,
                none: 3
            }
        );
    }
}
