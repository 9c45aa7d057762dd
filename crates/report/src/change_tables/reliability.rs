//! Tables of one change: how far it can be trusted, and what other scorings would have said.

use compare::{Changes, stats::VarianceComponents};

use super::{code_cell, shown_detectable};
use crate::{
    sheet::{Cell, Head, push, start},
    table::Table,
};

const RELIABILITY: [Head<'static>; 13] = [
    ("language", "language", false),
    ("items", "items", false),
    ("clusters", "clusters", false),
    ("design effect", "design_effect", false),
    ("became right", "became_right", false),
    ("became wrong", "became_wrong", false),
    ("detectable", "detectable", false),
    ("change, robust [95 %]", "robust", true),
    ("SD seeds", "sd_seeds", false),
    ("SD exemplars", "sd_exemplars", false),
    ("SD items", "sd_items", false),
    ("SD rest", "sd_rest", false),
    ("change, other seeds too [95 %]", "wide", true),
];

pub(super) fn reliability(name: String, changes: &Changes) -> Table {
    let caption = "How far the change can be trusted: items that share a text are one cluster, the design effect is what \
                   this costs; shares in % that became right and wrong; the smallest change shown with power 0.8, points; \
                   change with a cluster-robust standard error; standard deviations of the change between seeds, exemplar \
                   sets, items, and by their interplay, points; change with an interval for other seeds and exemplars too.";
    let mut table = start(name, caption, &RELIABILITY);
    for of in &changes.languages {
        let r = &of.reliability;
        let heads = [
            code_cell(of),
            Cell::Count(of.items),
            Cell::Count(r.clusters),
            Cell::Number(r.design_effect),
            Cell::Share(Some(r.discordant.0)),
            Cell::Share(Some(r.discordant.1)),
            Cell::Share(r.detectable),
            Cell::Change(r.robust),
        ];
        let cells: Vec<Cell> = heads
            .into_iter()
            .chain(spread(r.components))
            .chain([Cell::Change(r.wide)])
            .collect();
        push(&mut table, &RELIABILITY, &cells, false);
    }
    let r = changes.reliability.as_ref();
    let heads = [
        Cell::text("mean"),
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
        Cell::Share(shown_detectable(&changes.mean)),
        Cell::Empty,
    ];
    let rest = spread(r.map(|r| r.change))
        .into_iter()
        .chain([Cell::Change(r.map(|r| r.wide))]);
    push(
        &mut table,
        &RELIABILITY,
        &heads.into_iter().chain(rest).collect::<Vec<_>>(),
        true,
    );
    table
}

/// Standard deviations; an estimate below 0 is shown as 0.
fn spread(components: Option<VarianceComponents>) -> [Cell; 4] {
    let deviation =
        |variance: Option<f64>| Cell::Share(variance.map(|variance| variance.max(0.0).sqrt()));
    let of = |pick: fn(VarianceComponents) -> Option<f64>| deviation(components.and_then(pick));
    [
        of(|c| c.seed),
        of(|c| c.exemplars),
        of(|c| Some(c.items)),
        of(|c| c.rest),
    ]
}

const SCORINGS: [Head<'static>; 6] = [
    ("scoring", "scoring", false),
    ("before", "before", true),
    ("after", "after", true),
    ("change [95 %]", "change", true),
    ("other label before", "differs_before", false),
    ("other label after", "differs_after", false),
];

/// Nothing where one scoring alone was measured.
pub(super) fn scorings(name: String, changes: &Changes) -> Option<Table> {
    if changes.scorings.len() < 2 {
        return None;
    }
    let caption = "Would another scoring say otherwise? Mean accuracy over languages in % and its change in points, by \
                   every scoring that the same forward passes measured; share of questions on which it chooses another \
                   label than the evaluation's own scoring (bold), in %.";
    let mut table = start(name, caption, &SCORINGS);
    for of in &changes.scorings {
        let cells = [
            Cell::Text(of.scoring.to_string()),
            Cell::Level(Some(of.accuracy.before)),
            Cell::Level(Some(of.accuracy.after)),
            Cell::Change(Some(of.accuracy.change)),
            Cell::Share(Some(of.differs.0)),
            Cell::Share(Some(of.differs.1)),
        ];
        push(&mut table, &SCORINGS, &cells, of.is_own);
    }
    Some(table)
}
