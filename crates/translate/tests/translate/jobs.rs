//! Jobs: what is sent, once; what comes back, in order; what a run again costs.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use translate::{
    TranslateError,
    job::{self, JobEvents, JobPlan},
};

use crate::{
    server::{Reply, Request, Server, deepl, translated},
    setup::{cache, open, owned, pace, run, texts},
};

fn sent(server: &Server) -> Vec<String> {
    server
        .requests()
        .iter()
        .flat_map(|request| request.list("text"))
        .collect()
}

#[test]
fn equal_lines_are_sent_once_and_known_ones_never_again() {
    let server = Server::start(|request| deepl(&request.list("text")));
    let (_folder, cache) = cache();
    let engine = open("deepl", &server.url);
    let input = owned(&["b", " a ", "b", "", "a", "c\nd"]);
    let expected = owned(&["<b>", " <a> ", "<b>", "", "<a>", "<c\nd>"]);
    assert_eq!(
        run(&*engine, &input, &cache, &pace(4)).expect("runs"),
        expected
    );
    assert_eq!(sent(&server), ["b", "a", "c\nd"]);
    assert_eq!(
        run(&*engine, &input, &cache, &pace(4)).expect("runs"),
        expected
    );
    assert_eq!(
        run(&*engine, &owned(&["new", "a"]), &cache, &pace(1)).expect("runs"),
        ["<new>", "<a>"]
    );
    assert_eq!(sent(&server), ["b", "a", "c\nd", "new"]);
    let other = open("google-v2", &server.url);
    let plan = job::plan(&*other, &input, Some(&cache)).expect("counts");
    assert_eq!(
        plan.cached, 0,
        "another engine's answers are not this one's"
    );
}

#[test]
fn requests_stay_within_the_limits_and_run_at_once() {
    let (under_way, most) = (AtomicUsize::new(0), Mutex::new(0));
    let most_at_once: &'static Mutex<usize> = Box::leak(Box::new(most));
    let server = Server::start(move |request: &Request| {
        let lines = request.list("text");
        assert!(
            lines.len() <= 50 && request.body.len() <= 128 << 10,
            "{} lines",
            lines.len()
        );
        let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
        let mut most = most_at_once.lock().expect("not poisoned");
        *most = now.max(*most);
        drop(most);
        std::thread::sleep(Duration::from_millis(30));
        under_way.fetch_sub(1, Ordering::SeqCst);
        deepl(&lines)
    });
    let (_folder, cache) = cache();
    let mut input = texts(700);
    input[3] = "long ".repeat(5900);
    input[4] = "ein \"langer\"\n".repeat(2200);
    let found = run(&*open("deepl", &server.url), &input, &cache, &pace(4)).expect("runs");
    let expected: Vec<String> = input
        .iter()
        .map(|text| translated(text.trim()) + &text[text.trim_end().len()..])
        .collect();
    assert_eq!(found, expected);
    assert!((2..=4).contains(&*most_at_once.lock().expect("not poisoned")));
}

#[test]
fn a_plan_counts_and_sends_nothing() {
    let server = Server::start(|request| deepl(&request.list("text")));
    let (_folder, cache) = cache();
    let engine = open("deepl", &server.url);
    let known = owned(&["ä", "b"]);
    run(&*engine, &known, &cache, &pace(1)).expect("runs");
    let mut input = [owned(&["ä", " b", "", "日本", "日本"]), texts(60)].concat();
    input.push("b".to_owned());
    let found = job::plan(&*engine, &input, Some(&cache)).expect("counts");
    let characters = 2 + texts(60).iter().map(|text| text.len()).sum::<usize>();
    assert_eq!(
        found,
        JobPlan {
            texts: 66,
            lines: 65,
            unique: 63,
            cached: 2,
            characters,
            requests: 2
        }
    );
    assert_eq!(server.requests().len(), 1);
    assert_eq!(job::plan(&*engine, &input, None).expect("counts").cached, 0);
}

#[test]
fn the_pace_is_kept() {
    let server = Server::start(|request| deepl(&request.list("text")));
    let (_folder, cache) = cache();
    let mut pace = pace(4);
    pace.requests_per_second = Some(20.0);
    let before = Instant::now();
    run(&*open("deepl", &server.url), &texts(300), &cache, &pace).expect("runs");
    assert_eq!(server.requests().len(), 6);
    assert!(
        before.elapsed() >= Duration::from_millis(250),
        "six requests take five pauses of 50 ms"
    );
}

#[test]
fn a_job_that_is_told_to_stop_keeps_what_it_has_and_goes_on() {
    let server = Server::start(|request| deepl(&request.list("text")));
    let (_folder, cache) = cache();
    let engine = open("deepl", &server.url);
    let done = AtomicUsize::new(0);
    let notes = Mutex::new(Vec::new());
    let watch = JobEvents {
        progress: &|count, all| {
            assert_eq!(all, 400);
            done.store(count, Ordering::SeqCst);
        },
        note: &|text| notes.lock().expect("not poisoned").push(text.to_owned()),
        stop: &|| done.load(Ordering::SeqCst) >= 150,
    };
    let error = job::run(&*engine, &texts(400), &cache, &pace(1), &watch).expect_err("stops");
    assert!(matches!(error, TranslateError::Stopped), "{error}");
    assert_eq!(
        notes.into_inner().expect("not poisoned"),
        ["150 of 400 distinct lines are translated and in the cache"]
    );
    run(&*engine, &texts(400), &cache, &pace(2)).expect("goes on");
    let all = sent(&server);
    assert_eq!(all.len(), 400, "nothing was sent twice");
    assert_eq!(
        all.into_iter().collect::<BTreeSet<_>>(),
        texts(400).into_iter().collect()
    );
}

#[test]
fn an_engine_that_is_down_ends_the_job_after_so_many_tries() {
    let server = Server::start(|_| Reply::new(503, "overloaded"));
    let (folder, cache) = cache();
    let mut pace = pace(1);
    pace.tries = 3;
    let error = run(&*open("deepl", &server.url), &texts(3), &cache, &pace)
        .expect_err("is down")
        .to_string();
    assert!(error.starts_with("deepl: http://127.0.0.1:"), "{error}");
    assert!(
        error.ends_with("answered 503: overloaded (3 tries); run the same command again to resume"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 3);
    assert!(
        !folder.path().join("lines.redb.rescue").exists(),
        "the room taken is given back"
    );
}

#[test]
fn a_refusal_ends_the_job_at_once() {
    let server = Server::start(|_| Reply::new(403, "no"));
    let (_folder, cache) = cache();
    let error = run(&*open("deepl", &server.url), &texts(300), &cache, &pace(1))
        .expect_err("is refused")
        .to_string();
    assert!(
        error.contains("answered 403: no; the key in DEEPL_API_KEY is refused"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 1);
}
