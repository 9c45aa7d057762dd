//! Maps of the languages by two principal components, and Pearson's correlation of the first.
//!
//! Source: arXiv 2405.13816, figures 2 and 4, tables 8 to 11. Never here: fitting.

use std::collections::BTreeSet;

use compare::{
    inside::{ModelView, ViewState, mean_pair_change},
    stats::mean,
};
use figure::{PointCloud, ScatterSheet};
use schema::inside::{Measure, Pooling};

use super::{
    heat,
    section::{Alternative, CaptionedFigure, Foldout, InsideSection},
    words::pooling_words,
};
use crate::format::{capital, fixed, percent, signed_interval};

/// `None` where no components were fitted.
pub(crate) fn part(look: &ModelView) -> Option<InsideSection> {
    let poolings: BTreeSet<Pooling> = look
        .states
        .iter()
        .flat_map(|state| state.records.maps.keys().copied())
        .collect();
    let first = *poolings.first()?;
    let middle = look.middle();
    let choice = poolings.iter().map(|&pooling| Alternative {
        name: capital(pooling_words(pooling)),
        pictures: [
            scatter(look, pooling, false),
            heat::pairs(look, pooling, Measure::Pearson, &middle),
        ]
        .into_iter()
        .flatten()
        .collect(),
    });
    let mut sentences = correlations(look, &poolings);
    sentences.extend(variance(look, first));
    sentences.extend(length(look, first));
    Some(InsideSection {
        title: "Maps of the languages: two principal components",
        sentences,
        tables: Vec::new(),
        pictures: Vec::new(),
        choice: choice.collect(),
        more: list_foldouts(look, &poolings, &middle),
    })
}

/// The centred fit, and the correlations as tables.
fn list_foldouts(look: &ModelView, poolings: &BTreeSet<Pooling>, middle: &[usize]) -> Vec<Foldout> {
    let mut more = Vec::new();
    let centred = poolings.iter().flat_map(|&pooling| {
        [
            scatter(look, pooling, true),
            heat::pairs(look, pooling, Measure::PearsonCentred, middle),
        ]
    });
    let centred: Vec<CaptionedFigure> = centred.flatten().collect();
    if !centred.is_empty() {
        more.push(Foldout {
            summary: "The same with each language's own mean taken out before the fit".to_owned(),
            pictures: centred,
            tables: Vec::new(),
        });
    }
    let tables: Vec<_> = poolings
        .iter()
        .flat_map(|&pooling| {
            middle
                .iter()
                .flat_map(move |&layer| heat::tables(look, pooling, Measure::Pearson, layer))
        })
        .collect();
    if !tables.is_empty() {
        more.push(Foldout {
            summary: "The correlations as tables".to_owned(),
            pictures: Vec::new(),
            tables,
        });
    }
    more
}

/// The items of one state at one layer; `None` where no components were fitted.
fn cloud(state: &ViewState, pooling: Pooling, layer: usize, centred: bool) -> Option<PointCloud> {
    let layout = state.records.maps.get(&pooling)?.layer(layer, centred)?;
    Some(PointCloud {
        title: format!("Layer {layer}, {}", state.name),
        explained: layout.explained,
        points: layout.points.values().cloned().collect(),
    })
}

fn scatter(look: &ModelView, pooling: Pooling, centred: bool) -> Option<CaptionedFigure> {
    let layers = look.representative();
    let rows: Vec<Vec<Option<PointCloud>>> = look
        .states
        .iter()
        .map(|state| {
            layers
                .iter()
                .map(|&layer| cloud(state, pooling, layer, centred))
                .collect()
        })
        .collect();
    if rows.iter().flatten().all(Option::is_none) {
        return None;
    }
    let components = look
        .states
        .iter()
        .find_map(|state| state.records.maps.get(&pooling))?;
    let (all, shown) = components.layers.first().map(|layout| {
        (
            components.items.len(),
            layout.points.values().map(Vec::len).max().unwrap_or(0),
        )
    })?;
    let languages = components.layers.first()?.points.keys();
    let thinned = if shown < all {
        format!(", {shown} of {all} items shown")
    } else {
        format!(", {all} items")
    };
    let means = if centred {
        "each language's mean taken out before the fit"
    } else {
        "fitted on all languages together"
    };
    let caption = format!(
        "Two principal components, {means} ({}{thinned}); each model has its own fit, and a layer's two panels one scale.",
        pooling_words(pooling)
    );
    let kind = if centred { "pca-centred" } else { "pca" };
    let scatter = ScatterSheet {
        name: format!("inside.{}.{kind}.{pooling}", look.slug),
        description: caption.clone(),
        languages: languages
            .map(|language| language.code().to_owned())
            .collect(),
        rows,
    };
    Some(CaptionedFigure {
        figure: scatter.draw(),
        caption,
    })
}

/// Mean correlation over pairs, its null and its change; the first pooling in full, the others
/// beside it.
fn correlations(look: &ModelView, poolings: &BTreeSet<Pooling>) -> Vec<String> {
    let Some(&layer) = look.middle().first() else {
        return Vec::new();
    };
    let said: Vec<(Pooling, String)> = poolings
        .iter()
        .filter_map(|&pooling| Some((pooling, describe_correlation(look, pooling, layer)?)))
        .collect();
    said.iter()
        .enumerate()
        .map(|(place, (pooling, said))| match place {
            0 => format!(
                "Pearson's correlation of the first component at layer {layer}, mean over pairs of languages ({}): {said}.",
                pooling_words(*pooling)
            ),
            _ => format!("{}: {said}.", capital(pooling_words(*pooling))),
        })
        .collect()
}

/// The mean correlation with one pooling, its change, its null, and the centred one.
fn describe_correlation(look: &ModelView, pooling: Pooling, layer: usize) -> Option<String> {
    let level = describe_level(look, pooling, Measure::Pearson, layer)?;
    let change = mean_pair_change(look, pooling, Measure::Pearson, layer)
        .map_or_else(String::new, |change| {
            format!(", a change of {}", signed_interval(&change, 2))
        });
    let null = describe_null(look, pooling, layer).unwrap_or_default();
    let centred = describe_level(look, pooling, Measure::PearsonCentred, layer)
        .map_or_else(String::new, |centred| {
            format!("; with each language's mean taken out {centred}")
        });
    Some(format!("{level}{change}{null}{centred}"))
}

/// A measure's mean over pairs, in each state.
fn describe_level(
    look: &ModelView,
    pooling: Pooling,
    measure: Measure,
    layer: usize,
) -> Option<String> {
    look.by_state(|state| {
        let pairs = state.records.pairs.get(&pooling)?.at(measure, layer)?;
        Some(fixed(mean(pairs.values().map(|record| record.value)), 2))
    })
}

/// The mean correlation by chance, in the last state.
fn describe_null(look: &ModelView, pooling: Pooling, layer: usize) -> Option<String> {
    let records = look.states.last()?.records;
    let pairs = records.pairs.get(&pooling)?.at(Measure::Pearson, layer)?;
    let nulls: Vec<f64> = pairs.values().filter_map(|record| record.null).collect();
    (!nulls.is_empty()).then(|| format!(", with the items permuted {}", fixed(mean(nulls), 2)))
}

fn variance(look: &ModelView, pooling: Pooling) -> Option<String> {
    let layer = *look.middle().first()?;
    let said = look.by_state(|state| {
        let [first, second] = state
            .records
            .maps
            .get(&pooling)?
            .layer(layer, false)?
            .explained;
        Some(format!(
            "{} and {} %",
            percent(first, 0),
            percent(second, 0)
        ))
    })?;
    Some(format!(
        "The two components explain {said} of the variance there ({}).",
        pooling_words(pooling)
    ))
}

/// The caveat of pooling: how far the items' lengths explain how near parallels lie.
fn length(look: &ModelView, pooling: Pooling) -> Option<String> {
    let layer = *look.middle().first()?;
    let of = look.by_state(|state| {
        let pairs = state
            .records
            .pairs
            .get(&pooling)?
            .at(Measure::Length, layer)?;
        Some(format!(
            "{} %",
            percent(mean(pairs.values().map(|record| record.value)), 0)
        ))
    })?;
    Some(format!(
        "A mean over tokens moves with their number: the items' lengths explain {of} of the variance of the parallel items' cosines \
         there ({}).",
        pooling_words(pooling)
    ))
}
