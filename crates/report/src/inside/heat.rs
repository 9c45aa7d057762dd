//! Maps of languages against languages, before, after and their difference, for the sections
//! that show pairs.
//!
//! Never here: drawing; what a measure means.

use std::collections::BTreeMap;

use compare::{
    inside::{ModelView, TwoLanguages, ViewState},
    stats::Estimate,
};
use figure::{HeatCell, HeatMap, HeatSheet, Ramp};
use schema::{
    Language,
    inside::{ChangeRecord, Measure, PairRecord, Pooling},
};

use super::{
    section::CaptionedFigure,
    words::{codes, measure_title, pooling_words},
};
use crate::{
    format::{fixed, signed, signed_interval},
    table::{ReportTable, TableRow, csv_number},
};

/// `cells[row][column]` of a symmetric measure; the diagonal is empty.
pub(crate) fn symmetric(
    languages: &[Language],
    of: impl Fn(TwoLanguages) -> Option<HeatCell>,
) -> Vec<Vec<Option<HeatCell>>> {
    square(languages, |a, b| match a.cmp(&b) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Less => of((a, b)),
        std::cmp::Ordering::Greater => of((b, a)),
    })
}

/// A value for each language (row) with each (column).
fn square<T>(languages: &[Language], of: impl Fn(Language, Language) -> T) -> Vec<Vec<T>> {
    languages
        .iter()
        .map(|&a| languages.iter().map(|&b| of(a, b)).collect())
        .collect()
}

/// Two decimals without the zero in front, so that a number fits a cell.
pub(crate) fn short(value: f64) -> String {
    fixed(value, 2).replacen("0.", ".", 1)
}

/// As [`short`], with its sign.
pub(crate) fn short_signed(value: f64) -> String {
    signed(value, 2).replacen("0.", ".", 1)
}

/// The range of values, to tenths; a little span where there is none.
pub(crate) fn range_of(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let (low, high) = ((low * 10.0).floor() / 10.0, (high * 10.0).ceil() / 10.0);
    if high > low {
        (low, high)
    } else {
        (low - 0.1, high + 0.1)
    }
}

/// A measure at some layers, one row of maps per layer; `None` where it was not taken.
pub(crate) fn pairs(
    look: &ModelView,
    pooling: Pooling,
    measure: Measure,
    layers: &[usize],
) -> Option<CaptionedFigure> {
    let languages = languages(look, pooling);
    let ramp = shared_ramp(look, pooling, measure, layers)?;
    let mut maps = Vec::new();
    for &layer in layers {
        for state in &look.states {
            let pairs = pairs_at(state, pooling, measure, layer);
            maps.push(level_map(state.name, layer, pairs, &languages, ramp));
        }
        maps.extend(change_map(
            look,
            (pooling, measure, layer),
            &languages,
            layers,
        ));
    }
    let columns = maps.len() / layers.len();
    let name = format!("inside.{}.{measure}.{pooling}", look.slug);
    let what = format!(
        "{} between languages ({})",
        measure_title(measure),
        pooling_words(pooling)
    );
    let change = if columns > look.states.len() {
        "; right: the change, bold or dotted where its interval leaves out 0"
    } else {
        ""
    };
    let caption = format!(
        "{what}, at {}{change}.",
        crate::format::list(
            &layers
                .iter()
                .map(|l| format!("layer {l}"))
                .collect::<Vec<_>>()
        )
    );
    let atlas = HeatSheet {
        name,
        description: caption.clone(),
        maps,
        columns,
        axes: ("", ""),
        hollow: false,
    };
    Some(CaptionedFigure {
        figure: atlas.draw(),
        caption,
    })
}

/// One scale for all states and layers; `None` where nothing was measured.
fn shared_ramp(
    look: &ModelView,
    pooling: Pooling,
    measure: Measure,
    layers: &[usize],
) -> Option<Ramp> {
    let mut values = Vec::new();
    for state in &look.states {
        for layer in layers {
            if let Some(pairs) = pairs_at(state, pooling, measure, *layer) {
                values.extend(pairs.values().map(|record| record.value));
            }
        }
    }
    if values.is_empty() {
        return None;
    }
    let (low, high) = range_of(values.into_iter());
    Some(Ramp::Sequential(low, high))
}

/// The records of one layer.
fn pairs_at<'a>(
    state: &ViewState<'a>,
    pooling: Pooling,
    measure: Measure,
    layer: usize,
) -> Option<&'a BTreeMap<TwoLanguages, PairRecord>> {
    state.records.pairs.get(&pooling)?.at(measure, layer)
}

/// One state at one layer.
fn level_map(
    name: &str,
    layer: usize,
    pairs: Option<&BTreeMap<TwoLanguages, PairRecord>>,
    languages: &[Language],
    ramp: Ramp,
) -> HeatMap {
    HeatMap {
        title: format!("Layer {layer}, {name}"),
        rows: codes(languages),
        columns: codes(languages),
        cells: symmetric(languages, |two| {
            let value = pairs?.get(&two)?.value;
            Some(HeatCell {
                value,
                clear: false,
                hint: format!("{}, {}: {}", two.0, two.1, fixed(value, 3)),
            })
        }),
        ramp,
        unit: String::new(),
        show: short,
    }
}

fn change_of(record: &ChangeRecord) -> f64 {
    record.after - record.before
}

/// Bold or dotted where the interval leaves out 0.
fn change_cell(two: TwoLanguages, record: &ChangeRecord) -> HeatCell {
    let change = Estimate {
        value: change_of(record),
        low: record.low,
        high: record.high,
    };
    HeatCell {
        value: change.value,
        clear: change.rises() || change.falls(),
        hint: format!("{}, {}: {}", two.0, two.1, signed_interval(&change, 3)),
    }
}

fn change_map(
    look: &ModelView,
    (pooling, measure, layer): (Pooling, Measure, usize),
    languages: &[Language],
    layers: &[usize],
) -> Option<HeatMap> {
    let [_, after] = look.both()?;
    let changes = after.changes.get(&pooling)?;
    let reach = layers
        .iter()
        .filter_map(|layer| changes.at(measure, *layer))
        .flat_map(|pairs| pairs.values());
    let reach = reach
        .map(|record| change_of(record).abs())
        .fold(0.0_f64, f64::max);
    Some(HeatMap {
        title: format!("Layer {layer}, change"),
        rows: codes(languages),
        columns: codes(languages),
        cells: symmetric(languages, |two| {
            Some(change_cell(two, changes.at(measure, layer)?.get(&two)?))
        }),
        ramp: Ramp::Diverging(((reach * 20.0).ceil() / 20.0).max(0.05)),
        unit: String::new(),
        show: short_signed,
    })
}

/// Every language of a pair in any state.
pub(crate) fn languages(look: &ModelView, pooling: Pooling) -> Vec<Language> {
    let of = look
        .states
        .iter()
        .filter_map(|state| state.records.pairs.get(&pooling));
    let mut all: Vec<Language> = of.flat_map(|pairs| pairs.languages()).collect();
    all.sort();
    all.dedup();
    all
}

/// A measure of all pairs at one layer as the paper prints it: languages by languages, one
/// table a state.
pub(crate) fn tables(
    look: &ModelView,
    pooling: Pooling,
    measure: Measure,
    layer: usize,
) -> Vec<ReportTable> {
    let languages = languages(look, pooling);
    look.states
        .iter()
        .filter_map(|state| {
            let pairs = pairs_at(state, pooling, measure, layer)?;
            let name = format!(
                "inside.{}.{measure}.{pooling}.layer{layer}.{}",
                look.slug, state.name
            );
            let caption = format!(
                "{} between languages at layer {layer}, {} ({}).",
                measure_title(measure),
                state.name,
                pooling_words(pooling)
            );
            let values = square(&languages, |a, b| match a == b {
                true => Some(1.0).filter(|_| is_one_with_itself(measure)),
                false => pairs.get(&(a.min(b), a.max(b))).map(|record| record.value),
            });
            Some(square_table(name, caption, &languages, &values))
        })
        .collect()
}

/// Languages by languages, the languages' codes as heads of the rows and the columns.
fn square_table(
    name: String,
    caption: String,
    languages: &[Language],
    values: &[Vec<Option<f64>>],
) -> ReportTable {
    let codes = codes(languages);
    let columns: Vec<&str> = [""]
        .into_iter()
        .chain(codes.iter().map(String::as_str))
        .collect();
    let mut table = ReportTable::new(name, caption, &columns);
    let heads = ["language".to_owned()].into_iter().chain(codes.clone());
    table.csv.push(heads.collect());
    for (code, values) in codes.iter().zip(values) {
        let shown = values
            .iter()
            .map(|value| value.map_or_else(String::new, |value| fixed(value, 3)));
        table.rows.push(TableRow {
            cells: [code.clone()].into_iter().chain(shown).collect(),
            strong: false,
            marks: Vec::new(),
        });
        let plain = values.iter().map(|value| csv_number(*value));
        table
            .csv
            .push([code.clone()].into_iter().chain(plain).collect());
    }
    table
}

/// Whether a language has 1 with itself.
fn is_one_with_itself(measure: Measure) -> bool {
    matches!(
        measure,
        Measure::Pearson | Measure::PearsonCentred | Measure::Cka
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_mirror_and_the_diagonal_is_empty() {
        let languages = [Language::En, Language::De];
        let cell = |(a, b): TwoLanguages| {
            Some(HeatCell {
                value: 0.5,
                clear: false,
                hint: format!("{a}-{b}"),
            })
        };
        let cells = symmetric(&languages, cell);
        assert!(cells[0][0].is_none() && cells[1][1].is_none());
        assert_eq!(
            [&cells[0][1], &cells[1][0]].map(|c| c.as_ref().expect("a pair").hint.clone()),
            ["en-de", "en-de"]
        );
    }

    #[test]
    fn numbers_of_cells_are_short_and_ranges_round() {
        assert_eq!(
            [short(0.951), short(1.0), short(-0.2)],
            [".95", "1.00", "−.20"]
        );
        assert_eq!(
            [short_signed(0.04), short_signed(-0.04), short_signed(0.001)],
            ["+.04", "−.04", ".00"]
        );
        assert_eq!(
            (
                range_of([0.62, 0.91].into_iter()),
                range_of([0.5].into_iter())
            ),
            ((0.6, 1.0), (0.4, 0.6))
        );
    }
}
