//! The audit stage: what a recipe reads is looked at before anything is computed from it, and
//! errors that it does not accept stop the run.

use std::fs;

use ::audit::Scope;
use anyhow::{Context, Result, bail};
use schema::{
    finding::{AuditRecord, Severity},
    write_whole,
};
use serde_json::json;

use super::{Experiment, Made};
use crate::{commands::data::audit::find, progress::note};

/// Name of the stage.
pub(super) const AUDIT: &str = "audit";
/// Changes when the audit finds other things in the same files.
const FINDS: &str = "audit 1";
/// Findings that a refusal shows.
const SHOWN: usize = 5;

impl Experiment {
    /// Audits the files of the recipe unless they stand as they were, and refuses errors that
    /// the recipe does not accept.
    pub(super) fn audit(&mut self) -> Result<()> {
        let scope = Scope::of_recipe(&self.recipe)?;
        if scope.sources.is_empty() {
            return Ok(()); // the stage that needs a file says which
        }
        let inputs = self.audit_inputs(&scope)?;
        let file = self.folder.audit();
        self.stage(AUDIT, &inputs, |this| {
            let record = AuditRecord {
                findings: find(&scope)?,
                accepted: this.recipe.data.accept.clone(),
            };
            let text = serde_json::to_string_pretty(&record)?;
            write_whole(&this.folder.audit(), (text + "\n").as_bytes())?;
            let counts = [Severity::Error, Severity::Warning, Severity::Note]
                .map(|s| (s.to_string(), json!(record.count(s))));
            Ok(Made {
                files: vec![this.folder.audit()],
                notes: counts.into(),
            })
        })?;
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let record: AuditRecord = serde_json::from_str(&text)
            .with_context(|| format!("{} is no audit; delete it", file.display()))?;
        note(&format!(
            "{:<40} {}; see {}",
            "data",
            report::count_findings(&record),
            file.display()
        ));
        refuse(&record)
    }

    /// Everything that the findings depend on.
    fn audit_inputs(&self, scope: &Scope) -> Result<Vec<String>> {
        let mut inputs = vec![
            FINDS.to_owned(),
            format!("{:?} {:?}", scope.protocol, self.recipe.data.accept),
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
        inputs.push(scope.exemplars.len().to_string());
        Ok(inputs)
    }

    /// Whether the audit in the run folder is that of the recipe and its files.
    pub(super) fn has_audit(&self) -> Result<bool> {
        let scope = Scope::of_recipe(&self.recipe)?;
        self.is_done(AUDIT, self.audit_inputs(&scope))
    }
}

fn refuse(record: &AuditRecord) -> Result<()> {
    let refused = record.refused();
    if refused.is_empty() {
        return Ok(());
    }
    let mut kinds: Vec<String> = refused
        .iter()
        .map(|finding| format!("\"{}\"", finding.kind))
        .collect();
    kinds.sort();
    kinds.dedup();
    let say = |finding: &&schema::Finding| {
        format!("  {}: {}: {}", finding.file, finding.kind, finding.evidence)
    };
    let shown: Vec<String> = refused.iter().take(SHOWN).map(say).collect();
    let rest = match refused.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    bail!(
        "the data has {} errors that the recipe does not accept:\n{}{rest}\nrepair the files, or choose a protocol that does, \
         or accept the errors: data.accept = [{}]",
        refused.len(),
        shown.join("\n"),
        kinds.join(", ")
    )
}
