//! One language's questions as token ids: the shared prefix, what follows it for each question,
//! and the labels. Never here: a model.

use data::{DataError, Tokenizer, label_tokens, prefix, prompt::Rendered};
use model::ModelError;
use schema::{Scorers, Scoring, scores::Measures};

use crate::{error::EvalError, request::Ask};

/// A question after the shared prefix.
#[derive(Debug)]
pub(crate) struct EncodedQuestion {
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
    /// Bytes and characters of each label's text; none where no scoring asks for them.
    pub(crate) bytes: Vec<usize>,
    pub(crate) characters: Vec<usize>,
}

impl EncodedQuestion {
    /// Notes the lengths of its labels' texts.
    fn with_lengths(self, words: &[String]) -> Self {
        Self {
            bytes: words.iter().map(String::len).collect(),
            characters: words.iter().map(|word| word.chars().count()).collect(),
            ..self
        }
    }

    /// Rows that its labels take beside `suffix`.
    pub(crate) fn label_rows(&self) -> usize {
        label_tokens::trie_rows(&self.continuations)
    }
}

/// All questions of a file, the content-free ones last.
pub(crate) struct EncodedQuestions {
    /// Tokens that every prompt of the file begins with.
    pub(crate) prefix: Vec<u32>,
    /// In file order, then the content-free ones.
    pub(crate) questions: Vec<EncodedQuestion>,
    /// The closing header alone, which continues nothing, with the labels: one for all
    /// questions, or one for each where their answers differ; none where it is not measured.
    pub(crate) domains: Vec<EncodedQuestion>,
    /// Token ids that speak for each label in the paper's rule; none where it is not measured.
    pub(crate) label_sets: Vec<Vec<u32>>,
    /// Tokens of the longest label; 0 where nothing is said freely.
    pub(crate) longest_label: usize,
    /// Tokens at which a free answer is over.
    pub(crate) ends: Vec<u32>,
    /// Whether a quote ends it too.
    pub(crate) has_quotes: bool,
}

impl EncodedQuestions {
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
                "token id {id} of a label is outside the vocabulary of {vocab_size}; does the tokenizer belong to this model?"
            )))),
        }
    }
}

impl EncodedQuestions {
    /// Positions that the question at this index takes with its longest label.
    pub(crate) fn positions(&self, at: usize) -> usize {
        self.questions.get(at).map_or(0, |question| {
            let label = question.continuations.iter().map(Vec::len).max();
            let with_label = self.prefix.len() + question.kept + label.unwrap_or(0);
            question.prompt_tokens.max(with_label)
        })
    }

    /// Why `measures`, read from a file, cannot be those of the question at this index.
    pub(crate) fn problem(&self, at: usize, measures: &Measures) -> Option<String> {
        let Some(question) = self.questions.get(at) else {
            let count = self.questions.len();
            return Some(format!("question {at} of {count}"));
        };
        let tokens: Vec<usize> = question.continuations.iter().map(Vec::len).collect();
        let labels = self.label_sets.len().max(tokens.len());
        let problem = measures.problem(labels);
        let fits = measures.prefix.len() == self.label_sets.len()
            && measures.tokens == tokens
            && measures.bytes == question.bytes
            && measures.characters == question.characters;
        problem.or_else(|| (!fits).then(|| "measures of other labels".to_owned()))
    }
}

/// Tokenises every prompt of the file. The prefix is that of the whole file, whatever part of
/// it is scored, so that a score does not depend on `--limit`.
pub(crate) fn encode(
    tokenizer: &Tokenizer,
    ask: &Ask<'_>,
    rendered: &Rendered,
) -> Result<EncodedQuestions, EvalError> {
    check_scoring(ask.asking.scoring, rendered)?;
    let mut texts = rendered.texts();
    texts.extend(rendered.content_free.iter().map(String::as_str));
    let prompts = rendered.encode(tokenizer, &texts)?;
    let frame = &rendered.answer;
    let exact = ask.asking.scorers == Scorers::All || ask.asking.scoring != Scoring::Prefix;
    let continued: Vec<Option<label_tokens::Sequences>> = if exact {
        let words_of = |at| rendered.words_of(at);
        let found = label_tokens::sequences_all(tokenizer, &texts, words_of, frame)?;
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
    let has_lengths = counts_lengths(ask.asking.scoring, rendered);
    let questions = prompts
        .into_iter()
        .zip(continued)
        .enumerate()
        .map(|(at, (prompt, labels))| {
            let question = follow(prompt, shared.len(), labels);
            match has_lengths {
                true => question.with_lengths(rendered.words_of(at)),
                false => question,
            }
        });
    Ok(EncodedQuestions {
        questions: questions.collect(),
        domains: domains(tokenizer, ask, rendered)?,
        label_sets: label_sets(tokenizer, ask, rendered)?,
        longest_label: if ask.asking.greedy > 0 {
            longest_label(tokenizer, rendered)?
        } else {
            0
        },
        prefix: shared,
        ends: frame.ends(tokenizer)?,
        has_quotes: frame.is_quoted(),
    })
}

/// A prompt as a question after its first `prefix` tokens.
fn follow(
    prompt: Vec<u32>,
    prefix: usize,
    labels: Option<label_tokens::Sequences>,
) -> EncodedQuestion {
    let (kept, continuations) = labels.map_or((prompt.len(), Vec::new()), |labels| {
        (labels.kept, labels.rows)
    });
    EncodedQuestion {
        suffix: prompt[prefix..].to_vec(),
        prompt_tokens: prompt.len(),
        kept: kept - prefix,
        continuations,
        bytes: Vec::new(),
        characters: Vec::new(),
    }
}

/// Whether the lengths of the labels' texts are measured: where they differ by question, so that
/// they matter, and where the scoring divides by them.
fn counts_lengths(scoring: Scoring, rendered: &Rendered) -> bool {
    let divides = [Scoring::SequenceBytes, Scoring::SequenceCharacters].contains(&scoring);
    divides || !rendered.has_common_words()
}

/// Fails where the answers are each question's own texts and the scoring needs what all
/// questions have in common, or where it needs a header and there is none.
fn check_scoring(scoring: Scoring, rendered: &Rendered) -> Result<(), EvalError> {
    match scoring {
        Scoring::Prefix | Scoring::Contextual | Scoring::Batch => {
            Ok(rendered.common_words(scoring).map(|_| ())?)
        }
        Scoring::Pmi if rendered.closing.is_empty() => {
            let problem = "the task has no prompt, so that there is no header whose probabilities could be divided out; \
                           choose the scoring `sequence`, `sequence-mean`, `sequence-bytes` or `sequence-characters`";
            Err(DataError::unusable(format!("scoring `{scoring}`"), problem).into())
        }
        Scoring::Sequence
        | Scoring::SequenceMean
        | Scoring::SequenceBytes
        | Scoring::SequenceCharacters
        | Scoring::Pmi => Ok(()),
    }
}

/// See [`EncodedQuestions::domains`].
fn domains(
    tokenizer: &Tokenizer,
    ask: &Ask<'_>,
    rendered: &Rendered,
) -> Result<Vec<EncodedQuestion>, EvalError> {
    let is_wanted = ask.asking.scorers == Scorers::All || ask.asking.scoring == Scoring::Pmi;
    // Without a header there is nothing that an answer would follow.
    if !is_wanted || rendered.closing.is_empty() {
        return Ok(Vec::new());
    }
    let frame = &rendered.answer;
    let closing = frame.encode(tokenizer, &rendered.closing)?;
    let questions = if rendered.has_common_words() {
        1
    } else {
        rendered.prompts.len()
    };
    let closings = vec![rendered.closing.as_str(); questions];
    let words_of = |at| rendered.words_of(at);
    let labels = label_tokens::sequences_all(tokenizer, &closings, words_of, frame)?;
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
