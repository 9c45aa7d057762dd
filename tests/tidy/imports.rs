//! Which file of a crate imports which, from its `use` lines and its paths from `crate::`.
//!
//! An import through a re-export counts for the file that the item is in. A parent and its child may
//! import each other: they are one thing in two files.
//! Never here: imports between crates, which Cargo.toml shows.

use std::collections::{BTreeMap, BTreeSet};

/// A module's path within its crate; the root is empty.
pub(crate) type Module = Vec<String>;

/// The files of one crate and what they import.
pub(crate) struct Crate {
    /// By module: every path that it imports, from the crate's root.
    imports: BTreeMap<Module, Vec<Vec<String>>>,
}

impl Crate {
    /// From each file's module and its code without literals and tests.
    pub(crate) fn new(files: impl Iterator<Item = (Module, String)>) -> Self {
        let imports = files.map(|(module, code)| {
            let paths = used_paths(&code)
                .into_iter()
                .filter_map(|path| from_root(&module, path))
                .collect();
            (module, paths)
        });
        Self {
            imports: imports.collect(),
        }
    }

    /// The file that a path leads into, following re-exports.
    fn file_of(&self, path: &[String], depth: usize) -> Option<&Module> {
        let (module, _) = (0..=path.len())
            .rev()
            .find_map(|length| self.imports.get_key_value(&path[..length]))?;
        let item = path.get(module.len());
        let Some(item) = item.filter(|_| depth < 8) else {
            return Some(module);
        };
        // `use child::Item` in the module: the item is the child's.
        let origin = self.imports[module]
            .iter()
            .find(|import| import.last() == Some(item) && *import != path && import.len() > 1);
        match origin {
            Some(import) => self.file_of(import, depth + 1),
            None => Some(module),
        }
    }

    /// The other files that a file imports, without its ancestors and descendants.
    fn neighbours(&self, module: &Module) -> BTreeSet<&Module> {
        self.imports[module]
            .iter()
            .filter_map(|path| self.file_of(path, 0))
            .filter(|other| !other.starts_with(module) && !module.starts_with(other))
            .collect()
    }
}

/// The circles, each as the names of its files.
pub(crate) fn circles(of: &Crate) -> Vec<Vec<String>> {
    let reach: BTreeMap<&Module, BTreeSet<&Module>> = of
        .imports
        .keys()
        .map(|module| (module, reachable(of, module)))
        .collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (module, reached) in &reach {
        let circle: Vec<String> = reached
            .iter()
            .filter(|other| reach[*other].contains(module))
            .map(|other| other.join("::"))
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

fn reachable<'a>(of: &'a Crate, from: &'a Module) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for neighbour in of.neighbours(module) {
            if reached.insert(neighbour) {
                open.push(neighbour);
            }
        }
    }
    reached
}

/// A path as the file writes it, from the crate's root; `None` for another crate's.
fn from_root(module: &Module, path: Vec<String>) -> Option<Vec<String>> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module.clone(), path[1..].to_vec()].concat()),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let base = module.get(..module.len().checked_sub(ups)?)?;
            Some([base, &path[ups..]].concat())
        }
        // A child module, or another crate: which of the two shows when it is looked up.
        _ => Some([module.clone(), path].concat()),
    }
}

/// Every path in `use` items, and every other path that starts from `crate::`.
fn used_paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some(at) = find_word(rest, "use") {
        let item = &rest[at + 3..];
        let end = item.find(';').unwrap_or(item.len());
        expand(&item[..end], &[], &mut paths);
        rest = &item[end..];
    }
    for (at, _) in code.match_indices("crate::") {
        let path: String = code[at..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':')
            .collect();
        paths.push(segments(&path));
    }
    paths
}

fn find_word(text: &str, word: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .find(|(at, _)| {
            !text[..*at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
        })
        .map(|(at, _)| at)
}

/// The paths of a `use` tree behind `prefix`.
fn expand(tree: &str, prefix: &[String], paths: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        let path = [prefix, &segments(path)].concat();
        // `use a::{self}` is `use a`.
        let length = path.len() - usize::from(path.last().is_some_and(|part| part == "self"));
        if length > 0 {
            paths.push(path[..length].to_vec());
        }
        return;
    };
    let prefix = [prefix, &segments(&tree[..open])].concat();
    let close = tree.rfind('}').unwrap_or(tree.len());
    let inside = &tree[open + 1..close];
    for branch in split_branches(inside) {
        expand(branch, &prefix, paths);
    }
}

/// At the commas outside of braces.
fn split_branches(list: &str) -> Vec<&str> {
    let (mut depth, mut start) = (0, 0);
    let mut branches = Vec::new();
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                branches.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    branches.push(&list[start..]);
    branches.retain(|branch| !branch.trim().is_empty());
    branches
}

fn segments(path: &str) -> Vec<String> {
    path.split("::")
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

// The checker checked.

fn package(files: &[(&str, &str)]) -> Crate {
    Crate::new(
        files
            .iter()
            .map(|(module, code)| (segments(module), (*code).to_owned())),
    )
}

#[test]
fn a_circle_is_found_through_braces_and_paths() {
    let found = circles(&package(&[
        ("", "mod a; mod b; mod c;"),
        ("a", "use crate::{b::{self, B}, c};"),
        ("b", "fn f(x: crate::c::C) {}"),
        ("c", "use super::a::A;"),
    ]));
    assert_eq!(found, [["a", "b", "c"]]);
}

#[test]
fn a_circle_is_found_through_a_re_export() {
    let found = circles(&package(&[
        ("", "mod a; mod b; pub use a::A;"),
        ("a", "use crate::b::B;"),
        ("b", "use crate::A;"),
    ]));
    assert_eq!(found, [["a", "b"]]);
}

#[test]
fn parent_and_child_are_no_circle() {
    let found = circles(&package(&[
        ("", "mod a;"),
        ("a", "mod child; use child::Child; pub use std::fmt;"),
        ("a::child", "use super::A; use crate::{a::A, fmt};"),
    ]));
    assert!(found.is_empty(), "{found:?}");
}
