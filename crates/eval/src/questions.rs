//! One language's questions as token ids: the shared prefix, what follows it for each question, and the labels.

use data::{Tokenizer, label_tokens, prefix, prompt::Rendered};
use model::ModelError;
use schema::Scoring;

use crate::error::EvalError;

/// A question after the shared prefix.
pub(crate) struct Question {
    /// Its tokens after the shared prefix; at least one.
    pub(crate) suffix: Vec<u32>,
    /// Tokens of the whole prompt.
    pub(crate) prompt_tokens: usize,
    /// For [`Scoring::Sequence`]: tokens of each label and its closing quote, after the suffix.
    pub(crate) continuations: Vec<Vec<u32>>,
}

/// All questions of a file, the content-free ones last.
pub(crate) struct Questions {
    /// Tokens that every prompt of the file begins with.
    pub(crate) prefix: Vec<u32>,
    /// In file order, then the content-free ones.
    pub(crate) questions: Vec<Question>,
    /// For [`Scoring::Prefix`]: token ids that speak for each label.
    pub(crate) label_sets: Vec<Vec<u32>>,
}

impl Questions {
    /// Fails if a label has a token that the model does not know; those of the prompts are checked where they are embedded.
    pub(crate) fn check_vocabulary(&self, vocab_size: usize) -> Result<(), EvalError> {
        let continuations = self.questions.iter().flat_map(|question| &question.continuations);
        match self.label_sets.iter().chain(continuations).flatten().find(|&&id| id as usize >= vocab_size) {
            None => Ok(()),
            Some(id) => Err(EvalError::Model(ModelError::Input(format!(
                "token id {id} of a label is not in the vocabulary of {vocab_size}; is the tokenizer the model's?"
            )))),
        }
    }
}

/// Tokenises every prompt of the file. The prefix is that of the whole file, whatever part of it is scored, so that a
/// score does not depend on `--limit`.
pub(crate) fn encode(tokenizer: &Tokenizer, rendered: &Rendered, scoring: Scoring) -> Result<Questions, EvalError> {
    let mut texts = rendered.texts();
    texts.extend(rendered.content_free.iter().map(String::as_str));
    let mut prompts = tokenizer.encode_all(&texts)?;
    let lengths: Vec<usize> = prompts.iter().map(Vec::len).collect();
    let (mut continuations, mut label_sets) = (vec![Vec::new(); prompts.len()], Vec::new());
    match scoring {
        Scoring::Prefix => label_sets = label_tokens::prefix_sets(tokenizer, rendered.common_words()?)?,
        Scoring::Sequence => {
            let sequences = label_tokens::sequences_all(tokenizer, &texts, |at| rendered.words_of(at))?;
            for ((prompt, continuation), found) in prompts.iter_mut().zip(&mut continuations).zip(sequences) {
                // Where the label's first token swallows the prompt's last, the prompt ends before it.
                prompt.truncate(found.kept);
                *continuation = found.rows;
            }
        }
    }
    let split = prefix::split(&prompts);
    let questions = split
        .suffixes
        .iter()
        .zip(lengths)
        .zip(continuations)
        .map(|((suffix, prompt_tokens), continuations)| Question {
            suffix: suffix.to_vec(),
            prompt_tokens,
            continuations,
        })
        .collect();
    Ok(Questions { prefix: split.prefix.to_vec(), questions, label_sets })
}
