//! Flat rows: the tokens of all sequences one after another, without padding, and who may see
//! whom.
//!
//! Sequences form a forest: one may continue the first rows of an earlier one, to any depth, so
//! that what several begin with is computed once (prefix trees of sequences: SGLang's radix
//! attention, arXiv 2312.07104).

use std::ops::Range;

use crate::error::KernelError;

/// The first rows of a sequence, and so everything that comes before them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The sequence.
    pub sequence: usize,
    /// How many of its own rows; the rest is not seen.
    pub rows: usize,
}

/// Layout of N flat rows. Every row sees the shared prefix, the visible rows of its sequence's
/// ancestors, and the rows before it in its sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    offsets: Vec<usize>,
    parents: Vec<Option<Parent>>,
    /// Position of each sequence's first row.
    first_positions: Vec<usize>,
    prefix: usize,
}

impl Rows {
    /// Sequences of these lengths after `prefix` shared tokens.
    pub fn new(lengths: impl IntoIterator<Item = usize>, prefix: usize) -> Self {
        let mut rows = Self {
            offsets: vec![0],
            parents: Vec::new(),
            first_positions: Vec::new(),
            prefix,
        };
        for length in lengths {
            rows.root(length);
        }
        rows
    }

    /// Sequences of what each continues and its length, parents first, after `prefix` shared
    /// tokens.
    ///
    /// # Errors
    /// As [`Rows::branch`].
    pub fn forest(
        sequences: impl IntoIterator<Item = (Option<Parent>, usize)>,
        prefix: usize,
    ) -> Result<Self, KernelError> {
        let mut rows = Self::new([], prefix);
        for (parent, length) in sequences {
            match parent {
                None => rows.root(length),
                Some(parent) => rows.branch(parent, length)?,
            };
        }
        Ok(rows)
    }

    /// One row after each of as many texts as there are `lengths`, at the position that is the
    /// text's length. The texts are no shared prefix: no row of this layout sees them, and whoever
    /// attends must do so for each row alone.
    pub fn apart(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut rows = Self::new([], 0);
        for length in lengths {
            rows.push(1, None, length);
        }
        rows
    }

    /// Adds a sequence that continues none but the shared prefix; returns its index.
    pub fn root(&mut self, length: usize) -> usize {
        self.push(length, None, self.prefix)
    }

    /// Adds a sequence that continues `parent`; returns its index.
    ///
    /// # Errors
    /// There is no such sequence, or it has fewer rows.
    pub fn branch(&mut self, parent: Parent, length: usize) -> Result<usize, KernelError> {
        let fits =
            parent.sequence < self.sequences() && parent.rows <= self.range(parent.sequence).len();
        if !fits {
            return Err(KernelError::NoSuchRows(format!(
                "{parent:?} cannot be continued in {self:?}"
            )));
        }
        Ok(self.push(
            length,
            Some(parent),
            self.first_positions[parent.sequence] + parent.rows,
        ))
    }

    fn push(&mut self, length: usize, parent: Option<Parent>, first_position: usize) -> usize {
        self.offsets.push(self.len() + length);
        self.parents.push(parent);
        self.first_positions.push(first_position);
        self.sequences() - 1
    }

    /// N, the rows of all sequences.
    pub fn len(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// S, the number of sequences.
    pub fn sequences(&self) -> usize {
        self.parents.len()
    }

    /// The rows of one sequence.
    pub fn range(&self, sequence: usize) -> Range<usize> {
        self.offsets[sequence]..self.offsets[sequence + 1]
    }

    /// What a sequence continues; an earlier sequence.
    pub fn parent(&self, sequence: usize) -> Option<Parent> {
        self.parents[sequence]
    }

    /// Shared tokens before every sequence.
    pub fn prefix(&self) -> usize {
        self.prefix
    }

    /// Position of a sequence's first row.
    pub fn first_position(&self, sequence: usize) -> usize {
        self.first_positions[sequence]
    }

    /// Position of every row: (N).
    pub fn positions(&self) -> Vec<usize> {
        (0..self.sequences())
            .flat_map(|s| {
                let first = self.first_position(s);
                first..first + self.range(s).len()
            })
            .collect()
    }

    /// The flat rows from the shared prefix to the end of `last`, in the order of their
    /// positions: the ancestors' visible rows, oldest first, then those of `last`. None is
    /// empty.
    pub fn stretches(&self, last: Parent) -> Vec<Range<usize>> {
        let mut stretches = Vec::new();
        let mut next = Some(last);
        while let Some(Parent { sequence, rows }) = next {
            let start = self.offsets[sequence];
            if rows > 0 {
                stretches.push(start..start + rows);
            }
            next = self.parents[sequence];
        }
        stretches.reverse();
        stretches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_continue_their_ancestors() {
        let mut rows = Rows::new([3, 2], 10);
        let branch = rows
            .branch(
                Parent {
                    sequence: 1,
                    rows: 2,
                },
                2,
            )
            .expect("fits");
        assert_eq!((branch, rows.len(), rows.sequences()), (2, 7, 3));
        assert_eq!(rows.positions(), [10, 11, 12, 10, 11, 12, 13]);
        let deeper = rows
            .branch(
                Parent {
                    sequence: 2,
                    rows: 1,
                },
                2,
            )
            .expect("a branch of a branch");
        assert_eq!((deeper, rows.first_position(deeper)), (3, 13));
        assert_eq!(rows.positions()[7..], [13, 14]);
        assert_eq!(
            rows.stretches(Parent {
                sequence: 3,
                rows: 2
            }),
            [3..5, 5..6, 7..9]
        );
        let none = rows
            .branch(
                Parent {
                    sequence: 3,
                    rows: 0,
                },
                1,
            )
            .expect("a branch of none of its rows");
        assert_eq!(
            rows.stretches(Parent {
                sequence: none,
                rows: 1
            }),
            [3..5, 5..6, 9..10]
        );
        for (parent, why) in [
            (
                Parent {
                    sequence: 0,
                    rows: 4,
                },
                "more rows than there are",
            ),
            (
                Parent {
                    sequence: 5,
                    rows: 0,
                },
                "no such sequence",
            ),
        ] {
            assert!(rows.branch(parent, 1).is_err(), "{why}");
        }
    }
}
