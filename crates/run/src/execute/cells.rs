//! The models of a recipe, the base and each adapter, as work that can be done, and can fail, alone.
//! Never here: recipes that stand for several (`grid`), who starts which process.

use std::collections::{BTreeMap, BTreeSet};

use schema::{Recipe, run_folder::RunFolder};

use ::train::workers::Alone;

use super::{Execution, prepare};
use crate::{
    error::Result,
    experiment::{Experiment, RunOptions},
    manifest::Recorded,
    parts::Parts,
    session::Session,
    stages::{self, Stage},
    watch::Watch,
};

/// What is done of a cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CellProgress {
    /// Stages that are done, and all.
    pub stages: (usize, usize),
    /// What the finished ones took.
    pub seconds: f64,
}

impl CellProgress {
    /// Whether nothing is left.
    pub fn is_done(&self) -> bool {
        self.stages.0 == self.stages.1
    }
}

/// A recipe in its run folder, whose cells are made one by one.
pub struct CellRun {
    experiment: Experiment,
    options: RunOptions,
}

impl CellRun {
    /// Looks for all that would end it in its middle. `session` is of the recipe's model, in its
    /// number format.
    ///
    /// # Errors
    /// The data, the model or the folder does not fit the recipe.
    pub fn new(recipe: &Recipe, options: &RunOptions, session: &Session) -> Result<Self> {
        let parts = Parts {
            report: false,
            ..options.parts
        };
        let options = RunOptions {
            parts,
            ..options.clone()
        };
        let experiment = prepare(recipe, &options, session)?;
        Ok(Self {
            experiment,
            options,
        })
    }

    /// Makes what is not done of a cell (`base` or an adapter), and of others what it needs.
    ///
    /// # Errors
    /// A stage fails; [`crate::RunError::Interrupted`].
    pub fn make(&self, cell: &str, session: &mut Session, watch: &mut dyn Watch) -> Result<()> {
        let options = RunOptions {
            cells: Some(BTreeSet::from([cell.to_owned()])),
            ..self.options.clone()
        };
        let workers = &mut Alone;
        let mut execution = Execution::open(&self.experiment, &options, session, workers, watch)?;
        while execution.advance()? {}
        execution.close()?;
        Ok(())
    }
}

/// What a run folder has of each cell of a recipe, by its manifest; nothing is hashed, and no
/// model is looked at.
///
/// # Errors
/// The manifest is damaged, or test files that decide which stages there are cannot be listed.
pub fn find_progress(
    recipe: &Recipe,
    folder: &RunFolder,
) -> Result<BTreeMap<String, CellProgress>> {
    let recorded = Recorded::read(folder)?;
    let is_same = recorded.text()["recipe"] == serde_json::to_value(recipe)?;
    let done: BTreeMap<String, f64> = match is_same {
        true => recorded.current_seconds(),
        false => BTreeMap::new(),
    };
    let mut cells: BTreeMap<String, CellProgress> = BTreeMap::new();
    for stage in stages::list(recipe, Parts::ALL)? {
        let Some(cell) = stage.cell() else {
            continue;
        };
        let cell = cells.entry(cell.to_owned()).or_default();
        cell.stages.1 += 1;
        if let Some(seconds) = done.get(&stage.name()) {
            cell.stages.0 += 1;
            cell.seconds += seconds;
        }
    }
    Ok(cells)
}

/// The places of the stages that are wanted: those of the parts and cells, and what these cells need
/// of others.
pub(super) fn find_wanted(stages: &[Stage], options: &RunOptions) -> Vec<usize> {
    let is_among = |at: &usize| stages[*at].is_among(options.parts);
    let all = 0..stages.len();
    let Some(cells) = &options.cells else {
        return all.filter(is_among).collect();
    };
    let is_of_cells = |at: &usize| stages[*at].cell().is_none_or(|cell| cells.contains(cell));
    let mut wanted: BTreeSet<usize> = all.filter(is_of_cells).collect();
    let places: BTreeMap<String, usize> = (0..)
        .zip(stages)
        .map(|(at, stage)| (stage.name(), at))
        .collect();
    let mut unseen: Vec<usize> = wanted.iter().copied().collect();
    while let Some(at) = unseen.pop() {
        let needs = stages[at].needs();
        let needs = needs.iter().filter_map(|name| places.get(name).copied());
        unseen.extend(needs.filter(|need| wanted.insert(*need)));
    }
    wanted.into_iter().filter(is_among).collect()
}
