//! Rules on files, functions and names: headers, lengths, one meaning per type name, no circle of
//! files, `unsafe` in its few places.
//! Never here: documents, manifests, layers.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    LAYERS, file_name,
    imports::{Crate, circles},
    lexer::{blank_tests, functions, has_reason, without_tests},
    read, refuse, sources,
};

/// Product and test files alike.
const FILE_LINES: usize = 500;
/// STYLE.md says about 40; this is where it ends without a `// long: reason` above the
/// function.
const FUNCTION_LINES: usize = 60;

#[test]
fn files_open_with_a_header() {
    let without = sources()
        .into_iter()
        .filter(|source| file_name(&source.path) != "tests.rs" && !source.text.starts_with("//!"));
    refuse(
        "Every file says first what it is (`//!`)",
        without
            .map(|source| source.at(0, "no `//!` header"))
            .collect(),
    );
}

#[test]
fn files_and_functions_are_short() {
    let mut offenders = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let code = without_tests(&source.code);
        let lines = source.text.lines().count()
            - (source.code.matches('\n').count() - code.matches('\n').count());
        if lines > FILE_LINES {
            offenders.push(source.at(
                0,
                &format!("{lines} lines without tests; at most {FILE_LINES}"),
            ));
        }
        for (name, first, length) in functions(&blank_tests(&source.code)) {
            if length > FUNCTION_LINES && !has_reason(&source.text, first) {
                let message = format!(
                    "fn {name} has {length} lines; at most {FUNCTION_LINES}, or `// long: reason` above it"
                );
                offenders.push(source.at(first, &message));
            }
        }
    }
    refuse("A file or function that is too long is two", offenders);
}

/// A type name with three meanings has to be learnt three times.
#[test]
fn a_type_name_has_one_meaning() {
    /// Each crate's own error and result.
    const CONVENTIONS: &[&str] = &["Error", "Result"];
    const CRATES: usize = 2;
    let mut meanings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for name in public_types(&blank_tests(&source.code)) {
            meanings.entry(name).or_default().insert(source.package());
        }
    }
    let ambiguous = meanings
        .iter()
        .filter(|(name, crates)| crates.len() > CRATES && !CONVENTIONS.contains(&name.as_str()));
    refuse(
        "A public type name is used by at most two crates",
        ambiguous
            .map(|(name, crates)| format!("{name}: {crates:?}"))
            .collect(),
    );
}

#[test]
fn files_import_each_other_in_one_direction() {
    let sources = sources();
    let mut offenders = Vec::new();
    for package in LAYERS.iter().map(|(layer, _)| *layer).chain(["root"]) {
        let files = sources
            .iter()
            .filter(|source| !source.is_test() && source.package() == package)
            .filter_map(|source| Some((source.module()?, blank_tests(&source.code))));
        for circle in circles(&Crate::new(files)) {
            offenders.push(format!("{package}: {}", circle.join(" <-> ")));
        }
    }
    refuse("No circle of files, parent and child excepted", offenders);
}

#[test]
fn crates_without_kernels_forbid_unsafe_code() {
    let mut lacking = Vec::new();
    for (layer, _) in LAYERS {
        let attribute = match *layer {
            "kernels" => continue,
            // Its memory maps allow it.
            "model" => "#![deny(unsafe_code)]",
            _ => "#![forbid(unsafe_code)]",
        };
        let path = format!("crates/{layer}/src/lib.rs");
        if !read(&path).contains(attribute) {
            lacking.push(format!("{path}:1: no {attribute}"));
        }
    }
    refuse("A crate that needs no unsafe code forbids it", lacking);
}

/// The names of types that a file makes public.
fn public_types(code: &str) -> Vec<String> {
    const KINDS: &[&str] = &["struct ", "enum ", "trait ", "type ", "union "];
    let mut names = Vec::new();
    for line in code.lines() {
        let Some(item) = line.trim_start().strip_prefix("pub ") else {
            continue;
        };
        let name = KINDS.iter().find_map(|kind| item.strip_prefix(kind));
        names.extend(name.map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        }));
    }
    names
}

#[test]
fn public_types_are_found() {
    let code = "pub struct A<T>(T);\npub(crate) enum B {}\n    pub trait C {}\nstruct D;\n";
    assert_eq!(public_types(code), ["A", "C"]);
}
