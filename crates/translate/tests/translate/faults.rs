//! Jobs with an engine that fails in every way it can: no line is lost, shifted, or paid for
//! twice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use proptest::prelude::*;

use crate::{
    server::{Reply, Server, deepl, translated},
    setup::{cache, open, owned, pace, run, texts},
};

/// How often each line was answered as it should be.
type Paid = Arc<Mutex<HashMap<String, usize>>>;

fn pay(paid: &Paid, lines: &[String]) {
    let mut paid = paid.lock().expect("not poisoned");
    lines
        .iter()
        .for_each(|line| *paid.entry(line.clone()).or_default() += 1);
}

/// A fifth of the answers are faults; only whole answers are paid for.
fn faulty(paid: &Paid, kinds: usize) -> Server {
    let paid = Arc::clone(paid);
    Server::start(move |request| {
        let lines = request.list("text");
        let answer = deepl(&lines);
        // Spread without a pattern that batches of a size could follow.
        let draw = (request.before.wrapping_mul(2_654_435_761) >> 7) % 100;
        if draw >= 20 {
            pay(&paid, &lines);
            return answer;
        }
        match draw % kinds {
            0 => Reply::new(429, "slow down").header("Retry-After", "0"),
            1 => Reply::new(500, "oops"),
            2 => answer.cut(),
            3 => deepl(&lines[1..]),
            4 => Reply::new(200, "{\"translations\": [{\"te"),
            5 => deepl(&[lines.as_slice(), &["one more".to_owned()]].concat()),
            _ => answer.late(Duration::from_secs(2)),
        }
    })
}

#[test]
fn two_thousand_lines_with_a_fifth_of_faults_are_each_paid_for_once() {
    let paid = Paid::default();
    let server = faulty(&paid, 7);
    let (_folder, cache) = cache();
    let input = texts(2000);
    let found = run(&*open("deepl", &server.url), &input, &cache, &pace(4)).expect("comes through");
    assert!(
        found
            .iter()
            .zip(&input)
            .all(|(found, line)| *found == translated(line))
    );
    let paid = paid.lock().expect("not poisoned");
    assert_eq!(paid.len(), 2000);
    assert!(paid.values().all(|&times| times == 1));
    assert!(server.requests().len() > 40, "there were faults");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn any_texts_come_back_in_order_through_any_faults(
        input in prop::collection::vec("[a-d ]{0,3}", 0..120),
        kinds in 1usize..7,
        parallel in 1usize..6,
    ) {
        let paid = Paid::default();
        let server = faulty(&paid, kinds);
        let (_folder, cache) = cache();
        let found = run(&*open("deepl", &server.url), &input, &cache, &pace(parallel)).expect("comes through");
        for (found, line) in found.iter().zip(&input) {
            let expected = if line.trim().is_empty() { String::new() } else { translated(line.trim()) };
            prop_assert_eq!(found.trim(), expected);
        }
        prop_assert_eq!(found.len(), input.len());
        prop_assert!(paid.lock().expect("not poisoned").values().all(|&times| times == 1));
    }
}

#[test]
fn a_wrong_number_of_lines_is_never_shifted() {
    let server = Server::start(|request| {
        let lines = request.list("text");
        let kept: Vec<String> = lines
            .iter()
            .filter(|line| !line.contains("bad"))
            .cloned()
            .collect();
        deepl(&kept)
    });
    let (_folder, cache) = cache();
    let mut input = texts(100);
    (input[17], input[63]) = ("a bad line".to_owned(), "bad".to_owned());
    let engine = open("deepl", &server.url);
    let error = run(&*engine, &input, &cache, &pace(1))
        .expect_err("two lines are missing")
        .to_string();
    assert!(
        error.starts_with(
            "deepl gave no usable answer for 2 line(s):\n  text 17 (`a bad line`): got 0 lines"
        ),
        "{error}"
    );
    assert!(
        error.contains("\n  text 63 (`bad`): got 0 lines for 1\n  No output was written"),
        "{error}"
    );
    let asked = server.requests().len();
    let others: Vec<String> = input
        .iter()
        .filter(|line| !line.contains("bad"))
        .rev()
        .cloned()
        .collect();
    let found = run(&*engine, &others, &cache, &pace(1)).expect("all others are in the cache");
    assert!(
        found
            .iter()
            .zip(&others)
            .all(|(found, line)| *found == translated(line))
    );
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn an_empty_translation_is_none() {
    let server = Server::start(|request| {
        let answer = request
            .list("text")
            .iter()
            .map(|_| serde_json::json!({"text": " "}))
            .collect::<Vec<_>>();
        Reply::json(&serde_json::json!({"translations": answer}))
    });
    let (_folder, cache) = cache();
    let error = run(
        &*open("deepl", &server.url),
        &owned(&["a"]),
        &cache,
        &pace(1),
    )
    .expect_err("says nothing");
    assert!(
        error
            .to_string()
            .contains("text 0 (`a`): an empty translation"),
        "{error}"
    );
}

#[test]
fn an_engine_that_never_fits_is_given_up_soon() {
    let server = Server::start(|_| Reply::json(&serde_json::json!({"translations": []})));
    let (_folder, cache) = cache();
    let error =
        run(&*open("deepl", &server.url), &texts(2000), &cache, &pace(1)).expect_err("never fits");
    assert!(error.to_string().contains("for 10 line(s)"), "{error}");
    assert!(
        server.requests().len() < 60,
        "{} requests",
        server.requests().len()
    );
}

#[test]
fn everybody_waits_when_the_engine_asks_for_a_pause() {
    let server = Server::start(|request| match request.before {
        0 => Reply::new(429, "").header("Retry-After", "1"),
        _ => deepl(&request.list("text")),
    });
    let (_folder, cache) = cache();
    let before = Instant::now();
    run(&*open("deepl", &server.url), &texts(20), &cache, &pace(3)).expect("runs");
    assert!(before.elapsed() >= Duration::from_secs(1));
}
