//! Flat rows: the tokens of all sequences one after another, without padding, and who may see whom.

use crate::error::{ModelError, Result};

/// A sequence that continues another one's first rows: a label after its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The sequence continued; it has no parent itself.
    pub sequence: usize,
    /// How many of its rows come before this sequence; the rest is not seen.
    pub rows: usize,
}

/// Layout of N flat rows. Every row sees the shared prefix, its parent's rows, and the rows before it in its sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    offsets: Vec<usize>,
    parents: Vec<Option<Parent>>,
    prefix: usize,
}

impl Rows {
    /// Sequences of these lengths after `prefix` shared tokens.
    pub fn new(lengths: impl IntoIterator<Item = usize>, prefix: usize) -> Self {
        let mut rows = Self { offsets: vec![0], parents: Vec::new(), prefix };
        for length in lengths {
            rows.push(length, None);
        }
        rows
    }

    fn push(&mut self, length: usize, parent: Option<Parent>) {
        self.offsets.push(self.len() + length);
        self.parents.push(parent);
    }

    /// Adds a sequence that continues `parent`; returns its index.
    pub fn branch(&mut self, parent: Parent, length: usize) -> Result<usize> {
        let fits = parent.sequence < self.sequences()
            && self.parents[parent.sequence].is_none()
            && parent.rows <= self.range(parent.sequence).len();
        if !fits {
            return Err(ModelError::op("rows", format!("{parent:?} cannot be continued in {self:?}")));
        }
        self.push(length, Some(parent));
        Ok(self.sequences() - 1)
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
    pub fn range(&self, sequence: usize) -> std::ops::Range<usize> {
        self.offsets[sequence]..self.offsets[sequence + 1]
    }

    /// What a sequence continues.
    pub fn parent(&self, sequence: usize) -> Option<Parent> {
        self.parents[sequence]
    }

    /// Whether any sequence continues another.
    pub fn has_branches(&self) -> bool {
        self.parents.iter().any(Option::is_some)
    }

    /// Shared tokens before every sequence.
    pub fn prefix(&self) -> usize {
        self.prefix
    }

    /// Position of a sequence's first row.
    pub fn first_position(&self, sequence: usize) -> usize {
        self.prefix + self.parents[sequence].map_or(0, |p| p.rows)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_continue_their_parent() {
        let mut rows = Rows::new([3, 2], 10);
        let branch = rows.branch(Parent { sequence: 1, rows: 2 }, 2).expect("fits");
        assert_eq!((branch, rows.len(), rows.sequences()), (2, 7, 3));
        assert_eq!(rows.positions(), [10, 11, 12, 10, 11, 12, 13]);
        assert!(rows.branch(Parent { sequence: 2, rows: 1 }, 1).is_err(), "a branch of a branch");
        assert!(rows.branch(Parent { sequence: 0, rows: 4 }, 1).is_err(), "more rows than there are");
    }
}
