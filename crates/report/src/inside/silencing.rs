//! The effect of switching a language's neurons off, beside as many neurons drawn by
//! lot.
//!
//! Source: arXiv 2402.16438, 2402.18815. Never here: the neurons themselves.

use std::collections::BTreeMap;

use compare::{
    inside::{ModelView, ViewState, mean_estimate},
    stats::Estimate,
};
use figure::{HeatCell, HeatMap, HeatSheet, Ramp};
use schema::{
    Language,
    inside::{SilencedKind, SilencingRecord},
};

use super::{
    section::{CaptionedFigure, Foldout, InsideSection},
    words::codes,
};
use crate::{
    format::{capital, points, points_interval},
    sheet::{self, ColumnHead, align_left, push, start},
    table::ReportTable,
};

/// `None` where nothing was silenced.
pub(crate) fn part(look: &ModelView) -> Option<InsideSection> {
    if look
        .states
        .iter()
        .all(|state| state.records.silencing.is_empty())
    {
        return None;
    }
    Some(InsideSection {
        title: "Switching a language's neurons off",
        sentences: look
            .states
            .iter()
            .filter_map(|state| sentence(state, look.states.len()))
            .collect(),
        pictures: vec![matrix(look)],
        tables: Vec::new(),
        choice: Vec::new(),
        more: vec![Foldout {
            summary: "As a table".to_owned(),
            pictures: Vec::new(),
            tables: vec![table(look)],
        }],
    })
}

fn change(record: &SilencingRecord) -> Estimate {
    Estimate {
        value: record.accuracy_after - record.accuracy_before,
        low: record.low,
        high: record.high,
    }
}

/// The effect of one language's silenced neurons on another; `None` where it was not measured.
fn cell(
    state: &ViewState,
    kind: SilencedKind,
    silenced: Language,
    asked: Language,
) -> Option<HeatCell> {
    let record = state
        .records
        .silencing
        .iter()
        .find(|r| r.silenced == silenced && r.asked == asked && r.kind == kind)?;
    let change = change(record);
    Some(HeatCell {
        value: change.value,
        clear: change.rises() || change.falls(),
        hint: format!(
            "{silenced} off, {asked} asked: {} points ({} items)",
            points_interval(&change, 1),
            record.items
        ),
    })
}

fn of_all_states<'a>(look: &'a ModelView<'a>) -> impl Iterator<Item = &'a SilencingRecord> {
    look.states
        .iter()
        .flat_map(|state| &state.records.silencing)
}

/// The languages that were silenced, or those that were asked, sorted.
fn languages(look: &ModelView, of: fn(&SilencingRecord) -> Language) -> Vec<Language> {
    let mut all: Vec<Language> = of_all_states(look).map(of).collect();
    all.sort();
    all.dedup();
    all
}

fn matrix(look: &ModelView) -> CaptionedFigure {
    let silenced = languages(look, |record| record.silenced);
    let asked = languages(look, |record| record.asked);
    let reach = of_all_states(look)
        .map(|record| change(record).value.abs())
        .fold(0.0, f64::max);
    let reach = ((reach * 20.0).ceil() / 20.0).max(0.05);
    let mut maps = Vec::new();
    for kind in [SilencedKind::Language, SilencedKind::Random] {
        for state in &look.states {
            let what = match kind {
                SilencedKind::Language => "a language's",
                SilencedKind::Random => "as many by lot",
            };
            maps.push(HeatMap {
                title: format!("{what}, {}", state.name),
                rows: codes(&silenced),
                columns: codes(&asked),
                cells: silenced
                    .iter()
                    .map(|&a| asked.iter().map(|&b| cell(state, kind, a, b)).collect())
                    .collect(),
                ramp: Ramp::Diverging(reach),
                unit: "points".to_owned(),
                show: |value| points(value, 0),
            });
        }
    }
    let caption = "Change of accuracy, points, with the neurons of one language (row) off, when another (column) is asked; below it \
                   as many neurons of each block, drawn by lot. Bold or dotted: the 95 % interval leaves out 0."
        .to_owned();
    let name = format!("inside.{}.silencing", look.slug);
    let atlas = HeatSheet {
        name,
        description: caption.clone(),
        maps,
        columns: look.states.len(),
        axes: ("switched off", "asked"),
        hollow: false,
    };
    CaptionedFigure {
        figure: atlas.draw(),
        caption,
    }
}

/// The mean change in the silenced languages themselves (`own`) or in the others.
fn describe_changes(state: &ViewState, kind: SilencedKind, own: bool) -> Option<String> {
    let changes: Vec<Estimate> = state
        .records
        .silencing
        .iter()
        .filter(|record| record.kind == kind && (record.silenced == record.asked) == own)
        .map(change)
        .collect();
    let falls = changes.iter().filter(|change| change.falls()).count();
    let mean = mean_estimate(changes.iter().copied())?;
    Some(format!(
        "{} points (below 0 in {falls} of {})",
        points_interval(&mean, 1),
        changes.len()
    ))
}

/// The language's own questions, other languages', and the control.
fn sentence(state: &ViewState, states: usize) -> Option<String> {
    let own = describe_changes(state, SilencedKind::Language, true)?;
    let others = describe_changes(state, SilencedKind::Language, false)
        .map_or_else(String::new, |o| format!(" and that in others by {o}"));
    let control = match [
        describe_changes(state, SilencedKind::Random, true),
        describe_changes(state, SilencedKind::Random, false),
    ] {
        [Some(own), Some(others)] => {
            format!("; as many neurons drawn by lot change them by {own} and {others}")
        }
        [Some(own), None] => format!("; as many neurons drawn by lot change it by {own}"),
        _ => String::new(),
    };
    let start = if states == 1 {
        "Switching".to_owned()
    } else {
        format!("{} tuning, switching", capital(state.name))
    };
    Some(format!(
        "{start} a language's neurons off changes the accuracy in it by {own}{others}{control}."
    ))
}

const HEADS: [ColumnHead<'static>; 10] = [
    ("state", "state", false),
    ("off", "silenced", false),
    ("which", "kind", false),
    ("neurons", "neurons", false),
    ("asked", "asked", false),
    ("items", "items", false),
    ("before, %", "accuracy_before", false),
    ("change [95 %]", "change", true),
    ("gold label's share", "gold_change", false),
    ("answers changed, %", "changed_answers", false),
];

fn table(look: &ModelView) -> ReportTable {
    let caption = "Answers with neurons off: accuracy before and its change in points, mean change of the gold label's share of the \
                   scores in points, share of answers that change.";
    let mut table = start(format!("inside.{}.silencing", look.slug), caption, &HEADS);
    let rows: BTreeMap<_, _> = look
        .states
        .iter()
        .enumerate()
        .flat_map(|(place, state)| {
            state
                .records
                .silencing
                .iter()
                .map(move |r| ((place, r.kind, r.silenced, r.asked), (state.name, r)))
        })
        .collect();
    for (name, record) in rows.values() {
        let kind = match record.kind {
            SilencedKind::Language => "language's",
            SilencedKind::Random => "by lot",
        };
        let cells = [
            sheet::TableCell::text(*name),
            sheet::TableCell::text(record.silenced.code()),
            sheet::TableCell::text(kind),
            sheet::TableCell::Count(record.neurons),
            sheet::TableCell::text(record.asked.code()),
            sheet::TableCell::Count(record.items),
            sheet::TableCell::Share(Some(record.accuracy_before)),
            sheet::TableCell::Change(Some(change(record))),
            sheet::TableCell::Share(Some(record.gold_change)),
            sheet::TableCell::Share(Some(record.changed_answers)),
        ];
        push(&mut table, &HEADS, &cells, false);
    }
    align_left(&mut table, &["state", "off", "which", "asked"]);
    table
}
