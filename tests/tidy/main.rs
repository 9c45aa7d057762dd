//! The rules of ARCHITECTURE.md and STYLE.md that a program can check: who imports whom,
//! headers, sizes, printing, machine paths, and that the documents name what exists.
//!
//! Standard library only, so that it also runs alone, in the repository's root:
//! `rustc --test --edition 2024 tests/tidy/main.rs -o target/tidy && target/tidy`.
//! Never here: what rustc, clippy or rustfmt check already.

mod imports;
mod lexer;
mod shape;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use lexer::{blank_tests, mask};

/// The crates in the order of the data flow, each with the project's crates that it may import.
const LAYERS: &[(&str, &[&str])] = &[
    ("schema", &[]),
    ("hub", &["schema"]),
    ("data", &["schema", "hub"]),
    ("import", &["schema", "hub", "data"]),
    ("translate", &["schema"]),
    ("audit", &["schema", "hub", "data"]),
    ("kernels", &[]),
    ("model", &["schema", "hub", "kernels"]),
    ("train", &["schema", "hub", "data", "model"]),
    ("eval", &["schema", "hub", "data", "model"]),
    (
        "analyse",
        &["schema", "hub", "data", "model", "train", "eval"],
    ),
    ("compare", &["schema"]),
    ("figure", &[]),
    ("report", &["schema", "compare", "figure"]),
    (
        "run",
        &[
            "schema",
            "hub",
            "data",
            "import",
            "translate",
            "audit",
            "model",
            "train",
            "eval",
            "analyse",
            "compare",
            "report",
        ],
    ),
    ("live", &["schema", "compare", "report", "run"]),
    ("archive", &["schema", "hub", "audit", "run"]),
    (
        "grid",
        &["schema", "hub", "data", "compare", "report", "run"],
    ),
];

/// Crates of others that only some of ours may import; `root` is the program.
const RESERVED: &[(&str, &[&str])] = &[
    ("anyhow", &["root"]),
    ("base64", &["hub"]),
    ("candle-core", &["model", "train", "eval", "analyse"]),
    ("candle-nn", &[]), // its softmax, norm and rope have no gradient and say nothing
    ("chrono", &["run", "live", "grid"]),
    ("clap", &["root"]),
    ("clap_complete", &["root"]),
    ("clap_mangen", &["root"]),
    ("crc32c", &["import"]),
    ("csv", &["data", "import"]), // in `import` to write the files of its tests
    ("deunicode", &["audit"]),
    ("faer", &["analyse"]),
    ("fancy-regex", &["model"]),
    ("ferrompi", &["train"]),
    ("include_dir", &["root"]),
    ("indicatif", &["root"]),
    ("parquet", &["data", "import"]), // as csv
    ("tokenizers", &["data"]),
    ("prost", &["import"]),
    ("redb", &["translate"]),
    ("resvg", &["figure"]),
    ("ureq", &["hub", "translate"]),
];

/// What stands in the root folder for readers.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "STYLE.md",
    "CHANGELOG.md",
    "docs/audit.md",
    "docs/data.md",
    "docs/features.md",
    "docs/files.md",
    "docs/inside.md",
    "docs/lm-eval.md",
    "docs/paper.md",
    "docs/questions.md",
    "docs/recipe.md",
    "docs/tasks.md",
    "docs/training.md",
    "docs/troubleshooting.md",
    "docs/tutorial.md",
];
const TEST_COMMAND: &str = "cargo test --workspace";

// The rules.

#[test]
fn crates_import_only_what_is_left_of_them() {
    let packages = workspace_packages();
    let mut offenders = Vec::new();
    for &(layer, allowed) in LAYERS {
        let manifest = format!("crates/{layer}/Cargo.toml");
        for (line, package) in dependencies(&read(&manifest), &packages) {
            let Some(other) = package.strip_prefix("lingualign-") else {
                continue;
            };
            if !allowed.contains(&other) {
                let may = if allowed.is_empty() {
                    "nothing".to_owned()
                } else {
                    allowed.join(", ")
                };
                offenders.push(format!(
                    "{manifest}:{line}: {layer} imports {other}; it may import {may}"
                ));
            }
        }
    }
    refuse(
        "A crate sees only what ARCHITECTURE.md lets it see",
        offenders,
    );
}

#[test]
fn foreign_crates_stay_in_their_place() {
    let packages = workspace_packages();
    let layers = LAYERS
        .iter()
        .map(|(layer, _)| (*layer, format!("crates/{layer}/Cargo.toml")));
    let mut offenders = Vec::new();
    for (layer, manifest) in layers.chain([("root", "Cargo.toml".to_owned())]) {
        for (line, package) in dependencies(&read(&manifest), &packages) {
            if let Some((_, allowed)) = RESERVED
                .iter()
                .find(|(name, allowed)| *name == package && !allowed.contains(&layer))
            {
                offenders.push(format!(
                    "{manifest}:{line}: {layer} imports {package}; only {allowed:?} may"
                ));
            }
        }
    }
    refuse("Some crates have one place", offenders);
}

#[test]
fn workspace_is_complete() {
    let known: BTreeSet<&str> = LAYERS.iter().map(|(layer, _)| *layer).collect();
    let found: BTreeSet<String> = entries(&root().join("crates"))
        .iter()
        .map(|path| file_name(path))
        .collect();
    let mut offenders: Vec<String> = found
        .iter()
        .filter(|name| !known.contains(name.as_str()))
        .map(|name| {
            format!("crates/{name}:1: not in the list of layers in tests/tidy.rs; add it there and to ARCHITECTURE.md")
        })
        .collect();
    let mut expected: Vec<String> = ["emotion", "snli", "paws"]
        .map(|task| format!("assets/tasks/{task}.toml"))
        .into();
    expected.extend(
        [
            "recipes/quickstart.toml",
            "LICENSE-MIT",
            "LICENSE-APACHE",
            ".ci/run",
            ".ci/real-model",
        ]
        .map(str::to_owned),
    );
    expected.extend(DOCUMENTS.iter().map(|document| (*document).to_owned()));
    for (layer, _) in LAYERS {
        expected.extend([
            format!("crates/{layer}/Cargo.toml"),
            format!("crates/{layer}/src/lib.rs"),
        ]);
    }
    offenders.extend(
        expected
            .iter()
            .filter(|path| !root().join(path).is_file())
            .map(|path| format!("{path}:1: missing")),
    );
    if !read("Cargo.toml")
        .lines()
        .any(|line| line.trim() == r#"members = ["crates/*", "fuzz"]"#)
    {
        offenders.push("Cargo.toml:1: no line `members = [\"crates/*\", \"fuzz\"]`".to_owned());
    }
    for manifest in manifests() {
        if !read(&manifest).contains("[lints]\nworkspace = true") {
            offenders.push(format!("{manifest}:1: does not take the workspace's lints"));
        }
    }
    refuse("Every part of the workspace is there", offenders);
}

#[test]
fn architecture_states_the_layers() {
    let text = read("ARCHITECTURE.md");
    let mut offenders = Vec::new();
    for (layer, allowed) in LAYERS {
        let start = format!("| `{layer}` |");
        let Some((line, row)) = text
            .lines()
            .enumerate()
            .find(|(_, row)| row.starts_with(&start))
        else {
            offenders.push(format!(
                "ARCHITECTURE.md:1: no row of the crate table starts with {start}"
            ));
            continue;
        };
        let expected = if allowed.is_empty() {
            "nothing".to_owned()
        } else {
            allowed.join(", ")
        };
        let stated = row
            .trim_end_matches([' ', '|'])
            .rsplit('|')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        if stated != expected {
            offenders.push(format!(
                "ARCHITECTURE.md:{}: {layer} imports {expected}, the table says {stated}",
                line + 1
            ));
        }
    }
    refuse("ARCHITECTURE.md and tests/tidy.rs say the same", offenders);
}

#[test]
fn documents_name_what_exists() {
    let names: BTreeMap<&str, BTreeSet<String>> = LAYERS
        .iter()
        .map(|(layer, _)| (*layer, names_in(layer)))
        .collect();
    let mut offenders = Vec::new();
    for document in DOCUMENTS
        .iter()
        .filter(|document| root().join(document).is_file())
    {
        for (number, line) in read(document).lines().enumerate() {
            for span in line.split('`').skip(1).step_by(2) {
                if is_missing_path(span) || is_missing_name(span, &names) {
                    offenders.push(format!("{document}:{}: there is no `{span}`", number + 1));
                }
            }
        }
    }
    refuse(
        "A document names only files and items that exist",
        offenders,
    );
}

#[test]
fn ci_runs_the_test_command_of_the_readme() {
    let lacks = |path: &str| !root().join(path).is_file() || !read(path).contains(TEST_COMMAND);
    let offenders = ["README.md", ".ci/run"].iter().filter(|path| lacks(path));
    refuse(
        "One command tests everything",
        offenders
            .map(|path| format!("{path}:1: no `{TEST_COMMAND}`"))
            .collect(),
    );
}

#[test]
fn only_the_program_prints() {
    const MACROS: &[&str] = &["println!", "print!", "eprintln!", "eprint!"];
    let mut offenders = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| !source.is_test() && !source.path.starts_with("src"))
    {
        for (number, line) in blank_tests(&source.code).lines().enumerate() {
            if let Some(name) = MACROS.iter().find(|name| has_word(line, name)) {
                offenders.push(source.at(
                    number,
                    &format!("{name} in a library; return it, or use tracing"),
                ));
            }
        }
    }
    refuse("Libraries do not print", offenders);
}

#[test]
fn no_test_is_ignored() {
    let mut offenders = Vec::new();
    for source in sources() {
        for (number, (line, code)) in source.text.lines().zip(source.code.lines()).enumerate() {
            let line = line.trim_start();
            let attribute = code.trim_start().starts_with("#[") && has_word(code, "ignore");
            let example =
                (line.starts_with("///") || line.starts_with("//!")) && line.contains("```ignore");
            if attribute || example {
                offenders.push(source.at(number, "an ignored test; make it run or delete it"));
            }
        }
    }
    refuse("Every test runs", offenders);
}

#[test]
fn nothing_names_a_path_of_one_machine() {
    // In parts, so that this file does not name them either.
    const PLACES: &[&str] = &[
        concat!("/", "work"),
        concat!("/", "root"),
        concat!("/", "home"),
        concat!(".", "library"),
    ];
    let mut offenders = Vec::new();
    for path in files(&root()) {
        let Ok(text) = String::from_utf8(fs::read(root().join(&path)).expect("a readable file"))
        else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if let Some(place) = PLACES.iter().find(|place| has_path(line, place)) {
                offenders.push(format!("{}:{}: names {place}", path.display(), number + 1));
            }
        }
    }
    refuse("The repository works on any machine", offenders);
}

// What the rules are checked with.

/// One Rust file.
struct Source {
    /// Relative to the root.
    path: PathBuf,
    text: String,
    /// The text with comments and literals blanked, line by line.
    code: String,
}

impl Source {
    fn is_test(&self) -> bool {
        const FOLDERS: &[&str] = &["tests", "benches", "bench", "examples", "fuzz"];
        let in_folder = self
            .path
            .iter()
            .any(|part| FOLDERS.iter().any(|folder| part == *folder));
        in_folder || file_name(&self.path) == "tests.rs"
    }

    /// The crate that the file belongs to; `root` is the program.
    fn package(&self) -> String {
        let mut parts = self.path.iter().map(|part| part.to_string_lossy());
        match parts.next().as_deref() {
            Some("crates") => parts.next().unwrap_or_default().into_owned(),
            _ => "root".to_owned(),
        }
    }

    /// The file's module in its crate, empty for `lib.rs` and `main.rs`; `None` outside of `src`.
    fn module(&self) -> Option<Vec<String>> {
        let parts: Vec<String> = self
            .path
            .iter()
            .map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned())
            .collect();
        let src = parts.iter().position(|part| part == "src")?;
        let mut module = parts[src + 1..].to_vec();
        if module.len() == 1 && matches!(module[0].as_str(), "lib" | "main") {
            module.clear();
        }
        if module.last().is_some_and(|part| part == "mod") {
            module.pop();
        }
        Some(module)
    }

    /// An offender; `line` counts from 0.
    fn at(&self, line: usize, message: &str) -> String {
        format!("{}:{}: {message}", self.path.display(), line + 1)
    }
}

#[track_caller]
fn refuse(rule: &str, offenders: Vec<String>) {
    assert!(
        offenders.is_empty(),
        "{rule}. {} to mend:\n  {}",
        offenders.len(),
        offenders.join("\n  ")
    );
}

fn root() -> PathBuf {
    option_env!("CARGO_MANIFEST_DIR").unwrap_or(".").into()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<PathBuf> = listed
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Every file of the repository, relative to its root, without what is built, run, or hidden.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        let name = file_name(&path);
        let hidden =
            name.starts_with('.') && !matches!(name.as_str(), ".ci" | ".github" | ".gitignore");
        if hidden || name == "target" || name == "runs" {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(
                path.strip_prefix(root())
                    .expect("inside the repository")
                    .to_owned(),
            );
        }
    }
    found
}

fn sources() -> Vec<Source> {
    let rust = files(&root())
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let load = |path: PathBuf| {
        let text = read(&path.to_string_lossy());
        let code = mask(&text);
        Source { path, text, code }
    };
    rust.map(load).collect()
}

fn manifests() -> Vec<String> {
    LAYERS
        .iter()
        .map(|(layer, _)| format!("crates/{layer}/Cargo.toml"))
        .chain(["Cargo.toml".to_owned()])
        .collect()
}

/// `[workspace.dependencies]`: what each key is the name of.
fn workspace_packages() -> BTreeMap<String, String> {
    let mut section = String::new();
    let mut packages = BTreeMap::new();
    for line in read("Cargo.toml").lines().map(str::trim) {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        } else if section == "[workspace.dependencies]"
            && !line.is_empty()
            && !line.starts_with('#')
        {
            let key = first_key(line);
            packages.insert(key.to_owned(), renamed(line).unwrap_or(key).to_owned());
        }
    }
    packages
}

/// The packages that a Cargo.toml imports, for any purpose and on any target, with their line.
fn dependencies(manifest: &str, packages: &BTreeMap<String, String>) -> Vec<(usize, String)> {
    let mut section = String::new();
    let mut found: Vec<(usize, String)> = Vec::new();
    let package = |key: &str| packages.get(key).map_or(key, String::as_str).to_owned();
    for (number, line) in manifest.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        } else if let Some(header) = line.strip_prefix('[') {
            header.trim_end_matches(']').clone_into(&mut section);
            if let Some((_, key)) = section.split_once("dependencies.") {
                found.push((number + 1, package(key)));
            }
        } else if section != "workspace.dependencies" && section.ends_with("dependencies") {
            found.push((
                number + 1,
                renamed(line).map_or_else(|| package(first_key(line)), str::to_owned),
            ));
        } else if section.contains("dependencies.") && first_key(line) == "package" {
            found.push((
                number + 1,
                line.split('"').nth(1).unwrap_or_default().to_owned(),
            ));
        }
    }
    found
}

fn first_key(line: &str) -> &str {
    line.split(['.', '=', ' '])
        .next()
        .unwrap_or_default()
        .trim_matches('"')
}

/// The value of `package = "..."` in an inline table.
fn renamed(line: &str) -> Option<&str> {
    line.split_once("package = \"")?.1.split('"').next()
}

/// Whether `text` holds `word`, not as a part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part)
            && (word.ends_with('!') || !text[at + word.len()..].starts_with(is_part))
    })
}

/// Whether `line` holds an absolute path that starts with `place`, or a folder of that name.
fn has_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.)}*~>".contains(c))
            && !line[at + place.len()..]
                .starts_with(|c: char| c.is_alphanumeric() || "_-(".contains(c))
    })
}

fn is_missing_path(span: &str) -> bool {
    const STARTS: &[&str] = &[
        "crates/", "src/", "assets/", "recipes/", "tests/", "docs/", "bench/", ".ci/",
    ];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    STARTS.iter().any(|start| span.starts_with(start))
        && span.chars().all(is_plain)
        && !root().join(span).exists()
}

/// For `crate::name::name` of one of our crates: whether the crate lacks a name.
fn is_missing_name(span: &str, names: &BTreeMap<&str, BTreeSet<String>>) -> bool {
    let mut segments = span.trim_end_matches("()").split("::");
    let known = segments.next().and_then(|layer| names.get(layer));
    known.is_some_and(|known| segments.any(|segment| !known.contains(segment)))
}

/// The modules and items of a crate, whatever their depth, and what it re-exports.
fn names_in(layer: &str) -> BTreeSet<String> {
    const KEYWORDS: &[&str] = &[
        "fn", "struct", "enum", "mod", "type", "const", "static", "trait",
    ];
    let mut names = BTreeSet::new();
    for source in sources()
        .iter()
        .filter(|source| source.path.starts_with(format!("crates/{layer}/src")))
    {
        let parts = source
            .path
            .iter()
            .map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned());
        names.extend(parts.skip(3));
        let split = |text: &str| -> Vec<String> {
            text.split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let words = split(&source.code);
        names.extend(
            words
                .windows(2)
                .filter(|pair| KEYWORDS.contains(&pair[0].as_str()))
                .map(|pair| pair[1].clone()),
        );
        names.extend(
            source
                .code
                .split("pub use ")
                .skip(1)
                .flat_map(|rest| split(rest.split(';').next().unwrap_or_default())),
        );
    }
    names
}

// The checker checked.

#[test]
fn manifests_are_read() {
    let packages = BTreeMap::from([("schema".to_owned(), "lingualign-schema".to_owned())]);
    let manifest = "[dependencies]\nschema.workspace = true\nx = { version = \"1\", package = \"candle-nn\" }\n\n\
                    [target.'cfg(unix)'.dev-dependencies]\nzip = \"9\"\n[dependencies.ureq]\nversion = \"3\"\n[features]\na = []\n";
    let found = dependencies(manifest, &packages);
    let expected = [
        (2, "lingualign-schema"),
        (3, "candle-nn"),
        (6, "zip"),
        (7, "ureq"),
    ];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
}

#[test]
fn paths_of_a_machine_are_told_from_other_words() {
    let place = concat!("/", "home");
    assert!(
        [
            format!("cp {place}/me ."),
            format!("\"{place}\""),
            format!("file://{place}/x")
        ]
        .iter()
        .all(|line| has_path(line, place))
    );
    assert!(
        ![
            format!("https://a.org{place}"),
            format!("{place}less"),
            format!(".{place}")
        ]
        .iter()
        .any(|line| has_path(line, place))
    );
}
