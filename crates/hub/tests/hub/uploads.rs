//! Promise: an adapter's files reach the hub in one commit; the token goes to the hub alone; a
//! refusal or a break commits nothing and says what to do.

use std::{fs, path::Path};

use hub::{HubError, HubId, Silent, Sources, Upload, upload_model};
use serde_json::{Value, json};

use crate::server::{Reply, Request, Server};

const FILES: [&str; 2] = ["README.md", "weights.safetensors"];
const TOKEN: &str = "hf_secret";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(FILES[0]), "# card\n").expect("writes");
    fs::write(folder.path().join(FILES[1]), vec![7_u8; 3000]).expect("writes");
    folder
}

fn sources(endpoint: &str, token: Option<&str>) -> Sources {
    Sources {
        endpoint: endpoint.to_owned(),
        token: token.map(str::to_owned),
        offline: false,
        ..Sources::from_env()
    }
}

fn send(endpoint: &str, token: Option<&str>, folder: &Path) -> Result<String, HubError> {
    let id: HubId = "me/tuned".parse().expect("an id");
    let upload = Upload {
        id: &id,
        folder,
        files: &FILES,
        is_private: true,
        summary: "an adapter",
    };
    upload_model(&upload, &sources(endpoint, token), &mut Silent)
}

/// The hub's own answers; the store's address has another name for this machine.
fn answer(request: &Request) -> Reply {
    let json = |value: Value| Reply::new(200, value.to_string());
    let host = request
        .header("host")
        .expect("a host")
        .replace("127.0.0.1", "localhost");
    match request.path.as_str() {
        "/api/repos/create" => Reply::new(409, "{\"error\": \"there is one\"}"),
        "/api/models/me/tuned/preupload/main" => json(json!({"files": [
            {"path": FILES[0], "uploadMode": "regular"},
            {"path": FILES[1], "uploadMode": "lfs"},
        ]})),
        "/me/tuned.git/info/lfs/objects/batch" => json(json!({"objects": [{
            "oid": "x",
            "actions": {
                "upload": {"href": format!("http://{host}/store?rights=secret"), "header": {"x-part": "1"}},
                "verify": {"href": format!("http://{}/verify", request.header("host").expect("a host"))},
            },
        }]})),
        "/api/models/me/tuned/commit/main" => {
            json(json!({"commitUrl": "https://hub/me/tuned/commit/1", "commitOid": "1"}))
        }
        _ => Reply::new(200, ""),
    }
}

#[test]
fn files_reach_the_hub_in_one_commit() {
    let server = Server::start(answer);
    let folder = folder();
    let address = send(&server.endpoint, Some(TOKEN), folder.path()).expect("commits");
    assert_eq!(address, "https://hub/me/tuned/commit/1");

    let body = |end: &str| server.requests_for(end)[0].body.clone();
    let created: Value = serde_json::from_slice(&body("/create")).expect("JSON");
    let wanted = json!({"name": "tuned", "organization": "me", "type": "model", "private": true});
    assert_eq!(created, wanted);
    // The store has the file, its own header, and not the token.
    let stored = &server.requests_for("/store?rights=secret")[0];
    assert_eq!(stored.body, vec![7_u8; 3000]);
    assert_eq!(stored.header("x-part"), Some("1"));
    assert_eq!(stored.header("authorization"), None);
    for request in server
        .requests()
        .iter()
        .filter(|request| !request.path.starts_with("/store"))
    {
        assert_eq!(
            request.header("authorization"),
            Some("Bearer hf_secret"),
            "{request:?}"
        );
    }
    let lines = String::from_utf8(body("/commit/main")).expect("text");
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["value"]["summary"], "an adapter");
    // printf '# card\n' | base64
    assert_eq!(
        lines[1]["value"],
        json!({"path": FILES[0], "encoding": "base64", "content": "IyBjYXJkCg=="})
    );
    // head -c 3000 /dev/zero | tr '\0' '\7' | sha256sum
    let sha256 = "48c187767dddb44e5b7af78dabdec2b14f0f983e86e1fe695c65bc6a2a3cb42f";
    assert_eq!(
        lines[2],
        json!({"key": "lfsFile", "value": {
            "path": FILES[1], "algo": "sha256", "oid": sha256, "size": 3000,
        }})
    );
    assert_eq!(lines.len(), 3);
}

#[test]
fn what_the_store_has_is_not_sent_again() {
    let server = Server::start(|request| match request.path.as_str() {
        "/me/tuned.git/info/lfs/objects/batch" => {
            Reply::new(200, "{\"objects\": [{\"oid\": \"x\"}]}")
        }
        _ => answer(request),
    });
    send(&server.endpoint, Some(TOKEN), folder().path()).expect("commits");
    assert!(server.requests_for("/store?rights=secret").is_empty());
}

#[test]
fn a_refusal_commits_nothing_and_says_what_to_do() {
    let folder = folder();
    for (path, status, said, advice) in [
        (
            "/api/repos/create",
            403,
            "{\"error\": \"read only\"}",
            "read only; the token in HF_TOKEN may not write to `me/tuned`",
        ),
        (
            "/api/models/me/tuned/preupload/main",
            401,
            "",
            "may not write to `me/tuned`",
        ),
        ("/store?rights=secret", 500, "", "try again later"),
        (
            "/me/tuned.git/info/lfs/objects/batch",
            200,
            "{\"objects\": [{\"error\": {\"message\": \"too large\"}}]}",
            "too large",
        ),
        (
            "/me/tuned.git/info/lfs/objects/batch",
            200,
            "<html>",
            "cannot be understood",
        ),
    ] {
        let server = Server::start(move |request| match request.path == path {
            true => Reply::new(status, said),
            false => answer(request),
        });
        let problem = send(&server.endpoint, Some(TOKEN), folder.path())
            .expect_err(path)
            .to_string();
        assert!(problem.contains(advice), "{path}: {problem}");
        assert!(!problem.contains("secret"), "{problem}");
        assert!(server.requests_for("/commit/main").is_empty(), "{path}");
    }
    let problem = send("http://127.0.0.1:9", None, folder.path())
        .expect_err("no token")
        .to_string();
    assert!(problem.contains("HF_TOKEN"), "{problem}");
}
