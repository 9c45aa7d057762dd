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
    section::{CaptionedFigure, Foldout, InsideSection},
    words::{capital, pooling_words},
};
use crate::format::{fixed, percent, signed_interval};

/// `None` where no components were fitted.
pub(crate) fn part(look: &ModelView) -> Option<InsideSection> {
    let poolings: BTreeSet<Pooling> = look
        .states
        .iter()
        .flat_map(|state| state.records.maps.keys().copied())
        .collect();
    let first = *poolings.first()?;
    let middle = look.middle();
    let mut pictures: Vec<CaptionedFigure> = scatter(look, first, false).into_iter().collect();
    pictures.extend(heat::pairs(look, first, Measure::Pearson, &middle));
    let mut more = Vec::new();
    let centred: Vec<CaptionedFigure> = [
        scatter(look, first, true),
        heat::pairs(look, first, Measure::PearsonCentred, &middle),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !centred.is_empty() {
        let summary = "The same with each language's own mean taken out before the fit".to_owned();
        more.push(Foldout {
            summary,
            pictures: centred,
            tables: Vec::new(),
        });
    }
    for &pooling in poolings.iter().skip(1) {
        let pictures = [
            scatter(look, pooling, false),
            heat::pairs(look, pooling, Measure::Pearson, &middle),
            scatter(look, pooling, true),
            heat::pairs(look, pooling, Measure::PearsonCentred, &middle),
        ];
        let pictures: Vec<CaptionedFigure> = pictures.into_iter().flatten().collect();
        if !pictures.is_empty() {
            more.push(Foldout {
                summary: format!("With another pooling: {}", pooling_words(pooling)),
                pictures,
                tables: Vec::new(),
            });
        }
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
    let mut sentences = correlations(look, &poolings);
    sentences.extend(variance(look, first));
    sentences.extend(length(look, first));
    Some(InsideSection {
        title: "Maps of the languages: two principal components",
        sentences,
        pictures,
        more,
    })
}

fn scatter(look: &ModelView, pooling: Pooling, centred: bool) -> Option<CaptionedFigure> {
    let layers = look.representative();
    let of = |state: &ViewState| -> Vec<Option<PointCloud>> {
        let cloud = |layer: &usize| {
            let layout = state.records.maps.get(&pooling)?.layer(*layer, centred)?;
            let title = format!("Layer {layer}, {}", state.name);
            Some(PointCloud {
                title,
                explained: layout.explained,
                points: layout.points.values().cloned().collect(),
            })
        };
        layers.iter().map(cloud).collect()
    };
    let rows: Vec<Vec<Option<PointCloud>>> = look.states.iter().map(of).collect();
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
    let level = |pooling: Pooling, measure: Measure| {
        look.by_state(|state| {
            let pairs = state.records.pairs.get(&pooling)?.at(measure, layer)?;
            Some(fixed(mean(pairs.values().map(|record| record.value)), 2))
        })
    };
    let nulls = |pooling: Pooling| {
        let pairs = look
            .states
            .last()?
            .records
            .pairs
            .get(&pooling)?
            .at(Measure::Pearson, layer)?;
        let nulls: Vec<f64> = pairs.values().filter_map(|record| record.null).collect();
        (!nulls.is_empty()).then(|| format!(", with the items permuted {}", fixed(mean(nulls), 2)))
    };
    let say = |pooling: Pooling| {
        let change = mean_pair_change(look, pooling, Measure::Pearson, layer)
            .map_or_else(String::new, |change| {
                format!(", a change of {}", signed_interval(&change, 2))
            });
        let centred = level(pooling, Measure::PearsonCentred).map_or_else(String::new, |centred| {
            format!("; with each language's mean taken out {centred}")
        });
        let null = nulls(pooling).unwrap_or_default();
        Some(format!(
            "{}{change}{null}{centred}",
            level(pooling, Measure::Pearson)?
        ))
    };
    let said: Vec<(Pooling, String)> = poolings
        .iter()
        .filter_map(|&pooling| Some((pooling, say(pooling)?)))
        .collect();
    let sentence = |(place, (pooling, said)): (usize, &(Pooling, String))| match place {
        0 => format!(
            "Pearson's correlation of the first component at layer {layer}, mean over pairs of languages ({}): {said}.",
            pooling_words(*pooling)
        ),
        _ => format!("{}: {said}.", capital(pooling_words(*pooling))),
    };
    said.iter().enumerate().map(sentence).collect()
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
