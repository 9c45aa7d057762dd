//! The audit stage: a recipe's files are checked before anything is computed from them, and
//! errors that it does not accept stop the run.

use std::fs;

use ::audit::Scope;
use schema::{
    Finding, Recipe,
    finding::{AuditRecord, Severity},
    listing::in_lines,
    write_whole,
};
use serde_json::json;

use super::{Made, Workbench};
use crate::{
    RunError,
    error::{At, Result},
    experiment::Experiment,
    watch::Watch,
};

/// Name of the stage.
pub(super) const NAME: &str = "audit";
/// Changes when the audit finds other things in the same files.
const FINDS: &str = "audit 2";
/// Findings that a refusal shows.
const SHOWN: usize = 5;

/// The files that the recipe reads.
pub(super) fn scope(recipe: &Recipe) -> Result<Scope> {
    Ok(Scope::of_recipe(recipe)?)
}

/// Everything that the findings depend on.
pub(super) fn inputs(experiment: &Experiment) -> Result<Vec<String>> {
    let scope = scope(&experiment.recipe)?;
    let mut inputs = vec![
        FINDS.to_owned(),
        format!("{:?} {:?}", scope.protocol, experiment.recipe.data.accept),
    ];
    for source in &scope.sources {
        inputs.extend([
            source.name.clone(),
            source.is_reference.to_string(),
            hub::hash_file(&source.path)?,
        ]);
        inputs.push(serde_json::to_string(source.task)?);
    }
    for path in scope.exemplar_files() {
        inputs.push(if path.is_file() {
            hub::hash_file(path)?
        } else {
            "missing".to_owned()
        });
    }
    for missing in &scope.missing {
        inputs.push(missing.problem.clone());
    }
    inputs.push(scope.exemplars.len().to_string());
    Ok(inputs)
}

/// Audits the files of the recipe.
pub(super) fn make(bench: &mut Workbench<'_>) -> Result<Made> {
    let experiment = bench.experiment;
    let record = AuditRecord {
        accepted: experiment.recipe.data.accept.clone(),
        ..find_errors(&scope(&experiment.recipe)?, bench.watch)?
    };
    let file = experiment.folder.audit();
    let text = serde_json::to_string_pretty(&record)?;
    write_whole(&file, (text + "\n").as_bytes())?;
    let counts = [Severity::Error, Severity::Warning, Severity::Note]
        .map(|severity| (severity.to_string(), json!(record.count(severity))));
    Ok(Made {
        files: vec![file],
        notes: counts.into(),
        ..Made::default()
    })
}

/// Audits, showing progress.
///
/// # Errors
/// Nothing to audit, or files that cannot be read.
pub fn find_errors(scope: &Scope, watch: &mut dyn Watch) -> Result<AuditRecord> {
    watch.start("audit", scope.sources.len(), "files");
    let record = audit::audit(scope, &mut |done, _, name| {
        watch.advance(done, name);
        !watch.is_interrupted()
    })
    .at(|| "audit of the data")?;
    watch.finish(&format!("read {}", record.count_read()));
    Ok(record)
}

/// Reports what the audit found, and refuses errors that the recipe does not accept.
pub(super) fn refuse_errors(experiment: &Experiment, watch: &mut dyn Watch) -> Result<()> {
    let file = experiment.folder.audit();
    let text = fs::read_to_string(&file).at_path("read", &file)?;
    let record: AuditRecord = serde_json::from_str(&text)
        .at(|| format!("{} is not an audit; delete it", file.display()))?;
    watch.note(&format!(
        "{:<40} {}; read {}; see {}",
        "data",
        report::count_findings(&record),
        record.count_read(),
        file.display()
    ));
    let refused = record.refused();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(RunError::Refused(describe(&refused)))
    }
}

fn describe(refused: &[&Finding]) -> String {
    let mut kinds: Vec<String> = refused
        .iter()
        .map(|finding| format!("\"{}\"", finding.kind))
        .collect();
    kinds.sort();
    kinds.dedup();
    let shown: Vec<String> = refused
        .iter()
        .map(|finding| format!("{}: {}: {}", finding.file, finding.kind, finding.evidence))
        .collect();
    format!(
        "the data has {} errors that the recipe does not accept:\n{}\nrepair the files, or choose a protocol that does, \
         or accept the errors: data.accept = [{}]",
        refused.len(),
        in_lines(&shown, SHOWN),
        kinds.join(", ")
    )
}
