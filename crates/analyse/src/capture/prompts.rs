//! One language's prompts as token ids: the prefix of all, the suffix of each, and the question's
//! range. Never here: a model.

use std::ops::Range;

use data::{Tokenizer, forest, prefix, prompt::Rendered};

use crate::error::AnalyseError;

/// The prompts of one test file, or its first ones. A prompt is the prefix and its suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    prefix: Vec<u32>,
    suffixes: Vec<Vec<u32>>,
    /// Within the suffixes.
    questions: Vec<Range<usize>>,
    items: Vec<usize>,
    golds: Vec<usize>,
}

impl Prompts {
    /// Tokens with which every prompt of the file begins; may be none.
    pub fn prefix(&self) -> &[u32] {
        &self.prefix
    }

    /// The tokens after the prefix in the prompt at `at`; at least one.
    pub fn suffix(&self, at: usize) -> &[u32] {
        &self.suffixes[at]
    }

    /// Those tokens of [`Prompts::suffix`] in which the prompts of the file differ; never none.
    pub fn question(&self, at: usize) -> Range<usize> {
        self.questions[at].clone()
    }

    /// The whole prompt at `at`.
    pub fn ids(&self, at: usize) -> Vec<u32> {
        [self.prefix(), self.suffix(at)].concat()
    }

    /// Index of each prompt's item in its file.
    pub fn items(&self) -> &[usize] {
        &self.items
    }

    /// Index of each prompt's right label among the task's.
    pub fn golds(&self) -> &[usize] {
        &self.golds
    }

    /// Tokens of each whole prompt.
    pub fn tokens(&self) -> Vec<usize> {
        self.suffixes
            .iter()
            .map(|suffix| self.prefix.len() + suffix.len())
            .collect()
    }

    /// How many prompts there are.
    pub fn len(&self) -> usize {
        self.suffixes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.suffixes.is_empty()
    }

    /// Indices of the prompts in batches of at most `budget` tokens after the prefix, each
    /// index once; common beginnings are together and count once. A prompt that is longer is
    /// alone.
    pub fn batches(&self, budget: usize) -> Vec<Vec<usize>> {
        let suffixes: Vec<&[u32]> = self.suffixes.iter().map(Vec::as_slice).collect();
        forest::batches(&suffixes, |_| 0, budget)
    }
}

#[cfg(test)]
impl Prompts {
    /// Prompts of these parts, without a tokenizer.
    pub(crate) fn assemble(
        prefix: Vec<u32>,
        suffixes: Vec<Vec<u32>>,
        questions: Vec<Range<usize>>,
        items: Vec<usize>,
        golds: Vec<usize>,
    ) -> Self {
        Self {
            prefix,
            suffixes,
            questions,
            items,
            golds,
        }
    }
}

/// Tokenises every prompt of the file and keeps the first `limit`. Prefix and question are
/// those of the whole file, so that a state does not depend on the limit.
///
/// # Errors
/// The tokenizer fails; there are no prompts; one has no tokens.
pub fn encode(
    tokenizer: &Tokenizer,
    rendered: &Rendered,
    limit: Option<usize>,
) -> Result<Prompts, AnalyseError> {
    let ids = rendered.encode(tokenizer, &rendered.texts())?;
    if ids.is_empty() || limit == Some(0) {
        return Err(AnalyseError::Empty(format!(
            "the test set in {}",
            rendered.language
        )));
    }
    if let Some(at) = ids.iter().position(Vec::is_empty) {
        let what = format!(
            "item {} in {}",
            rendered.prompts[at].item, rendered.language
        );
        return Err(AnalyseError::unusable(what, "its prompt has no tokens"));
    }
    let split = prefix::split(&ids);
    let (before, after) = (
        shared(&ids, |id| id.iter()),
        shared(&ids, |id| id.iter().rev()),
    );
    let kept = limit.unwrap_or(ids.len()).min(ids.len());
    let prefix = split.prefix.len();
    Ok(Prompts {
        questions: ids[..kept]
            .iter()
            .map(|prompt| find_question(prompt.len() - prefix, before - prefix, after))
            .collect(),
        suffixes: split.suffixes[..kept]
            .iter()
            .map(|suffix| suffix.to_vec())
            .collect(),
        prefix: split.prefix.to_vec(),
        items: rendered.prompts[..kept]
            .iter()
            .map(|prompt| prompt.item)
            .collect(),
        golds: rendered.prompts[..kept]
            .iter()
            .map(|prompt| prompt.gold.0)
            .collect(),
    })
}

/// Tokens that all `prompts` have in common, read as `tokens` reads them.
fn shared<'a, I: Iterator<Item = &'a u32>>(
    prompts: &'a [Vec<u32>],
    tokens: impl Fn(&'a Vec<u32>) -> I,
) -> usize {
    let Some(first) = prompts.first() else {
        return 0;
    };
    let shared = prompts.iter().map(|prompt| {
        let both = tokens(first).zip(tokens(prompt));
        both.take_while(|(a, b)| a == b).count()
    });
    shared.min().unwrap_or(0)
}

/// The tokens of a suffix of `length` between `before` and `after` common ones; where nothing
/// is left, all but the last, and where that is nothing, the last.
fn find_question(length: usize, before: usize, after: usize) -> Range<usize> {
    let end = length.saturating_sub(after);
    if before < end {
        before..end
    } else {
        0..(length - 1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_what_differs_and_never_nothing() {
        let prompts = vec![vec![9, 9, 1, 2, 7, 8], vec![9, 9, 3, 7, 8]];
        assert_eq!(
            (
                shared(&prompts, |ids| ids.iter()),
                shared(&prompts, |ids| ids.iter().rev())
            ),
            (2, 2)
        );
        assert_eq!(
            (find_question(4, 0, 2), find_question(3, 0, 2)),
            (0..2, 0..1)
        );
        assert_eq!(
            find_question(5, 1, 1),
            1..4,
            "a beginning that is not all in the prefix"
        );
        assert_eq!(
            find_question(4, 0, 4),
            0..3,
            "nothing between: all but the last"
        );
        assert_eq!(find_question(2, 1, 1), 0..1);
        assert_eq!(find_question(1, 1, 1), 0..1, "one token is the question");
    }
}
