//! Neurons by the languages that activate them: where the selected ones are, classes by layer,
//! what languages share.
//!
//! Source: arXiv 2402.16438, 2505.21505, 2402.18815. Never here: selecting.

use std::collections::BTreeMap;

use compare::{
    inside::{ModelView, ViewState},
    stats::{Estimate, mean},
};
use figure::{
    Curve, CurveAxis, CurvePanel, CurveSheet, CurveStyle, HeatCell, HeatMap, HeatSheet, Mark, Ramp,
};
use schema::{
    Language,
    inside::{LayerNeurons, NeuronOverlap, NeuronsRecord},
};

use super::{
    heat::{short, symmetric},
    section::{CaptionedFigure, Foldout, InsideSection},
    words::{codes, count_range, curve_points},
};
use crate::{
    format::{capital, fixed, percent, thousands},
    sheet::{self, ColumnHead, align_left, push, start},
    table::ReportTable,
};

/// `None` where no neurons were counted.
pub(crate) fn part(look: &ModelView) -> Option<InsideSection> {
    let states: Vec<(&ViewState, &NeuronsRecord)> = look
        .states
        .iter()
        .filter_map(|state| Some((state, state.records.neurons.as_ref()?)))
        .collect();
    if states.is_empty() {
        return None;
    }
    let more = vec![Foldout {
        summary: "As a table".to_owned(),
        pictures: Vec::new(),
        tables: vec![table(look, &states)],
    }];
    Some(InsideSection {
        title: "Neurons by language",
        sentences: states
            .iter()
            .map(|(state, record)| sentence(state, record, states.len()))
            .collect(),
        pictures: vec![
            selected(look, &states),
            classes(look, &states),
            overlap(look, &states),
        ],
        tables: Vec::new(),
        choice: Vec::new(),
        more,
    })
}

fn languages(states: &[(&ViewState, &NeuronsRecord)]) -> Vec<Language> {
    let mut all: Vec<Language> = states
        .iter()
        .flat_map(|(_, record)| record.tokens.keys().copied())
        .collect();
    all.sort();
    all.dedup();
    all
}

/// One language's neurons of a block.
fn selected_cell(layer: &LayerNeurons, language: Language) -> HeatCell {
    let number = layer.selected.get(&language).copied().unwrap_or(0);
    HeatCell {
        value: number as f64,
        clear: false,
        hint: format!(
            "{language}, block {}: {number} of {} neurons",
            layer.layer, layer.neurons
        ),
    }
}

/// Languages by blocks: how many were selected.
fn selected(look: &ModelView, states: &[(&ViewState, &NeuronsRecord)]) -> CaptionedFigure {
    let languages = languages(states);
    let most = states
        .iter()
        .flat_map(|(_, r)| &r.layers)
        .flat_map(|layer| layer.selected.values())
        .max();
    let most = most.map_or(1.0, |most| (*most).max(1) as f64);
    let maps = states
        .iter()
        .map(|(state, record)| selected_map(state.name, record, &languages, most))
        .collect();
    let caption =
        "Neurons selected for each language (those of the lowest entropy over languages), by block.".to_owned();
    let name = format!("inside.{}.neurons", look.slug);
    let atlas = HeatSheet {
        name,
        description: caption.clone(),
        maps,
        columns: states.len(),
        axes: ("", "block"),
        hollow: false,
    };
    CaptionedFigure {
        figure: atlas.draw(),
        caption,
    }
}

/// One state of [`selected`]; `most` is the end of the scale.
fn selected_map(name: &str, record: &NeuronsRecord, languages: &[Language], most: f64) -> HeatMap {
    let layers = &record.layers;
    HeatMap {
        title: name.to_owned(),
        rows: codes(languages),
        columns: layers.iter().map(|layer| layer.layer.to_string()).collect(),
        cells: languages
            .iter()
            .map(|&language| {
                layers
                    .iter()
                    .map(|layer| Some(selected_cell(layer, language)))
                    .collect()
            })
            .collect(),
        ramp: Ramp::Sequential(0.0, most),
        unit: "neurons".to_owned(),
        show: |value| format!("{value:.0}"),
    }
}

/// Counts one class of a block's neurons.
type CountNeurons = fn(&LayerNeurons) -> usize;

/// Classes of neurons: by how many languages activate them.
const CLASSES: [(&str, CurveStyle, CountNeurons); 4] = [
    (
        "no language",
        CurveStyle {
            tone: "grey",
            stroke: "dots",
            mark: Mark::None,
        },
        |layer| layer.inactive,
    ),
    (
        "all languages",
        CurveStyle {
            tone: "blue",
            stroke: "solid",
            mark: Mark::Square,
        },
        |layer| layer.general,
    ),
    (
        "several",
        CurveStyle {
            tone: "green",
            stroke: "dash",
            mark: Mark::Triangle,
        },
        |layer| layer.related,
    ),
    (
        "one",
        CurveStyle {
            tone: "orange",
            stroke: "dash",
            mark: Mark::Disc,
        },
        |layer| layer.specific,
    ),
];

/// Each class's share of a block's neurons.
fn classes(look: &ModelView, states: &[(&ViewState, &NeuronsRecord)]) -> CaptionedFigure {
    let caption =
        "Share of a block's neurons that are active in one language, in several, in all, in none."
            .to_owned();
    let sheet = CurveSheet {
        name: format!("inside.{}.neurons.classes", look.slug),
        description: caption.clone(),
        charts: states
            .iter()
            .map(|(state, record)| class_panel(state.name, record))
            .collect(),
        columns: states.len(),
        axis: CurveAxis::Layers,
        layers: look.layers,
        shared: true,
        holds: vec![0.0],
        is_log: false,
    };
    CaptionedFigure {
        figure: sheet.draw(),
        caption,
    }
}

/// One state of [`classes`].
fn class_panel(name: &str, record: &NeuronsRecord) -> CurvePanel {
    let curves = CLASSES.into_iter().map(|(class, style, count)| Curve {
        style,
        name: format!("active in {class}"),
        points: curve_points(
            record
                .layers
                .iter()
                .map(|layer| (layer.layer, share_of(layer, count))),
        ),
    });
    CurvePanel {
        title: format!("Share of neurons, {name}"),
        curves: curves.collect(),
        strip: Vec::new(),
        empty: String::new(),
    }
}

fn share_of(layer: &LayerNeurons, count: CountNeurons) -> Estimate {
    Estimate {
        value: count(layer) as f64 / layer.neurons.max(1) as f64,
        ..Estimate::UNDEFINED
    }
}

fn overlap(look: &ModelView, states: &[(&ViewState, &NeuronsRecord)]) -> CaptionedFigure {
    let languages = languages(states);
    let most = states
        .iter()
        .flat_map(|(_, record)| &record.overlap)
        .map(|pair| pair.jaccard)
        .fold(0.0, f64::max);
    let most = ((most * 10.0).ceil() / 10.0).max(0.1);
    let maps = states
        .iter()
        .map(|(state, record)| overlap_map(state.name, record, &languages, most))
        .collect();
    let caption =
        "Neurons selected for both of two languages, through those of either (Jaccard).".to_owned();
    let name = format!("inside.{}.neurons.overlap", look.slug);
    let atlas = HeatSheet {
        name,
        description: caption.clone(),
        maps,
        columns: states.len(),
        axes: ("", ""),
        hollow: false,
    };
    CaptionedFigure {
        figure: atlas.draw(),
        caption,
    }
}

/// One state of [`overlap`]; `most` is the end of the scale.
fn overlap_map(name: &str, record: &NeuronsRecord, languages: &[Language], most: f64) -> HeatMap {
    let by_pair: BTreeMap<_, _> = record
        .overlap
        .iter()
        .map(|pair| ((pair.a, pair.b), pair))
        .collect();
    HeatMap {
        title: name.to_owned(),
        rows: codes(languages),
        columns: codes(languages),
        cells: symmetric(languages, |two| Some(overlap_cell(by_pair.get(&two)?))),
        ramp: Ramp::Sequential(0.0, most),
        unit: "Jaccard".to_owned(),
        show: short,
    }
}

fn overlap_cell(pair: &NeuronOverlap) -> HeatCell {
    HeatCell {
        value: pair.jaccard,
        clear: false,
        hint: format!(
            "{}, {}: {} shared, Jaccard {}",
            pair.a,
            pair.b,
            pair.shared,
            fixed(pair.jaccard, 3)
        ),
    }
}

/// Neurons of some blocks that were selected for any language.
fn count_selected(blocks: &[LayerNeurons]) -> usize {
    blocks
        .iter()
        .flat_map(|block| block.selected.values())
        .sum()
}

/// The percentage of all neurons that are of one class.
fn class_percent(record: &NeuronsRecord, class: CountNeurons) -> String {
    let all: usize = record.layers.iter().map(|layer| layer.neurons).sum();
    let of_class: usize = record.layers.iter().map(class).sum();
    percent(of_class as f64 / all.max(1) as f64, 1)
}

fn sentence(state: &ViewState, record: &NeuronsRecord, states: usize) -> String {
    let all: usize = record.layers.iter().map(|layer| layer.neurons).sum();
    let counts: Vec<(Language, usize)> = record
        .selected
        .iter()
        .map(|(l, neurons)| (*l, neurons.len()))
        .collect();
    let third = record.layers.len().div_ceil(3);
    let whole = count_selected(&record.layers).max(1) as f64;
    let early = count_selected(&record.layers[..third.min(record.layers.len())]) as f64 / whole;
    let late =
        count_selected(&record.layers[record.layers.len().saturating_sub(third)..]) as f64 / whole;
    let when = if states == 1 {
        String::new()
    } else {
        format!("{} tuning, ", capital(state.name))
    };
    format!(
        "{when}{} % of {} neurons are active in one language alone and {} % in all. For a language {} are selected, those of the \
         {} % of lowest entropy; {} % of them are in the first third of the blocks and {} % in the last.",
        class_percent(record, |layer| layer.specific),
        thousands(all as u64),
        class_percent(record, |layer| layer.general),
        count_range(&counts).unwrap_or_else(|| "0".to_owned()),
        percent(record.share, 1),
        percent(early, 0),
        percent(late, 0)
    )
}

const HEADS: [ColumnHead<'static>; 8] = [
    ("state", "state", false),
    ("block", "block", false),
    ("neurons", "neurons", false),
    ("active in one", "specific", false),
    ("in several", "related", false),
    ("in all", "general", false),
    ("in none", "inactive", false),
    ("mean entropy, bits", "mean_entropy", false),
];

fn table(look: &ModelView, states: &[(&ViewState, &NeuronsRecord)]) -> ReportTable {
    let tokens = mean(
        states
            .iter()
            .flat_map(|(_, record)| record.tokens.values().map(|tokens| *tokens as f64)),
    );
    let caption = format!(
        "Classes of neurons by block; on average {} tokens per language were examined.",
        thousands(tokens as u64)
    );
    let mut table = start(format!("inside.{}.neurons", look.slug), caption, &HEADS);
    for (state, record) in states {
        for layer in &record.layers {
            let counts = [
                layer.layer,
                layer.neurons,
                layer.specific,
                layer.related,
                layer.general,
                layer.inactive,
            ];
            let mut cells = vec![sheet::TableCell::text(state.name)];
            cells.extend(counts.map(sheet::TableCell::Count));
            cells.push(sheet::TableCell::Number(layer.mean_entropy));
            push(&mut table, &HEADS, &cells, false);
        }
    }
    align_left(&mut table, &["state"]);
    table
}
