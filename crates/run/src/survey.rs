//! Which stages of a recipe are done, without making any.

use std::path::PathBuf;

use hub::Model;
use schema::Recipe;

use crate::{
    current::find_current,
    error::Result,
    experiment::{Experiment, RunOptions},
    manifest::{Manifest, Recorded},
    redo::Outdated,
    stages::{self, Stage},
};

/// A stage of a recipe, and whether a run would skip it.
pub struct StageStatus {
    /// The stage.
    pub stage: Stage,
    /// Whether it is done with what the recipe asks for.
    pub is_done: bool,
}

/// The stages of a recipe in a run folder.
pub struct Survey {
    /// The run folder.
    pub folder: PathBuf,
    /// The stages, in order.
    pub stages: Vec<StageStatus>,
    /// Finished ones that would be made again; a run refuses that unless it is asked for.
    pub outdated: Option<Outdated>,
}

/// The stages that a run of the recipe would make or skip, in order. Writes nothing.
///
/// # Errors
/// Test files, manifest or device cannot be read.
pub fn survey(recipe: &Recipe, options: &RunOptions, model: &Model) -> Result<Survey> {
    let device = model::device::name(&model::device::open(&options.device)?).to_owned();
    let experiment = Experiment::new(recipe, options.out.clone(), model, device)?;
    let stages = stages::list(recipe, options.parts)?;
    let recorded = Recorded::read(&experiment.folder)?;
    let mut manifest = Manifest::new(&experiment, &recorded);
    manifest.current = find_current(
        &experiment,
        &stages.iter().collect::<Vec<_>>(),
        &manifest,
        &|| false,
    )?;
    let wanted: Vec<Stage> = stages
        .into_iter()
        .filter(|stage| stage.is_among(options.parts))
        .collect();
    let outdated = Outdated::find(
        &experiment,
        &wanted.iter().collect::<Vec<_>>(),
        &recorded,
        &manifest,
    );
    let stages = wanted.into_iter().map(|stage| StageStatus {
        is_done: manifest.current.contains(&stage.name()),
        stage,
    });
    Ok(Survey {
        folder: experiment.folder.root().to_owned(),
        stages: stages.collect(),
        outdated,
    })
}
