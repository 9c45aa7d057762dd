//! Names, folders and files of the user's own.

use std::{fs, path::Path, time::Duration};

use hub::{
    Cache, HubError, Model, ModelFiles, Silent, Sources, find_local, find_model_from, fingerprint,
};
use tempfile::TempDir;

fn find(name: &str) -> Result<Model, HubError> {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = "http://127.0.0.1:9".into();
    let sources = Sources {
        endpoint,
        token: None,
        offline: true,
        pip: vec![],
        pause: Duration::ZERO,
    };
    find_model_from(name, &Cache::at(folder.path()), &sources, &mut Silent)
}

fn refused(name: &str) -> String {
    find(name).expect_err("must be refused").to_string()
}

/// A folder `tiny` with these files.
fn folder_of(files: &[(&str, &str)]) -> (TempDir, String) {
    let outer = tempfile::tempdir().expect("a folder");
    let dir = outer.path().join("tiny");
    fs::create_dir(&dir).expect("creates");
    files
        .iter()
        .for_each(|(name, content)| fs::write(dir.join(name), content).expect("writes"));
    let name = dir.display().to_string();
    (outer, name)
}

const SHARDS: &str = r#"{"weight_map": {"x": "model-2.safetensors", "y": "model-1.safetensors"}}"#;

#[test]
fn opens_a_folder_with_one_file_or_with_shards() {
    let (_outer, dir) = folder_of(&[("config.json", "{}"), ("model.safetensors", "w")]);
    let model = find(&dir).expect("sound");
    let weights = vec![Path::new(&dir).join("model.safetensors")];
    let files = ModelFiles::Folder {
        dir: dir.clone().into(),
        weights,
    };
    assert_eq!(
        model,
        Model {
            name: "tiny".into(),
            files,
            revision: None
        }
    );

    let shards = [
        ("config.json", "{}"),
        ("model.safetensors.index.json", SHARDS),
        ("model-1.safetensors", "a"),
        ("model-2.safetensors", "b"),
    ];
    let (_outer, dir) = folder_of(&shards);
    let ModelFiles::Folder { weights, .. } = find(&dir).expect("sound").files else {
        panic!("a folder")
    };
    assert_eq!(
        weights,
        ["model-1.safetensors", "model-2.safetensors"].map(|name| Path::new(&dir).join(name))
    );
    assert_eq!(find(&format!("{dir}/.")).expect("sound").name, "tiny");
}

#[test]
fn says_what_a_folder_lacks() {
    let config = ("config.json", "{}");
    let index = "model.safetensors.index.json";
    let cases: &[(&[(&str, &str)], &str)] = &[
        (
            &[],
            "has no config.json; a model folder needs config.json and model.safetensors",
        ),
        (&[("model.safetensors", "w")], "has no config.json"),
        (
            &[("a.gguf", "GGUF")],
            "has no config.json, but `a.gguf`; give that file itself",
        ),
        (
            &[("adapter_config.json", "{}")],
            "it is a LoRA adapter; give the base model",
        ),
        (&[config], "has no weights"),
        (
            &[config, ("pytorch_model.bin", "w")],
            "has only PyTorch weights (`pytorch_model.bin`)",
        ),
        (
            &[config, ("pytorch_model-00001-of-2.bin", "w")],
            "save_pretrained(folder, safe_serialization=True)",
        ),
        (
            &[config, (index, SHARDS), ("model-2.safetensors", "b")],
            "the shard `model-1.safetensors`, which",
        ),
        (
            &[config, (index, "{")],
            "model.safetensors.index.json: no shard index: ",
        ),
        (&[config, (index, "{}")], "missing field `weight_map`"),
        (
            &[config, (index, r#"{"weight_map": {}}"#)],
            "lists no shard",
        ),
        (
            &[
                config,
                (index, r#"{"weight_map": {"x": "../y.safetensors"}}"#),
            ],
            "\"../y.safetensors\", which is no plain",
        ),
    ];
    for (files, what) in cases {
        let (_outer, dir) = folder_of(files);
        let message = refused(&dir);
        assert!(
            message.starts_with(&dir) && message.contains(what),
            "{message}"
        );
    }
}

#[test]
fn opens_a_gguf_file_by_its_content() {
    let (_outer, dir) = folder_of(&[
        ("tiny.Q4_1.gguf", "GGUF..."),
        ("model.safetensors", "w"),
        ("a.gguf", "GG"),
    ]);
    let model = find(&format!("{dir}/tiny.Q4_1.gguf")).expect("sound");
    let path = Path::new(&dir).join("tiny.Q4_1.gguf");
    assert_eq!(
        model,
        Model {
            name: "tiny.Q4_1".into(),
            files: ModelFiles::Gguf { path },
            revision: None
        }
    );
    assert!(
        refused(&format!("{dir}/model.safetensors"))
            .contains("is one file of a model folder; give the folder")
    );
    assert!(
        refused(&format!("{dir}/a.gguf")).contains("is neither a model folder nor a GGUF file")
    );
}

#[test]
fn an_unknown_name_gets_the_nearest() {
    let message = refused("smollm2-135m-instuct");
    assert!(
        message.contains("no model `smollm2-135m-instuct`: it is no catalogue name"),
        "{message}"
    );
    assert!(
        message.ends_with("did you mean `smollm2-135m-instruct`?"),
        "{message}"
    );
    assert!(!refused("./no/such/folder").contains("did you mean"));
    assert!(refused("models/tiny.gguf").contains("there is no such file"));
    let message = refused("mistral-7b@package");
    assert!(
        message.contains("has no source `package`; there is `mistral-7b@hub`"),
        "{message}"
    );
    assert!(refused("").contains("no model ``"));
}

#[test]
fn a_known_model_that_is_not_here_is_no_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::at(folder.path().join("not made yet"));
    for name in ["mistral-7b", "smollm2-135m-instruct@package", "org/name@v1"] {
        assert_eq!(find_local(name, &cache).expect("no error"), None, "{name}");
    }
    assert!(cache.list().expect("lists").is_empty());
    assert!(!cache.root().exists(), "looking makes nothing");
}

#[test]
fn a_folders_fingerprint_sees_every_file_that_makes_the_model() {
    let files = [
        ("config.json", "{}"),
        ("tokenizer.json", "{}"),
        ("model.safetensors", "w"),
        ("README.md", "r"),
    ];
    let (_outer, dir) = folder_of(&files);
    let see = || fingerprint(&find(&dir).expect("sound").files).expect("reads");
    let whole = see();
    let (_other, copy) = folder_of(&files);
    assert_eq!(
        fingerprint(&find(&copy).expect("sound").files).expect("reads"),
        whole,
        "the place does not matter"
    );
    fs::write(Path::new(&dir).join("README.md"), "other").expect("writes");
    assert_eq!(see(), whole);
    for (name, content) in &files[..3] {
        fs::write(Path::new(&dir).join(name), r#"{"a":1}"#).expect("writes");
        assert_ne!(see(), whole, "{name}");
        fs::write(Path::new(&dir).join(name), content).expect("writes");
    }
    assert_eq!(see(), whole);
    fs::write(Path::new(&dir).join("merges.txt"), "m").expect("writes");
    assert_ne!(see(), whole);
}

#[test]
fn a_damaged_record_in_the_cache_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("hub/org--name/main");
    fs::create_dir_all(&dir).expect("creates");
    fs::write(dir.join("source.json"), "{").expect("writes");
    let message = find_local("org/name", &Cache::at(folder.path()))
        .expect_err("damaged")
        .to_string();
    assert!(
        message.contains("source.json: is damaged (")
            && message.contains("model pull NAME --force"),
        "{message}"
    );
}
