//! The effect of another run's residual vector to the answer, layer by layer: patching, steering,
//! and their controls.
//!
//! Source: activation patching with another language's run, arXiv 2411.08745. Never here:
//! intervening.

use compare::{
    inside::{ModelView, ViewState, mean_estimate},
    stats::Estimate,
};
use figure::{HeatCell, HeatMap, HeatSheet, Ramp};
use schema::{
    Language,
    inside::{InterventionKind, InterventionRecord},
};

use super::{
    section::{CaptionedFigure, Foldout, InsideSection},
    words::{codes, layer_ranges},
};
use crate::{
    format::{points, points_interval},
    sheet::{self, ColumnHead, align_left, push, start},
    table::ReportTable,
};

const KINDS: [InterventionKind; 5] = [
    InterventionKind::PatchParallel,
    InterventionKind::PatchOther,
    InterventionKind::PatchSame,
    InterventionKind::Steer,
    InterventionKind::SteerRandom,
];

/// What is done, and on which label the effect is.
fn words(kind: InterventionKind) -> &'static str {
    match kind {
        InterventionKind::PatchParallel => {
            "the same item's English vector; effect on the gold label"
        }
        InterventionKind::PatchOther => {
            "an English item's with another gold label; effect on that label"
        }
        InterventionKind::PatchSame => {
            "an item's of the same language with another gold label; effect on that label"
        }
        InterventionKind::Steer => {
            "English mean less the language's added; effect on the gold label"
        }
        InterventionKind::SteerRandom => "a random vector as long added; effect on the gold label",
    }
}

fn short(kind: InterventionKind) -> &'static str {
    match kind {
        InterventionKind::PatchParallel => "same item, English",
        InterventionKind::PatchOther => "other label, English",
        InterventionKind::PatchSame => "other label, same language",
        InterventionKind::Steer => "steered to English",
        InterventionKind::SteerRandom => "random direction",
    }
}

/// `None` where nothing was patched.
pub(crate) fn part(look: &ModelView) -> Option<InsideSection> {
    if look
        .states
        .iter()
        .all(|state| state.records.interventions.is_empty())
    {
        return None;
    }
    let others = draw_kinds(look, &KINDS[2..]);
    let mut more = Vec::new();
    if !others.is_empty() {
        let summary = "Controls and steering".to_owned();
        more.push(Foldout {
            summary,
            pictures: others,
            tables: Vec::new(),
        });
    }
    more.push(Foldout {
        summary: "As a table".to_owned(),
        pictures: Vec::new(),
        tables: vec![table(look)],
    });
    Some(InsideSection {
        title: "Patching the last token's vector",
        sentences: KINDS[..2]
            .iter()
            .filter_map(|kind| sentence(look, *kind))
            .chain(controls(look))
            .collect(),
        pictures: draw_kinds(look, &KINDS[..2]),
        tables: Vec::new(),
        choice: Vec::new(),
        more,
    })
}

/// One picture per kind that was measured.
fn draw_kinds(look: &ModelView, kinds: &[InterventionKind]) -> Vec<CaptionedFigure> {
    kinds.iter().filter_map(|&kind| map(look, kind)).collect()
}

fn change(record: &InterventionRecord) -> Estimate {
    Estimate {
        value: record.after - record.before,
        low: record.low,
        high: record.high,
    }
}

fn of_kind<'a>(
    state: &ViewState<'a>,
    kind: InterventionKind,
) -> impl Iterator<Item = &'a InterventionRecord> {
    state
        .records
        .interventions
        .iter()
        .filter(move |record| record.kind == kind)
}

/// The effect in a language at a layer; `None` where it was not measured.
fn cell(
    state: &ViewState,
    kind: InterventionKind,
    language: Language,
    layer: usize,
) -> Option<HeatCell> {
    let record = of_kind(state, kind).find(|r| r.language == language && r.layer == layer)?;
    let change = change(record);
    Some(HeatCell {
        value: change.value,
        clear: change.rises() || change.falls(),
        hint: format!(
            "{language}, layer {layer}: {} points ({} items)",
            points_interval(&change, 1),
            record.items
        ),
    })
}

fn of_all_states<'a>(look: &'a ModelView<'a>) -> impl Iterator<Item = &'a InterventionRecord> {
    look.states
        .iter()
        .flat_map(|state| &state.records.interventions)
}

/// One state of [`map`]; `reach` is the end of the scale.
fn state_map(
    look: &ModelView,
    state: &ViewState,
    kind: InterventionKind,
    languages: &[Language],
    reach: f64,
) -> HeatMap {
    HeatMap {
        title: state.name.to_owned(),
        rows: codes(languages),
        columns: (0..=look.layers).map(|layer| layer.to_string()).collect(),
        cells: languages
            .iter()
            .map(|&language| {
                (0..=look.layers)
                    .map(|layer| cell(state, kind, language, layer))
                    .collect()
            })
            .collect(),
        ramp: Ramp::Diverging(reach),
        unit: "points".to_owned(),
        show: |value| points(value, 0),
    }
}

fn map(look: &ModelView, kind: InterventionKind) -> Option<CaptionedFigure> {
    let mut languages: Vec<Language> = of_all_states(look)
        .filter(|r| r.kind == kind)
        .map(|record| record.language)
        .collect();
    languages.sort();
    languages.dedup();
    if languages.is_empty() {
        return None;
    }
    // one scale for all kinds, so that a control's colours mean the same
    let reach = of_all_states(look)
        .map(|record| change(record).value.abs())
        .fold(0.0, f64::max);
    let reach = ((reach * 20.0).ceil() / 20.0).max(0.05);
    let caption = format!(
        "Change of a label's share of the scores, points, when the last token's vector after a layer is replaced or changed: {}. \
         Dotted: the 95 % interval leaves out 0.",
        words(kind)
    );
    let name = format!(
        "inside.{}.patching.{}",
        look.slug,
        short(kind).replace([',', ' '], "-").replace("--", "-")
    );
    let maps = look
        .states
        .iter()
        .map(|state| state_map(look, state, kind, &languages, reach))
        .collect();
    let atlas = HeatSheet {
        name,
        description: caption.clone(),
        maps,
        columns: look.states.len(),
        axes: ("", "layer"),
        hollow: false,
    };
    Some(CaptionedFigure {
        figure: atlas.draw(),
        caption,
    })
}

/// The mean over languages at a layer.
fn means(state: &ViewState, kind: InterventionKind, layers: usize) -> Vec<(usize, Estimate)> {
    (0..=layers)
        .filter_map(|layer| {
            let at_layer = of_kind(state, kind)
                .filter(|record| record.layer == layer)
                .map(change);
            Some((layer, mean_estimate(at_layer)?))
        })
        .collect()
}

/// The largest mean effect and its layer.
fn largest(state: &ViewState, kind: InterventionKind, layers: usize) -> Option<(usize, Estimate)> {
    let means = means(state, kind, layers);
    means
        .into_iter()
        .max_by(|(_, a), (_, b)| a.value.abs().total_cmp(&b.value.abs()))
}

fn layers_where(means: &[(usize, Estimate)], test: fn(&Estimate) -> bool) -> Vec<usize> {
    means
        .iter()
        .filter(|(_, change)| test(change))
        .map(|(layer, _)| *layer)
        .collect()
}

fn sentence(look: &ModelView, kind: InterventionKind) -> Option<String> {
    let said = look.by_state(|state| {
        let (layer, most) = largest(state, kind, look.layers)?;
        let means = means(state, kind, look.layers);
        Some(format!(
            "at most {} points at layer {layer}, above 0 in layers {} and below 0 in {}",
            points_interval(&most, 1),
            layer_ranges(&layers_where(&means, Estimate::rises)),
            layer_ranges(&layers_where(&means, Estimate::falls))
        ))
    })?;
    Some(format!(
        "Patched in, mean over languages, {}: {said}.",
        words(kind)
    ))
}

/// The largest effects of controls and steering.
fn controls(look: &ModelView) -> Option<String> {
    let said: Vec<String> = KINDS[2..]
        .iter()
        .filter_map(|&kind| {
            let said = look.by_state(|state| {
                let (layer, most) = largest(state, kind, look.layers)?;
                Some(format!("{} at layer {layer}", points_interval(&most, 1)))
            })?;
            Some(format!("{}: {said}", short(kind)))
        })
        .collect();
    (!said.is_empty()).then(|| {
        format!(
            "Controls and steering, largest mean effect in points: {}.",
            said.join("; ")
        )
    })
}

const HEADS: [ColumnHead<'static>; 9] = [
    ("state", "state", false),
    ("what", "kind", false),
    ("language", "language", false),
    ("layer", "layer", false),
    ("items", "items", false),
    ("before, %", "before", false),
    ("change [95 %]", "change", true),
    ("chosen before, %", "chosen_before", false),
    ("chosen after, %", "chosen_after", false),
];

/// Every intervention at the representative layers.
fn table(look: &ModelView) -> ReportTable {
    let caption = "A label's share of the scores without a change of the last token's vector, what the change does, in points, and \
                   how often the label is chosen; at four representative layers.";
    let mut table = start(format!("inside.{}.patching", look.slug), caption, &HEADS);
    let layers = look.representative();
    for state in &look.states {
        for kind in KINDS {
            for record in of_kind(state, kind).filter(|record| layers.contains(&record.layer)) {
                let cells = [
                    sheet::TableCell::text(state.name),
                    sheet::TableCell::text(short(kind)),
                    sheet::TableCell::text(record.language.code()),
                    sheet::TableCell::Count(record.layer),
                    sheet::TableCell::Count(record.items),
                    sheet::TableCell::Share(Some(record.before)),
                    sheet::TableCell::Change(Some(change(record))),
                    sheet::TableCell::Share(Some(record.chosen_before)),
                    sheet::TableCell::Share(Some(record.chosen_after)),
                ];
                push(&mut table, &HEADS, &cells, false);
            }
        }
    }
    align_left(&mut table, &["state", "what", "language"]);
    table
}
