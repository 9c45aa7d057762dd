//! Whether the files of finished stages are as the manifest says that they were written. Never
//! here: making them again.

use std::path::Path;

use schema::{Recipe, run_folder::RunFolder};

use crate::{
    RunError,
    error::{Result, bail},
    experiment::Experiment,
    manifest::Recorded,
    watch::Watch,
};

/// Hashes every file of every finished stage of a recipe's run, in the folder `out` or its usual
/// one.
///
/// # Errors
/// Some are missing or differ: names them and their stages. There is no readable manifest. The
/// user interrupts it.
pub fn verify(recipe: &Recipe, out: Option<&Path>, watch: &mut dyn Watch) -> Result<()> {
    let folder = RunFolder::new(Experiment::root_of(recipe, out));
    let stages = Recorded::read(&folder)?.into_stages();
    let mut problems = Vec::new();
    let mut files = 0;
    for (name, stage) in &stages {
        if watch.is_interrupted() {
            return Err(RunError::Interrupted(
                "interrupted while files were verified; run the same command again".to_owned(),
            ));
        }
        files += stage.outputs.len();
        let changed = stage.changed_outputs(&folder)?;
        problems.extend(
            changed
                .into_iter()
                .map(|problem| format!("\n  {name}: {problem}")),
        );
    }
    if problems.is_empty() {
        watch.note(&format!(
            "verified {files} files of {} finished stages: all are as they were written",
            stages.len()
        ));
        return Ok(());
    }
    bail!(
        "{} of {files} files in {} are not as their stages left them:{}\nnothing was run; without --verify these stages \
         are made again",
        problems.len(),
        folder.root().display(),
        problems.concat()
    )
}
