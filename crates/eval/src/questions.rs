//! One language's questions as token ids: the shared prefix, what follows it for each question,
//! and the labels. Never here: a model.

use data::{Tokenizer, label_tokens, prefix, prompt::Rendered};
use model::ModelError;
use schema::{Scorers, Scoring};

use crate::{Ask, error::EvalError};

/// A question after the shared prefix.
#[derive(Debug)]
pub(crate) struct Question {
    /// Its tokens after the shared prefix; at least one.
    pub(crate) suffix: Vec<u32>,
    /// Tokens of the whole prompt.
    pub(crate) prompt_tokens: usize,
    /// Tokens of `suffix` that labels follow; fewer than all where a label's first token
    /// swallows the prompt's last.
    pub(crate) kept: usize,
    /// Tokens of each label after the kept ones; none where exact probabilities are not
    /// measured.
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
    /// The closing header alone, which continues nothing, with the labels: one for all
    /// questions, or one for each where their answers differ; none where it is not measured.
    pub(crate) domains: Vec<Question>,
    /// Token ids that speak for each label in the paper's rule; none where it is not measured.
    pub(crate) label_sets: Vec<Vec<u32>>,
    /// Tokens of the longest label; 0 where nothing is said freely.
    pub(crate) longest_label: usize,
}

impl Questions {
    /// Fails if a label has a token that the model does not know; those of the prompts are
    /// checked where they are embedded.
    pub(crate) fn check_vocabulary(&self, vocab_size: usize) -> Result<(), EvalError> {
        let questions = self.questions.iter().chain(&self.domains);
        let continuations = questions.flat_map(|question| &question.continuations);
        match self
            .label_sets
            .iter()
            .chain(continuations)
            .flatten()
            .find(|&&id| id as usize >= vocab_size)
        {
            None => Ok(()),
            Some(id) => Err(EvalError::Model(ModelError::Input(format!(
                "token id {id} of a label is not in the vocabulary of {vocab_size}; is the tokenizer the model's?"
            )))),
        }
    }
}

/// Tokenises every prompt of the file. The prefix is that of the whole file, whatever part of
/// it is scored, so that a score does not depend on `--limit`.
pub(crate) fn encode(
    tokenizer: &Tokenizer,
    ask: &Ask<'_>,
    rendered: &Rendered,
) -> Result<Questions, EvalError> {
    check_scoring(ask.asking.scoring, rendered)?;
    let mut texts = rendered.texts();
    texts.extend(rendered.content_free.iter().map(String::as_str));
    let prompts = tokenizer.encode_all(&texts)?;
    let exact = ask.asking.scorers == Scorers::All || ask.asking.scoring != Scoring::Prefix;
    let continued: Vec<Option<label_tokens::Sequences>> = if exact {
        let found = label_tokens::sequences_all(tokenizer, &texts, |at| rendered.words_of(at))?;
        found.into_iter().map(Some).collect()
    } else {
        vec![None; prompts.len()]
    };
    // Labels branch off behind the prefix, so it ends before the first of them.
    let kept: Vec<&[u32]> = prompts
        .iter()
        .zip(&continued)
        .map(|(prompt, c)| &prompt[..c.as_ref().map_or(prompt.len(), |c| c.kept)])
        .collect();
    let shared = prefix::split(&kept).prefix.to_vec();
    let questions = prompts
        .into_iter()
        .zip(continued)
        .map(|(prompt, labels)| follow(prompt, shared.len(), labels));
    Ok(Questions {
        questions: questions.collect(),
        domains: domains(tokenizer, ask, rendered)?,
        label_sets: label_sets(tokenizer, ask, rendered)?,
        longest_label: if ask.asking.greedy > 0 {
            longest_label(tokenizer, rendered)?
        } else {
            0
        },
        prefix: shared,
    })
}

/// A prompt as a question after its first `prefix` tokens.
fn follow(prompt: Vec<u32>, prefix: usize, labels: Option<label_tokens::Sequences>) -> Question {
    let (kept, continuations) = labels.map_or((prompt.len(), Vec::new()), |labels| {
        (labels.kept, labels.rows)
    });
    Question {
        suffix: prompt[prefix..].to_vec(),
        prompt_tokens: prompt.len(),
        kept: kept - prefix,
        continuations,
    }
}

/// Fails where the answers are each question's own texts and the scoring needs what all
/// questions have in common.
fn check_scoring(scoring: Scoring, rendered: &Rendered) -> Result<(), EvalError> {
    match scoring {
        Scoring::Prefix | Scoring::Contextual | Scoring::Batch => {
            Ok(rendered.common_words(scoring).map(|_| ())?)
        }
        Scoring::Sequence | Scoring::SequenceMean | Scoring::Pmi => Ok(()),
    }
}

/// See [`Questions::domains`].
fn domains(
    tokenizer: &Tokenizer,
    ask: &Ask<'_>,
    rendered: &Rendered,
) -> Result<Vec<Question>, EvalError> {
    if ask.asking.scorers != Scorers::All && ask.asking.scoring != Scoring::Pmi {
        return Ok(Vec::new());
    }
    let closing = tokenizer.encode(&rendered.closing)?;
    let questions = if rendered.has_common_words() {
        1
    } else {
        rendered.prompts.len()
    };
    let closings = vec![rendered.closing.as_str(); questions];
    let labels = label_tokens::sequences_all(tokenizer, &closings, |at| rendered.words_of(at))?;
    Ok(labels
        .into_iter()
        .map(|labels| follow(closing.clone(), 0, Some(labels)))
        .collect())
}

/// The paper's sets, if they are wanted. Beside another scoring, a label without any is no
/// reason to stop: the rule is then not measured.
fn label_sets(
    tokenizer: &Tokenizer,
    ask: &Ask<'_>,
    rendered: &Rendered,
) -> Result<Vec<Vec<u32>>, EvalError> {
    match (ask.asking.scoring, ask.asking.scorers) {
        (Scoring::Prefix, _) => Ok(label_tokens::prefix_sets(tokenizer, &rendered.words)?),
        (_, Scorers::All) if rendered.has_common_words() => {
            let sets = label_tokens::possible_prefix_sets(tokenizer, &rendered.words)?;
            Ok(if sets.iter().any(Vec::is_empty) {
                Vec::new()
            } else {
                sets
            })
        }
        (_, Scorers::All | Scorers::Chosen) => Ok(Vec::new()),
    }
}

fn longest_label(tokenizer: &Tokenizer, rendered: &Rendered) -> Result<usize, EvalError> {
    let words = rendered
        .prompts
        .iter()
        .flat_map(|prompt| &prompt.choices)
        .chain(&rendered.words);
    let lengths = words
        .map(|word| Ok(tokenizer.encode_plain(word)?.len()))
        .collect::<Result<Vec<_>, EvalError>>()?;
    Ok(lengths.into_iter().max().unwrap_or(0))
}
