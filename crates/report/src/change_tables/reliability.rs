//! Tables of one change: how far it can be trusted, and whether other scorings agree.

use compare::{Changes, stats::VarianceComponents};

use super::{code_cell, shown_detectable};
use crate::{
    sheet::{ColumnHead, TableCell, push, start},
    table::ReportTable,
};

const RELIABILITY: [ColumnHead<'static>; 13] = [
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

pub(super) fn reliability(name: String, changes: &Changes) -> ReportTable {
    let caption = "How far the change can be trusted: items that share a text are one cluster, the design effect is what \
                   this costs; shares in % that became right and wrong; the smallest change shown with power 0.8, points; \
                   change with a cluster-robust standard error; standard deviations of the change between seeds, exemplar \
                   sets, items, and by their interplay, points; change with an interval for other seeds and exemplars too.";
    let mut table = start(name, caption, &RELIABILITY);
    for of in &changes.languages {
        let r = &of.reliability;
        let heads = [
            code_cell(of),
            TableCell::Count(of.items),
            TableCell::Count(r.clusters),
            TableCell::Number(r.design_effect),
            TableCell::Share(Some(r.discordant.0)),
            TableCell::Share(Some(r.discordant.1)),
            TableCell::Share(r.detectable),
            TableCell::Change(r.robust),
        ];
        let cells: Vec<TableCell> = heads
            .into_iter()
            .chain(spread(r.components))
            .chain([TableCell::Change(r.wide)])
            .collect();
        push(&mut table, &RELIABILITY, &cells, false);
    }
    let r = changes.reliability.as_ref();
    let heads = [
        TableCell::text("mean"),
        TableCell::Empty,
        TableCell::Empty,
        TableCell::Empty,
        TableCell::Empty,
        TableCell::Empty,
        TableCell::Share(shown_detectable(&changes.mean)),
        TableCell::Empty,
    ];
    let rest = spread(r.map(|r| r.change))
        .into_iter()
        .chain([TableCell::Change(r.map(|r| r.wide))]);
    push(
        &mut table,
        &RELIABILITY,
        &heads.into_iter().chain(rest).collect::<Vec<_>>(),
        true,
    );
    table
}

/// Standard deviations; an estimate below 0 is shown as 0.
fn spread(components: Option<VarianceComponents>) -> [TableCell; 4] {
    [
        components.and_then(|c| c.seed),
        components.and_then(|c| c.exemplars),
        components.map(|c| c.items),
        components.and_then(|c| c.rest),
    ]
    .map(|variance| TableCell::Share(variance.map(|variance| variance.max(0.0).sqrt())))
}

const SCORINGS: [ColumnHead<'static>; 6] = [
    ("scoring", "scoring", false),
    ("before", "before", true),
    ("after", "after", true),
    ("change [95 %]", "change", true),
    ("other label before", "differs_before", false),
    ("other label after", "differs_after", false),
];

/// Nothing where one scoring alone was measured.
pub(super) fn scorings(name: String, changes: &Changes) -> Option<ReportTable> {
    if changes.scorings.len() < 2 {
        return None;
    }
    let caption = "Do the other scorings agree? Mean accuracy over languages in % and its change in points, by \
                   every scoring that the same forward passes measured; share of questions on which it chooses another \
                   label than the evaluation's own scoring (bold), in %.";
    let mut table = start(name, caption, &SCORINGS);
    for of in &changes.scorings {
        let cells = [
            TableCell::Text(of.scoring.to_string()),
            TableCell::Level(Some(of.accuracy.before)),
            TableCell::Level(Some(of.accuracy.after)),
            TableCell::Change(Some(of.accuracy.change)),
            TableCell::Share(Some(of.differs.0)),
            TableCell::Share(Some(of.differs.1)),
        ];
        push(&mut table, &SCORINGS, &cells, of.is_own);
    }
    Some(table)
}
