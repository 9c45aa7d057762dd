//! Data sets: only what is asked for is fetched, once, checked, all of one commit.

use std::fs;

use hub::{Dataset, HubError, Silent, find_dataset};

use crate::{
    COMMIT, Place,
    server::{Reply, Request, Server},
};

const NAMES: &str = r#"{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [
    {"rfilename": "README.md"}, {"rfilename": "de/test 1.parquet"}, {"rfilename": "fr/test.parquet"}], "other": 1}"#;

fn rows() -> Vec<u8> {
    (0..50_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// A hub with one data set, in which `answer` stands for the files.
fn hub(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Server {
    Server::start(move |request| match request.path.starts_with("/api/") {
        true if request.path == "/api/datasets/org/rows/revision/main" => Reply::new(200, NAMES),
        true => Reply::new(404, "").header("X-Error-Code", "RepoNotFound"),
        false => answer(request),
    })
}

fn find(place: &Place, id: &str, part: &'static str) -> Result<Dataset, HubError> {
    let id = id.parse().expect("an id");
    find_dataset(
        &id,
        &|name| name.starts_with(part),
        &place.cache,
        &place.sources,
        &mut Silent,
    )
}

#[test]
fn only_the_wanted_files_are_fetched_and_only_once() {
    let server = hub(|_| Reply::new(200, rows()).promised());
    let place = Place::at(&server.endpoint);
    let found = find(&place, "org/rows", "de/").expect("fetches");
    assert_eq!(found.files, [found.dir.join("de/test 1.parquet")]);
    assert_eq!(fs::read(&found.files[0]).expect("reads"), rows());
    assert_eq!(found.revision, format!("hub:datasets/org/rows@{COMMIT}"));
    let paths: Vec<_> = server
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let file = format!("/datasets/org/rows/resolve/{COMMIT}/de/test%201.parquet");
    assert_eq!(
        paths,
        ["/api/datasets/org/rows/revision/main".to_owned(), file]
    );

    assert_eq!(find(&place, "org/rows", "de/").expect("is there"), found);
    assert_eq!(server.requests().len(), 2, "nothing is asked twice");
    let both = find(&place, "org/rows", "").expect("fetches the others");
    assert_eq!(both.files.len(), 3);
    let later = server.requests().split_off(2);
    assert_eq!(
        later.len(),
        2,
        "the list and what is there are not asked for again"
    );
    let same_commit = |request: &Request| {
        request
            .path
            .starts_with(&format!("/datasets/org/rows/resolve/{COMMIT}/"))
    };
    assert!(later.iter().all(same_commit), "{later:?}");
    let listed = place.cache.list().expect("lists");
    assert_eq!(
        listed[0].origin.as_ref().map(ToString::to_string),
        Some(both.revision)
    );
    assert!(listed[0].bytes > 600_000);

    fs::write(&found.files[0], "cut").expect("writes");
    find(&place, "org/rows", "de/").expect("fetches again");
    assert_eq!(fs::read(&found.files[0]).expect("reads"), rows());
}

#[test]
fn a_broken_transfer_is_taken_up_and_a_wrong_checksum_refused() {
    let server = hub(|request| {
        let reply = Reply::new(200, rows()).promised().ranged(request);
        if request.before == 0 {
            reply.cut(70_000)
        } else {
            reply
        }
    });
    let place = Place::at(&server.endpoint);
    let found = find(&place, "org/rows", "fr/").expect("fetches");
    assert_eq!(fs::read(&found.files[0]).expect("reads"), rows());
    assert_eq!(
        server.requests_for("fr/test.parquet")[1].from(),
        Some(70_000)
    );

    let lie = "0".repeat(64);
    let server =
        hub(move |_| Reply::new(200, rows()).header("X-Linked-Etag", format!("\"{lie}\"")));
    let place = Place::at(&server.endpoint);
    let error = find(&place, "org/rows", "fr/").expect_err("must fail");
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
        !place
            .cache
            .root()
            .join("datasets/org--rows/main/fr/test.parquet")
            .exists()
    );
}

#[test]
fn what_cannot_be_had_is_told_with_what_to_do() {
    let server = hub(|_| Reply::new(403, "gated"));
    let place = Place::at(&server.endpoint);
    let message = find(&place, "org/rows", "de/")
        .expect_err("gated")
        .to_string();
    assert!(
        message.starts_with("cannot get data set `org/rows`"),
        "{message}"
    );
    assert!(
        message.contains("accept the terms at")
            && message.contains("/datasets/org/rows, and set HF_TOKEN"),
        "{message}"
    );
    assert!(
        message.contains("hf download org/rows --repo-type dataset"),
        "{message}"
    );

    let message = find(&place, "org/rows", "xx/")
        .expect_err("no such file")
        .to_string();
    assert!(
        message.contains("there is: README.md, de/test 1.parquet, fr/test.parquet"),
        "{message}"
    );
    let message = find(&place, "org/other", "")
        .expect_err("no such data set")
        .to_string();
    assert!(
        message.contains("there is no repository `org/other`"),
        "{message}"
    );

    let mut offline = Place::at(&server.endpoint);
    offline.sources.offline = true;
    let message = find(&offline, "org/rows", "de/")
        .expect_err("offline")
        .to_string();
    assert!(message.contains("HF_HUB_OFFLINE is set"), "{message}");
}

#[test]
fn a_list_of_files_cannot_lead_out_of_the_cache() {
    for name in [
        "../evil.csv",
        "/evil.csv",
        "a/../../evil.csv",
        "a//evil.csv",
        "source.json",
        "C:evil.csv",
    ] {
        let list =
            serde_json::json!({"sha": COMMIT, "siblings": [{"rfilename": name}]}).to_string();
        let server = Server::start(move |_| Reply::new(200, list.clone()));
        let message = find(&Place::at(&server.endpoint), "org/rows", "")
            .expect_err("refused")
            .to_string();
        assert!(
            message.contains("which is no path below it"),
            "{name}: {message}"
        );
        assert_eq!(server.requests().len(), 1, "{name}");
    }
}

#[test]
fn a_list_that_broke_off_or_came_too_soon_is_asked_for_again() {
    let server =
        Server::start(
            |request| match (request.path.starts_with("/api/"), request.before) {
                (true, 0) => Reply::new(429, "slow").header("Retry-After", 0),
                (true, 1) => Reply::new(200, NAMES).cut(20),
                (true, _) => Reply::new(200, NAMES),
                (false, _) => Reply::new(200, rows()).promised(),
            },
        );
    let place = Place::at(&server.endpoint);
    assert_eq!(
        find(&place, "org/rows", "fr/")
            .expect("fetches")
            .files
            .len(),
        1
    );
    assert_eq!(server.requests_for("/revision/main").len(), 3);
}
