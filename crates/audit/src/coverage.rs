//! What was read and what was not: the count of files, and a finding for each that should be there.
//! Never here: what is in the files.

use schema::{
    Finding,
    finding::{FilesRead, Kind, Severity},
};

use crate::{AuditError, Role, Scope, set::AuditSet};

/// How many files of each task and role were read; files that are only there to be compared with
/// do not count.
pub(crate) fn count(scope: &Scope, sets: &[AuditSet<'_>]) -> Vec<FilesRead> {
    let mut rows: Vec<FilesRead> = Vec::new();
    let found = sets.iter().filter(|set| !set.source.is_reference);
    for set in found {
        let row = row(&mut rows, &set.source.task.name, set.source.role);
        row.of += 1;
        row.read += usize::from(set.is_read);
        row.items += set.items.len();
    }
    for missing in scope.missing.iter().filter(|missing| missing.is_counted) {
        row(&mut rows, &missing.task.name, missing.role).of += 1;
    }
    rows.sort_by_key(|row| {
        let task = scope.tasks.iter().position(|task| task.name == row.task);
        (task, row.role)
    });
    rows
}

fn row<'a>(rows: &'a mut Vec<FilesRead>, task: &str, role: Role) -> &'a mut FilesRead {
    let at = rows
        .iter()
        .position(|row| row.task == task && row.role == role)
        .unwrap_or_else(|| {
            rows.push(FilesRead {
                task: task.to_owned(),
                role,
                read: 0,
                of: 0,
                items: 0,
            });
            rows.len() - 1
        });
    &mut rows[at]
}

/// A finding for each file that should be there.
pub(crate) fn describe_missing(scope: &Scope) -> Vec<Finding> {
    let finding = |missing: &crate::MissingFile| Finding {
        severity: Severity::Warning,
        task: missing.task.name.clone(),
        language: missing.language,
        file: missing.task.folder.clone(),
        kind: Kind::Coverage,
        items: Vec::new(),
        count: 0,
        evidence: missing.problem.clone(),
        suggestion: match (&missing.suggestion, missing.is_counted) {
            (Some(suggestion), _) => suggestion.clone(),
            (None, true) => format!(
                "put it there ({}), or leave the language out",
                names(missing.task)
            ),
            (None, false) => "keep one".to_owned(),
        },
    };
    scope.missing.iter().map(finding).collect()
}

/// That there is nothing to look at, and how such files are named.
pub(crate) fn describe_nothing(scope: &Scope) -> AuditError {
    let named: Vec<String> = scope
        .tasks
        .iter()
        .map(|task| format!("those of {} are named {}", task.name, names(task)))
        .collect();
    let unread = scope.missing.iter().map(|missing| missing.problem.clone());
    let named: Vec<String> = unread.chain(named).collect();
    AuditError::Nothing {
        dir: scope.dir.clone(),
        named: named.join("; "),
    }
}

/// How a task's test files are named.
fn names(task: &schema::Task) -> String {
    let folder = match task.folder.as_str() {
        "" => String::new(),
        folder => format!("{folder}/"),
    };
    if task.files.is_empty() {
        return format!("{folder}{}_de500_test.json", task.name);
    }
    let paths: Vec<String> = task
        .files
        .iter()
        .map(|form| format!("{folder}{}", form.path))
        .collect();
    paths.join(" or ")
}
