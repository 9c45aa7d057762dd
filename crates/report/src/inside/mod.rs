//! What is inside the models, from the records of `inside/`: figures, tables and sentences,
//! before and after tuning.
//!
//! Source: section 6 and appendices C and D of arXiv 2405.13816, and the measures that have
//! come since. Never here: computing a measure (`analyse`); a number that is in no record
//! and follows from none.

mod alignment;
mod components;
mod heat;
mod lens;
mod neurons;
mod patching;
mod section;
mod silencing;
mod tuned_lens;
mod words;

use compare::inside::ModelView;

pub(crate) use section::{CaptionedFigure, Foldout, InsideSection};

/// Everything that is shown of one view, in the order of the page. A missing analysis has no section.
pub(crate) fn parts(look: &ModelView) -> Vec<InsideSection> {
    let all = [
        lens::part(look),
        tuned_lens::part(look),
        components::part(look),
        alignment::part(look),
        neurons::part(look),
        silencing::part(look),
        patching::part(look),
    ];
    all.into_iter().flatten().collect()
}
