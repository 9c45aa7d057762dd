//! The states of one layer in several languages, checked and prepared: everything that several
//! measures need, made once for each language. Never here: measures of pairs, files.

use rayon::prelude::*;
use schema::{Language, inside::PcaRecord};

use super::{
    cloud::{LanguageCloud, LayerStates},
    components::{Fit, fit},
};
use crate::error::AnalyseError;

/// Fewest items: debiased CKA is of four or more, and the jackknife leaves one out.
pub const FEWEST_ITEMS: usize = 5;
/// The states of the same items in several languages at one layer.
#[derive(Debug)]
pub struct LayerSpace {
    pub(super) layer: usize,
    pub(super) width: usize,
    pub(super) items: Vec<usize>,
    /// In the order of the languages.
    pub(super) clouds: Vec<LanguageCloud>,
    /// The joint fit and the one with each language's mean taken out; `None` where nothing
    /// varies.
    pub(super) fits: [Option<Fit>; 2],
}

impl LayerSpace {
    /// Checks the states and makes what is needed of them, on all cores. Languages may come in
    /// any order.
    ///
    /// # Errors
    /// No language, or one of them twice; items that are not the same in all, or fewer than
    /// [`FEWEST_ITEMS`]; a wrong number of tokens or values; a prompt without tokens; a value
    /// that is not finite.
    pub fn prepare(
        layer: usize,
        width: usize,
        rows: &[LayerStates<'_>],
    ) -> Result<Self, AnalyseError> {
        let mut rows = rows.to_vec();
        rows.sort_by_key(|rows| rows.language);
        let Some(first) = rows.first() else {
            return Err(AnalyseError::unusable(
                format!("layer {layer}"),
                "no language has states; capture some",
            ));
        };
        if let Some(twice) = rows
            .windows(2)
            .find(|two| two[0].language == two[1].language)
        {
            return Err(AnalyseError::unusable(
                format!("layer {layer}, {}", twice[0].language),
                "is there twice; name it once",
            ));
        }
        for rows in &rows {
            if let Some(problem) = problem_of(rows, width, first) {
                let what = format!("layer {layer}, {}", rows.language);
                return Err(AnalyseError::unusable(what, problem));
            }
        }
        let clouds: Vec<LanguageCloud> = rows
            .par_iter()
            .map(|rows| LanguageCloud::new(rows, width))
            .collect();
        let (joint, centred) =
            rayon::join(|| fit(&clouds, width, false), || fit(&clouds, width, true));
        Ok(Self {
            layer,
            width,
            items: first.items.to_vec(),
            clouds,
            fits: [joint?, centred?],
        })
    }

    /// In their order.
    pub(super) fn languages(&self) -> impl Iterator<Item = Language> {
        self.clouds.iter().map(|cloud| cloud.language)
    }

    /// The records of both fits: joint, and with each language's mean taken out. A fit of
    /// states that do not vary (of the embedding of a last token that all prompts share) has
    /// none.
    pub(super) fn components(&self) -> Vec<PcaRecord> {
        let fits = self
            .fits
            .iter()
            .zip([false, true])
            .filter_map(|(fit, centred)| Some((fit.as_ref()?, centred)));
        fits.map(|(fit, centred)| PcaRecord {
            layer: self.layer,
            centred,
            explained: fit.explained,
            items: self.items.clone(),
            points: self
                .clouds
                .iter()
                .zip(&fit.scores)
                .map(|(cloud, scores)| (cloud.language, scores.points()))
                .collect(),
        })
        .collect()
    }
}

/// The problem of a language's rows, and what to do; all must agree with `first`.
fn problem_of(rows: &LayerStates<'_>, width: usize, first: &LayerStates<'_>) -> Option<String> {
    let n = rows.items.len();
    if rows.items != first.items {
        return Some(format!(
            "its items are not those of {}, in their order; take the items that all have",
            first.language
        ));
    }
    if n < FEWEST_ITEMS {
        return Some(format!(
            "{n} items; {FEWEST_ITEMS} or more are needed, so raise the limit"
        ));
    }
    if width == 0 || rows.values.len() != n * width || rows.tokens.len() != n {
        let (tokens, values) = (rows.tokens.len(), rows.values.len());
        return Some(format!(
            "{tokens} lengths and {values} values for {n} items of width {width}; capture them again"
        ));
    }
    if let Some(row) = rows.tokens.iter().position(|&tokens| tokens == 0) {
        return Some(format!(
            "item {} has no tokens; capture it again",
            rows.items[row]
        ));
    }
    let at = rows.values.iter().position(|value| !value.is_finite())?;
    let item = rows.items[at / width];
    Some(format!(
        "item {item}, dimension {}, is {}; capture it again",
        at % width,
        rows.values[at]
    ))
}
