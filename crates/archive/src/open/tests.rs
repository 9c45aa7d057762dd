use std::{collections::BTreeMap, fs, io::Write};

use run::Unwatched;
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

/// An archive of one file of this name and content, with this hash.
fn archive(name: &str, content: &[u8], sha256: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.zip");
    let contents = Contents {
        format: FORMAT,
        program: "lingualign".to_owned(),
        name: "run".to_owned(),
        model: "m".to_owned(),
        model_fingerprint: String::new(),
        device: "cpu".to_owned(),
        instruction_set: "avx2".to_owned(),
        data: Vec::new(),
        files: BTreeMap::new(),
        run: BTreeMap::from([(name.to_owned(), sha256.to_owned())]),
        left_out: BTreeMap::new(),
    };
    let text = serde_json::to_vec(&contents).expect("JSON");
    let mut zip = ZipWriter::new(File::create(&path).expect("creates"));
    let member = format!("{RUN}/{name}");
    let members = [
        (NAME, &text[..]),
        (RECIPE, b"# a recipe"),
        (&member, content),
    ];
    for (name, bytes) in members {
        zip.start_file(name, SimpleFileOptions::default())
            .expect("a member");
        zip.write_all(bytes).expect("writes");
    }
    zip.finish().expect("an archive");
    (folder, path)
}

fn unpack(path: &Path, out: &Path) -> Result<()> {
    Archive::open(path)?.unpack(out, &mut Unwatched)
}

#[test]
fn what_was_packed_is_unpacked() {
    let (folder, path) = archive("a/b.json", b"{}", &hub::hash_bytes(b"{}"));
    let out = folder.path().join("out");
    unpack(&path, &out).expect("unpacks");
    assert_eq!(fs::read(out.join("run/a/b.json")).expect("is there"), b"{}");
}

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../../up", "a/../../up", "..\\up", "/up"] {
        let (folder, path) = archive(name, b"{}", &hub::hash_bytes(b"{}"));
        let out = folder.path().join("deep/out");
        let problem = unpack(&path, &out).expect_err("refused").to_string();
        assert!(problem.contains("outside of itself"), "{name}: {problem}");
        assert!(!folder.path().join("up").exists() && !folder.path().join("deep/up").exists());
    }
}

#[test]
fn a_file_with_another_hash_is_refused_and_removed() {
    let (folder, path) = archive("a.json", b"{}", &hub::hash_bytes(b"[]"));
    let out = folder.path().join("out");
    let problem = unpack(&path, &out).expect_err("refused").to_string();
    assert!(
        problem.contains("run/a.json is not as it was packed"),
        "{problem}"
    );
    assert!(!out.join("run/a.json").exists());
}

#[test]
fn half_an_archive_and_none_are_told() {
    let (folder, path) = archive("a.json", b"{}", "");
    let bytes = fs::read(&path).expect("reads");
    for kept in [0, bytes.len() / 2, bytes.len() - 1] {
        let half = folder.path().join("half.zip");
        fs::write(&half, &bytes[..kept]).expect("writes");
        let problem = Archive::open(&half).err().expect("refused").to_string();
        assert!(problem.contains("half.zip: no whole archive"), "{problem}");
    }
}
