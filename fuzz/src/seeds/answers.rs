//! Answers of servers, and what the cache keeps of them.

use serde_json::json;

use super::json;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub(crate) fn listings() -> Vec<Vec<u8>> {
    let files = [
        "data/de.jsonl",
        "data/test-00000-of-00001.parquet",
        "README.md",
    ]
    .map(|name| json!({"rfilename": name}));
    let answer = json!({"id": "org/set", "sha": COMMIT, "private": false, "siblings": files});
    vec![json(&answer)]
}

pub(crate) fn sources() -> Vec<Vec<u8>> {
    let files = json!([{"name": "config.json", "size": 2, "sha256": hub::hash_bytes(b"{}")}]);
    let hub = json!({"source": "hub", "id": "org/tiny", "revision": "main", "commit": COMMIT, "files": files});
    let package = json!({"source": "package", "package": "tiny", "version": "1", "member": "a/b", "files": files});
    vec![json(&hub), json(&package)]
}

pub(crate) fn translations() -> Vec<Vec<u8>> {
    [
        json!({"data": {"translations": [{"translatedText": "Gut &amp; sch\u{f6}n"}, {"translatedText": "Nein"}]}}),
        json!({"translations": [{"translatedText": "Gut", "model": "nmt"}, {"translatedText": "Nein"}]}),
        json!({"translations": [{"detected_source_language": "EN", "text": "Gut"}, {"text": "Nein"}]}),
        json!({"translatedText": ["Gut", "Nein"]}),
        json!({"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Gut"}}]}),
    ]
    .iter()
    .map(json)
    .collect()
}
