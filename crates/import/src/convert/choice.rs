//! Which rows are taken: those that no language lacks, and of them a random sample, balanced if
//! asked.
//!
//! One byte a row is kept to decide it: two passes over the files instead of texts in memory.

use std::collections::BTreeMap;

use data::{DataError, batch};
use rand::RngExt;
use schema::{Label, Language, Task};

use super::RowSample;
use crate::refuse;

/// Streams of the seed that draw rows, one for each label.
const DRAW_STREAM: u64 = 7 << 40;

/// What the first pass keeps of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowMark {
    Dropped,
    Unlabelled,
    Labelled(u8),
}

impl RowMark {
    /// # Errors
    /// More labels than a mark can hold.
    pub(super) fn of(label: Option<Label>) -> Result<Self, DataError> {
        match label.map(|label| u8::try_from(label.0)) {
            None => Ok(Self::Unlabelled),
            Some(Ok(label)) => Ok(Self::Labelled(label)),
            Some(Err(_)) => Err(refuse(
                "labels",
                "a task of more than 256 labels cannot be imported",
            )),
        }
    }

    /// Rows are drawn from one pot for each label, or from a single one.
    fn pot(self, balance: bool) -> usize {
        match self {
            Self::Labelled(label) if balance => usize::from(label),
            _ => 0,
        }
    }
}

/// The rows of each language in their order.
pub(super) type RowMarks = BTreeMap<Language, Vec<RowMark>>;

/// Leaves out in every language what is left out in one, so that parallel files stay parallel.
/// Where the languages have not the same number of rows nothing is done. Returns what the user
/// should know.
pub(super) fn align(marks: &mut RowMarks) -> Vec<String> {
    let Some((first, rows)) = marks
        .iter()
        .next()
        .map(|(language, rows)| (*language, rows.len()))
    else {
        return Vec::new();
    };
    if let Some((other, found)) = marks.iter().find(|(_, marks)| marks.len() != rows) {
        let found = found.len();
        return vec![format!(
            "the languages are not parallel: {first} has {rows} rows, {other} has {found}"
        )];
    }
    for row in 0..rows {
        if marks.values().any(|marks| marks[row] == RowMark::Dropped) {
            marks
                .values_mut()
                .for_each(|marks| marks[row] = RowMark::Dropped);
        }
    }
    let differs = marks.iter().find(|(_, other)| **other != marks[&first]);
    let describe = |(other, found): (&Language, &Vec<RowMark>)| {
        let row = found
            .iter()
            .zip(&marks[&first])
            .position(|(there, here)| there != here)
            .unwrap_or(0);
        format!(
            "the languages are not parallel: row {} has another label in {other} than in {first}",
            row + 1
        )
    };
    differs.map(describe).into_iter().collect()
}

/// The rows of one language that are taken.
///
/// In one pass, each row with the probability (rows still needed) / (rows left) of its pot
/// (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S): every sample is equally
/// likely, and the rows keep their order. The same marks and seed give the same rows.
///
/// # Errors
/// There are fewer rows than asked for.
pub(super) fn draw(
    marks: &[RowMark],
    sample: RowSample,
    labels: usize,
    what: &str,
) -> Result<Vec<bool>, DataError> {
    let pots = if sample.balance { labels } else { 1 };
    let mut left = vec![0_usize; pots];
    marks
        .iter()
        .filter(|mark| **mark != RowMark::Dropped)
        .for_each(|mark| left[mark.pot(sample.balance)] += 1);
    let mut needed = needed(&left, sample, what)?;
    let mut generators: Vec<_> = (0..pots)
        .map(|pot| batch::generator(sample.seed, DRAW_STREAM + pot as u64))
        .collect();
    let taken = marks.iter().map(|mark| {
        if *mark == RowMark::Dropped {
            return false;
        }
        let pot = mark.pot(sample.balance);
        let takes = generators[pot].random_range(0..left[pot]) < needed[pot];
        left[pot] -= 1;
        needed[pot] -= usize::from(takes);
        takes
    });
    Ok(taken.collect())
}

/// Rows to take from each pot.
fn needed(there: &[usize], sample: RowSample, what: &str) -> Result<Vec<usize>, DataError> {
    let rarest = there.iter().copied().min().unwrap_or(0);
    let needed: Vec<usize> = match sample.take {
        None if sample.balance => vec![rarest; there.len()],
        None => there.to_vec(),
        // What does not divide evenly goes to the first labels.
        Some(take) => (0..there.len())
            .map(|pot| (take + there.len() - 1 - pot) / there.len())
            .collect(),
    };
    if needed
        .iter()
        .zip(there)
        .any(|(needed, there)| needed > there)
    {
        let all: usize = there.iter().sum();
        let problem = match sample.balance {
            true => format!(
                "{what} has {there:?} rows of its labels, {needed:?} were asked for; take at most {}",
                rarest * there.len()
            ),
            false => format!(
                "{what} has {all} rows, {} were asked for; take at most {all}",
                needed[0]
            ),
        };
        return Err(refuse("take", problem));
    }
    Ok(needed)
}

/// The number of labels to balance over.
pub(super) fn label_count(task: Option<&Task>) -> usize {
    task.map_or(1, |task| task.labels.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks() -> impl Strategy<Value = Vec<RowMark>> {
        let mark = prop_oneof![
            Just(RowMark::Dropped),
            (0..3_u8).prop_map(RowMark::Labelled)
        ];
        prop::collection::vec(mark, 0..200)
    }

    fn count(marks: &[RowMark], taken: &[bool], label: u8) -> usize {
        marks
            .iter()
            .zip(taken)
            .filter(|(mark, taken)| **taken && **mark == RowMark::Labelled(label))
            .count()
    }

    proptest! {
        #[test]
        fn exactly_what_was_asked_for_is_drawn(marks in marks(), share in 0.0..1.0, seed: u64) {
            let all = marks.iter().filter(|mark| **mark != RowMark::Dropped).count();
            let take = (all as f64 * share) as usize;
            let sample = RowSample { take: Some(take), seed, balance: false };
            let taken = draw(&marks, sample, 3, "x").expect("enough");
            prop_assert_eq!(taken.iter().filter(|taken| **taken).count(), take);
            prop_assert!(marks.iter().zip(&taken).all(|(mark, taken)| !taken || *mark != RowMark::Dropped));
            prop_assert_eq!(&taken, &draw(&marks, sample, 3, "x").expect("again"));
            let too_many = RowSample { take: Some(all + 1), ..sample };
            prop_assert!(draw(&marks, too_many, 3, "x").is_err());
        }

        #[test]
        fn a_balanced_draw_has_as_many_of_each_label(marks in marks(), seed: u64) {
            let all = vec![true; marks.len()];
            let rarest = (0..3).map(|label| count(&marks, &all, label)).min().expect("labels");
            let taken = draw(&marks, RowSample { take: None, seed, balance: true }, 3, "x").expect("enough");
            prop_assert!((0..3).all(|label| count(&marks, &taken, label) == rarest));
            if rarest > 0 {
                let sample = RowSample { take: Some(3 * rarest - 1), seed, balance: true };
                let taken = draw(&marks, sample, 3, "x").expect("enough");
                prop_assert_eq!([0, 1, 2].map(|label| count(&marks, &taken, label)), [rarest, rarest, rarest - 1]);
            }
        }
    }

    #[test]
    fn every_row_has_the_same_chance() {
        let marks = [RowMark::Unlabelled; 10];
        let mut counts = [0_usize; 10];
        for seed in 0..2000 {
            let taken = draw(
                &marks,
                RowSample {
                    take: Some(3),
                    seed,
                    balance: false,
                },
                1,
                "x",
            )
            .expect("enough");
            counts
                .iter_mut()
                .zip(taken)
                .for_each(|(count, taken)| *count += usize::from(taken));
        }
        // 600 expected, standard deviation 20.
        assert!(
            counts.iter().all(|count| (500..700).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn labels_are_drawn_independently() {
        let marks: Vec<RowMark> = (0..400)
            .map(|row| RowMark::Labelled(u8::from(row % 2 == 1)))
            .collect();
        let taken = draw(
            &marks,
            RowSample {
                take: Some(200),
                seed: 0,
                balance: true,
            },
            2,
            "x",
        )
        .expect("enough");
        let both = taken.chunks(2).filter(|pair| pair[0] && pair[1]).count();
        assert!(
            (35..65).contains(&both),
            "{both} of 200; 50 if the draws know nothing of each other"
        );
    }

    #[test]
    fn what_one_language_lacks_all_lack() {
        let (a, b, gone) = (RowMark::Labelled(0), RowMark::Labelled(1), RowMark::Dropped);
        let mut marks = RowMarks::from([
            (Language::De, vec![a, gone, b]),
            (Language::Fr, vec![a, b, b]),
        ]);
        assert!(align(&mut marks).is_empty());
        assert_eq!(marks[&Language::Fr], [a, gone, b]);
        let mut marks = RowMarks::from([(Language::De, vec![a, a]), (Language::Fr, vec![a, b])]);
        assert_eq!(
            align(&mut marks),
            ["the languages are not parallel: row 2 has another label in fr than in de"]
        );
        let mut marks = RowMarks::from([(Language::De, vec![gone, a]), (Language::Fr, vec![a])]);
        assert_eq!(
            align(&mut marks),
            ["the languages are not parallel: de has 2 rows, fr has 1"]
        );
        assert_eq!(marks[&Language::Fr], [a]);
    }
}
