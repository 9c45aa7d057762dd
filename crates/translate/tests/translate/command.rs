//! Commands as engines: `cat`, `sed` and `sh` stand for translators.

use std::time::{Duration, Instant};

use translate::{Engine, EngineFailure, engines};

use crate::setup::{cache, owned, pace, run, settings};

fn command(line: &str) -> Box<dyn Engine> {
    let mut settings = settings("command", "");
    settings.command = Some(line.to_owned());
    engines::open(&settings).expect("is set up")
}

#[test]
fn lines_go_through_a_command_in_their_order() {
    let engine = command("sed 's/.*/<&>/'");
    assert_eq!(
        engine.translate(&["a b", "\\n 'c'", "日本"]).expect("runs"),
        ["<a b>", "<\\n 'c'>", "<日本>"]
    );
    assert_eq!(engine.identity(), "command sed 's/.*/<&>/' en>zh");
}

#[test]
fn a_text_of_several_lines_is_given_as_several_and_put_together_again() {
    let (_folder, cache) = cache();
    let texts = owned(&["one\ntwo\r\n\nthree", "two", " "]);
    let found = run(&*command("sed 's/.*/<&>/'"), &texts, &cache, &pace(2)).expect("runs");
    assert_eq!(found, owned(&["<one>\n<two>\r\n\n<three>", "<two>", " "]));
}

#[test]
fn more_than_a_pipe_holds_does_not_block() {
    let line = "x".repeat(200);
    let lines = vec![line.as_str(); 5000];
    assert_eq!(command("cat").translate(&lines).expect("runs"), lines);
}

#[test]
fn a_command_that_fails_is_told_with_its_own_words() {
    let failure = command("sh -c 'echo no such pair >&2; exit 3'")
        .translate(&["a"])
        .expect_err("fails");
    let EngineFailure::Final { problem, .. } = failure else {
        panic!("final")
    };
    assert_eq!(
        problem,
        "the command ended with exit status: 3: no such pair"
    );
    let failure = command("no-such-command-here")
        .translate(&["a"])
        .expect_err("fails");
    let EngineFailure::Final { problem, advice } = failure else {
        panic!("final")
    };
    assert!(
        problem.starts_with("cannot start `no-such-command-here`: "),
        "{problem}"
    );
    assert_eq!(advice, "is it installed? try it in a terminal");
}

#[test]
fn a_command_that_hangs_is_ended() {
    let before = Instant::now();
    let failure = command("sh -c 'sleep 60'")
        .translate(&["a"])
        .expect_err("hangs");
    assert!(
        matches!(failure, EngineFailure::Passing { .. }),
        "{failure:?}"
    );
    assert!(before.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_command_that_loses_a_line_shifts_none() {
    let (_folder, cache) = cache();
    let texts = owned(&["a", "b", "lost", "c", "d"]);
    let error =
        run(&*command("sed '/lost/d'"), &texts, &cache, &pace(1)).expect_err("a line is missing");
    let message = error.to_string();
    assert!(
        message.starts_with("command gave no usable answer for 1 line(s):\n  text 2 (`lost`): "),
        "{message}"
    );
    let others = owned(&["d", "c", "b", "a"]);
    assert_eq!(
        run(&*command("sed '/lost/d'"), &others, &cache, &pace(1)).expect("all there"),
        others
    );
}

#[test]
fn a_command_line_that_cannot_be_divided_is_refused() {
    for line in ["", "sed 's/a"] {
        let mut settings = settings("command", "");
        settings.command = Some(line.to_owned());
        let error = engines::open(&settings)
            .err()
            .expect("is refused")
            .to_string();
        assert!(
            error.contains("has no word, or a quotation mark without its partner"),
            "{error}"
        );
    }
}
