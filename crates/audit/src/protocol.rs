//! Defects that the chosen protocol repairs, or keeps on purpose, become notes.

use data::testset;
use schema::{
    Finding, Language, Protocol,
    finding::{Kind, Severity},
};

use crate::{AuditError, AuditedFile, Role, Scope};

/// Lowers the label findings of files that the protocol is made for.
///
/// A file is such a one if the corrected protocol reads it and says what it repaired. Whether
/// that is all that is wrong is seen by reading: golds that still disagree with the repaired
/// English ones keep their severity.
pub(crate) fn excuse(scope: &Scope, findings: &mut [Finding]) -> Result<(), AuditError> {
    let Some(protocol) = scope.protocol else {
        return Ok(());
    };
    for source in scope
        .sources
        .iter()
        .filter(|source| source.role == Role::Test && source.task.files.is_empty())
    {
        let mut meant: Vec<&mut Finding> = findings
            .iter_mut()
            .filter(|finding| {
                finding.file == source.name
                    && finding.severity == Severity::Error
                    && matches!(finding.kind, Kind::LabelWords | Kind::LabelOrder)
            })
            .collect();
        if meant.is_empty() {
            continue;
        }
        let Some(repairs) = repairs(scope, source)? else {
            continue;
        };
        for finding in &mut meant {
            finding.severity = Severity::Note;
            finding.suggestion = match protocol {
                Protocol::Corrected => format!("nothing: the protocol `corrected` repairs it ({repairs})"),
                Protocol::Paper => "nothing: the protocol `paper` keeps this defect of the released file on purpose; \
                                    `corrected` repairs it"
                    .to_owned(),
            };
        }
    }
    Ok(())
}

/// The repairs of the corrected protocol in a file, if they make its golds those of the English
/// file.
fn repairs(scope: &Scope, source: &AuditedFile) -> Result<Option<String>, AuditError> {
    let (path, task, language) = (&source.path, source.task, source.language);
    let (Ok(set), Ok(_)) = (
        testset::read(path, task, language, Some(Protocol::Corrected)),
        testset::read(path, task, language, Some(Protocol::Paper)),
    ) else {
        return Ok(None);
    };
    let english = scope.sources.iter().find(|other| {
        other.role == Role::Test && other.task.name == task.name && other.language == Language::En
    });
    if let Some(english) = english {
        let english = testset::read(&english.path, english.task, english.language, None)?;
        let golds = set.items.iter().map(|item| item.gold);
        if !golds.eq(english.items.iter().map(|item| item.gold)) {
            return Ok(None);
        }
    }
    Ok((!set.repairs.is_empty()).then(|| set.repairs.join("; ")))
}
