//! What was measured while an adapter was trained: curves by update, one per language, a panel
//! per measure; and the same points as a table. Never here: measuring.

use std::collections::BTreeSet;

use compare::ProbePoint;
use figure::{
    Curve, CurveAxis, CurvePanel, CurvePoint, CurveSheet, CurveStyle, Figure, Mark, TONES,
};
use schema::Language;

use crate::{
    sheet::{ColumnHead, TableCell, push, start},
    table::ReportTable,
};

const STROKES: [&str; 3] = ["solid", "dash", "dots"];
const MARKS: [Mark; 4] = [Mark::Disc, Mark::Triangle, Mark::Square, Mark::Diamond];

/// A panel: its title, and the points' number.
type Measured = (&'static str, fn(&ProbePoint) -> Option<f64>);

const MEASURES: [Measured; 4] = [
    ("Accuracy", |point| point.accuracy),
    ("AUC", |point| point.auc),
    ("Translation loss, nats per token", |point| {
        point.translation_loss
    }),
    ("CKA with English", |point| point.cka),
];

const HEADS: [ColumnHead<'static>; 7] = [
    ("language", "language", false),
    ("update", "update", false),
    ("items", "items", false),
    ("accuracy", "accuracy", false),
    ("AUC", "auc", false),
    ("translation loss", "translation_loss", false),
    ("CKA with English", "cka", false),
];

/// The curves of one adapter; a language has one look in all panels.
pub(crate) fn draw(name: String, description: &str, points: &[ProbePoint]) -> Figure {
    let languages: BTreeSet<Language> = points.iter().map(|point| point.language).collect();
    let languages: Vec<Language> = languages.into_iter().collect();
    let charts = MEASURES
        .iter()
        .map(|(title, number)| CurvePanel {
            title: (*title).to_owned(),
            curves: draw_curves(&languages, points, *number),
            strip: Vec::new(),
            empty: "not measured".to_owned(),
        })
        .collect();
    CurveSheet {
        name,
        description: description.to_owned(),
        charts,
        columns: 2,
        axis: CurveAxis::Updates,
        layers: points.iter().map(|point| point.update).max().unwrap_or(0),
        shared: false,
        holds: Vec::new(),
        is_log: false,
    }
    .draw()
}

fn draw_curves(
    languages: &[Language],
    points: &[ProbePoint],
    number: fn(&ProbePoint) -> Option<f64>,
) -> Vec<Curve> {
    let curves = languages.iter().enumerate().map(|(place, &language)| {
        let own = points.iter().filter(|point| point.language == language);
        Curve {
            style: look(place),
            name: language.code().to_owned(),
            points: own
                .filter_map(|point| Some((point.update, number(point)?)))
                .map(|(layer, value)| CurvePoint {
                    layer,
                    value,
                    low: f64::NAN,
                    high: f64::NAN,
                })
                .collect(),
        }
    });
    curves.filter(|curve| !curve.points.is_empty()).collect()
}

/// A hundred and twenty looks: a colour, a stroke and a sign.
fn look(place: usize) -> CurveStyle {
    let (tone, round) = (place % TONES.len(), place / TONES.len());
    CurveStyle {
        tone: TONES[tone],
        stroke: STROKES[round % STROKES.len()],
        mark: MARKS[(tone + round) % MARKS.len()],
    }
}

/// The points, language by language.
pub(crate) fn tabulate(name: String, caption: &str, points: &[ProbePoint]) -> ReportTable {
    let mut table = start(name, caption, &HEADS);
    let mut points: Vec<&ProbePoint> = points.iter().collect();
    points.sort_by_key(|point| (point.language, point.update));
    for point in points {
        let number = |number: Option<f64>| number.map_or(TableCell::Empty, TableCell::Number);
        let cells = [
            TableCell::text(point.language.code()),
            TableCell::Count(point.update),
            TableCell::Count(point.items),
            TableCell::Share(point.accuracy),
            number(point.auc),
            number(point.translation_loss),
            number(point.cka),
        ];
        push(&mut table, &HEADS, &cells, false);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(update: usize, language: Language, accuracy: f64) -> ProbePoint {
        ProbePoint {
            update,
            language,
            items: 20,
            accuracy: Some(accuracy),
            auc: None,
            translation_loss: Some(1.5),
            cka: None,
        }
    }

    #[test]
    fn sixty_languages_look_different() {
        let looks: BTreeSet<String> = (0..60).map(|place| format!("{:?}", look(place))).collect();
        assert_eq!(looks.len(), 60);
    }

    #[test]
    fn points_are_curves_and_rows() {
        let points = [
            point(0, Language::De, 0.5),
            point(0, Language::Sw, 0.25),
            point(25, Language::De, 0.75),
            point(25, Language::Sw, 0.5),
        ];
        let svg = draw("probes".to_owned(), "what", &points).to_file();
        assert!(svg.contains("Optimiser updates") && svg.contains("not measured"));
        assert!(svg.contains("stroke-blue") && svg.contains("stroke-orange"));
        let table = tabulate("probes".to_owned(), "what", &points);
        let text = table.to_text();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 5, "{text}");
        assert!(
            rows[2].starts_with("de") && rows[2].contains("75.0"),
            "{text}"
        );
        assert!(
            table.to_csv().contains("sw,25,20,50,,1.5,"),
            "{}",
            table.to_csv()
        );
    }
}
