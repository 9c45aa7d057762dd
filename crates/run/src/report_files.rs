//! The report of a run folder as a command: its records are held against the manifest first.

use std::path::Path;

use report::Summary;
use schema::run_folder::RunFolder;

use crate::{
    error::{Result, bail},
    manifest::Recorded,
    watch::{Watch, interruptible},
};

/// Writes the report of a run folder, and with `is_single` also the page as one file
/// (`report/single.html`). It says so if the run is not finished.
///
/// # Errors
/// A record that the run did not write, or wrote otherwise; as [`report::write()`];
/// [`crate::RunError::Interrupted`].
pub fn write_report(run: &RunFolder, is_single: bool, watch: &dyn Watch) -> Result<Summary> {
    let recorded = Recorded::read(run)?;
    let outputs = recorded.current_outputs();
    let odd = interruptible(watch, |stop| find_changed(run.root(), &outputs, stop))?;
    if let Some(file) = odd {
        bail!(
            "{}: not the file that the run wrote, its SHA-256 is another one than in {}; run the recipe again, which makes \
             it anew, or wait until a run in progress has ended",
            run.root().join(file).display(),
            run.manifest().display()
        );
    }
    let unfinished = recorded.is_unfinished().then(|| {
        "The run is not finished: only what it has made so far is shown. Run the recipe again to complete it.".to_owned()
    });
    let remarks: Vec<String> = unfinished.into_iter().collect();
    Ok(interruptible(watch, |stop| match is_single {
        true => report::write_single(run, &remarks, stop),
        false => report::write_unless(run, &remarks, stop),
    })?)
}

/// The first of the files that is there and has not its hash.
fn find_changed<'a>(
    root: &Path,
    outputs: &'a [(String, String)],
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<&'a str>> {
    for (file, hash) in outputs {
        let path = root.join(file);
        let is_record = file.ends_with(".jsonl") || file.ends_with(".json");
        if stop() {
            break;
        }
        if is_record && path.is_file() && hub::hash_file(&path)? != *hash {
            return Ok(Some(file));
        }
    }
    Ok(None)
}
