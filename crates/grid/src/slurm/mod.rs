//! Cells as arrays of Slurm, one a model. The program returns after `sbatch`; what is done of a cell
//! is in its run folder, so nothing is asked of Slurm's accounting.

mod options;
mod queue;
mod script;
#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use run::{Watch, session};
use schema::{Recipe, disk::DiskError, write_whole};
use serde::{Deserialize, Serialize};

pub use self::{
    options::{NOTICE, SlurmOptions},
    queue::{add_queue, is_here},
    script::script,
};
use crate::{
    Cell, GridError, Plan,
    error::{Result, bail},
    lines::{Call, text},
};

/// An array that was submitted: `submissions/<N>.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Slurm's number of the array.
    pub job: String,
    /// The plan that its cells are of.
    pub plan: String,
    /// Numbers of the cells of each array task.
    #[serde(alias = "elements")]
    pub array_tasks: Vec<Vec<usize>>,
    /// As given.
    pub options: SlurmOptions,
    /// `--device`.
    pub device: String,
    /// `--threads`, where it was given.
    pub threads: Option<u16>,
}

/// Submits cells, an array for each model; the model is fetched first, since nodes have no network.
///
/// # Errors
/// A model cannot be fetched; `sbatch` cannot be run or refuses.
pub fn submit(
    plan: &Plan,
    cells: &[&Cell],
    call: &Call,
    options: &SlurmOptions,
    watch: &mut dyn Watch,
) -> Result<Vec<Submission>> {
    if cells.is_empty() {
        bail!(
            "nothing to submit: every cell is done, being made or in the queue (one that was killed on another machine counts as being \
             made for a minute)"
        );
    }
    plan.write()?;
    let here = std::env::current_dir().map_err(DiskError::at("find", Path::new(".")))?;
    let mut submissions = Vec::new();
    for (recipe, cells) in plan.by_model(cells) {
        let array_tasks = options.array_tasks(&cells);
        let submitted = submit_array(plan, (recipe, &array_tasks), (call, &here), options, watch)?;
        watch.note(&format!(
            "submitted {} cells of {} as job {}, {} array tasks",
            cells.len(),
            recipe.model,
            submitted.job,
            array_tasks.len()
        ));
        submissions.push(submitted);
    }
    Ok(submissions)
}

fn submit_array(
    plan: &Plan,
    (recipe, array_tasks): (&Recipe, &[Vec<&Cell>]),
    (call, here): (&Call, &Path),
    options: &SlurmOptions,
    watch: &mut dyn Watch,
) -> Result<Submission> {
    session::find(&recipe.model, watch)?;
    let folder = plan.folder.submissions();
    for needed in [&folder, &plan.folder.logs()] {
        fs::create_dir_all(needed).map_err(DiskError::at("create", needed))?;
    }
    let number = next_number(&folder)?;
    let path = folder.join(format!("{number}.sh"));
    write_whole(
        &path,
        script(plan, array_tasks, (call, here), options)?.as_bytes(),
    )?;
    let job = run_command("sbatch", &["--parsable", &text(&path)?])?;
    let submission = Submission {
        // `123;cluster` where there are several clusters.
        job: job.trim().split(';').next().unwrap_or_default().to_owned(),
        plan: plan.id.clone(),
        array_tasks: array_tasks
            .iter()
            .map(|cells| cells.iter().map(|cell| cell.number).collect())
            .collect(),
        options: options.clone(),
        device: call.device.clone(),
        threads: call.threads,
    };
    let record = serde_json::json!(submission);
    write_whole(
        &folder.join(format!("{number}.json")),
        format!("{record:#}\n").as_bytes(),
    )?;
    Ok(submission)
}

/// Every submission so far, in order.
///
/// # Errors
/// A record is damaged.
pub fn submissions(plan: &Plan) -> Result<Vec<Submission>> {
    let mut found = Vec::new();
    for path in list(&plan.folder.submissions())? {
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let bytes = fs::read(&path).map_err(DiskError::at("read", &path))?;
            let number = number_of(&path);
            let read = serde_json::from_slice(&bytes);
            let submission: Submission =
                read.map_err(|problem| GridError::Damaged { path, problem })?;
            found.push((number, submission));
        }
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found
        .into_iter()
        .map(|(_, submission)| submission)
        .collect())
}

fn next_number(folder: &Path) -> Result<usize> {
    let numbers = list(folder)?;
    Ok(numbers
        .iter()
        .map(|path| number_of(path))
        .max()
        .unwrap_or(0)
        + 1)
}

fn number_of(path: &Path) -> usize {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.and_then(|stem| stem.parse().ok()).unwrap_or(0)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(DiskError::at("list", folder))?;
    Ok(entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect())
}

/// What a program of Slurm prints.
fn run_command(program: &str, args: &[&str]) -> Result<String> {
    let failed = |problem: String| GridError::Command {
        command: format!("{program} {}", args.join(" ")),
        problem,
    };
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|problem| failed(problem.to_string()))?;
    if !output.status.success() {
        return Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
