//! Defects planted in every form; each is found where it is, and sound files are not accused.

use schema::{
    Finding,
    finding::{AuditRecord, Kind, Role, Severity},
};
use serde_json::json;

use crate::forms::{FORMS, Form, ROWS, Tables, texts};

/// What must be found in the language that was broken.
struct Wanted {
    kind: Kind,
    severity: Option<Severity>,
    items: Vec<usize>,
}

fn wanted(kind: Kind, items: Vec<usize>) -> Wanted {
    Wanted {
        kind,
        severity: None,
        items,
    }
}

/// Breaks the first language of a form; nothing where it has no place for the defect.
type Plant = fn(&Form, &mut Vec<Vec<String>>) -> Option<Wanted>;

const DEFECTS: &[(&str, Plant)] = &[
    ("labels exchanged in a stretch", |form, rows| {
        exchange(form, rows, |at| at < 16)
    }),
    // Without a pattern, so that nothing but the texts says that the order is not another one.
    ("labels exchanged here and there", |form, rows| {
        let changed = exchange(form, rows, |at| at % 3 != 0)?;
        Some(wanted(changed.kind, changed.items))
    }),
    ("labels exchanged throughout", |form, rows| {
        exchange(form, rows, |_| true)
    }),
    ("one wrong gold", |form, rows| {
        let gold = (form.label(&rows[11]) + 1) % form.labels();
        let last = rows[11].len() - 1;
        rows[11][last] = form.word(&rows[11], gold);
        error(Kind::LabelOrder, vec![11])
    }),
    ("unknown gold, or an index beyond the choices", |_, rows| {
        let last = rows[5].len() - 1;
        rows[5][last] = "7".to_owned();
        error(Kind::LabelWords, vec![5])
    }),
    ("item taken out", |_, rows| {
        rows.remove(9);
        Some(wanted(Kind::ItemCount, vec![9]))
    }),
    ("text in another language", |_, rows| {
        rows[6][0] = texts("is")[6].clone();
        Some(wanted(Kind::Language, vec![6]))
    }),
    ("English text", |form, rows| {
        rows[6][0] = texts("en")[6].clone();
        form.has_english()
            .then(|| wanted(Kind::Untranslated, vec![6]))
    }),
    ("question twice", |_, rows| {
        rows[13] = rows[4].clone();
        Some(wanted(Kind::Duplicates, vec![13]))
    }),
    ("empty field", |form, rows| {
        rows[8][0] = " ".to_owned();
        match form.task {
            // Its `drop` leaves empty ones out.
            "paws_x" => Some(wanted(Kind::Coverage, vec![8])),
            _ => error(Kind::EmptyField, vec![8]),
        }
    }),
    ("choice missing", |form, rows| {
        rows[8][form.choices.clone().next()?] = String::new();
        error(Kind::EmptyField, vec![8])
    }),
    ("choices the same", |form, rows| {
        let (one, other) = (form.choices.clone().next()?, form.choices.clone().last()?);
        rows[10][other] = rows[10][one].clone();
        let last = rows[10].len() - 1;
        rows[10][last] = form.word(&rows[10], 0);
        Some(wanted(Kind::Choices, vec![10]))
    }),
    ("broken characters", |_, rows| {
        rows[7][0] += "\u{fffd}";
        Some(wanted(Kind::Characters, vec![7]))
    }),
];

#[allow(clippy::unnecessary_wraps)]
fn error(kind: Kind, items: Vec<usize>) -> Option<Wanted> {
    Some(Wanted {
        severity: Some(Severity::Error),
        ..wanted(kind, items)
    })
}

/// Exchanges the first two labels in some rows.
fn exchange(form: &Form, rows: &mut [Vec<String>], is_meant: fn(usize) -> bool) -> Option<Wanted> {
    let mut changed = Vec::new();
    for (at, row) in rows.iter_mut().enumerate().filter(|(at, _)| is_meant(*at)) {
        let gold = form.label(row);
        if gold < 2 {
            let last = row.len() - 1;
            row[last] = form.word(row, 1 - gold);
            changed.push(at);
        }
    }
    error(Kind::LabelOrder, changed)
}

/// Findings of the language that was broken.
fn own<'a>(form: &Form, record: &'a AuditRecord) -> Vec<&'a Finding> {
    let is_own = |finding: &&Finding| {
        finding.language.code() == form.language() && finding.task == form.name()
    };
    record.findings.iter().filter(is_own).collect()
}

fn describe(findings: &[&Finding]) -> String {
    let line = |f: &&Finding| format!("{} {} {:?}: {}", f.severity, f.kind, f.items, f.evidence);
    findings.iter().map(line).collect::<Vec<_>>().join("\n    ")
}

#[test]
fn a_defect_of_every_kind_is_found_in_every_form() {
    let mut missed = Vec::new();
    let mut planted = 0;
    for form in FORMS {
        for (what, plant) in DEFECTS {
            let mut tables = form.tables();
            let rows = tables.rows.get_mut(form.language()).expect("a table");
            let Some(wanted) = plant(form, rows) else {
                continue;
            };
            planted += 1;
            let record = form.audit(&tables);
            let found = own(form, &record);
            // Two findings may share the items: a stretch, and single ones.
            let items: Vec<usize> = found
                .iter()
                .filter(|f| f.kind == wanted.kind)
                .filter(|f| {
                    wanted
                        .severity
                        .is_none_or(|severity| f.severity == severity)
                })
                .flat_map(|f| f.items.clone())
                .collect();
            if !wanted.items.iter().all(|item| items.contains(item)) {
                let (name, kind) = (form.task, wanted.kind);
                let seen = describe(&found);
                missed.push(format!(
                    "{name}, {what}: {kind} {:?}\n    {seen}",
                    wanted.items
                ));
            }
        }
    }
    assert!(
        missed.is_empty(),
        "{} of {planted} missed:\n{}",
        missed.len(),
        missed.join("\n")
    );
    assert!(planted > 100, "{planted} planted");
}

#[test]
fn sound_files_are_read_counted_and_not_accused() {
    for form in FORMS {
        let record = form.audit(&form.tables());
        let found: Vec<&Finding> = record
            .findings
            .iter()
            .filter(|f| f.severity != Severity::Note)
            .collect();
        assert!(found.is_empty(), "{}: {}", form.task, describe(&found));
        assert_eq!(record.count_read(), "3 of 3 test files", "{}", form.task);
        assert_eq!(record.read[0].items, 3 * ROWS, "{}", form.task);
        if form.is_shipped() {
            let unnamed = form.audit_unnamed(&form.tables());
            assert_eq!(unnamed.read, record.read, "{}", form.task);
            assert_eq!(unnamed.findings, record.findings, "{}", form.task);
        }
    }
}

#[test]
fn a_question_of_an_exemplar_or_of_training_data_is_found_in_every_form() {
    for form in FORMS {
        let mut tables = form.tables();
        let row = &tables.rows[form.language()][15];
        let exemplars = form.exemplars(row);
        let record = form.audit(&with(&tables, "few_shot.json", &exemplars));
        let is_it = |f: &&&Finding| f.kind == Kind::Leakage && f.items == [15];
        let found = own(form, &record);
        assert!(
            found.iter().any(|f| is_it(&f)),
            "{}: {}",
            form.task,
            describe(&found)
        );
        // Labelled training data of the released layout, where the fields are the file's.
        if form.name() == "plain" {
            let labelled = json!([{"text": row[0], "answer": "yes"}]);
            tables = with(&tables, "p/plain_de1_train.json", &labelled);
            let record = form.audit(&tables);
            assert!(own(form, &record).iter().any(|f| is_it(&f)));
            let labelled = record
                .read
                .iter()
                .find(|files| files.role == Role::Labelled);
            assert_eq!(labelled.map(|files| (files.read, files.of)), Some((1, 1)));
        }
    }
}

fn with(tables: &Tables, name: &str, value: &serde_json::Value) -> Tables {
    let mut tables = tables.clone();
    tables.more.insert(name.to_owned(), value.clone());
    tables
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_checked() {
    for form in FORMS {
        let mut tables = form.tables();
        let last = form.columns.len() - 1;
        // A defect before the place where the file breaks is found all the same.
        tables.rows.get_mut(form.language()).expect("a table")[5][last] = "7".to_owned();
        tables.tail = "\"{\n";
        let record = form.audit(&tables);
        let broken: Vec<&Finding> = record
            .findings
            .iter()
            .filter(|f| f.kind == Kind::Syntax && f.severity == Severity::Error)
            .collect();
        let read: usize = record.read.iter().map(|files| files.read).sum();
        assert!(
            !broken.is_empty() && read < 3,
            "{}: {read} read, {}",
            form.task,
            describe(&record.findings.iter().collect::<Vec<_>>())
        );
        assert_eq!(record.read[0].of, 3, "{}", form.task);
    }
}

#[test]
fn what_is_compared_with_nothing_is_said() {
    for form in FORMS {
        let mut tables = form.tables();
        for (code, _) in &form.languages[1..] {
            tables.rows.insert(code, Vec::new());
        }
        let record = form.audit(&tables);
        let found = own(form, &record);
        let is_it = |f: &&&Finding| {
            f.kind == Kind::Coverage && f.evidence.contains("compared with nothing")
        };
        assert!(
            found.iter().any(|f| is_it(&f)),
            "{}: {}",
            form.task,
            describe(&found)
        );
    }
}

// XNLI's, PAWS-X's and Global-MMLU's files on the hub have one name; what is none of theirs is said.
#[test]
fn a_table_of_no_task_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    for (name, text) in [
        ("en/test.csv", "a,b\n1,2\n"),
        ("de.jsonl", "{\"text\": \"rows for a capture\"}\n"),
    ] {
        std::fs::create_dir_all(dir.join(name).parent().expect("a folder")).expect("creates");
        std::fs::write(dir.join(name), text).expect("writes");
    }
    let scope = audit::Scope::of_folder(dir, None).expect("a scope");
    assert_eq!(scope.sources.len(), 0);
    let said: Vec<&str> = scope.missing.iter().map(|m| m.problem.as_str()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("de.jsonl is named as a test file of `belebele`, but cannot be read as one, so it was not read: ")
            && said[1].starts_with("en/test.csv is named as a test file of `global_mmlu`, but cannot"),
        "{said:?}"
    );
}
