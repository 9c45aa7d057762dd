//! Figures as SVG, drawn by hand: each is a list of shapes whose looks come from `figure.css`.
//!
//! In the page the colours are CSS variables, so that a figure follows the reader's colour scheme; a file in `figures/`
//! carries its own style with literal colours. Colours are Okabe & Ito's, told apart by the colour-blind.

pub(crate) mod accuracy;
mod canvas;
pub(crate) mod loss;
pub(crate) mod overview;
pub(crate) mod shares;

pub(crate) use canvas::{DARK, Figure, LIGHT, css_variables, figure_css};
