//! What each service is sent, and how its answers, statuses and limits are read.

use std::time::Duration;

use schema::Language;
use serde_json::json;
use translate::{EngineFailure, engines};

use crate::{
    server::{Reply, Request, Server, deepl, translated},
    setup::{KEY, keys, open, settings, texts},
};

/// Sends two lines, one of them with what JSON and HTML must escape, and gives back the one
/// request.
#[track_caller]
fn exchange(
    engine: &str,
    path: &str,
    answer: impl Fn(&[String]) -> Reply + Send + Sync + 'static,
    list: &'static str,
) -> Request {
    let server = Server::start(move |request| answer(&request.list(list)));
    let lines = ["It's \"5 < 6\"\nand so on", "B & C"];
    let found = open(engine, &server.url)
        .translate(&lines)
        .expect("answers");
    assert_eq!(found, lines.map(translated));
    let [request] = server.requests().try_into().expect("one request");
    assert_eq!(request.path, path);
    assert_eq!(
        request.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(request.list(list), lines);
    request
}

fn google(list: &[String]) -> serde_json::Value {
    list.iter()
        .map(|line| json!({"translatedText": translated(line)}))
        .collect()
}

#[test]
fn google_v2_is_asked_for_plain_text_with_the_key_in_a_header() {
    let answer = |lines: &[String]| Reply::json(&json!({"data": {"translations": google(lines)}}));
    let request = exchange("google-v2", "/language/translate/v2", answer, "q");
    assert_eq!(request.header("x-goog-api-key"), Some(KEY));
    let body = request.json();
    assert_eq!(
        (&body["source"], &body["target"], &body["format"]),
        (&json!("en"), &json!("zh-CN"), &json!("text"))
    );
    assert_eq!(body.as_object().expect("an object").len(), 4);
}

#[test]
fn google_v3_is_asked_in_a_project_with_a_token() {
    let answer = |lines: &[String]| Reply::json(&json!({"translations": google(lines)}));
    let request = exchange(
        "google-v3",
        "/v3/projects/my-project/locations/global:translateText",
        answer,
        "contents",
    );
    assert_eq!(
        request.header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert_eq!(request.header("x-goog-user-project"), Some("my-project"));
    let body = request.json();
    assert_eq!(
        (&body["mimeType"], &body["targetLanguageCode"]),
        (&json!("text/plain"), &json!("zh-CN"))
    );
    assert_eq!(body["sourceLanguageCode"], json!("en"));
    assert!(body.get("model").is_none());
}

#[test]
fn google_v3_names_a_model_in_full() {
    let server = Server::start(|request| {
        assert_eq!(
            request.json()["model"],
            "projects/my-project/locations/global/models/general/nmt"
        );
        Reply::json(&json!({"translations": google(&request.list("contents"))}))
    });
    let mut settings = settings("google-v3", &server.url);
    settings.model = Some("general/nmt".to_owned());
    let engine = engines::open(&settings).expect("is set up");
    assert_eq!(engine.translate(&["a"]).expect("answers"), ["<a>"]);
    assert_eq!(engine.identity(), "google-v3 model=general/nmt en>zh-CN");
}

#[test]
fn deepl_is_asked_with_its_own_codes() {
    let request = exchange("deepl", "/v2/translate", deepl, "text");
    assert_eq!(
        request.header("authorization"),
        Some(format!("DeepL-Auth-Key {KEY}").as_str())
    );
    assert_eq!(request.json()["source_lang"], "EN");
    assert_eq!(request.json()["target_lang"], "ZH-HANS");
    assert!(request.json().get("enable_beta_languages").is_none());
}

#[test]
fn deepl_is_told_of_languages_that_are_beta() {
    let server = Server::start(|request| {
        assert_eq!(request.json()["enable_beta_languages"], true);
        deepl(&request.list("text"))
    });
    let mut settings = settings("deepl", &server.url);
    settings.to = Language::Sw;
    engines::open(&settings)
        .expect("is set up")
        .translate(&["a"])
        .expect("answers");
}

#[test]
fn libretranslate_gets_its_key_in_the_body() {
    let answer = |lines: &[String]| {
        Reply::json(
            &json!({"translatedText": lines.iter().map(|line| translated(line)).collect::<Vec<_>>()}),
        )
    };
    let body = exchange("libretranslate", "/translate", answer, "q").json();
    assert_eq!(
        (&body["api_key"], &body["format"]),
        (&json!(KEY), &json!("text"))
    );
    assert_eq!(
        (&body["source"], &body["target"]),
        (&json!("en"), &json!("zh"))
    );
}

fn chat(content: &str, reason: &str) -> Reply {
    Reply::json(&json!({"choices": [{"index": 0, "finish_reason": reason,
        "message": {"role": "assistant", "content": content}}]}))
}

#[test]
fn a_chat_model_is_asked_for_one_line_at_a_time() {
    let server = Server::start(|request| {
        let body = request.json();
        assert_eq!(request.path, "/v1/chat/completions");
        assert_eq!(
            (&body["model"], &body["temperature"]),
            (&json!("chatty"), &json!(0.0))
        );
        let system = body["messages"][0]["content"].as_str().expect("a text");
        assert!(system.contains("from English to Chinese"), "{system}");
        chat(
            &format!(
                " {}\n",
                translated(body["messages"][1]["content"].as_str().expect("a text"))
            ),
            "stop",
        )
    });
    let engine = open("openai", &format!("{}/v1/", server.url));
    assert_eq!(engine.limits().lines, 1);
    assert!(!engine.takes_line_breaks());
    assert_eq!(
        engine.translate(&["What is it?"]).expect("answers"),
        ["<What is it?>"]
    );
    assert_eq!(
        server.requests()[0].header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
}

#[test]
fn a_chat_model_that_says_more_than_the_translation_is_refused() {
    let problem = |content: &'static str, reason: &'static str| {
        let server = Server::start(move |_| chat(content, reason));
        match open("openai", &server.url).translate(&["a"]) {
            Err(EngineFailure::Split { problem }) => problem,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        problem("Here it is:\n<a>", "stop"),
        "2 lines for one: the model wrote more than the translation"
    );
    assert_eq!(
        problem("<a", "length"),
        "the model ended for the reason `length`"
    );
}

/// What an answer with this status and these words comes to.
fn failure(engine: &str, reply: Reply) -> EngineFailure {
    let server = Server::start(move |_| reply.clone());
    open(engine, &server.url)
        .translate(&["a line"])
        .expect_err("fails")
}

fn kind(failure: &EngineFailure) -> &'static str {
    match failure {
        EngineFailure::Passing { .. } => "passing",
        EngineFailure::Split { .. } => "divide",
        EngineFailure::Final { .. } => "final",
    }
}

#[test]
fn every_status_is_passing_or_to_be_divided_or_final() {
    let daily = r#"{"error": {"code": 403, "message": "Daily Limit Exceeded"}}"#;
    let rate = r#"{"error": {"code": 403, "message": "User Rate Limit Exceeded"}}"#;
    let large = r#"{"error": "Invalid request: request (2103) exceeds text limit (2000)"}"#;
    let cases = [
        ("deepl", 429, "Too many requests", "passing"),
        ("deepl", 456, "Quota exceeded", "final"),
        ("deepl", 500, "", "passing"),
        ("deepl", 503, "", "passing"),
        ("deepl", 529, "", "passing"),
        ("deepl", 413, "", "divide"),
        (
            "deepl",
            400,
            "Value for 'target_lang' not supported.",
            "final",
        ),
        ("deepl", 403, "", "final"),
        ("deepl", 404, "", "final"),
        ("deepl", 302, "", "final"),
        ("google-v2", 403, rate, "passing"),
        ("google-v2", 403, daily, "final"),
        ("google-v2", 403, "forbidden", "final"),
        ("google-v3", 403, daily, "final"),
        ("google-v3", 401, "", "final"),
        ("google-v3", 429, "RESOURCE_EXHAUSTED", "passing"),
        ("libretranslate", 400, large, "divide"),
        ("libretranslate", 400, "en is not supported", "final"),
        ("openai", 429, "rate_limit_exceeded", "passing"),
        ("openai", 429, "insufficient_quota", "final"),
        ("deepl", 200, "<html>not JSON</html>", "divide"),
        ("deepl", 200, r#"{"message": "no translations"}"#, "divide"),
        (
            "deepl",
            200,
            r#"{"translations": [{"text": null}]}"#,
            "divide",
        ),
        (
            "google-v2",
            200,
            r#"{"data": {"translations": [{}]}}"#,
            "divide",
        ),
        ("google-v3", 200, "[]", "divide"),
        (
            "libretranslate",
            200,
            r#"{"translatedText": "one text"}"#,
            "divide",
        ),
        (
            "libretranslate",
            200,
            r#"{"translatedText": [7]}"#,
            "divide",
        ),
        ("openai", 200, r#"{"choices": []}"#, "divide"),
    ];
    for (engine, status, body, expected) in cases {
        let found = failure(engine, Reply::new(status, body));
        assert_eq!(
            kind(&found),
            expected,
            "{engine} {status} {body}: {found:?}"
        );
    }
}

#[test]
fn an_account_without_means_is_told_from_a_wrong_key() {
    let advice = |engine, status, said| match failure(engine, Reply::new(status, said)) {
        EngineFailure::Final { advice, .. } => advice,
        other => panic!("{other:?}"),
    };
    assert!(advice("deepl", 456, "").starts_with("the account's characters are used up: "));
    assert!(
        advice("openai", 429, "insufficient_quota").starts_with("the account is out of credit")
    );
    assert!(
        advice("google-v2", 403, "Daily Limit Exceeded")
            .starts_with("the daily quota is used up: ")
    );
    assert!(
        advice("google-v2", 400, "API key not valid.")
            .starts_with("the key in GOOGLE_API_KEY was rejected: ")
    );
    assert!(advice("deepl", 403, "").starts_with("the key in DEEPL_API_KEY was rejected: "));
    assert!(
        advice("openai", 400, "'temperature' is not supported")
            .ends_with("give --temperature default")
    );
}

#[test]
fn a_pause_that_is_asked_for_is_known_and_a_long_one_ends_the_job() {
    let asked = |value: &str| failure("deepl", Reply::new(429, "").header("Retry-After", value));
    let pause = |value: &str| match asked(value) {
        EngineFailure::Passing { pause, .. } => pause,
        other => panic!("{other:?}"),
    };
    assert_eq!(pause("7"), Some(Duration::from_secs(7)));
    assert_eq!(pause("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
    assert_eq!(pause("soon"), None);
    let EngineFailure::Final { advice, .. } = asked("86400") else {
        panic!("a day is too long")
    };
    assert_eq!(
        advice,
        "it asks to wait 86400 s: run the same command again then"
    );
}

#[test]
fn an_answer_that_breaks_off_or_does_not_come_is_passing() {
    let reply = deepl(&texts(50));
    let EngineFailure::Passing { problem, .. } = failure("deepl", reply.clone().cut()) else {
        panic!("passing")
    };
    assert!(
        problem.starts_with("the answer broke off: http://127.0.0.1"),
        "{problem}"
    );
    let EngineFailure::Passing { problem, .. } =
        failure("deepl", reply.late(Duration::from_secs(3)))
    else {
        panic!("passing")
    };
    assert!(
        problem.ends_with("/v2/translate: no answer in time"),
        "{problem}"
    );
    let gone = Server::start(|_| Reply::new(200, "")).url.clone();
    assert_eq!(
        kind(
            &open("deepl", &gone)
                .translate(&["a"])
                .expect_err("nobody there")
        ),
        "passing"
    );
}

#[test]
fn no_message_shows_a_key() {
    for engine in [
        "google-v2",
        "google-v3",
        "deepl",
        "libretranslate",
        "openai",
    ] {
        for status in [200, 302, 400, 401, 403, 404, 429, 456, 500] {
            let reply =
                Reply::new(status, format!("the key {KEY} is no good")).header("Location", KEY);
            let found = format!("{:?}", failure(engine, reply));
            assert!(
                found.contains("the key *** is no good") && !found.contains("tops3cret"),
                "{engine}: {found}"
            );
        }
        assert!(
            !open(engine, "http://127.0.0.1:9")
                .identity()
                .contains("tops3cret")
        );
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Server::start(|_| panic!("the key went to another host"));
    let place = other.url.clone();
    let found = failure("deepl", Reply::new(307, "").header("Location", &place));
    assert_eq!(kind(&found), "final");
    assert!(other.requests().is_empty());
}

#[test]
fn what_cannot_be_set_up_is_told_with_what_to_do() {
    let message = |change: fn(&mut engines::Settings<'_>), engine: &str| {
        let mut settings = settings(engine, "");
        change(&mut settings);
        engines::open(&settings)
            .map(|engine| engine.identity().to_owned())
            .expect_err("is refused")
            .to_string()
    };
    type Change = fn(&mut engines::Settings<'_>);
    let cases: [(&str, Change, &str); 13] = [
        (
            "google-v2",
            |s| s.lookup = &|_| None,
            "set the environment variable GOOGLE_API_KEY to an API key",
        ),
        (
            "google-v3",
            |s| s.lookup = &|_| None,
            "set the environment variable GOOGLE_ACCESS_TOKEN to an access token",
        ),
        (
            "google-v3",
            |s| s.lookup = &|name| keys(name).filter(|_| name != "GOOGLE_CLOUD_PROJECT"),
            "set the environment variable GOOGLE_CLOUD_PROJECT",
        ),
        (
            "deepl",
            |s| s.lookup = &|_| None,
            "set the environment variable DEEPL_API_KEY",
        ),
        (
            "libretranslate",
            |s| s.lookup = &|_| None,
            "set the environment variable LIBRETRANSLATE_API_KEY",
        ),
        (
            "openai",
            |s| s.lookup = &|_| None,
            "set the environment variable OPENAI_API_KEY",
        ),
        (
            "openai",
            |s| s.model = None,
            "name the chat model with --model",
        ),
        (
            "openai",
            |s| s.lines_per_request = Some(9),
            "one line at a time",
        ),
        (
            "deepl",
            |s| s.url = Some("ftp://a".into()),
            "--url ftp://a is not an address",
        ),
        (
            "deepl",
            |s| s.url = Some("https://me:word@a.org".into()),
            "holds a user name or password",
        ),
        (
            "google-v2",
            |s| s.model = Some("m".into()),
            "--model has no effect on it",
        ),
        (
            "command",
            |s| s.url = Some("http://a".into()),
            "--url has no effect on it",
        ),
        (
            "deepl",
            |s| s.to = Language::En,
            "from en to en there is nothing to translate",
        ),
    ];
    for (engine, change, expected) in cases {
        let found = message(change, engine);
        assert!(
            found.starts_with(&format!("engine {engine}: ")) && found.contains(expected),
            "{found}"
        );
        assert!(!found.contains("word@"), "{found}");
    }
}

#[test]
fn counting_needs_no_key_and_gives_the_same_name_to_the_answers() {
    for engine in [
        "google-v2",
        "google-v3",
        "deepl",
        "libretranslate",
        "openai",
    ] {
        let mut dry = settings(engine, "");
        dry.is_dry = true;
        dry.lookup = &|_| None;
        let name = |settings| {
            engines::open(&settings)
                .expect("is set up")
                .identity()
                .to_owned()
        };
        assert_eq!(name(dry), name(settings(engine, "")), "{engine}");
    }
}
