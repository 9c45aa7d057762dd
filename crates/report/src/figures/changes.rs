//! Map of the changes of one task and label set: settings by languages, an outline alone where the
//! interval holds 0.

use compare::{LanguageChange, ResultBlock};
use figure::{Figure, HeatCell, HeatMap, HeatSheet, Ramp};
use schema::Language;

use crate::format::{points, points_interval};

/// Ends of the scale, a multiple of five points.
const STEP: f64 = 0.05;

/// `None` with fewer than two settings, of which the other figures say all.
pub(crate) fn draw(block: &ResultBlock) -> Option<Figure> {
    if block.settings.len() < 2 {
        return None;
    }
    let levels = block.base.languages.iter();
    let languages: Vec<Language> = levels.map(|level| level.language).collect();
    let changes = block.settings.iter().flat_map(|s| &s.changes.languages);
    let most = changes.map(|of| of.change.value.abs()).fold(0.0, f64::max);
    let cells = block.settings.iter().map(|setting| {
        let of = |language| {
            let all = &setting.changes.languages;
            let found = all.iter().find(|of| of.language == language)?;
            draw_cell(&setting.name, found)
        };
        languages.iter().map(|language| of(*language)).collect()
    });
    let map = HeatMap {
        title: "Change of accuracy, points".to_owned(),
        rows: block.settings.iter().map(|s| s.name.clone()).collect(),
        columns: languages.iter().map(|l| l.code().to_owned()).collect(),
        cells: cells.collect(),
        ramp: Ramp::Diverging((most / STEP).ceil().max(1.0) * STEP),
        unit: "points".to_owned(),
        show: |change| points(change, 1),
    };
    let sheet = HeatSheet {
        name: format!("{}.changes", block.slug()),
        description: format!(
            "Change of accuracy from the base model by setting and language, {}, {}.",
            block.task,
            block.asked_with()
        ),
        maps: vec![map],
        columns: 1,
        axes: ("", ""),
        hollow: true,
    };
    Some(sheet.draw())
}

fn draw_cell(setting: &str, of: &LanguageChange) -> Option<HeatCell> {
    let change = &of.change;
    (!change.value.is_nan()).then(|| HeatCell {
        value: change.value,
        clear: change.rises() || change.falls(),
        hint: format!(
            "{setting}, {}: {} points",
            of.language.name(),
            points_interval(change, 1)
        ),
    })
}
