//! Fetching from the hub, against a server on this machine that breaks off, refuses, redirects
//! and lies.

mod arrival;
mod datasets;
mod server;
mod stops;
mod uploads;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use hub::{
    Cache, HubError, Model, ModelFiles, Origin, Silent, Sources, find_local, find_model_from,
    hash_file,
};
use server::{Reply, Request, Server};
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A cache, and sources that know only the server.
struct Place {
    _folder: TempDir,
    cache: Cache,
    sources: Sources,
}

impl Place {
    fn at(endpoint: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::at(folder.path().join("cache"));
        let pause = Duration::from_millis(1);
        let sources = Sources {
            endpoint: endpoint.into(),
            token: None,
            offline: false,
            pip: vec![],
            pause,
        };
        Self {
            _folder: folder,
            cache,
            sources,
        }
    }

    fn find(&self, name: &str) -> Result<Model, HubError> {
        find_model_from(name, &self.cache, &self.sources, &mut Silent)
    }

    fn refused(&self, name: &str) -> String {
        self.find(name).expect_err("must fail").to_string()
    }

    /// Where `org/tiny` stands.
    fn dir(&self) -> PathBuf {
        self.cache.root().join("hub/org--tiny/main")
    }
}

fn weights() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn file_of(request: &Request) -> &str {
    request.path.rsplit('/').next().expect("a name")
}

/// A small file of the repository, or 404.
fn small(request: &Request) -> Reply {
    match file_of(request) {
        "config.json" => Reply::new(200, "{}").header("X-Repo-Commit", COMMIT),
        "tokenizer.json" => Reply::new(200, r#"{"model": {}}"#),
        _ => Reply::new(404, "CatalogueEntry not found").header("X-Error-Code", "EntryNotFound"),
    }
}

/// The sound repository, in which `answer` stands for the weights.
fn with_weights(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Server {
    Server::start(move |request| match file_of(request) {
        "model.safetensors" => answer(request),
        _ => small(request),
    })
}

fn assert_whole(model: &Model) {
    let ModelFiles::Folder { weights: files, .. } = &model.files else {
        panic!("a folder")
    };
    assert_eq!(fs::read(&files[0]).expect("reads"), weights());
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("lists");
    let mut names: Vec<_> = entries
        .map(|e| {
            e.expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn fetches_a_folder_once_and_records_where_it_came_from() {
    let server = with_weights(|_| Reply::new(200, weights()).promised());
    let place = Place::at(&server.endpoint);
    assert_eq!(
        find_local("org/tiny", &place.cache).expect("no error"),
        None
    );
    let model = place.find("org/tiny").expect("fetches");
    assert_whole(&model);
    assert_eq!(model.name, "org/tiny");
    assert_eq!(
        model.revision.as_deref(),
        Some(&*format!("hub:org/tiny@{COMMIT}"))
    );
    assert_eq!(
        names_in(&place.dir()),
        [
            ".lock",
            "config.json",
            "model.safetensors",
            "source.json",
            "tokenizer.json"
        ]
    );

    let asked = server.requests();
    assert_eq!(asked[0].path, "/org/tiny/resolve/main/config.json");
    assert!(
        asked[1..]
            .iter()
            .all(|r| r.path.starts_with(&format!("/org/tiny/resolve/{COMMIT}/"))),
        "one commit for all"
    );
    assert_eq!(place.find("org/tiny").expect("is there"), model);
    assert_eq!(
        find_local("org/tiny", &place.cache).expect("no error"),
        Some(model)
    );
    assert_eq!(
        server.requests().len(),
        asked.len(),
        "nothing is asked twice"
    );

    let listed = place.cache.list().expect("lists");
    let expected = Origin::Hub {
        id: "org/tiny".into(),
        revision: "main".into(),
        commit: Some(COMMIT.into()),
    };
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].origin, Some(expected));
    assert!(listed[0].bytes > 800_000);
}

#[test]
fn a_file_that_was_damaged_is_fetched_again() {
    let server = with_weights(|_| Reply::new(200, weights()).promised());
    let place = Place::at(&server.endpoint);
    place.find("org/tiny").expect("fetches");
    fs::write(place.dir().join("tokenizer.json"), "cut").expect("writes");
    assert_eq!(place.cache.list().expect("lists")[0].origin, None);
    place.find("org/tiny").expect("fetches again");
    assert_eq!(
        fs::read_to_string(place.dir().join("tokenizer.json")).expect("reads"),
        r#"{"model": {}}"#
    );
}

#[test]
fn a_branch_and_another_are_kept_apart() {
    let server = with_weights(|_| Reply::new(200, weights()).promised());
    let place = Place::at(&server.endpoint);
    place.find("org/tiny").expect("fetches");
    place.find("org/tiny@refs/pr/1").expect("fetches");
    assert_eq!(server.requests_for("/refs%2Fpr%2F1/config.json").len(), 1);
    assert_eq!(place.cache.list().expect("lists").len(), 2);
}

#[test]
fn goes_on_where_a_transfer_broke_off() {
    let server = with_weights(|request| {
        let reply = Reply::new(200, weights()).promised().ranged(request);
        if request.before < 2 {
            reply.cut(300_000)
        } else {
            reply
        }
    });
    let place = Place::at(&server.endpoint);
    assert_whole(&place.find("org/tiny").expect("fetches"));
    let ranges: Vec<_> = server
        .requests_for("model.safetensors")
        .iter()
        .map(Request::from)
        .collect();
    assert_eq!(ranges, [None, Some(300_000), Some(600_000)]);
    assert!(!place.dir().join("model.safetensors.part").exists());
}

#[test]
fn gives_up_a_transfer_that_never_gets_further_and_keeps_its_beginning() {
    let server = with_weights(|request| {
        let reply = Reply::new(200, weights()).promised().ranged(request);
        if request.from().is_none() {
            reply.cut(1000)
        } else {
            reply.cut(0)
        }
    });
    let place = Place::at(&server.endpoint);
    let message = place.refused("org/tiny");
    assert!(
        message.contains("/model.safetensors: ") && message.contains("1000"),
        "{message}"
    );
    assert!(message.contains("run the same command again"), "{message}");
    assert_eq!(server.requests_for("model.safetensors").len(), 5);
    assert_eq!(
        fs::metadata(place.dir().join("model.safetensors.part"))
            .expect("kept")
            .len(),
        1000
    );
    assert_eq!(
        place.cache.list().expect("lists")[0].origin,
        None,
        "listed as unfinished"
    );
}

#[test]
fn a_later_run_goes_on_with_the_part_of_an_earlier() {
    let server = with_weights(|request| Reply::new(200, weights()).promised().ranged(request));
    let place = Place::at(&server.endpoint);
    fs::create_dir_all(place.dir()).expect("creates");
    fs::write(
        place.dir().join("model.safetensors.part"),
        &weights()[..500_000],
    )
    .expect("writes");
    assert_whole(&place.find("org/tiny").expect("fetches"));
    assert_eq!(
        server.requests_for("model.safetensors")[0].from(),
        Some(500_000)
    );
}

#[test]
fn a_part_of_another_version_is_thrown_away() {
    let server = with_weights(|request| Reply::new(200, weights()).promised().ranged(request));
    let place = Place::at(&server.endpoint);
    fs::create_dir_all(place.dir()).expect("creates");
    fs::write(place.dir().join("model.safetensors.part"), [1; 500]).expect("writes");
    assert_whole(&place.find("org/tiny").expect("fetches"));
    let ranges: Vec<_> = server
        .requests_for("model.safetensors")
        .iter()
        .map(Request::from)
        .collect();
    assert_eq!(ranges, [Some(500), None]);
}

#[test]
fn a_part_that_is_whole_or_too_long_is_settled() {
    for extra in [0, 7] {
        let server = with_weights(|request| match request.from() {
            Some(from) if from >= weights().len() => {
                let promise = Reply::new(416, weights()).promised();
                promise.cut(0)
            }
            _ => Reply::new(200, weights()).promised(),
        });
        let place = Place::at(&server.endpoint);
        fs::create_dir_all(place.dir()).expect("creates");
        let part = [weights(), vec![0; extra]].concat();
        fs::write(place.dir().join("model.safetensors.part"), part).expect("writes");
        assert_whole(&place.find("org/tiny").expect("fetches"));
    }
}

#[test]
fn a_server_without_ranges_or_without_a_checksum_sends_all_again() {
    let server = with_weights(|request| {
        let reply = Reply::new(200, weights()).promised();
        if request.before == 0 {
            reply.cut(1000)
        } else {
            reply
        }
    });
    assert_whole(
        &Place::at(&server.endpoint)
            .find("org/tiny")
            .expect("fetches"),
    );

    let server = with_weights(|request| {
        let reply = Reply::new(200, weights()).ranged(request);
        if request.before == 0 {
            reply.cut(1000)
        } else {
            reply
        }
    });
    assert_whole(
        &Place::at(&server.endpoint)
            .find("org/tiny")
            .expect("fetches"),
    );
    let ranges: Vec<_> = server
        .requests_for("model.safetensors")
        .iter()
        .map(Request::from)
        .collect();
    assert_eq!(
        ranges,
        [None, Some(1000), None],
        "what cannot be checked is not continued"
    );
}

#[test]
fn waits_when_asked_to() {
    let server = with_weights(|request| match request.before {
        0 => Reply::new(429, "slow down").header("Retry-After", 0),
        1 => Reply::new(503, "later"),
        _ => Reply::new(200, weights()).promised(),
    });
    assert_whole(
        &Place::at(&server.endpoint)
            .find("org/tiny")
            .expect("fetches"),
    );
    assert_eq!(server.requests_for("model.safetensors").len(), 3);

    let server = with_weights(|_| Reply::new(429, "never").header("Retry-After", 0));
    let message = Place::at(&server.endpoint).refused("org/tiny");
    assert!(message.contains("429 (too many requests)"), "{message}");
}

#[test]
fn a_wrong_checksum_or_size_keeps_nothing() {
    let lie = "0".repeat(64);
    let server = with_weights(move |_| {
        Reply::new(200, weights()).header("X-Linked-Etag", format!("\"{lie}\""))
    });
    let place = Place::at(&server.endpoint);
    let error = place.find("org/tiny").expect_err("must fail");
    assert!(
        matches!(
            &error,
            HubError::Mismatch {
                what: "SHA-256",
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains("model.safetensors: SHA-256 is"),
        "{error}"
    );
    assert_eq!(
        names_in(&place.dir()),
        [".lock", "config.json", "tokenizer.json"]
    );

    let server = with_weights(|_| Reply::new(200, weights()).header("X-Linked-Size", 1000));
    let place = Place::at(&server.endpoint);
    let error = place.find("org/tiny").expect_err("must fail");
    assert!(
        matches!(&error, HubError::Mismatch { what: "size", expected, .. } if expected == "1000"),
        "{error}"
    );
    assert_eq!(
        names_in(&place.dir()),
        [".lock", "config.json", "tokenizer.json"]
    );
}

#[test]
fn a_gated_model_says_how_to_get_access() {
    let server = Server::start(|_| Reply::new(401, "no"));
    let mut place = Place::at(&server.endpoint);
    let message = place.refused("org/tiny");
    assert!(
        message.contains("answered 401: `org/tiny` is gated, private or does not exist"),
        "{message}"
    );
    assert!(message.contains("set HF_TOKEN"), "{message}");
    assert!(
        message.contains("path: there is no folder or file `org/tiny`"),
        "{message}"
    );
    place.sources.token = Some("hf_secret".into());
    let message = place.refused("org/tiny");
    assert!(
        message.contains("the token in HF_TOKEN gives no access"),
        "{message}"
    );
    assert!(!message.contains("hf_secret"), "{message}");
    assert_eq!(
        server.requests()[1].header("authorization"),
        Some("Bearer hf_secret")
    );
}

#[test]
fn redirects_carry_promises_along_but_no_token() {
    let store = Server::start(|request| Reply::new(200, weights()).ranged(request));
    let place_of_store = format!("{}/blob?signature=private", store.endpoint);
    let server = with_weights(move |request| match request.path.as_str() {
        "/moved/model.safetensors" => {
            let promise = Reply::new(302, weights()).promised().cut(0);
            promise.header("Location", &place_of_store)
        }
        _ => Reply::new(307, "").header("Location", "/moved/model.safetensors"),
    });
    let mut place = Place::at(&server.endpoint);
    place.sources.token = Some("hf_secret".into());
    fs::create_dir_all(place.dir()).expect("creates");
    fs::write(
        place.dir().join("model.safetensors.part"),
        &weights()[..500],
    )
    .expect("writes");
    assert_whole(&place.find("org/tiny").expect("fetches"));
    assert!(
        server
            .requests()
            .iter()
            .all(|r| r.header("authorization").is_some())
    );
    let stored = store.requests();
    assert_eq!(
        (stored[0].header("authorization"), stored[0].from()),
        (None, Some(500))
    );
}

#[test]
fn redirects_that_lead_nowhere_end() {
    let server = Server::start(|request| Reply::new(302, "").header("Location", &request.path));
    let message = Place::at(&server.endpoint).refused("org/tiny");
    assert!(message.contains("more than 10 redirects"), "{message}");
    let server = Server::start(|_| Reply::new(302, "").header("Location", "file:///x?secret"));
    let message = Place::at(&server.endpoint).refused("org/tiny");
    assert!(
        message.contains("redirects to file:///x, which is not followed"),
        "{message}"
    );
}

#[test]
fn what_a_repository_lacks_is_named() {
    let nothing = |code: &'static str| {
        Server::start(move |_| Reply::new(404, "").header("X-Error-Code", code))
    };
    let message = Place::at(&nothing("EntryNotFound").endpoint).refused("org/tiny");
    assert!(
        message.contains("/config.json answered 404: the repository has no `config.json`"),
        "{message}"
    );
    let message = Place::at(&nothing("RevisionNotFound").endpoint).refused("org/tiny@v2");
    assert!(message.contains("it has no revision `v2`"), "{message}");
    let server = Server::start(small);
    let message = Place::at(&server.endpoint).refused("org/tiny");
    assert!(
        message.contains("neither `model.safetensors` nor `model.safetensors.index.json`"),
        "{message}"
    );
}

/// A repository in two shards; `missing` is not there.
fn sharded(missing: &'static str, index: &'static str) -> Server {
    Server::start(move |request| match file_of(request) {
        file if file == missing => Reply::new(404, ""),
        "model.safetensors.index.json" => Reply::new(200, index),
        file if file.starts_with("model-") => Reply::new(200, file).promised(),
        _ => small(request),
    })
}

const INDEX: &str = r#"{"metadata": {"total_size": 9}, "weight_map": {"b": "model-00002-of-00002.safetensors",
    "a": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}}"#;

#[test]
fn fetches_every_shard_of_an_index() {
    let server = sharded("", INDEX);
    let place = Place::at(&server.endpoint);
    let model = place.find("org/tiny").expect("fetches");
    let ModelFiles::Folder { dir, weights } = model.files else {
        panic!("a folder")
    };
    let expected = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]
    .map(|n| dir.join(n));
    assert_eq!(weights, expected);
    assert!(hash_file(&weights[1]).is_ok());

    let server = sharded("model-00002-of-00002.safetensors", INDEX);
    let message = Place::at(&server.endpoint).refused("org/tiny");
    assert!(
        message.contains("the repository has no `model-00002-of-00002.safetensors`"),
        "{message}"
    );
}

#[test]
fn an_index_cannot_lead_out_of_the_folder() {
    for index in [
        r#"{"weight_map": {"a": "../evil.safetensors"}}"#,
        r#"{"weight_map": {"a": "C:evil.safetensors"}}"#,
        r#"{"weight_map": {"a": "evil.sh"}}"#,
    ] {
        let server = sharded("", index);
        let message = Place::at(&server.endpoint).refused("org/tiny");
        assert!(
            message.contains("model.safetensors.index.json: `weight_map` names"),
            "{message}"
        );
        assert!(!server.requests().iter().any(|r| r.path.contains("evil")));
    }
}

#[test]
fn without_a_network_the_answer_comes_at_once_and_says_what_to_do() {
    // Nobody listens on a port that was just given back.
    let endpoint = Server::start(small).endpoint.clone();
    let mut place = Place::at(&endpoint);
    place.sources.pause = Duration::from_secs(60);
    let begun = Instant::now();
    let message = place.refused("mistral-7b");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "no repetition before the first answer"
    );
    assert!(
        message.contains("cannot get model `mistral-7b`")
            && message.contains("is this machine offline?"),
        "{message}"
    );
    assert!(
        message.contains("hf download mistralai/Mistral-7B-v0.1 --local-dir"),
        "{message}"
    );
    assert!(
        place.cache.list().expect("lists").is_empty(),
        "an attempt without a byte is no entry"
    );

    place.sources.offline = true;
    let message = place.refused("org/tiny");
    assert!(message.contains("HF_HUB_OFFLINE is set"), "{message}");
    place.sources = Sources {
        offline: false,
        endpoint: "huggingface.co".into(),
        ..place.sources
    };
    let message = place.refused("org/tiny");
    assert!(
        message.contains("HF_ENDPOINT must begin with https://"),
        "{message}"
    );
}
