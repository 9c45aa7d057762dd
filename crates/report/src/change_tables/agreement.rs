//! Tables of one change: whether languages get the same answers, and each against English.

use compare::{AgainstChance, Changes, GapToEnglish, stats::Estimate};

use super::code_cell;
use crate::{
    sheet::{ColumnHead, TableCell, push, start},
    table::ReportTable,
};

const AGREEMENT: [ColumnHead<'static>; 6] = [
    ("measure", "measure", false),
    ("before", "before", true),
    ("chance before", "chance_before", false),
    ("after", "after", true),
    ("chance after", "chance_after", false),
    ("change [95 %]", "change", true),
];

pub(super) fn agreement(name: String, changes: &Changes) -> Option<ReportTable> {
    let consistency = changes.consistency.as_ref()?;
    let caption = format!(
        "Do {} languages get the same answers? Share of items answered alike in all, share of pairs of languages that \
         answer alike, RankC (how alike the rankings of the labels are, mean over pairs), all in %. Chance: what the \
         languages' own label shares and rankings give without knowing the item.",
        consistency.languages
    );
    let mut table = start(name, caption, &AGREEMENT);
    let rows = [
        ("alike in all", &consistency.all_alike),
        ("pairs alike", &consistency.pairs_alike),
        ("RankC", &consistency.rank_consistency),
    ];
    for (name, of) in rows {
        push(
            &mut table,
            &AGREEMENT,
            &against_chance(TableCell::text(name), of),
            false,
        );
    }
    let (before, after) = consistency.kappa;
    let cells = [
        TableCell::text("Fleiss' kappa"),
        kappa_cell(before),
        TableCell::Empty,
        kappa_cell(after),
        TableCell::Empty,
        TableCell::Empty,
    ];
    push(&mut table, &AGREEMENT, &cells, false);
    Some(table)
}

/// Kappa has no interval.
fn kappa_cell(value: f64) -> TableCell {
    TableCell::Area(Some(Estimate {
        value,
        low: f64::NAN,
        high: f64::NAN,
    }))
}

fn gap_cells(of: &GapToEnglish) -> [TableCell; 3] {
    [
        TableCell::Level(Some(of.before)),
        TableCell::Level(Some(of.after)),
        TableCell::Change(Some(of.change)),
    ]
}

fn against_chance(name: TableCell, of: &AgainstChance) -> [TableCell; 6] {
    [
        name,
        TableCell::Level(Some(of.measured.before)),
        TableCell::Share(Some(of.chance.0)),
        TableCell::Level(Some(of.measured.after)),
        TableCell::Share(Some(of.chance.1)),
        TableCell::Change(Some(of.measured.change)),
    ]
}

const ENGLISH: [ColumnHead<'static>; 14] = [
    ("language", "language", false),
    ("gap before", "gap_before", true),
    ("gap after", "gap_after", true),
    ("gap change [95 %]", "gap_change", true),
    ("alike before", "alike_before", true),
    ("chance", "alike_chance_before", false),
    ("alike after", "alike_after", true),
    ("chance", "alike_chance_after", false),
    ("alike change [95 %]", "alike_change", true),
    ("RankC before", "rankc_before", true),
    ("chance", "rankc_chance_before", false),
    ("RankC after", "rankc_after", true),
    ("chance", "rankc_chance_after", false),
    ("RankC change [95 %]", "rankc_change", true),
];

pub(super) fn english(name: String, changes: &Changes) -> Option<ReportTable> {
    let mean = changes.gap.as_ref()?;
    let caption = "Each language against English: gap of accuracy in points (English less the language; a change below 0 \
                   closes it), share of items answered as in English and RankC with English in %, with their chance \
                   levels.";
    let mut table = start(name, caption, &ENGLISH);
    for of in &changes.languages {
        let Some(of_gap) = &of.gap else { continue };
        let with = changes
            .consistency
            .iter()
            .flat_map(|c| &c.with_english)
            .find(|with| with.language == of.language);
        let mut cells: Vec<TableCell> = [code_cell(of)]
            .into_iter()
            .chain(gap_cells(of_gap))
            .collect();
        match with {
            Some(with) => {
                for part in [&with.alike, &with.rank_consistency] {
                    cells.extend(against_chance(TableCell::Empty, part).into_iter().skip(1));
                }
            }
            None => cells.extend((0..10).map(|_| TableCell::Empty)),
        }
        push(&mut table, &ENGLISH, &cells, false);
    }
    let cells = [TableCell::text("mean")]
        .into_iter()
        .chain(gap_cells(mean))
        .chain((0..10).map(|_| TableCell::Empty));
    push(&mut table, &ENGLISH, &cells.collect::<Vec<_>>(), true);
    Some(table)
}
