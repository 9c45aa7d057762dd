//! Which stages of a recipe are done, without making any.

use std::path::PathBuf;

use hub::Model;
use schema::Recipe;

use crate::{
    current::find_current,
    error::Result,
    experiment::{Experiment, RunOptions},
    manifest::{Manifest, Recorded},
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
}

/// The stages that a run of the recipe would make or skip, in order. Writes nothing.
///
/// # Errors
/// Test files, manifest or device cannot be read.
pub fn survey(recipe: &Recipe, options: &RunOptions, model: &Model) -> Result<Survey> {
    let device = model::device::name(&model::device::open(&options.device)?).to_owned();
    let experiment = Experiment::new(recipe, options.out.clone(), model, device)?;
    let stages = stages::list(&experiment, options.parts)?;
    let manifest = Manifest::new(&experiment, Recorded::read(&experiment.folder)?);
    let current = find_current(&experiment, &stages, &manifest, &|| false)?;
    let wanted = stages
        .into_iter()
        .filter(|stage| stage.is_among(options.parts));
    let stages = wanted.map(|stage| StageStatus {
        is_done: current.contains(&stage.name()),
        stage,
    });
    Ok(Survey {
        folder: experiment.folder.root().to_owned(),
        stages: stages.collect(),
    })
}
