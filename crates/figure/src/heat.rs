//! Maps of numbers: rows x columns of coloured cells, with the number in a cell where it fits;
//! several panels with their scales. Languages x languages, layers x languages.
//!
//! Never here: what is measured.

use crate::{
    canvas::{Anchor, Figure},
    colour::Ramp,
};

/// About the width of a small letter.
const LETTER: f64 = 5.9;
const TITLE: f64 = 20.0;
const GAP: f64 = 18.0;
const SCALE: f64 = 30.0;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatCell {
    /// Gives the colour.
    pub value: f64,
    /// Whether its interval leaves out 0, which a dot marks.
    pub clear: bool,
    /// Shows when pointed at.
    pub hint: String,
}

/// One panel.
#[derive(Clone, Debug)]
pub struct HeatMap {
    /// Above the cells.
    pub title: String,
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// `cells[row][column]`.
    pub cells: Vec<Vec<Option<HeatCell>>>,
    /// How values become colours.
    pub ramp: Ramp,
    /// The unit under the scale.
    pub unit: String,
    /// The number in a cell and at the ends of the scale.
    pub show: fn(f64) -> String,
}

/// A figure of maps.
pub struct HeatSheet {
    /// File stem of the figure.
    pub name: String,
    /// What the figure shows, for those who do not see it.
    pub description: String,
    /// The panels.
    pub maps: Vec<HeatMap>,
    /// Maps in a row.
    pub columns: usize,
    /// Titles of rows and columns of every map.
    pub axes: (&'static str, &'static str),
    /// Whether a cell whose interval holds 0 is an outline only.
    pub hollow: bool,
}

/// Sizes that all panels share.
struct HeatGrid {
    cell: (f64, f64),
    left: f64,
    width: f64,
    height: f64,
}

impl HeatSheet {
    /// Draws all panels with their scales.
    pub fn draw(&self) -> Figure {
        let width = if self.columns > 2 || self.maps.iter().any(|map| map.columns.len() > 12) {
            940.0
        } else {
            460.0
        };
        let grid = self.measure(width / self.columns as f64);
        let rows = self.maps.len().div_ceil(self.columns);
        let mut figure = Figure::new(
            self.name.clone(),
            self.description.clone(),
            width,
            8.0 + grid.height * rows as f64,
        );
        for (index, map) in self.maps.iter().enumerate() {
            let corner = (
                width / self.columns as f64 * (index % self.columns) as f64,
                8.0 + grid.height * (index / self.columns) as f64,
            );
            self.draw_map(&mut figure, map, corner, &grid);
        }
        figure
    }

    fn measure(&self, panel: f64) -> HeatGrid {
        let most =
            |count: fn(&HeatMap) -> usize| self.maps.iter().map(count).max().unwrap_or(1).max(1);
        let (rows, columns) = (most(|map| map.rows.len()), most(|map| map.columns.len()));
        let names = self
            .maps
            .iter()
            .flat_map(|map| &map.rows)
            .map(|name| name.chars().count());
        let left = 12.0 + LETTER * names.max().unwrap_or(0) as f64 + 14.0;
        let width = panel - left - 8.0;
        let longest = self
            .maps
            .iter()
            .flat_map(|map| &map.columns)
            .map(|name| name.chars().count())
            .max();
        // a column is as wide as its name, if there is room
        let widest = (LETTER * longest.unwrap_or(0) as f64 + 6.0).max(44.0);
        let cell = (width / columns as f64).min(widest);
        let high = if rows == columns {
            cell.min(26.0)
        } else {
            17.0
        };
        let height = TITLE + high * rows as f64 + 32.0 + SCALE + GAP;
        HeatGrid {
            cell: (cell, high),
            left,
            width: cell * columns as f64,
            height,
        }
    }

    fn draw_map(&self, figure: &mut Figure, map: &HeatMap, (x, y): (f64, f64), grid: &HeatGrid) {
        let (left, top) = (x + grid.left, y + TITLE);
        let (wide, high) = grid.cell;
        let bottom = top + high * map.rows.len() as f64;
        let has_numbers = map.has_room(grid);
        figure.text("strong", (left, y + 12.0), Anchor::Start, &map.title);
        for (row, name) in map.rows.iter().enumerate() {
            let middle = top + high * (row as f64 + 0.5);
            figure.text("small", (left - 5.0, middle + 3.6), Anchor::End, name);
            for (column, cell) in map.cells[row].iter().enumerate() {
                if let Some(cell) = cell {
                    let corner = (left + wide * column as f64, middle - high / 2.0);
                    if self.hollow && !cell.clear {
                        draw_outline(figure, map, cell, corner, (grid, has_numbers));
                    } else {
                        draw_cell(figure, map, cell, corner, (grid, has_numbers));
                    }
                }
            }
        }
        let every = map
            .columns
            .iter()
            .map(|name| LETTER * name.chars().count() as f64 + 4.0)
            .fold(0.0, f64::max);
        let least = (every / wide).ceil() as usize;
        let every = [1, 2, 5, 10, 20]
            .into_iter()
            .find(|step| *step >= least)
            .unwrap_or(50);
        for (column, name) in map
            .columns
            .iter()
            .enumerate()
            .filter(|(column, _)| column % every == 0)
        {
            let middle = left + wide * (column as f64 + 0.5);
            figure.text("small", (middle, bottom + 12.0), Anchor::Middle, name);
        }
        let (across, along) = (
            left + wide * map.columns.len() as f64 / 2.0,
            (top + bottom) / 2.0,
        );
        figure.text(
            "quiet small",
            (across, bottom + 26.0),
            Anchor::Middle,
            self.axes.1,
        );
        figure.text_upright("quiet small", (x + 9.0, along), self.axes.0);
        draw_scale(figure, map, (left, bottom + 36.0), grid.width);
    }
}

impl HeatMap {
    /// Whether every number fits its cell.
    fn has_room(&self, grid: &HeatGrid) -> bool {
        let letters = self
            .cells
            .iter()
            .flatten()
            .flatten()
            .map(|cell| (self.show)(cell.value).chars().count());
        let (wide, high) = grid.cell;
        high >= 12.0 && LETTER * 0.92 * letters.max().unwrap_or(0) as f64 <= wide
    }
}

fn draw_cell(
    figure: &mut Figure,
    map: &HeatMap,
    cell: &HeatCell,
    (x, y): (f64, f64),
    (grid, has_numbers): (&HeatGrid, bool),
) {
    let (wide, high) = grid.cell;
    let colour = map.ramp.colour(cell.value);
    figure.cell(
        &colour.hex(),
        (x, y),
        (wide + 0.25, high + 0.25),
        &cell.hint,
    );
    let text = (map.show)(cell.value);
    let ink = colour.ink();
    if has_numbers {
        let class = if cell.clear {
            format!("cell {ink} strong")
        } else {
            format!("cell {ink}")
        };
        figure.text(
            &class,
            (x + wide / 2.0, y + high / 2.0 + 3.4),
            Anchor::Middle,
            &text,
        );
    } else if cell.clear {
        figure.circle(
            ink,
            (x + wide / 2.0, y + high / 2.0),
            (wide / 5.0).min(1.7),
            "",
        );
    }
}

/// A cell without its colour but at the edge.
fn draw_outline(
    figure: &mut Figure,
    map: &HeatMap,
    cell: &HeatCell,
    (x, y): (f64, f64),
    (grid, has_numbers): (&HeatGrid, bool),
) {
    let (wide, high) = grid.cell;
    let edge = 2.0_f64.min(wide / 5.0);
    let colour = map.ramp.colour(cell.value).hex();
    let inner = (wide - 2.0 * edge - 0.6, high - 2.0 * edge - 0.6);
    figure.cell(
        &colour,
        (x + 0.3, y + 0.3),
        (wide - 0.6, high - 0.6),
        &cell.hint,
    );
    figure.rectangle("hole", (x + edge + 0.3, y + edge + 0.3), inner);
    if has_numbers {
        let at = (x + wide / 2.0, y + high / 2.0 + 3.4);
        figure.text("cell quiet", at, Anchor::Middle, &(map.show)(cell.value));
    }
}

fn draw_scale(figure: &mut Figure, map: &HeatMap, (left, top): (f64, f64), width: f64) {
    let (low, high) = map.ramp.ends();
    // both ends' numbers stand below it
    let length = width.clamp(80.0, 110.0);
    let steps = 55;
    for step in 0..steps {
        let value = low + (high - low) * f64::from(step) / f64::from(steps - 1);
        let at = left + length * f64::from(step) / f64::from(steps);
        figure.cell(
            &map.ramp.colour(value).hex(),
            (at, top),
            (length / f64::from(steps) + 0.3, 7.0),
            "",
        );
    }
    figure.text(
        "quiet small",
        (left, top + 18.0),
        Anchor::Start,
        &(map.show)(low),
    );
    figure.text(
        "quiet small",
        (left + length, top + 18.0),
        Anchor::End,
        &(map.show)(high),
    );
    figure.text(
        "quiet small",
        (left + length + 8.0, top + 7.5),
        Anchor::Start,
        &map.unit,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_is_not_clear_is_an_outline() {
        let cell = |clear| {
            Some(HeatCell {
                value: 0.5,
                clear,
                hint: String::new(),
            })
        };
        let map = HeatMap {
            title: String::new(),
            rows: vec!["r".to_owned()],
            columns: ["a", "b"].map(str::to_owned).to_vec(),
            cells: vec![vec![cell(true), cell(false)]],
            ramp: Ramp::Diverging(1.0),
            unit: String::new(),
            show: |value| format!("{value:.1}"),
        };
        let drawn = HeatSheet {
            name: "f".to_owned(),
            description: "d".to_owned(),
            maps: vec![map],
            columns: 1,
            axes: ("", ""),
            hollow: true,
        }
        .draw()
        .to_inline();
        assert_eq!(drawn.matches("class=\"hole\"").count(), 1, "{drawn}");
    }

    #[test]
    fn numbers_stand_where_they_fit_and_a_dot_elsewhere() {
        let cell = |value| {
            Some(HeatCell {
                value,
                clear: true,
                hint: format!("hint {value}"),
            })
        };
        let names = |count: usize| (0..count).map(|n| format!("l{n}")).collect::<Vec<_>>();
        let atlas = |count: usize| {
            let map = HeatMap {
                title: "t".to_owned(),
                rows: names(2),
                columns: names(count),
                cells: vec![vec![cell(0.25); count], vec![None; count]],
                ramp: Ramp::Sequential(0.0, 1.0),
                unit: "u".to_owned(),
                show: |value| format!("{value:.3}"),
            };
            let (name, description) = ("f".to_owned(), "d".to_owned());
            HeatSheet {
                name,
                description,
                maps: vec![map],
                columns: 1,
                axes: ("a", "b"),
                hollow: false,
            }
            .draw()
            .to_inline()
        };
        let few = atlas(3);
        assert_eq!(
            (
                few.matches("hint 0.25").count(),
                few.matches(">0.250<").count()
            ),
            (3, 3)
        );
        let many = atlas(80);
        assert_eq!(
            (
                many.matches(">0.250<").count(),
                many.matches("<circle").count()
            ),
            (0, 80)
        );
        assert!(
            many.matches(">l").count() < 60,
            "names of columns do not meet"
        );
    }
}
