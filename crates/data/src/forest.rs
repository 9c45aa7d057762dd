//! Token lists as a forest: a common beginning is there once, so that a model computes
//! it once (prefix trees, as in SGLang, arXiv 2312.07104). And batches in which lists with
//! common beginnings are together.
//!
//! Never here: what all prompts of a file begin with ([`crate::prefix`]), tensors.

use crate::prefix::common_length;

/// Fewest tokens that two lists share for one to continue the other. A list is one sequence
/// either way; to continue another costs a copy of at most a block of its keys and values per
/// layer, less than the work of one row of the model. Four leave a margin, and keep lists that
/// share a BOS alone apart.
pub const LEAST_SHARED: usize = 4;

/// The first rows of a sequence, and so all that comes before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Index of the sequence.
    pub sequence: usize,
    /// How many of its rows.
    pub rows: usize,
}

/// A run of tokens that continues an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence<'a> {
    /// What it continues; `None`: nothing.
    pub parent: Option<Node>,
    /// Its own tokens; at least one, unless a whole list has none.
    pub tokens: &'a [u32],
}

/// Lists laid out as sequences, at most one for each list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forest<'a> {
    /// Parents come before those that continue them.
    pub sequences: Vec<Sequence<'a>>,
    /// Where each list ends.
    pub ends: Vec<Node>,
}

impl<'a> Forest<'a> {
    /// Lays out `lists`; those that share [`LEAST_SHARED`] tokens or more share the rows of
    /// these.
    pub fn grow(lists: &[&'a [u32]]) -> Self {
        let mut forest = Self {
            sequences: Vec::new(),
            ends: vec![
                Node {
                    sequence: 0,
                    rows: 0
                };
                lists.len()
            ],
        };
        let mut previous: Option<usize> = None;
        for list in sorted(lists) {
            let parent = previous.and_then(|previous| {
                let shared = shared(lists[previous], lists[list]);
                (shared > 0)
                    .then(|| forest.place(forest.ends[previous], lists[previous].len() - shared))
            });
            forest.ends[list] = match (parent, previous) {
                (Some(end), Some(previous)) if lists[previous] == lists[list] => end,
                _ => {
                    let tokens =
                        &lists[list][previous.map_or(0, |p| shared(lists[p], lists[list]))..];
                    forest.push(parent, tokens)
                }
            };
            previous = Some(list);
        }
        forest
    }

    /// Lays out every list by itself, in the given order.
    pub fn apart(lists: &[&'a [u32]]) -> Self {
        let mut forest = Self::default();
        for tokens in lists {
            let end = forest.push(None, tokens);
            forest.ends.push(end);
        }
        forest
    }

    fn push(&mut self, parent: Option<Node>, tokens: &'a [u32]) -> Node {
        self.sequences.push(Sequence { parent, tokens });
        Node {
            sequence: self.sequences.len() - 1,
            rows: tokens.len(),
        }
    }

    /// `back` rows before `end`.
    pub fn place(&self, end: Node, back: usize) -> Node {
        let (mut place, mut back) = (end, back);
        // A list that ends where a sequence begins ends in that sequence's parent.
        while back >= place.rows {
            let Some(parent) = self.sequences[place.sequence].parent else {
                break;
            };
            back -= place.rows;
            place = parent;
        }
        Node {
            rows: place.rows - back,
            ..place
        }
    }

    /// The tokens of all sequences, one after another.
    pub fn tokens(&self) -> Vec<u32> {
        self.sequences
            .iter()
            .flat_map(|sequence| sequence.tokens.iter().copied())
            .collect()
    }
}

/// How many tokens the second of two neighbours in sorted order takes over from the first.
fn shared(first: &[u32], second: &[u32]) -> usize {
    let length = common_length(first, second);
    if length < LEAST_SHARED { 0 } else { length }
}

/// Indices in the order of the tokens. Then no earlier list shares more with a list than its
/// neighbour does.
fn sorted(lists: &[&[u32]]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lists.len()).collect();
    order.sort_by_key(|&at| lists[at]);
    order
}

/// Cuts `lists` into batches of at most `budget` rows as [`Forest::grow`] lays them out, common
/// beginnings together. A list takes `more` rows beside its tokens. One that is longer than the
/// budget is alone. The result holds indices into `lists`, each once.
pub fn batches(lists: &[&[u32]], more: impl Fn(usize) -> usize, budget: usize) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    // `None` behind a list that is longer than the budget: not even its double, which adds no
    // row, comes to it.
    let mut room = None;
    for list in sorted(lists) {
        let alone = lists[list].len() + more(list);
        let here = parts
            .last()
            .and_then(|part| part.last())
            .map(|&last| alone - shared(lists[last], lists[list]));
        let left = here
            .zip(room)
            .and_then(|(rows, room): (usize, usize)| room.checked_sub(rows));
        match (parts.last_mut(), left) {
            (Some(part), Some(left)) => {
                part.push(list);
                room = Some(left);
            }
            _ => {
                parts.push(vec![list]);
                room = budget.checked_sub(alone);
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lists() -> impl Strategy<Value = Vec<Vec<u32>>> {
        // Two tokens, so that much is shared, to any depth.
        prop::collection::vec(prop::collection::vec(0u32..2, 0..14), 0..12)
    }

    fn slices(lists: &[Vec<u32>]) -> Vec<&[u32]> {
        lists.iter().map(Vec::as_slice).collect()
    }

    /// The tokens on the way to a place.
    fn way(forest: &Forest<'_>, place: Node) -> Vec<u32> {
        let sequence = &forest.sequences[place.sequence];
        let mut tokens = sequence
            .parent
            .map_or(Vec::new(), |parent| way(forest, parent));
        tokens.extend(&sequence.tokens[..place.rows]);
        tokens
    }

    #[test]
    fn beginnings_stand_once() {
        let lists: [&[u32]; 5] = [
            &[1, 2, 3, 4, 9, 8],
            &[5, 6],
            &[1, 2, 3, 4, 5],
            &[1, 2, 3, 4, 9, 7],
            &[5, 6],
        ];
        let forest = Forest::grow(&lists);
        let sequence = |parent: Option<(usize, usize)>, tokens| Sequence {
            parent: parent.map(|(sequence, rows)| Node { sequence, rows }),
            tokens,
        };
        assert_eq!(
            forest.sequences,
            [
                sequence(None, &[1, 2, 3, 4, 5][..]),
                sequence(Some((0, 4)), &[9, 7]),
                sequence(Some((1, 1)), &[8]),
                sequence(None, &[5, 6]),
                sequence(None, &[5, 6]), // two tokens are too few to share
            ]
        );
        assert_eq!(forest.tokens().len(), 12);
        assert_eq!(batches(&lists, |_| 0, 8), [vec![2, 3, 0], vec![1, 4]]);
        assert_eq!(batches(&lists, |_| 1, 9), [vec![2, 3], vec![0], vec![1, 4]]);
        let twice: [&[u32]; 2] = [&[1, 2, 3, 4], &[1, 2, 3, 4]];
        assert_eq!(batches(&twice, |_| 0, 3), [vec![0], vec![1]]); // longer than the budget: alone
        assert_eq!(
            Forest::grow(&twice).ends,
            [Node {
                sequence: 0,
                rows: 4
            }; 2]
        );
    }

    proptest! {
        #[test]
        fn every_list_is_a_way_and_nothing_long_stands_twice(lists in lists()) {
            let forest = Forest::grow(&slices(&lists));
            for (list, &end) in lists.iter().zip(&forest.ends) {
                prop_assert_eq!(&way(&forest, end), list);
            }
            for (at, sequence) in forest.sequences.iter().enumerate() {
                prop_assert!(sequence.parent.is_none_or(|parent| parent.sequence < at && parent.rows > 0));
            }
            // Each takes over the most that any before it offers.
            let mut order = lists.clone();
            order.sort();
            let own = |at: usize| {
                let offers = order[..at].iter().map(|other| common_length(other, &order[at]));
                order[at].len() - offers.filter(|&length| length >= LEAST_SHARED).max().unwrap_or(0)
            };
            prop_assert_eq!(forest.tokens().len(), (0..order.len()).map(own).sum::<usize>());
            prop_assert!(forest.sequences.len() <= lists.len());
        }

        #[test]
        fn batches_hold_each_list_once_within_the_budget(lists in lists(), more in 0usize..4, budget in 0usize..60) {
            let slices = slices(&lists);
            let parts = batches(&slices, |_| more, budget);
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lists.len()).collect::<Vec<_>>());
            for part in &parts {
                let chosen: Vec<&[u32]> = part.iter().map(|&at| slices[at]).collect();
                let rows = Forest::grow(&chosen).tokens().len() + more * part.len();
                prop_assert!(part.len() == 1 || rows <= budget, "{} rows of {}", rows, budget);
            }
        }
    }
}
