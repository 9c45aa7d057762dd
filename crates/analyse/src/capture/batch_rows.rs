//! A batch of token lists as the rows of one forward pass: a common beginning is there once. Never
//! here: running it.

use std::ops::Range;

use data::forest::Forest;
use model::{ModelError, Parent, Rows};

use crate::error::AnalyseError;

/// Lists of tokens after a shared prefix.
#[derive(Clone, Debug)]
pub struct BatchRows {
    /// The tokens of all rows: (N).
    pub input_ids: Vec<u32>,
    /// Who sees whom.
    pub rows: Rows,
    ends: Vec<Parent>,
}

impl BatchRows {
    /// Lays out `lists` after a shared prefix of that many tokens. One without tokens has no
    /// last row; it can be continued.
    ///
    /// # Errors
    /// None that a forest can cause.
    pub fn new(lists: &[&[u32]], prefix: usize) -> Result<Self, AnalyseError> {
        let forest = Forest::grow(lists);
        let rows = Rows::forest(
            forest
                .sequences
                .iter()
                .map(|s| (s.parent.map(to_parent), s.tokens.len())),
            prefix,
        )
        .map_err(ModelError::from)?;
        let ends = forest.ends.iter().copied().map(to_parent).collect();
        Ok(Self {
            input_ids: forest.tokens(),
            rows,
            ends,
        })
    }

    /// The flat rows of the list at `at`, in the order of its tokens.
    pub fn path(&self, at: usize) -> Vec<Range<usize>> {
        self.rows.stretches(self.ends[at])
    }

    /// Adds a row for a token that continues the list at `at`; another call continues the same
    /// list, not this token.
    pub(crate) fn branch(&mut self, at: usize, token: u32) -> Result<(), AnalyseError> {
        self.rows
            .branch(self.ends[at], 1)
            .map_err(ModelError::from)?;
        self.input_ids.push(token);
        Ok(())
    }

    /// The flat row of each list's last token.
    pub fn last_rows(&self) -> Vec<u32> {
        self.ends
            .iter()
            .map(|end| (self.rows.range(end.sequence).start + end.rows - 1) as u32)
            .collect()
    }
}

fn to_parent(place: data::forest::Node) -> Parent {
    Parent {
        sequence: place.sequence,
        rows: place.rows,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_list_is_the_tokens_on_its_path(
            lists in prop::collection::vec(prop::collection::vec(0u32..2, 1..14), 1..12),
        ) {
            let slices: Vec<&[u32]> = lists.iter().map(Vec::as_slice).collect();
            let layout = BatchRows::new(&slices, 7).expect("lays out");
            let last_rows = layout.last_rows();
            for (at, list) in lists.iter().enumerate() {
                let rows: Vec<usize> = layout.path(at).into_iter().flatten().collect();
                prop_assert_eq!(&rows.iter().map(|&row| layout.input_ids[row]).collect::<Vec<_>>(), list);
                prop_assert_eq!(rows.last().copied(), Some(last_rows[at] as usize));
                let positions = layout.rows.positions();
                prop_assert!(rows.iter().enumerate().all(|(n, &row)| positions[row] == 7 + n));
            }
        }
    }
}
