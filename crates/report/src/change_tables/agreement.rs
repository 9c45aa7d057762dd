//! Tables of one change: whether languages get the same answers, and each against English.

use compare::{AgainstChance, Changes, GapToEnglish, stats::Estimate};

use super::code_cell;
use crate::{
    sheet::{Cell, Head, push, start},
    table::Table,
};

const AGREEMENT: [Head<'static>; 6] = [
    ("measure", "measure", false),
    ("before", "before", true),
    ("chance before", "chance_before", false),
    ("after", "after", true),
    ("chance after", "chance_after", false),
    ("change [95 %]", "change", true),
];

pub(super) fn agreement(name: String, changes: &Changes) -> Option<Table> {
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
            &against_chance(Cell::text(name), of),
            false,
        );
    }
    let kappa = |value: f64| {
        Cell::Area(Some(Estimate {
            value,
            low: f64::NAN,
            high: f64::NAN,
        }))
    };
    let (before, after) = consistency.kappa;
    let cells = [
        Cell::text("Fleiss' kappa"),
        kappa(before),
        Cell::Empty,
        kappa(after),
        Cell::Empty,
        Cell::Empty,
    ];
    push(&mut table, &AGREEMENT, &cells, false);
    Some(table)
}

fn against_chance(name: Cell, of: &AgainstChance) -> [Cell; 6] {
    [
        name,
        Cell::Level(Some(of.measured.before)),
        Cell::Share(Some(of.chance.0)),
        Cell::Level(Some(of.measured.after)),
        Cell::Share(Some(of.chance.1)),
        Cell::Change(Some(of.measured.change)),
    ]
}

const ENGLISH: [Head<'static>; 14] = [
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

pub(super) fn english(name: String, changes: &Changes) -> Option<Table> {
    let mean = changes.gap.as_ref()?;
    let caption = "Each language against English: gap of accuracy in points (English less the language; a change below 0 \
                   closes it), share of items answered as in English and RankC with English in %, with their chance \
                   levels.";
    let mut table = start(name, caption, &ENGLISH);
    let gap = |of: &GapToEnglish| {
        [
            Cell::Level(Some(of.before)),
            Cell::Level(Some(of.after)),
            Cell::Change(Some(of.change)),
        ]
    };
    for of in &changes.languages {
        let Some(of_gap) = &of.gap else { continue };
        let with = changes
            .consistency
            .iter()
            .flat_map(|c| &c.with_english)
            .find(|with| with.language == of.language);
        let mut cells: Vec<Cell> = [code_cell(of)].into_iter().chain(gap(of_gap)).collect();
        match with {
            Some(with) => {
                for part in [&with.alike, &with.rank_consistency] {
                    cells.extend(against_chance(Cell::Empty, part).into_iter().skip(1));
                }
            }
            None => cells.extend((0..10).map(|_| Cell::Empty)),
        }
        push(&mut table, &ENGLISH, &cells, false);
    }
    let cells = [Cell::text("mean")]
        .into_iter()
        .chain(gap(mean))
        .chain((0..10).map(|_| Cell::Empty));
    push(&mut table, &ENGLISH, &cells.collect::<Vec<_>>(), true);
    Some(table)
}
