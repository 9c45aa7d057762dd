//! A batch of questions as the rows of one forward pass: what several questions begin with is
//! there once, and so is what several labels of a question begin with. Never here: running it.

use std::collections::{BTreeMap, BTreeSet};

use data::forest::Forest;
use model::{ModelError, Parent, Rows};

use crate::{error::EvalError, questions::EncodedQuestion};

/// A token whose probability after a row is a factor of a label's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LabelFactor {
    pub(crate) question: usize,
    pub(crate) label: usize,
    pub(crate) token: u32,
}

/// A batch of questions and their labels.
pub(crate) struct QuestionRows {
    pub(crate) input_ids: Vec<u32>,
    pub(crate) rows: Rows,
    /// The row of each question's last token.
    pub(crate) last_rows: Vec<u32>,
    /// What is asked of each row that predicts a token of a label.
    pub(crate) factors: BTreeMap<u32, Vec<LabelFactor>>,
}

impl QuestionRows {
    /// Lays out `questions` after a shared prefix of that many tokens.
    pub(crate) fn new(questions: &[&EncodedQuestion], prefix: usize) -> Result<Self, EvalError> {
        let suffixes: Vec<&[u32]> = questions.iter().map(|q| q.suffix.as_slice()).collect();
        let forest = Forest::grow(&suffixes);
        let rows = Rows::forest(
            forest
                .sequences
                .iter()
                .map(|s| (s.parent.map(parent_rows), s.tokens.len())),
            prefix,
        )
        .map_err(ModelError::from)?;
        let mut layout = Self {
            input_ids: forest.tokens(),
            rows,
            last_rows: Vec::new(),
            factors: BTreeMap::new(),
        };
        for (at, question) in questions.iter().enumerate() {
            let end = forest.ends[at];
            layout.last_rows.push(layout.row(parent_rows(end)));
            let root = parent_rows(forest.place(end, question.suffix.len() - question.kept));
            layout.grow_labels(at, root, &question.continuations)?;
        }
        Ok(layout)
    }

    /// The rows that go through the head: the last ones of the questions first, each row once.
    pub(crate) fn scored(&self) -> (Vec<u32>, usize) {
        let last: BTreeSet<u32> = self.last_rows.iter().copied().collect();
        let others = self.factors.keys().filter(|row| !last.contains(row));
        (last.iter().chain(others).copied().collect(), last.len())
    }

    /// The flat row at a place.
    fn row(&self, place: Parent) -> u32 {
        (self.rows.range(place.sequence).start + place.rows - 1) as u32
    }

    /// Adds the labels of a question as branches of the place at which they follow it; each
    /// continues the earlier one that it has most tokens in common with.
    fn grow_labels(
        &mut self,
        question: usize,
        root: Parent,
        labels: &[Vec<u32>],
    ) -> Result<(), EvalError> {
        let mut paths: Vec<Vec<Parent>> = Vec::with_capacity(labels.len());
        for (label, tokens) in labels.iter().enumerate() {
            // The last token is predicted and needs no row.
            let inputs = &tokens[..tokens.len() - 1];
            let nearest = (0..label).max_by_key(|&other| shared_inputs(inputs, &labels[other]));
            let mut path = nearest.map_or(Vec::new(), |other| {
                paths[other][..shared_inputs(inputs, &labels[other])].to_vec()
            });
            if path.len() < inputs.len() {
                let (parent, own) = (path.last().copied().unwrap_or(root), &inputs[path.len()..]);
                let sequence = self
                    .rows
                    .branch(parent, own.len())
                    .map_err(ModelError::from)?;
                self.input_ids.extend(own);
                path.extend((1..=own.len()).map(|rows| Parent { sequence, rows }));
            }
            for (place, &token) in [root].iter().chain(&path).zip(tokens) {
                self.factors
                    .entry(self.row(*place))
                    .or_default()
                    .push(LabelFactor {
                        question,
                        label,
                        token,
                    });
            }
            paths.push(path);
        }
        Ok(())
    }
}

/// The rows that a place in the forest follows.
fn parent_rows(place: data::forest::Node) -> Parent {
    Parent {
        sequence: place.sequence,
        rows: place.rows,
    }
}

/// How many of `inputs` another label, whose last token is no input, begins with.
fn shared_inputs(inputs: &[u32], other: &[u32]) -> usize {
    let limit = inputs.len().min(other.len() - 1);
    inputs[..limit]
        .iter()
        .zip(other)
        .take_while(|(a, b)| a == b)
        .count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question(suffix: Vec<u32>, kept: usize, continuations: Vec<Vec<u32>>) -> EncodedQuestion {
        EncodedQuestion {
            prompt_tokens: suffix.len(),
            suffix,
            kept,
            continuations,
            bytes: Vec::new(),
            characters: Vec::new(),
        }
    }

    /// The tokens that a row sees, its own last.
    fn seen(layout: &QuestionRows, row: u32) -> Vec<u32> {
        let sequence = (0..layout.rows.sequences())
            .find(|&s| layout.rows.range(s).contains(&(row as usize)))
            .expect("every row is in a sequence");
        let rows = row as usize - layout.rows.range(sequence).start + 1;
        let stretches = layout.rows.stretches(Parent { sequence, rows });
        stretches
            .into_iter()
            .flatten()
            .map(|row| layout.input_ids[row])
            .collect()
    }

    /// What comes before a token, and the token.
    type Seen = (Vec<u32>, u32);

    prop_compose! {
        fn questions()(
            suffixes in prop::collection::vec(prop::collection::vec(0u32..2, 1..12), 1..6),
            cut in 0usize..3,
            labels in prop::collection::vec(prop::collection::vec(0u32..3, 1..6), 1..5),
        ) -> Vec<EncodedQuestion> {
            let kept = |suffix: &Vec<u32>| suffix.len().saturating_sub(cut).max(1);
            suffixes.into_iter().map(|s| { let kept = kept(&s); question(s, kept, labels.clone()) }).collect()
        }
    }

    proptest! {
        #[test]
        fn every_factor_is_asked_of_a_row_that_sees_what_comes_before_it(questions in questions()) {
            let borrowed: Vec<&EncodedQuestion> = questions.iter().collect();
            let layout = QuestionRows::new(&borrowed, 0).expect("fits");
            let mut found: BTreeMap<(usize, usize), Vec<Seen>> = BTreeMap::new();
            for (&row, factors) in &layout.factors {
                for factor in factors {
                    let before = seen(&layout, row);
                    found.entry((factor.question, factor.label)).or_default().push((before, factor.token));
                }
            }
            for (at, question) in questions.iter().enumerate() {
                prop_assert_eq!(&seen(&layout, layout.last_rows[at]), &question.suffix);
                for (label, tokens) in question.continuations.iter().enumerate() {
                    let mut factors = found.remove(&(at, label)).expect("every label has factors");
                    factors.sort_by_key(|(before, _)| before.len());
                    let before = &question.suffix[..question.kept];
                    let expected: Vec<_> = (0..tokens.len()).map(|n| ([before, &tokens[..n]].concat(), tokens[n])).collect();
                    prop_assert_eq!(factors, expected);
                }
            }
            prop_assert!(found.is_empty());
            let own: usize = questions.iter().map(EncodedQuestion::label_rows).sum();
            let suffixes: Vec<&[u32]> = questions.iter().map(|q| q.suffix.as_slice()).collect();
            prop_assert_eq!(layout.rows.len(), Forest::grow(&suffixes).tokens().len() + own);
            prop_assert_eq!(layout.input_ids.len(), layout.rows.len());
        }
    }
}
