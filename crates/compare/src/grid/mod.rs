//! All runs of a grid as one table of results: a row per run, task, label set, form of the
//! prompts and setting.
//!
//! Each run is read, checked and measured by the same code as for its own report; nothing is
//! measured in another way here. Only the adjustment of p-values is over all runs (Holm 1979). A
//! run that is not finished, or has not begun, is told. Never here: how a grid is expanded, text
//! for the page.

mod family;
mod member;
mod printed;
mod rows;

use schema::{LabelSet, Language, PromptForm, run_folder::RunFolder};
use serde::Serialize;

pub use printed::{BASE_ROW, PrintedValue};

use crate::{error::CompareError, stats::Estimate};
use printed::PrintedFacts;

/// One run of a grid.
#[derive(Clone, Debug)]
pub struct GridMember {
    /// Its name in the grid.
    pub name: String,
    /// The point it has on each axis: (axis, point), in the order of the axes.
    pub axes: Vec<(String, String)>,
    /// Where it is.
    pub folder: RunFolder,
}

/// Everything that the runs of a grid say about accuracy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GridResults {
    /// The runs, in the order given.
    pub members: Vec<GridMemberState>,
    /// In the order of the runs; of each run and question the base first.
    pub rows: Vec<GridRow>,
    /// What the adjusted p-values are adjusted for.
    pub families: TestFamilies,
    /// What is missing, and why, in sentences.
    pub missing: Vec<String>,
    /// What makes a result worth less than it looks, in sentences.
    pub caveats: Vec<String>,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GridMemberState {
    /// Its name in the grid.
    pub name: String,
    /// The point it has on each axis.
    pub axes: Vec<AxisPoint>,
    /// The name of its run folder, without the folders above.
    pub folder: String,
    /// Its model; empty where it is not known.
    pub model: String,
    /// Stages that are done.
    pub done: usize,
    /// Stages that are to be done, the report apart.
    pub planned: usize,
    /// Whether it has a page of its own.
    pub has_page: bool,
}

/// A point on an axis of the grid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AxisPoint {
    /// Name of the axis: a key of the recipe.
    pub axis: String,
    /// A value, or the name of a group of values.
    pub point: String,
}

/// A model, tuned in one setting or not at all, asked one task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GridRow {
    /// The run.
    pub member: String,
    /// The model, as the grid names it.
    pub model: String,
    /// The task asked.
    pub task: String,
    /// The task whose questions were learnt; `None` without training, or if the adapter's name
    /// does not say.
    pub trained_on: Option<String>,
    /// The label words that were scored.
    pub labels: LabelSet,
    /// The form of the prompts.
    pub prompt: PromptForm,
    /// `base`, or the setting as the paper prints it.
    pub setting: String,
    /// The points of those axes that this row needs to be told from others.
    pub variant: Vec<AxisPoint>,
    /// Accuracy of guessing.
    pub chance: f64,
    /// Mean accuracy over languages (Eq. 5), the mean over seeds and exemplar sets.
    pub mean: Estimate,
    /// The same of the base model, in the languages compared; `None` for the base itself.
    pub base: Option<Estimate>,
    /// Change from the base.
    pub change: Option<Estimate>,
    /// The test of that change; `None` where the languages have different items.
    pub test: Option<GridTest>,
    /// Change of each seed.
    pub seed_changes: Vec<f64>,
    /// Standard deviation of these; `None` with one seed.
    pub seed_sd: Option<f64>,
    /// Each language, in the order of the paper's tables.
    pub languages: Vec<GridLanguage>,
    /// The mean that the paper prints, where it is the same experiment.
    pub printed: Option<PrintedValue>,
}

/// A row in one language.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GridLanguage {
    /// The language.
    pub language: Language,
    /// Scored items.
    pub items: usize,
    /// Whether it is a source or the target of the training pairs.
    pub seen: bool,
    /// Accuracy (Eq. 4).
    pub accuracy: Estimate,
    /// Change from the base.
    pub change: Option<Estimate>,
    /// Its test.
    pub test: Option<GridTest>,
    /// The accuracy that the paper prints, where it is the same experiment.
    pub printed: Option<PrintedValue>,
}

/// A test of a change from the base.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GridTest {
    /// Exact p-value.
    pub p: f64,
    /// Adjusted after Holm over the test's family in the whole grid.
    pub p_holm: f64,
}

/// The tests of a grid that are adjusted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TestFamilies {
    /// Changes of means over languages.
    pub means: usize,
    /// Changes in single languages.
    pub languages: usize,
    /// Changes of means that were not tested, as the languages have different items.
    pub untested: usize,
}

impl GridRow {
    /// Whether it is the model without an adapter.
    pub fn is_base(&self) -> bool {
        self.change.is_none()
    }
}

/// Reads and measures all runs of a grid. The same records give the same results; no path of the
/// machine is in them.
///
/// # Errors
/// Broken or contradicting records, by file and line; [`CompareError::Stopped`].
pub fn read(
    members: &[GridMember],
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<GridResults, CompareError> {
    let facts = PrintedFacts::shipped()?;
    let mut results = GridResults {
        members: Vec::new(),
        rows: Vec::new(),
        families: TestFamilies::default(),
        missing: Vec::new(),
        caveats: Vec::new(),
    };
    // one run at a time: its records are dropped before the next one's are read
    for member in members {
        if stop() {
            return Err(CompareError::Stopped);
        }
        member::add(member, &facts, &mut results, stop)?;
    }
    family::adjust(&mut results);
    rows::tell_apart(&mut results);
    Ok(results)
}
