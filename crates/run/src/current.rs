//! Which stages are done with what the recipe asks for.

use std::collections::BTreeSet;

use crate::{
    RunError,
    error::Result,
    experiment::Experiment,
    manifest::{Manifest, hash},
    stages::Stage,
};

/// The names of the stages that are done with what the recipe asks for. Whatever is about an
/// adapter is among them only if the adapter is, and that only if its pairs are.
pub(crate) fn find_current(
    experiment: &Experiment,
    stages: &[&Stage],
    manifest: &Manifest,
    stop: &dyn Fn() -> bool,
) -> Result<BTreeSet<String>> {
    let mut current = BTreeSet::new();
    for stage in stages {
        if stop() {
            return Err(RunError::Interrupted(
                "interrupted while looking for what is done; run the same command again".to_owned(),
            ));
        }
        let maker = stage.maker_of_its_adapter();
        let has_adapter = maker.is_none_or(|maker| current.contains(&maker.name()));
        if has_adapter && !matches!(stage, Stage::Report) && is_done(experiment, manifest, stage)? {
            current.insert(stage.name());
        }
    }
    Ok(current)
}

/// Whether a stage is done with its inputs. Where they cannot be had, a file among them is
/// missing; the stage itself says which when it is made.
pub(crate) fn is_done(experiment: &Experiment, manifest: &Manifest, stage: &Stage) -> Result<bool> {
    match stage.inputs(experiment) {
        Ok(inputs) => manifest.is_done(&experiment.folder, &stage.name(), &hash(&inputs)),
        Err(_) => Ok(false),
    }
}
