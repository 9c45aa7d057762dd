//! One language's questions as token ids: the shared prefix, what follows it for each question, and the labels.
//! Never here: a model.

use data::{Tokenizer, label_tokens, prefix, prompt, prompt::Rendered};
use model::ModelError;
use schema::{Language, Scorers, Scoring};

use crate::{Ask, error::EvalError};

/// A question after the shared prefix.
#[derive(Debug)]
pub(crate) struct Question {
    /// Its tokens after the shared prefix; at least one.
    pub(crate) suffix: Vec<u32>,
    /// Tokens of the whole prompt.
    pub(crate) prompt_tokens: usize,
    /// Tokens of `suffix` that labels follow; fewer than all where a label's first token swallows the prompt's last.
    pub(crate) kept: usize,
    /// Tokens of each label and its closing quote after the kept ones; none where exact probabilities are not measured.
    pub(crate) continuations: Vec<Vec<u32>>,
}

impl Question {
    /// Rows that its labels take beside `suffix`.
    pub(crate) fn label_rows(&self) -> usize {
        label_tokens::trie_rows(&self.continuations)
    }
}

/// All questions of a file, the content-free ones last.
pub(crate) struct Questions {
    /// Tokens that every prompt of the file begins with.
    pub(crate) prefix: Vec<u32>,
    /// In file order, then the content-free ones.
    pub(crate) questions: Vec<Question>,
    /// The closing header alone, which continues nothing; `None` where exact probabilities are not measured.
    pub(crate) domain: Option<Question>,
    /// Token ids that speak for each label in the paper's rule; none where it is not measured.
    pub(crate) label_sets: Vec<Vec<u32>>,
    /// The label words.
    pub(crate) words: Vec<String>,
    /// Tokens of the longest label.
    pub(crate) longest_label: usize,
}

impl Questions {
    /// Fails if a label has a token that the model does not know; those of the prompts are checked where they are embedded.
    pub(crate) fn check_vocabulary(&self, vocab_size: usize) -> Result<(), EvalError> {
        let questions = self.questions.iter().chain(&self.domain);
        let continuations = questions.flat_map(|question| &question.continuations);
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
pub(crate) fn encode(
    tokenizer: &Tokenizer,
    ask: &Ask<'_>,
    language: Language,
    rendered: &Rendered,
) -> Result<Questions, EvalError> {
    let words = data::tasks::label_words(ask.task, language, ask.labels)?;
    let mut texts = rendered.texts();
    texts.extend(rendered.content_free.iter().map(String::as_str));
    let prompts = tokenizer.encode_all(&texts)?;
    let exact = ask.scorers == Scorers::All || ask.scoring != Scoring::Prefix;
    let (continued, domain) = if exact {
        let domain = prompt::question(ask.task, language, &[])?;
        let labels = label_tokens::sequences(tokenizer, &domain, &words)?;
        let whole = tokenizer.encode(&domain)?;
        let domain = follow(whole, 0, Some(labels));
        (label_tokens::sequences_all(tokenizer, &texts, &words)?.into_iter().map(Some).collect(), Some(domain))
    } else {
        (vec![None; prompts.len()], None)
    };
    // Labels branch off behind the prefix, so it ends before the first of them.
    let kept: Vec<&[u32]> = prompts
        .iter()
        .zip(&continued)
        .map(|(prompt, c)| &prompt[..c.as_ref().map_or(prompt.len(), |c| c.kept)])
        .collect();
    let shared = prefix::split(&kept).prefix.to_vec();
    let questions = prompts.into_iter().zip(continued).map(|(prompt, labels)| follow(prompt, shared.len(), labels));
    let longest_label =
        words.iter().map(|word| Ok(tokenizer.encode_plain(word)?.len())).collect::<Result<Vec<_>, EvalError>>()?;
    Ok(Questions {
        questions: questions.collect(),
        domain,
        label_sets: label_sets(tokenizer, ask, &words)?,
        longest_label: longest_label.into_iter().max().unwrap_or(0),
        words,
        prefix: shared,
    })
}

/// A prompt as a question after its first `prefix` tokens.
fn follow(prompt: Vec<u32>, prefix: usize, labels: Option<label_tokens::Sequences>) -> Question {
    let (kept, continuations) = labels.map_or((prompt.len(), Vec::new()), |labels| (labels.kept, labels.rows));
    Question { suffix: prompt[prefix..].to_vec(), prompt_tokens: prompt.len(), kept: kept - prefix, continuations }
}

/// The paper's sets, if they are wanted. Beside another scoring, a label without any is no reason to stop: the rule is
/// then not measured.
fn label_sets(tokenizer: &Tokenizer, ask: &Ask<'_>, words: &[String]) -> Result<Vec<Vec<u32>>, EvalError> {
    match (ask.scoring, ask.scorers) {
        (Scoring::Prefix, _) => Ok(label_tokens::prefix_sets(tokenizer, words)?),
        (_, Scorers::Chosen) => Ok(Vec::new()),
        (_, Scorers::All) => {
            let sets = label_tokens::possible_prefix_sets(tokenizer, words)?;
            Ok(if sets.iter().any(Vec::is_empty) { Vec::new() } else { sets })
        }
    }
}
