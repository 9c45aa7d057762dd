//! How alike the languages' states are, layer by layer: mean of each measure over pairs, before
//! and after, and its level by chance.
//!
//! Never here: measuring; the components.

use std::collections::BTreeSet;

use compare::{
    inside::{ModelView, ViewState, mean_estimate, mean_pair_change},
    stats::{Estimate, mean},
};
use figure::{Curve, CurveAxis, CurvePanel, CurveSheet, CurveStyle, Mark};
use schema::inside::{Measure, Pooling};

use super::{
    heat,
    section::{Alternative, CaptionedFigure, Foldout, InsideSection},
    words::{curve_points, measure_title, measure_words, pooling_words, state_look},
};
use crate::{
    format::{area, capital, count, signed_interval},
    sheet::{ColumnHead, TableCell, align_left, push, start},
    table::ReportTable,
};

/// `None` where no pairs were measured.
pub(crate) fn part(look: &ModelView) -> Option<InsideSection> {
    let poolings: BTreeSet<Pooling> = look
        .states
        .iter()
        .flat_map(|state| state.records.pairs.keys().copied())
        .collect();
    let measured: Vec<Pooling> = poolings
        .into_iter()
        .filter(|pooling| !measures(look, *pooling).is_empty())
        .collect();
    let first = *measured.first()?;
    let middle = look.middle();
    let choice = measured.iter().map(|&pooling| {
        let cka = heat::pairs(look, pooling, Measure::Cka, &middle);
        Alternative {
            name: capital(pooling_words(pooling)),
            pictures: [Some(by_layer(look, pooling)), cka]
                .into_iter()
                .flatten()
                .collect(),
        }
    });
    let tables = measured
        .iter()
        .map(|pooling| table(look, *pooling))
        .collect();
    let sentences = [cosines(look, first), counts(look, first)];
    Some(InsideSection {
        title: "How alike the languages' states are",
        sentences: sentences.into_iter().flatten().collect(),
        tables: retrieval(look, &measured).into_iter().collect(),
        pictures: Vec::new(),
        choice: choice.collect(),
        more: vec![Foldout {
            summary: "As tables".to_owned(),
            pictures: Vec::new(),
            tables,
        }],
    })
}

fn measures(look: &ModelView, pooling: Pooling) -> Vec<Measure> {
    let taken: BTreeSet<Measure> = look
        .states
        .iter()
        .filter_map(|state| state.records.pairs.get(&pooling))
        .flat_map(|pairs| pairs.measures())
        .collect();
    Measure::ALL
        .into_iter()
        .filter(|measure| taken.contains(measure))
        .collect()
}

/// The mean over pairs at every layer.
fn mean_curve(state: &ViewState, pooling: Pooling, measure: Measure) -> Vec<(usize, Estimate)> {
    let Some(pairs) = state.records.pairs.get(&pooling) else {
        return Vec::new();
    };
    pairs
        .by_layer(measure)
        .filter_map(|(layer, pairs)| {
            let estimates = pairs.values().map(|record| Estimate {
                value: record.value,
                low: record.low.unwrap_or(f64::NAN),
                high: record.high.unwrap_or(f64::NAN),
            });
            Some((layer, mean_estimate(estimates)?))
        })
        .collect()
}

/// The mean null at every layer that has one.
fn null_curve(state: &ViewState, pooling: Pooling, measure: Measure) -> Vec<(usize, Estimate)> {
    let Some(pairs) = state.records.pairs.get(&pooling) else {
        return Vec::new();
    };
    let mut curve = Vec::new();
    for (layer, pairs) in pairs.by_layer(measure) {
        let nulls: Vec<f64> = pairs.values().filter_map(|record| record.null).collect();
        if !nulls.is_empty() {
            let null = Estimate {
                value: mean(nulls),
                ..Estimate::UNDEFINED
            };
            curve.push((layer, null));
        }
    }
    curve
}

/// One measure by layer: its mean over pairs and its level by chance, in each state.
fn measure_panel(look: &ModelView, pooling: Pooling, measure: Measure) -> CurvePanel {
    let mut curves = Vec::new();
    for (place, state) in look.states.iter().enumerate() {
        let of = state_look(place, look.states.len());
        let null = CurveStyle {
            stroke: "dots",
            mark: Mark::None,
            ..of
        };
        curves.push(Curve {
            style: null,
            name: format!("{}, by chance", state.name),
            points: curve_points(null_curve(state, pooling, measure)),
        });
        curves.push(Curve {
            style: of,
            name: state.name.to_owned(),
            points: curve_points(mean_curve(state, pooling, measure)),
        });
    }
    CurvePanel {
        title: measure_title(measure).to_owned(),
        curves,
        strip: Vec::new(),
        empty: "not measured".to_owned(),
    }
}

fn by_layer(look: &ModelView, pooling: Pooling) -> CaptionedFigure {
    let caption = format!(
        "Measures of two languages' states by layer, mean over pairs ({}). Band: the mean of the pairs' 95 % intervals. \
         Dotted: parallel questions replaced by others, which is chance.",
        pooling_words(pooling)
    );
    let sheet = CurveSheet {
        name: format!("inside.{}.pairs.{pooling}", look.slug),
        description: caption.clone(),
        charts: measures(look, pooling)
            .into_iter()
            .map(|measure| measure_panel(look, pooling, measure))
            .collect(),
        columns: 4,
        axis: CurveAxis::Layers,
        layers: look.layers,
        shared: false,
        holds: vec![0.0],
        is_log: false,
    };
    CaptionedFigure {
        figure: sheet.draw(),
        caption,
    }
}

const RETRIEVAL: [ColumnHead<'static>; 7] = [
    ("pooling", "pooling", false),
    ("before, %", "before", false),
    ("layer", "layer_before", false),
    ("by chance", "null_before", false),
    ("after, %", "after", false),
    ("layer", "layer_after", false),
    ("by chance", "null_after", false),
];

/// The best layer of one state, its retrieval and its null.
fn best_retrieval(state: Option<&ViewState>, pooling: Pooling) -> [TableCell; 3] {
    let curve = state.map(|state| mean_curve(state, pooling, Measure::Retrieval));
    let best = curve.into_iter().flatten();
    let best = best.max_by(|(_, a), (_, b)| a.value.total_cmp(&b.value));
    let Some((layer, most)) = best else {
        return [TableCell::Empty, TableCell::Empty, TableCell::Empty];
    };
    let nulls = state.map(|state| null_curve(state, pooling, Measure::Retrieval));
    let null = nulls.and_then(|nulls| at_layer(&nulls, layer));
    [
        TableCell::Share(Some(most.value)),
        TableCell::Count(layer),
        TableCell::Share(null.map(|null| null.value)),
    ]
}

/// Where retrieval is best, before and after, with each pooling; `None` where it was not measured.
fn retrieval(look: &ModelView, poolings: &[Pooling]) -> Option<ReportTable> {
    let taken: Vec<Pooling> = poolings
        .iter()
        .copied()
        .filter(|&pooling| measures(look, pooling).contains(&Measure::Retrieval))
        .collect();
    if taken.is_empty() {
        return None;
    }
    let caption = "Nearest-neighbour retrieval of translations: the share of questions whose translation is the nearest of all, \
                   both ways, mean over pairs of languages, at its best layer.";
    let name = format!("inside.{}.retrieval", look.slug);
    let mut table = start(name, caption, &RETRIEVAL);
    let has_two = look.states.len() > 1;
    for pooling in taken {
        let name = TableCell::Text(capital(pooling_words(pooling)));
        let states = [look.states.first(), look.states.get(1)];
        let cells: Vec<TableCell> = [name]
            .into_iter()
            .chain(
                states
                    .into_iter()
                    .flat_map(|state| best_retrieval(state, pooling)),
            )
            .collect();
        push(&mut table, &RETRIEVAL, &cells, false);
    }
    if !has_two {
        table.columns.truncate(4);
        table.rows.iter_mut().for_each(|row| row.cells.truncate(4));
    }
    Some(table)
}

/// The estimate at a layer.
fn at_layer(curve: &[(usize, Estimate)], layer: usize) -> Option<Estimate> {
    curve
        .iter()
        .find(|(at, _)| *at == layer)
        .map(|(_, estimate)| *estimate)
}

/// A cosine before and after, each against its null.
fn describe_cosine(
    look: &ModelView,
    pooling: Pooling,
    measure: Measure,
    layer: usize,
) -> Option<String> {
    look.by_state(|state| {
        let value = at_layer(&mean_curve(state, pooling, measure), layer)?.value;
        let null = at_layer(&null_curve(state, pooling, measure), layer)?.value;
        Some(format!("{} against {}", area(value), area(null)))
    })
}

/// Parallel against other items.
fn cosines(look: &ModelView, pooling: Pooling) -> Option<String> {
    let layer = *look.middle().first()?;
    let raw = describe_cosine(look, pooling, Measure::Cosine, layer)?;
    let centred = describe_cosine(look, pooling, Measure::CosineCentred, layer)
        .map_or_else(String::new, |c| {
            format!("; with each language's mean taken out {c}")
        });
    Some(format!(
        "At layer {layer} the cosine of parallel items against that of items that are not parallel is {raw}{centred}. A cosine is \
         read against the second number: states of one layer share a direction."
    ))
}

/// Mean changes, and in how many pairs one is clear.
fn counts(look: &ModelView, pooling: Pooling) -> Option<String> {
    let [_, after] = look.both()?;
    let changes = after.changes.get(&pooling)?;
    let layer = *look.middle().first()?;
    let mut most = 0;
    let said: Vec<String> = [
        Measure::Cka,
        Measure::Retrieval,
        Measure::Cosine,
        Measure::Centroid,
    ]
    .into_iter()
    .filter_map(|measure| {
        let pairs = changes.at(measure, layer)?;
        most = most.max(pairs.len());
        let rises = pairs.values().filter(|change| change.low > 0.0).count();
        let falls = pairs.values().filter(|change| change.high < 0.0).count();
        let mean = mean_pair_change(look, pooling, measure, layer)?;
        Some(format!(
            "{} by {} ({rises} above 0, {falls} below)",
            measure_words(measure),
            signed_interval(&mean, 3)
        ))
    })
    .collect();
    (!said.is_empty()).then(|| {
        format!(
            "Tuning changes, at layer {layer}, in the mean over {}, {} ({}; the counts are of intervals, not adjusted for their number, \
             of pairs that share languages).",
            count(most, "pair"),
            said.join("; "),
            pooling_words(pooling)
        )
    })
}

const HEADS: [ColumnHead<'static>; 6] = [
    ("layer", "layer", false),
    ("measure", "measure", false),
    ("before", "before", true),
    ("after", "after", true),
    ("by chance", "null", false),
    ("change [95 %]", "change", true),
];

/// Every measure at the representative layers.
fn table(look: &ModelView, pooling: Pooling) -> ReportTable {
    let caption = format!(
        "Measures of two languages' states, mean over pairs ({}).",
        pooling_words(pooling)
    );
    let mut table = start(
        format!("inside.{}.pairs.{pooling}", look.slug),
        caption,
        &HEADS,
    );
    for layer in look.representative() {
        for measure in measures(look, pooling) {
            let [before, after] = [0, 1].map(|place| {
                let state = look.states.get(place)?;
                at_layer(&mean_curve(state, pooling, measure), layer)
            });
            let null = look
                .states
                .last()
                .and_then(|state| at_layer(&null_curve(state, pooling, measure), layer));
            let cells = [
                TableCell::Count(layer),
                TableCell::text(measure_title(measure)),
                TableCell::Area(before),
                TableCell::Area(after),
                null.map_or(TableCell::Empty, |null| TableCell::Number(null.value)),
                TableCell::AreaChange(mean_pair_change(look, pooling, measure, layer)),
            ];
            push(&mut table, &HEADS, &cells, false);
        }
    }
    align_left(&mut table, &["measure"]);
    table
}
