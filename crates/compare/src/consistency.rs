//! Whether the languages get the same answers, item by item: before and after, and by chance.

use schema::Language;
use serde::Serialize;

use crate::{
    levels::BeforeAfter,
    measure::{Measured, Rankings},
    paired_cells::PairedCells,
    stats::{
        agreement::{
            chance_alike, chance_rank_consistency, fleiss_kappa, pairs_alike, rank_consistency,
        },
        mean,
        resample::{Resampling, Series, counted_mean},
    },
};

/// A measure, and its value by chance at the languages' own label shares, before and after.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AgainstChance {
    /// The measure.
    pub measured: BeforeAfter,
    /// The value if every language drew answers, or rankings, from its own without looking at the
    /// item: before and after.
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

/// The value of each item, and the value by chance.
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

/// Languages that have the same items, before and after. Each cell is one model after one set
/// of exemplars: its languages.
struct JointCells<'a> {
    resampling: &'a Resampling<'a>,
    before: Vec<Vec<&'a Measured>>,
    after: Vec<Vec<&'a Measured>>,
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
    let cells = JointCells::new(pairs, &together, resampling);
    let languages: Vec<Language> = together.iter().map(|&l| pairs[l].language).collect();
    Some(Consistency {
        languages: together.len(),
        all_alike: cells.compare(answers_alike)?,
        pairs_alike: cells.compare(|cell| pairs_of_answers(cell, labels))?,
        kappa: (
            mean_kappa(&cells.before, labels),
            mean_kappa(&cells.after, labels),
        ),
        rank_consistency: cells.compare(rankings_alike)?,
        with_english: cells.with_english(&languages),
    })
}

impl<'a> JointCells<'a> {
    fn new(pairs: &[PairedCells<'a>], together: &[usize], resampling: &'a Resampling) -> Self {
        let before = (0..pairs[0].before.len())
            .map(|set| together.iter().map(|&l| pairs[l].before[set]).collect())
            .collect();
        let after = (0..pairs[0].cells().len())
            .map(|cell| together.iter().map(|&l| pairs[l].cells()[cell]).collect())
            .collect();
        Self {
            resampling,
            before,
            after,
        }
    }

    /// A measure of the languages' answers before and after, the mean over cells.
    fn compare(&self, measure: impl Fn(&[&Measured]) -> ItemValues) -> Option<AgainstChance> {
        let before = average_cells(&self.before, &measure);
        let after = average_cells(&self.after, &measure);
        Some(AgainstChance {
            measured: BeforeAfter::of(&self.series(&before), &self.series(&after))?,
            chance: (before.chance, after.chance),
        })
    }

    fn series(&self, items: &ItemValues) -> Series {
        self.resampling
            .series(0, |counts| counted_mean(&items.values, counts))
    }

    /// Each language but English with it; empty without English.
    fn with_english(&self, languages: &[Language]) -> Vec<WithEnglish> {
        let Some(english) = languages.iter().position(|l| l.code() == "en") else {
            return Vec::new();
        };
        (0..languages.len())
            .filter(|&other| other != english)
            .filter_map(|other| {
                Some(WithEnglish {
                    language: languages[other],
                    alike: self.compare(|cell| answers_alike(&[cell[english], cell[other]]))?,
                    rank_consistency: self
                        .compare(|cell| rankings_alike(&[cell[english], cell[other]]))?,
                })
            })
            .collect()
    }
}

fn average_cells(
    cells: &[Vec<&Measured>],
    measure: &impl Fn(&[&Measured]) -> ItemValues,
) -> ItemValues {
    let columns: Vec<ItemValues> = cells.iter().map(|cell| measure(cell)).collect();
    ItemValues::average(&columns)
}

fn mean_kappa(cells: &[Vec<&Measured>], labels: usize) -> f64 {
    mean(cells.iter().map(|cell| kappa(cell, labels)))
}

fn answers_alike(cell: &[&Measured]) -> ItemValues {
    let answers: Vec<Vec<usize>> = cell.iter().map(|of| of.chosen()).collect();
    let shares: Vec<&[f64]> = cell.iter().map(|of| of.chosen_share.as_slice()).collect();
    ItemValues {
        values: (0..answers[0].len())
            .map(|item| answers.iter().all(|of| of[item] == answers[0][item]))
            .map(|alike| f64::from(u8::from(alike)))
            .collect(),
        chance: chance_alike(&shares),
    }
}

fn pairs_of_answers(cell: &[&Measured], labels: usize) -> ItemValues {
    let answers: Vec<Vec<usize>> = cell.iter().map(|of| of.chosen()).collect();
    let answers: Vec<&[usize]> = answers.iter().map(Vec::as_slice).collect();
    let chances = all_pairs(cell.len())
        .map(|(a, b)| chance_alike(&[&cell[a].chosen_share, &cell[b].chosen_share]));
    ItemValues {
        values: pairs_alike(&answers, labels),
        chance: mean(chances),
    }
}

fn kappa(cell: &[&Measured], labels: usize) -> f64 {
    let shares: Vec<&[f64]> = cell.iter().map(|of| of.chosen_share.as_slice()).collect();
    fleiss_kappa(&pairs_of_answers(cell, labels).values, &shares)
}

fn rankings_alike(cell: &[&Measured]) -> ItemValues {
    let pairs: Vec<ItemValues> = all_pairs(cell.len())
        .map(|(a, b)| two_rankings_alike(&cell[a].rankings, &cell[b].rankings))
        .collect();
    ItemValues::average(&pairs)
}

fn two_rankings_alike(a: &Rankings, b: &Rankings) -> ItemValues {
    ItemValues {
        values: a
            .rows()
            .zip(b.rows())
            .map(|(a, b)| rank_consistency(a, b))
            .collect(),
        chance: chance_rank_consistency(a.rows(), b.rows()),
    }
}

fn all_pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)))
}
