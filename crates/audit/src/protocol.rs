//! What the chosen protocol repairs, or keeps on purpose, is a note.

use data::testset;
use schema::{
    Finding, Protocol,
    finding::{Kind, Severity},
};

use crate::{AuditError, Role, Scope, SourceFile};

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
        .filter(|source| source.role == Role::Test)
    {
        let is_meant = |finding: &&mut Finding| {
            finding.file == source.name
                && finding.severity == Severity::Error
                && matches!(finding.kind, Kind::LabelWords | Kind::LabelOrder)
        };
        let mut meant: Vec<&mut Finding> = findings.iter_mut().filter(is_meant).collect();
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

/// What the corrected protocol repairs in a file, if that makes its golds those of the English
/// file.
fn repairs(scope: &Scope, source: &SourceFile) -> Result<Option<String>, AuditError> {
    let read = |source: &SourceFile, protocol| {
        testset::read(&source.path, source.task, source.language, Some(protocol))
    };
    let (Ok(set), Ok(_)) = (
        read(source, Protocol::Corrected),
        read(source, Protocol::Paper),
    ) else {
        return Ok(None);
    };
    let is_english = |other: &&SourceFile| {
        other.role == Role::Test
            && other.task.name == source.task.name
            && other.language == schema::Language::En
    };
    let golds = |set: &data::TestSet| set.items.iter().map(|item| item.gold).collect::<Vec<_>>();
    if let Some(english) = scope.sources.iter().find(is_english) {
        let english = testset::read(&english.path, english.task, english.language, None)?;
        if golds(&set) != golds(&english) {
            return Ok(None);
        }
    }
    Ok((!set.repairs.is_empty()).then(|| set.repairs.join("; ")))
}
