//! Do the languages get the same answers, item by item? Before and after, and what chance
//! gives.

use schema::Language;
use serde::Serialize;

use crate::{
    levels::BeforeAfter,
    measure::Measured,
    paired_cells::PairedCells,
    stats::{
        agreement::{
            chance_alike, chance_rank_consistency, fleiss_kappa, pairs_alike, rank_consistency,
        },
        mean,
        resample::{Resampling, Series, counted_mean},
    },
};

/// A measure with what chance gives at the languages' own label shares, before and after.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AgainstChance {
    /// The measure.
    pub measured: BeforeAfter,
    /// If every language drew answers, or rankings, from its own, knowing nothing of the item:
    /// before and after.
    pub chance: (f64, f64),
}

/// Agreement of one language with English.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WithEnglish {
    /// The language.
    pub language: Language,
    /// Share of items answered as in English.
    pub alike: AgainstChance,
    /// RankC with English.
    pub rank_consistency: AgainstChance,
}

/// Over languages that have the same items.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Consistency {
    /// Languages compared.
    pub languages: usize,
    /// Share of items answered alike in all of them.
    pub all_alike: AgainstChance,
    /// Share of pairs of languages that answer alike, mean over items.
    pub pairs_alike: AgainstChance,
    /// Fleiss' kappa, before and after; NaN where one label is always chosen.
    pub kappa: (f64, f64),
    /// RankC (arXiv 2310.10378), mean over pairs of languages.
    pub rank_consistency: AgainstChance,
    /// Each language but English with it.
    pub with_english: Vec<WithEnglish>,
}

/// Values of each item, and what chance gives.
struct ItemValues {
    values: Vec<f64>,
    chance: f64,
}

impl ItemValues {
    /// The mean of several, item by item.
    fn average(columns: &[Self]) -> Self {
        let items = columns.first().map_or(0, |column| column.values.len());
        Self {
            values: (0..items)
                .map(|item| mean(columns.iter().map(|column| column.values[item])))
                .collect(),
            chance: mean(columns.iter().map(|column| column.chance)),
        }
    }
}

/// `None` with fewer than two languages that have the first one's items.
pub(crate) fn measure_consistency(
    pairs: &[PairedCells],
    resampling: &Resampling,
    labels: usize,
) -> Option<Consistency> {
    let together: Vec<usize> = (0..pairs.len())
        .filter(|&l| resampling.is_joint_for(0, l))
        .collect();
    if together.len() < 2 {
        return None;
    }
    // each cell is one model after one set of exemplars: its languages
    let before: Vec<Vec<&Measured>> = (0..pairs[0].before.len())
        .map(|set| together.iter().map(|&l| pairs[l].before[set]).collect())
        .collect();
    let cells = pairs[0].cells().len();
    let after: Vec<Vec<&Measured>> = (0..cells)
        .map(|cell| together.iter().map(|&l| pairs[l].cells()[cell]).collect())
        .collect();
    let compare = |measure: &dyn Fn(&[&Measured]) -> ItemValues| -> Option<AgainstChance> {
        let of = |cells: &[Vec<&Measured>]| {
            let column =
                ItemValues::average(&cells.iter().map(|cell| measure(cell)).collect::<Vec<_>>());
            let series: Series =
                resampling.series(0, |counts| counted_mean(&column.values, counts));
            (series, column.chance)
        };
        let ((before, chance_before), (after, chance_after)) = (of(&before), of(&after));
        Some(AgainstChance {
            measured: BeforeAfter::of(&before, &after)?,
            chance: (chance_before, chance_after),
        })
    };
    let english = together
        .iter()
        .position(|&l| pairs[l].language.code() == "en");
    let with = |place: usize, english: usize| -> Option<WithEnglish> {
        Some(WithEnglish {
            language: pairs[together[place]].language,
            alike: compare(&|cell| answers_alike(&[cell[english], cell[place]]))?,
            rank_consistency: compare(&|cell| rankings_alike(&[cell[english], cell[place]]))?,
        })
    };
    let others = |english: usize| (0..together.len()).filter(move |&place| place != english);
    let kappa = |cells: &[Vec<&Measured>]| mean(cells.iter().map(|cell| kappa(cell, labels)));
    Some(Consistency {
        languages: together.len(),
        all_alike: compare(&answers_alike)?,
        pairs_alike: compare(&|cell| pairs_of_answers(cell, labels))?,
        kappa: (kappa(&before), kappa(&after)),
        rank_consistency: compare(&rankings_alike)?,
        with_english: english.map_or_else(Vec::new, |en| {
            others(en).filter_map(|place| with(place, en)).collect()
        }),
    })
}

fn answers_alike(cell: &[&Measured]) -> ItemValues {
    let answers: Vec<Vec<usize>> = cell.iter().map(|of| of.chosen()).collect();
    let alike = |item: usize| {
        f64::from(u8::from(
            answers.iter().all(|of| of[item] == answers[0][item]),
        ))
    };
    let shares: Vec<&[f64]> = cell.iter().map(|of| of.chosen_share.as_slice()).collect();
    ItemValues {
        values: (0..answers[0].len()).map(alike).collect(),
        chance: chance_alike(&shares),
    }
}

fn pairs_of_answers(cell: &[&Measured], labels: usize) -> ItemValues {
    let answers: Vec<Vec<usize>> = cell.iter().map(|of| of.chosen()).collect();
    let answers: Vec<&[usize]> = answers.iter().map(Vec::as_slice).collect();
    let chance =
        |(a, b): (usize, usize)| chance_alike(&[&cell[a].chosen_share, &cell[b].chosen_share]);
    ItemValues {
        values: pairs_alike(&answers, labels),
        chance: mean(all_pairs(cell.len()).map(chance)),
    }
}

fn kappa(cell: &[&Measured], labels: usize) -> f64 {
    let shares: Vec<&[f64]> = cell.iter().map(|of| of.chosen_share.as_slice()).collect();
    fleiss_kappa(&pairs_of_answers(cell, labels).values, &shares)
}

fn rankings_alike(cell: &[&Measured]) -> ItemValues {
    let of_pair = |(a, b): (usize, usize)| {
        let (a, b) = (&cell[a].rankings, &cell[b].rankings);
        let values = a
            .iter()
            .zip(b)
            .map(|(a, b)| rank_consistency(a, b))
            .collect();
        ItemValues {
            values,
            chance: chance_rank_consistency(a, b),
        }
    };
    ItemValues::average(&all_pairs(cell.len()).map(of_pair).collect::<Vec<_>>())
}

fn all_pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)))
}
