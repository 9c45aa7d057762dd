//! The findings of an audit: a page of their own, a text for a terminal, and their part of a
//! run's report.
//!
//! Never here: looking at data.

use std::collections::BTreeMap;

use figure::{DARK, LIGHT, css_variables};
use minijinja::{Value, value::Serde};
use schema::{
    Finding,
    finding::{AuditRecord, Severity},
};
use serde::Serialize;

use crate::{
    error::ReportError,
    page::environment,
    table::{ReportTable, TableRow},
};

/// The errors, or the other findings of one task and language, in their order.
#[derive(Clone, Serialize)]
struct FindingGroup<'a> {
    id: String,
    title: String,
    findings: Vec<ShownFinding<'a>>,
}

#[derive(Clone, Serialize)]
struct ShownFinding<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    /// The evidence, split into the audit's words and what it quotes.
    evidence_parts: Vec<EvidencePart<'a>>,
    /// `3, 7, 9 …`: the first of `items`.
    first_items: String,
    is_accepted: bool,
}

/// A stretch of evidence: words of the audit, or words of the data.
#[derive(Clone, Serialize)]
struct EvidencePart<'a> {
    text: &'a str,
    is_quoted: bool,
}

/// Items that a page lists of one finding.
const LISTED: usize = 30;
/// Characters of evidence on a line of the terminal.
const LINE: usize = 150;

/// `2 errors, 1 warning and 4 notes`
pub fn count_findings(record: &AuditRecord) -> String {
    format!(
        "{}, {} and {}",
        count_of(record, Severity::Error),
        count_of(record, Severity::Warning),
        count_of(record, Severity::Note)
    )
}

/// `; read 3 of 3 test files, 2 of 2 pair files`; nothing of an older record.
fn count_read(record: &AuditRecord) -> String {
    match record.count_read() {
        read if read.is_empty() => read,
        read => format!("; read {read}"),
    }
}

/// `2 errors`
fn count_of(record: &AuditRecord, severity: Severity) -> String {
    let count = record.count(severity);
    format!("{count} {severity}{}", if count == 1 { "" } else { "s" })
}

/// One self-contained HTML file for people. `subject` names what was audited.
///
/// # Errors
/// The template is wrong, which is a defect of this program.
pub fn audit_page(record: &AuditRecord, subject: &str) -> Result<String, ReportError> {
    #[derive(Serialize)]
    struct AuditValues<'a> {
        subject: &'a str,
        counts: String,
        accepted: String,
        overview: ReportTable,
        read: ReportTable,
        groups: Vec<FindingGroup<'a>>,
        version: &'static str,
        css: &'static str,
        light: String,
        dark: String,
    }
    let mut environment = environment()?;
    environment.add_template("audit.html", include_str!("audit.html"))?;
    let values = AuditValues {
        subject,
        counts: count_findings(record) + &count_read(record),
        accepted: join_accepted(record),
        overview: overview(record),
        read: list_read(record),
        groups: [group_errors(record), group(record)].concat(),
        version: env!("CARGO_PKG_VERSION"),
        css: include_str!("../page/page.css"),
        light: css_variables(&LIGHT),
        dark: css_variables(&DARK),
    };
    Ok(environment
        .get_template("audit.html")?
        .render(Value::from(Serde(values)))?)
}

/// The same for a terminal, where the last lines are the ones seen: the errors come last. What
/// to do follows errors and warnings.
pub fn audit_text(record: &AuditRecord) -> String {
    let mut text = String::new();
    for group in [group(record), group_errors(record)].concat() {
        text += &format!("{}\n", group.title);
        for ShownFinding {
            finding,
            is_accepted,
            ..
        } in group.findings
        {
            let accepted = if is_accepted { " (accepted)" } else { "" };
            let count = if finding.items.is_empty() {
                String::new()
            } else {
                finding.count.to_string()
            };
            text += &format!(
                "  {:<8}{:<14}{count:>6}  {}\n",
                finding.severity, finding.kind, finding.file
            );
            text += &format!("{:32}{}{accepted}\n", "", shorten(&finding.evidence));
            if finding.severity != Severity::Note {
                text += &format!("{:32}-> {}\n", "", finding.suggestion);
            }
        }
    }
    text + &count_findings(record) + &count_read(record) + "\n"
}

/// A run's data on its page: a sentence, and the errors and warnings as a table.
pub(crate) fn describe(record: &AuditRecord) -> (String, Option<ReportTable>) {
    let accepted = match join_accepted(record) {
        accepted if accepted.is_empty() => String::new(),
        accepted => format!(" The recipe accepts errors of the kind {accepted}."),
    };
    let sentence = format!(
        "The audit of the data found {}{}.{accepted}",
        count_findings(record),
        count_read(record)
    );
    let shown: Vec<&Finding> = record
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Note)
        .collect();
    let columns = ["severity", "task", "language", "kind", "items", "evidence"];
    let caption = "Errors and warnings of the data's audit; notes are in audit.json.";
    let mut table = ReportTable::new("audit", caption, &columns);
    for column in &mut table.columns {
        column.numeric = column.title == "items";
    }
    table.csv.push(columns.map(str::to_owned).to_vec());
    for finding in shown {
        table.rows.push(TableRow {
            cells: finding_cells(record, finding, &shorten(&finding.evidence)),
            strong: finding.severity == Severity::Error,
            marks: Vec::new(),
        });
        table
            .csv
            .push(finding_cells(record, finding, &finding.evidence));
    }
    (sentence, (!table.rows.is_empty()).then_some(table))
}

/// A finding's row; `evidence` is shortened on the page and whole in the CSV file.
fn finding_cells(record: &AuditRecord, finding: &Finding, evidence: &str) -> Vec<String> {
    let is_accepted = record.accepted.contains(&finding.kind);
    let severity = match is_accepted && finding.severity == Severity::Error {
        true => "error, accepted".to_owned(),
        false => finding.severity.to_string(),
    };
    vec![
        severity,
        finding.task.clone(),
        finding.language.to_string(),
        finding.kind.to_string(),
        finding.count.to_string(),
        evidence.to_owned(),
    ]
}

fn join_accepted(record: &AuditRecord) -> String {
    record
        .accepted
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Counts by task and language.
fn overview(record: &AuditRecord) -> ReportTable {
    let mut counts: BTreeMap<(usize, String), [usize; 3]> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for finding in &record.findings {
        let title = format!("{} {}", finding.task, finding.language);
        let at = order
            .iter()
            .position(|known| *known == title)
            .unwrap_or_else(|| {
                order.push(title.clone());
                order.len() - 1
            });
        counts.entry((at, title)).or_default()[finding.severity as usize] += 1;
    }
    let mut table = ReportTable::new(
        "audit",
        "Findings by severity.",
        &["task and language", "errors", "warnings", "notes"],
    );
    for ((_, title), counts) in counts {
        let cells = [vec![title], counts.map(|count| count.to_string()).to_vec()].concat();
        table.rows.push(TableRow {
            cells,
            strong: counts[0] > 0,
            marks: Vec::new(),
        });
    }
    table
}

/// What was read, by task and kind of file.
fn list_read(record: &AuditRecord) -> ReportTable {
    let columns = ["task and files", "read", "of", "items"];
    let mut table = ReportTable::new("read", "Files that were read.", &columns);
    for files in &record.read {
        table.rows.push(TableRow {
            cells: vec![
                format!("{}, {} files", files.task, files.role.noun()),
                files.read.to_string(),
                files.of.to_string(),
                files.items.to_string(),
            ],
            strong: files.read < files.of,
            marks: Vec::new(),
        });
    }
    table
}

/// The errors of all tasks and languages, if there are any: what has to be mended before
/// anything is measured.
fn group_errors(record: &AuditRecord) -> Vec<FindingGroup<'_>> {
    let errors = record
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let findings: Vec<_> = errors.map(|finding| show(record, finding)).collect();
    let group = FindingGroup {
        id: "errors".to_owned(),
        title: "Errors".to_owned(),
        findings,
    };
    if group.findings.is_empty() {
        Vec::new()
    } else {
        vec![group]
    }
}

/// All but the errors by task and language.
fn group(record: &AuditRecord) -> Vec<FindingGroup<'_>> {
    let mut groups: Vec<FindingGroup<'_>> = Vec::new();
    for finding in record
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Error)
    {
        let id = format!("{}.{}", finding.task, finding.language);
        match groups.last_mut().filter(|group| group.id == id) {
            Some(group) => group.findings.push(show(record, finding)),
            None => {
                let title = format!("{}, {}", finding.task, finding.language.name());
                groups.push(FindingGroup {
                    id,
                    title,
                    findings: vec![show(record, finding)],
                });
            }
        }
    }
    groups
}

fn show<'a>(record: &AuditRecord, finding: &'a Finding) -> ShownFinding<'a> {
    let listed: Vec<String> = finding
        .items
        .iter()
        .take(LISTED)
        .map(ToString::to_string)
        .collect();
    let rest = if finding.items.len() > LISTED {
        " …"
    } else {
        ""
    };
    let parts = finding.evidence.split('`').enumerate();
    ShownFinding {
        finding,
        evidence_parts: parts
            .map(|(at, text)| EvidencePart {
                text,
                is_quoted: at % 2 == 1,
            })
            .collect(),
        first_items: listed.join(", ") + rest,
        is_accepted: finding.severity == Severity::Error && record.accepted.contains(&finding.kind),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use schema::{
        Language,
        finding::{FilesRead, Kind, Role},
    };

    use super::*;

    fn record() -> AuditRecord {
        let finding = |severity, kind, items: Vec<usize>, evidence: &str| Finding {
            severity,
            task: "snli".to_owned(),
            language: Language::Ja,
            file: "snli/snli_ja600_test.json".to_owned(),
            kind,
            count: items.len(),
            items,
            evidence: evidence.to_owned(),
            suggestion: "write `中立`".to_owned(),
        };
        let findings = vec![
            finding(
                Severity::Error,
                Kind::LabelWords,
                (0..40).collect(),
                "`中性` is <no> label word",
            ),
            finding(Severity::Note, Kind::Names, vec![7], "Carlstad"),
        ];
        AuditRecord {
            findings,
            accepted: vec![Kind::LabelWords],
            read: vec![FilesRead {
                task: "snli".to_owned(),
                role: Role::Test,
                read: 19,
                of: 20,
                items: 11_400,
            }],
        }
    }

    #[test]
    fn the_page_has_every_finding_escaped_and_marks_what_is_accepted() {
        let page = audit_page(&record(), "a folder").expect("renders");
        for wanted in [
            "1 error, 0 warnings and 1 note; read 19 of 20 test files.",
            "<td class=\"n\">11400</td>",
            "<bdi>中性</bdi> is &lt;no&gt; label word",
            "accepted",
            "0, 1, 2,",
            "snli, Japanese",
            "write `中立`",
            "Carlstad",
        ] {
            assert!(page.contains(wanted), "{wanted}: {page}");
        }
        assert!(
            !page.contains("<script") && !page.contains("http://") && !page.contains("src="),
            "self-contained"
        );
    }

    #[test]
    fn the_text_says_what_to_do_about_errors_alone() {
        let wanted = "snli, Japanese\n  \
            note    names              1  snli/snli_ja600_test.json\n                                Carlstad\n\
            Errors\n  \
            error   label_words       40  snli/snli_ja600_test.json\n                                \
            `中性` is <no> label word (accepted)\n                                -> write `中立`\n\
            1 error, 0 warnings and 1 note; read 19 of 20 test files\n";
        assert_eq!(audit_text(&record()), wanted);
        assert_eq!(
            audit_text(&AuditRecord::default()),
            "0 errors, 0 warnings and 0 notes\n"
        );
    }

    #[test]
    fn a_run_says_its_errors_and_what_it_accepts() {
        let (sentence, table) = describe(&record());
        assert_eq!(
            sentence,
            "The audit of the data found 1 error, 0 warnings and 1 note; read 19 of 20 test files. The recipe accepts errors of the kind label_words."
        );
        let table = table.expect("an error");
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.rows[0].cells[0], "error, accepted");
        assert!(describe(&AuditRecord::default()).1.is_none());
    }
}
