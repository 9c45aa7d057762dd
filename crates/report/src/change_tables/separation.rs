//! Tables of one change: how well labels are separated, and which are chosen.

use compare::{BeforeAfter, Changes};

use super::code_cell;
use crate::{
    sheet::{ColumnHead, TableCell, align_left, push, start},
    table::ReportTable,
};

const SEPARATION: [ColumnHead<'static>; 11] = [
    ("language", "language", false),
    ("AUC before", "auc_before", true),
    ("AUC after", "auc_after", true),
    ("AUC change [95 %]", "auc_change", true),
    ("contextual before", "contextual_before", true),
    ("contextual after", "contextual_after", true),
    ("contextual change [95 %]", "contextual_change", true),
    ("batch before", "batch_before", true),
    ("batch after", "batch_after", true),
    ("batch change [95 %]", "batch_change", true),
    ("prior's part [95 %]", "prior_part", true),
];

/// An accuracy before, after, and its change.
fn level_cells(of: Option<BeforeAfter>) -> [TableCell; 3] {
    [
        TableCell::Level(of.map(|of| of.before)),
        TableCell::Level(of.map(|of| of.after)),
        TableCell::Change(of.map(|of| of.change)),
    ]
}

pub(super) fn separation(name: String, changes: &Changes) -> ReportTable {
    let caption = "How well the model separates the labels: AUC, and accuracy in % after contextual and after batch \
                   calibration. Prior's part: the change of raw accuracy less that of batch-calibrated accuracy, points.";
    let mut table = start(name, caption, &SEPARATION);
    let mut add =
        |name: TableCell, [auc, contextual, batch]: [Option<BeforeAfter>; 3], prior, strong| {
            let areas = [
                name,
                TableCell::Area(auc.map(|of| of.before)),
                TableCell::Area(auc.map(|of| of.after)),
                TableCell::AreaChange(auc.map(|of| of.change)),
            ];
            let cells = areas
                .into_iter()
                .chain(level_cells(contextual))
                .chain(level_cells(batch))
                .chain([TableCell::Change(prior)]);
            push(&mut table, &SEPARATION, &cells.collect::<Vec<_>>(), strong);
        };
    for of in &changes.languages {
        add(
            code_cell(of),
            [of.auc, of.calibrated, of.batch],
            of.attribution.prior_part,
            false,
        );
    }
    let mean = &changes.mean;
    add(
        TableCell::text("mean"),
        [mean.auc, mean.calibrated, mean.batch],
        mean.attribution.prior_part,
        true,
    );
    table
}

pub(super) fn labels(name: String, changes: &Changes) -> ReportTable {
    let caption = "Which labels are chosen: share in % of each label among the right, the chosen before and the chosen after; \
                   entropy of the chosen shares in bits; distance of chosen from right shares in points.";
    let parts = ["gold", "before", "after"];
    let titles: Vec<(String, String)> = changes
        .labels
        .iter()
        .flat_map(|label| parts.map(|part| (format!("{label} {part}"), format!("{label}_{part}"))))
        .collect();
    let heads: Vec<ColumnHead> = [("language", "language", false)]
        .into_iter()
        .chain(
            titles
                .iter()
                .map(|(title, name)| (title.as_str(), name.as_str(), false)),
        )
        .chain([
            ("entropy before", "entropy_before", false),
            ("entropy after", "entropy_after", false),
            ("distance before", "distance_before", false),
            ("distance after", "distance_after", false),
        ])
        .collect();
    let mut table = start(name, caption, &heads);
    for of in &changes.languages {
        let labels = &of.labels;
        let shares = (0..changes.labels.len()).flat_map(|label| {
            [&labels.gold, &labels.before, &labels.after]
                .map(|shares| TableCell::Share(Some(shares[label])))
        });
        let rest = [
            TableCell::Number(labels.entropy.0),
            TableCell::Number(labels.entropy.1),
            TableCell::Share(Some(labels.distance.0)),
            TableCell::Share(Some(labels.distance.1)),
        ];
        let cells: Vec<TableCell> = [code_cell(of)]
            .into_iter()
            .chain(shares)
            .chain(rest)
            .collect();
        push(&mut table, &heads, &cells, false);
    }
    table
}

pub(super) fn confusion(name: String, changes: &Changes) -> ReportTable {
    let caption = "Confusion matrices: of the items of each right label, how many get which; means over seeds and \
                   exemplar sets.";
    let titles: Vec<(String, String)> = ["before", "after"]
        .iter()
        .flat_map(|when| {
            changes
                .labels
                .iter()
                .map(move |l| (format!("{l} {when}"), format!("{l}_{when}")))
        })
        .collect();
    let heads: Vec<ColumnHead> = [
        ("language", "language", false),
        ("right label", "gold", false),
    ]
    .into_iter()
    .chain(
        titles
            .iter()
            .map(|(title, name)| (title.as_str(), name.as_str(), false)),
    )
    .collect();
    let mut table = start(name, caption, &heads);
    for of in &changes.languages {
        for (gold, label) in changes.labels.iter().enumerate() {
            let counts = of.labels.confusion_before[gold]
                .iter()
                .chain(&of.labels.confusion_after[gold]);
            let counts = counts.map(|&count| {
                if count.fract() == 0.0 {
                    TableCell::Count(count as usize)
                } else {
                    TableCell::Number(count)
                }
            });
            let cells: Vec<TableCell> = [code_cell(of), TableCell::text(label.as_str())]
                .into_iter()
                .chain(counts)
                .collect();
            push(&mut table, &heads, &cells, false);
        }
    }
    align_left(&mut table, &["right label"]);
    table
}
