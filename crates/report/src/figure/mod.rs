//! Figures as SVG, drawn by hand: each is a list of shapes whose looks come from `figure.css`.
//!
//! In the page the colours are CSS variables, so that a figure follows the reader's colour
//! scheme; a file in `figures/` carries its own style with literal colours. Colours are Okabe &
//! Ito's, told apart by the colour-blind; the maps of numbers are viridis and a blue-to-orange
//! one. PNG files are painted from the SVG with a font that comes with the program.

pub(crate) mod accuracy;
mod canvas;
mod colour;
mod curves;
mod heat;
pub(crate) mod loss;
pub(crate) mod overview;
mod png;
mod scatter;
pub(crate) mod shares;

pub(crate) use canvas::{DARK, Figure, LIGHT, Mark, css_variables, figure_css};
pub(crate) use colour::Ramp;
pub(crate) use curves::{Chart, Curve, CurveStyle, Sheet};
pub(crate) use heat::{Atlas, Cell, Map};
pub(crate) use png::Painter;
pub(crate) use scatter::{Cloud, Scatter};
