//! The lens, language by language: curves of the right and of all answers, in the language and
//! in English.
//!
//! Source: arXiv 2405.13816, figures 1 and 3; arXiv 2402.10588. Never here: reading records.

use compare::{
    inside::{
        LensCurves, LensItem, ModelRecords, ModelView, ViewState, match_records, mean_change,
    },
    stats::{Estimate, mean},
};
use figure::{Curve, CurveAxis, CurvePanel, CurveSheet, CurveStyle, Mark};
use schema::{Language, inside::LensKind};

use super::{
    section::{CaptionedFigure, Foldout, InsideSection},
    words::{change_over_languages, count_range, curve_points, layer_ranges},
};
use crate::{
    format::{count, fixed, list},
    sheet::{ColumnHead, TableCell, push, start},
    table::ReportTable,
};

/// With more languages they are counted, not named.
const NAMED: usize = 3;
/// Languages whose curves are seen at once.
const SHOWN: usize = 4;

// The paper's colours, distinguished by dash and sign too; all answers are solid and lie under the
// right one.
const POSSIBLE_ENGLISH: CurveStyle = CurveStyle {
    tone: "red",
    stroke: "solid",
    mark: Mark::Square,
};
const POSSIBLE: CurveStyle = CurveStyle {
    tone: "blue",
    stroke: "solid",
    mark: Mark::Diamond,
};
const CORRECT_ENGLISH: CurveStyle = CurveStyle {
    tone: "green",
    stroke: "dash",
    mark: Mark::Triangle,
};
const CORRECT: CurveStyle = CurveStyle {
    tone: "orange",
    stroke: "dash",
    mark: Mark::Disc,
};

/// `None` where there is no lens.
pub(crate) fn part(look: &ModelView) -> Option<InsideSection> {
    let languages = languages(look);
    if languages.is_empty() {
        return None;
    }
    let mut others: Vec<Language> = languages
        .iter()
        .copied()
        .filter(|language| *language != Language::En)
        .collect();
    // An empty picture is not what is seen first.
    others.sort_by_key(|&language| !has_items(look, language));
    let hidden = others.split_off(others.len().min(SHOWN));
    let behind: Vec<Language> = languages
        .iter()
        .copied()
        .filter(|l| hidden.contains(l) || *l == Language::En)
        .collect();
    let (shown, behind) = if others.is_empty() {
        (languages.clone(), Vec::new())
    } else {
        (others, behind)
    };
    let mut more = Vec::new();
    let more_raw = draw_all(look, &behind, LensKind::Raw);
    if !more_raw.is_empty() {
        let summary = format!("The lens in {}", list(&super::words::codes(&behind)));
        more.push(Foldout {
            summary,
            pictures: more_raw,
            tables: Vec::new(),
        });
    }
    let tuned = draw_all(look, &languages, LensKind::Tuned);
    if !tuned.is_empty() {
        let summary = "The same through the tuned lens".to_owned();
        more.push(Foldout {
            summary,
            pictures: tuned,
            tables: Vec::new(),
        });
    }
    more.push(Foldout {
        summary: "As a table".to_owned(),
        pictures: Vec::new(),
        tables: vec![table(look, &languages)],
    });
    Some(InsideSection {
        title: "The lens: which answer each layer would give",
        sentences: sentences(look, &languages),
        pictures: draw_all(look, &shown, LensKind::Raw),
        tables: Vec::new(),
        choice: Vec::new(),
        more,
    })
}

fn languages(look: &ModelView) -> Vec<Language> {
    let mut all: Vec<Language> = look
        .states
        .iter()
        .flat_map(|state| state.records.lens.keys().copied())
        .collect();
    all.sort();
    all.dedup();
    all
}

fn curves<'a>(state: &ViewState<'a>, language: Language, kind: LensKind) -> Option<&'a LensCurves> {
    state.records.lens.get(&language)?.get(&kind)
}

/// Whether any item was not dropped.
fn has_items(look: &ModelView, language: Language) -> bool {
    look.states
        .iter()
        .any(|state| curves(state, language, LensKind::Raw).is_some_and(|curves| curves.kept > 0))
}

/// One picture per language, of those that have a lens of this kind.
fn draw_all(look: &ModelView, languages: &[Language], kind: LensKind) -> Vec<CaptionedFigure> {
    languages
        .iter()
        .filter_map(|&language| draw(look, language, kind))
        .collect()
}

fn draw(look: &ModelView, language: Language, kind: LensKind) -> Option<CaptionedFigure> {
    let charts: Vec<CurvePanel> = look
        .states
        .iter()
        .filter_map(|state| {
            let curves = curves(state, language, kind)?;
            let title = format!("{}, {}: probability, log axis", language.code(), state.name);
            Some(chart(title, curves, language))
        })
        .collect();
    if charts.is_empty() {
        return None;
    }
    let counts = look.by_state(|state| {
        let curves = curves(state, language, kind)?;
        Some(format!("{} items, {} dropped", curves.kept, curves.dropped))
    });
    let lens = match kind {
        LensKind::Raw => "Lens",
        LensKind::Tuned => "Tuned lens",
    };
    let word = match kind {
        LensKind::Raw => "raw",
        LensKind::Tuned => "tuned",
    };
    let name = format!("inside.{}.lens.{}.{word}", look.slug, language.code());
    let caption = format!(
        "{lens} in {}: {}.",
        language.name(),
        counts.unwrap_or_default()
    );
    let description = format!(
        "Probability by layer of the right answer and of all answers in {} and in English, and entropy. {caption}",
        language.name()
    );
    let columns = look.states.len();
    let sheet = CurveSheet {
        name,
        description,
        charts,
        columns,
        axis: CurveAxis::Layers,
        layers: look.layers,
        shared: true,
        holds: Vec::new(),
        is_log: true,
    };
    Some(CaptionedFigure {
        figure: sheet.draw(),
        caption,
    })
}

/// One curve of a chart: a value per layer.
fn curve(style: CurveStyle, name: String, by_layer: &[Estimate]) -> Curve {
    Curve {
        style,
        name,
        points: curve_points(by_layer.iter().copied().enumerate()),
    }
}

fn chart(title: String, curves: &LensCurves, language: Language) -> CurvePanel {
    let code = language.code();
    let mut all = Vec::new();
    if language != Language::En {
        all.push(curve(
            POSSIBLE_ENGLISH,
            "all answers, English".to_owned(),
            &curves.possible_english,
        ));
    }
    all.push(curve(
        POSSIBLE,
        format!("all answers, {code}"),
        &curves.possible,
    ));
    if language != Language::En {
        all.push(curve(
            CORRECT_ENGLISH,
            "right answer, English".to_owned(),
            &curves.correct_english,
        ));
    }
    all.push(curve(
        CORRECT,
        format!("right answer, {code}"),
        &curves.correct,
    ));
    let strip = curves.entropy.iter().map(|bits| bits.value).collect();
    CurvePanel {
        title,
        curves: all,
        strip,
        empty: format!("all {} items dropped", curves.dropped),
    }
}

fn sentences(look: &ModelView, languages: &[Language]) -> Vec<String> {
    let foreign: Vec<Language> = languages
        .iter()
        .copied()
        .filter(|language| *language != Language::En)
        .collect();
    let mut said: Vec<String> = lead(look, &foreign).into_iter().collect();
    if let Some(area) = change_over_languages(&changes(look, &foreign, |item| item.area), 3) {
        said.push(format!(
            "Tuning changes the English answer's probability, averaged over all layers, by {area}."
        ));
    }
    if let Some(share) = change_over_languages(&changes(look, languages, |item| item.share), 2) {
        said.push(format!(
            "The right answer's share of all answers in the language, after the last layer, changes by {share}."
        ));
    }
    said.extend(dropped(look, &foreign));
    said
}

/// Layers in which English leads, judged by the interval of the difference.
fn leading(curves: &LensCurves) -> Vec<usize> {
    (0..curves.lead.len())
        .filter(|layer| curves.lead[*layer].rises())
        .collect()
}

/// Where English leads, and by how much at most.
fn lead(look: &ModelView, foreign: &[Language]) -> Option<String> {
    let said = look.by_state(|state| {
        let all: Vec<(Language, &LensCurves, Vec<usize>)> = foreign
            .iter()
            .filter_map(|&language| {
                let curves =
                    curves(state, language, LensKind::Raw).filter(|curves| curves.kept > 1)?;
                Some((language, curves, leading(curves)))
            })
            .collect();
        let with: Vec<_> = all
            .iter()
            .filter(|(_, _, layers)| !layers.is_empty())
            .collect();
        let most = with.iter().flat_map(|(language, curves, layers)| {
            layers
                .iter()
                .map(move |layer| (curves.lead[*layer].value, *layer, *language))
        });
        let Some((most, layer, language)) = most.max_by(|(a, ..), (b, ..)| a.total_cmp(b)) else {
            return (!all.is_empty())
                .then(|| format!("in none of {}", count(all.len(), "language")));
        };
        let most = format!("most in {language} at layer {layer}, by {}", fixed(most, 3));
        Some(match all.len() {
            0..=NAMED => {
                let each = with.iter().map(|(language, _, layers)| {
                    format!("{language} in layers {}", layer_ranges(layers))
                });
                format!("in {} ({most})", list(&each.collect::<Vec<_>>()))
            }
            number => format!(
                "in some layers in {} of {number} languages ({most})",
                with.len()
            ),
        })
    })?;
    Some(format!(
        "The right answer is more probable in English than in the language itself, as far as the interval of the difference \
         tells: {said}."
    ))
}

fn dropped(look: &ModelView, foreign: &[Language]) -> Option<String> {
    let last = look.states.last()?;
    let all: Vec<(Language, usize)> = foreign
        .iter()
        .filter_map(|language| Some((*language, curves(last, *language, LensKind::Raw)?.dropped)))
        .collect();
    let items = foreign
        .iter()
        .find_map(|language| curves(last, *language, LensKind::Raw))?;
    let items = items.kept + items.dropped;
    let some: Vec<(Language, usize)> = all
        .into_iter()
        .filter(|(_, dropped)| *dropped > 0)
        .collect();
    let (none, few): (Vec<_>, Vec<_>) =
        some.into_iter().partition(|(_, dropped)| *dropped == items);
    let none: Vec<String> = none.iter().map(|(l, _)| l.name().to_owned()).collect();
    let none = (!none.is_empty()).then(|| {
        format!(
            "{} {} no curve: the right answers begin with the same tokens as in English.",
            list(&none),
            if none.len() == 1 { "has" } else { "have" }
        )
    });
    let few = count_range(&few).map(|counts| {
        format!(
            "{counts} of {items} questions are left out, because the right answer begins with the same token as in English."
        )
    });
    let said: Vec<String> = none.into_iter().chain(few).collect();
    (!said.is_empty()).then(|| said.join(" "))
}

/// What is compared of each item, from the raw lens.
fn raw_items(records: &ModelRecords, language: Language) -> Option<&[LensItem]> {
    let curves = records.lens.get(&language)?.get(&LensKind::Raw)?;
    Some(&curves.items)
}

/// Changes of an item's number, of the items that both states have, by language.
fn changes(
    look: &ModelView,
    languages: &[Language],
    of: impl Fn(&LensItem) -> f64,
) -> Vec<(Language, Estimate)> {
    let Some([before, after]) = look.both() else {
        return Vec::new();
    };
    languages
        .iter()
        .filter_map(|&language| {
            let before = raw_items(before, language)?;
            let after = raw_items(after, language)?;
            let all: Vec<f64> = match_records(before, after, |item| item.item)
                .into_iter()
                .map(|(a, b)| of(b) - of(a))
                .filter(|change| change.is_finite())
                .collect();
            Some((language, mean_change(&all)?))
        })
        .collect()
}

/// The change of an item's number in one language, in the row of the last state alone.
fn change_in_row(
    look: &ModelView,
    state: &ViewState,
    language: Language,
    of: fn(&LensItem) -> f64,
) -> Option<Estimate> {
    let last = look.states.last()?;
    if last.name != state.name {
        return None;
    }
    let (_, change) = *changes(look, &[language], of).first()?;
    Some(change)
}

const HEADS: [ColumnHead<'static>; 11] = [
    ("language", "language", false),
    ("state", "state", false),
    ("items", "items", false),
    ("dropped", "dropped", false),
    ("English peaks in layer", "peak_layer", false),
    ("at", "peak", true),
    ("English, mean of layers", "area", false),
    ("change [95 %]", "area_change", true),
    ("English leads in layers", "leads", false),
    ("right of all, last layer, %", "share", false),
    ("change, points [95 %]", "share_change", true),
];

fn table(look: &ModelView, languages: &[Language]) -> ReportTable {
    let caption = "Raw lens: where the right answer in English is most probable, its mean over all layers and how that changes \
                   item by item, the layers in which it is more probable than the answer in the language, and the right \
                   answer's share of all answers in the language after the last layer.";
    let mut table = start(format!("inside.{}.lens", look.slug), caption, &HEADS);
    for &language in languages {
        for state in &look.states {
            let Some(curves) = curves(state, language, LensKind::Raw) else {
                continue;
            };
            let peak = curves
                .correct_english
                .iter()
                .enumerate()
                .max_by(|(_, a), (_, b)| a.value.total_cmp(&b.value));
            let area_change = change_in_row(look, state, language, |item| item.area);
            let share_change = change_in_row(look, state, language, |item| item.share);
            let shares = curves
                .items
                .iter()
                .map(|item| item.share)
                .filter(|share| share.is_finite());
            let cells = [
                TableCell::text(language.code()),
                TableCell::text(state.name),
                TableCell::Count(curves.kept),
                TableCell::Count(curves.dropped),
                peak.map_or(TableCell::Empty, |(layer, _)| TableCell::Count(layer)),
                TableCell::Area(peak.map(|(_, estimate)| *estimate)),
                TableCell::Number(mean(curves.items.iter().map(|item| item.area))),
                area_change.map_or(TableCell::Empty, |change| {
                    TableCell::AreaChange(Some(change))
                }),
                TableCell::text(if language == Language::En {
                    String::new()
                } else {
                    layer_ranges(&leading(curves))
                }),
                TableCell::Share(Some(mean(shares))),
                share_change.map_or(TableCell::Empty, |change| TableCell::Change(Some(change))),
            ];
            push(&mut table, &HEADS, &cells, false);
        }
    }
    crate::sheet::align_left(&mut table, &["state", "English leads in layers"]);
    table
}
