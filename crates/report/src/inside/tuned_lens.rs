//! How far both lenses are from the model's own last distribution, by layer.
//!
//! Source: arXiv 2303.08112. Never here: the lens of questions.

use compare::{
    inside::{ModelView, ViewState},
    stats::Estimate,
};
use figure::{Curve, CurveAxis, CurvePanel, CurveSheet, CurveStyle};
use schema::inside::TunedLensRecord;

use super::{
    section::{CaptionedFigure, Foldout, InsideSection},
    words::{AFTER, BEFORE, curve_points, layer_ranges},
};
use crate::{
    format::{capital, fixed},
    sheet::{ColumnHead, TableCell, align_left, push, start},
    table::ReportTable,
};

/// `None` where no lens was trained.
pub(crate) fn part(look: &ModelView) -> Option<InsideSection> {
    let states: Vec<_> = look
        .states
        .iter()
        .filter(|state| !state.records.tuned_lens.is_empty())
        .collect();
    if states.is_empty() {
        return None;
    }
    let description =
        "Mean KL divergence of the raw and of the tuned lens from the model, nats per token, by layer.".to_owned();
    let sheet = CurveSheet {
        name: format!("inside.{}.tuned-lens", look.slug),
        description: description.clone(),
        charts: states.iter().map(|state| panel(state)).collect(),
        columns: look.states.len(),
        axis: CurveAxis::Layers,
        layers: look.layers,
        shared: true,
        holds: vec![0.0],
        is_log: false,
    };
    let table = table(look);
    Some(InsideSection {
        title: "The tuned lens",
        sentences: look
            .states
            .iter()
            .filter_map(|state| sentence(state, look.states.len()))
            .collect(),
        pictures: vec![CaptionedFigure {
            figure: sheet.draw(),
            caption: format!(
                "{description} Of text that no translator was trained on; lower is nearer."
            ),
        }],
        tables: Vec::new(),
        choice: Vec::new(),
        more: vec![Foldout {
            summary: "As a table".to_owned(),
            pictures: Vec::new(),
            tables: vec![table],
        }],
    })
}

/// Both lenses of one model.
fn panel(state: &ViewState) -> CurvePanel {
    let records = &state.records.tuned_lens;
    CurvePanel {
        title: format!("KL, nats per token, {}", state.name),
        curves: vec![
            curve(records, BEFORE, "raw lens", |record| record.raw_kl),
            curve(records, AFTER, "tuned lens", |record| record.tuned_kl),
        ],
        strip: Vec::new(),
        empty: String::new(),
    }
}

fn curve(
    records: &[TunedLensRecord],
    style: CurveStyle,
    name: &str,
    divergence: fn(&TunedLensRecord) -> f64,
) -> Curve {
    Curve {
        style,
        name: name.to_owned(),
        points: curve_points(
            records
                .iter()
                .map(|record| (record.layer, level(divergence(record)))),
        ),
    }
}

/// A level without an interval.
fn level(value: f64) -> Estimate {
    Estimate {
        value,
        ..Estimate::UNDEFINED
    }
}

fn layers_where(records: &[TunedLensRecord], test: fn(&TunedLensRecord) -> bool) -> Vec<usize> {
    records
        .iter()
        .filter(|record| test(record))
        .map(|record| record.layer)
        .collect()
}

fn sentence(state: &ViewState, states: usize) -> Option<String> {
    let records = &state.records.tuned_lens;
    let middle = records.get(records.len() / 2)?;
    let nearer = layers_where(records, |record| record.gain_low > 0.0);
    let further = layers_where(records, |record| record.gain_high < 0.0);
    let who = if states == 1 {
        "The".to_owned()
    } else {
        format!("{} tuning, the", capital(state.name))
    };
    Some(format!(
        "{who} tuned lens is nearer to the model than the raw one in layers {} and further in {}, judged by the interval; at \
         layer {} the divergence is {} nats per token raw and {} tuned ({} tokens).",
        layer_ranges(&nearer),
        layer_ranges(&further),
        middle.layer,
        fixed(middle.raw_kl, 2),
        fixed(middle.tuned_kl, 2),
        middle.tokens
    ))
}

const HEADS: [ColumnHead<'static>; 6] = [
    ("state", "state", false),
    ("layer", "layer", false),
    ("tokens", "tokens", false),
    ("raw, nats", "raw_kl", false),
    ("tuned, nats", "tuned_kl", false),
    ("gain [95 %]", "gain", true),
];

fn table(look: &ModelView) -> ReportTable {
    let caption = "KL divergence from the model's own last distribution, nats per token, and what the tuned lens gains.";
    let mut table = start(format!("inside.{}.tuned-lens", look.slug), caption, &HEADS);
    for state in &look.states {
        for record in &state.records.tuned_lens {
            let value = record.raw_kl - record.tuned_kl;
            let cells = [
                TableCell::text(state.name),
                TableCell::Count(record.layer),
                TableCell::Count(record.tokens),
                TableCell::Number(record.raw_kl),
                TableCell::Number(record.tuned_kl),
                TableCell::AreaChange(Some(Estimate {
                    value,
                    low: record.gain_low,
                    high: record.gain_high,
                })),
            ];
            push(&mut table, &HEADS, &cells, false);
        }
    }
    align_left(&mut table, &["state"]);
    table
}
