//! Pictures as SVG, drawn by hand: each is a list of shapes whose looks come from `figure.css`.
//!
//! In a page the colours are CSS variables, so that a figure follows the reader's colour scheme;
//! a file carries its own style with literal colours. Colours are Okabe & Ito's, which the
//! colour-blind can distinguish, and five more; the maps of numbers are viridis and a blue-to-orange one. PNG
//! files are painted from the SVG with a font that comes with the program. Never here: records,
//! results, files.

#![forbid(unsafe_code)]

mod canvas;
mod colour;
mod curves;
mod decades;
mod error;
mod heat;
mod png;
mod scatter;

pub use canvas::{
    Anchor, DARK, Figure, LIGHT, Mark, Palette, Scale, TONES, css_variables, escape, figure_css,
    round_ticks, tick_labels,
};
pub use colour::{Colour, Ramp};
pub use curves::{Curve, CurveAxis, CurvePanel, CurvePoint, CurveSheet, CurveStyle};
pub use error::FigureError;
pub use heat::{HeatCell, HeatMap, HeatSheet};
pub use png::Painter;
pub use scatter::{PointCloud, ScatterSheet};
