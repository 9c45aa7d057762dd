//! Findings about test sets, translation pairs and exemplars in the released layout, each with
//! evidence and a suggestion.
//!
//! Reading is lenient: whatever the strict readers of `data` would reject becomes a finding here,
//! and the rest of the file is still checked. Every check is a function from a `AuditSet` (a file
//! with the English beside each item) to findings. Thresholds are computed from the file itself
//! (medians, `robust`) and documented where they are used. No check is specific to a task or a
//! released file; languages appear only in the table of the identifier's names. Never here:
//! repairing, models, printing, the network.

#![forbid(unsafe_code)]

mod align;
mod balance;
mod characters;
mod choices;
mod coverage;
mod duplicates;
mod error;
mod exemplars;
mod labels;
mod language;
mod leakage;
mod length;
mod names;
mod numbers;
mod protocol;
mod pulse;
mod quotation;
mod read;
mod relabelling;
mod robust;
mod scope;
mod set;
mod template;
mod text;
mod tokens;
mod untranslated;

use std::{thread, time::Duration};

use schema::{Finding, finding::AuditRecord};

pub use error::AuditError;
pub use language::{SpokenIn, TextLanguages};
pub use scope::{AuditedFile, ExemplarSource, MissingFile, NamedTokenizer, Role, Scope};

use pulse::Pulse;
use set::AuditSet;

/// How long the caller waits between two looks at the work.
const WAIT: Duration = Duration::from_millis(50);

/// Audits every file of `scope`. `progress` is called several times a second with the number of
/// files done, of all, and the name of the one in hand; it returns false to stop.
///
/// The findings are in the order of tasks, languages, files, severity and kind, and are the
/// same for any number of threads.
///
/// # Errors
/// A folder or file that cannot be read at all; nothing to audit; `progress` asked to stop.
pub fn audit(
    scope: &Scope,
    progress: &mut dyn FnMut(usize, usize, &str) -> bool,
) -> Result<AuditRecord, AuditError> {
    if scope.sources.is_empty() {
        return Err(coverage::describe_nothing(scope));
    }
    let (pulse, caller) = (Pulse::default(), thread::current());
    thread::scope(|threads| {
        let work = threads.spawn(|| {
            let record = look_at_all(scope, &pulse);
            caller.unpark();
            record
        });
        while !pulse.is_stopped() {
            let (done, name) = pulse.place();
            if !progress(done, scope.sources.len(), &name) {
                pulse.stop();
            }
            if work.is_finished() {
                break;
            }
            thread::park_timeout(WAIT);
        }
        match work.join() {
            Ok(record) => record,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn look_at_all(scope: &Scope, pulse: &Pulse) -> Result<AuditRecord, AuditError> {
    let mut findings = coverage::describe_missing(scope);
    let mut sets = Vec::new();
    for source in &scope.sources {
        pulse.reach(0, &source.name);
        sets.push(read::read(source, pulse, &mut findings)?);
        pulse.go_on()?;
    }
    let detector = language::Detector::new();
    align::attach_english(&mut sets, &detector, &mut findings);
    for (done, set) in sets.iter().enumerate() {
        pulse.reach(done, &set.source.name);
        check_set(set, &detector, scope, &mut findings)?;
    }
    exemplars::check(&scope.exemplars, &sets, &mut findings);
    leakage::check(&scope.exemplars, &sets, &mut findings);
    pulse.go_on()?;
    findings.retain(|finding| is_wanted(scope, finding));
    protocol::excuse(scope, &mut findings)?;
    sort(scope, &mut findings);
    Ok(AuditRecord {
        findings,
        accepted: Vec::new(),
        read: coverage::count(scope, &sets),
    })
}

/// All checks of one file.
fn check_set(
    set: &AuditSet<'_>,
    detector: &language::Detector,
    scope: &Scope,
    findings: &mut Vec<Finding>,
) -> Result<(), AuditError> {
    set.pulse.go_on()?;
    findings.extend(labels::check(set));
    findings.extend(choices::check(set));
    findings.extend(balance::check(set));
    findings.extend(characters::check(set));
    let copies = untranslated::check(set);
    findings.extend(language::check(set, detector, &copies.items));
    findings.extend(copies.finding);
    findings.extend(length::check(set));
    findings.extend(numbers::check(set));
    findings.extend(names::check(set));
    findings.extend(quotation::check(set));
    findings.extend(duplicates::check(set));
    for tokenizer in &scope.tokenizers {
        findings.extend(tokens::check(set, tokenizer, scope.cutoff_len)?);
    }
    Ok(())
}

/// Files that are only there to be compared with have no findings of their own.
fn is_wanted(scope: &Scope, finding: &Finding) -> bool {
    !scope.sources.iter().any(|source| {
        source.is_reference
            && source.name == finding.file
            && source.language == finding.language
            && source.task.name == finding.task
    })
}

fn sort(scope: &Scope, findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        let [first, second] = [a, b].map(|f| {
            let task = scope.tasks.iter().position(|task| task.name == f.task);
            (task, f.language, f.severity, f.kind, &f.file, &f.items)
        });
        first.cmp(&second)
    });
}
