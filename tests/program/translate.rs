//! `data translate`: what is sent and what is not, and that a job which is killed, finds the
//! disk full, or meets faults loses no line and pays for none twice.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    call::{Printed, call, call_line, json, json_lines, program, scratch},
    server::{Reply, Request, Server, deepl, translated},
    tiny,
};

const KEY: &str = "tops3cret-key:fx";
const LINES: usize = 2000;
const PARALLEL: usize = 4;

/// Runs `data translate` by DeepL with the key in the environment.
#[track_caller]
fn translate(folder: &Path, server: &Server, line: &str, code: i32) -> Printed {
    let line = format!(
        "data translate --engine deepl --url {} --retry-pause 0.01 {line}",
        server.url
    );
    let assert = assert_cmd::Command::from_std(program(folder))
        .env("DEEPL_API_KEY", KEY)
        .args(line.split_whitespace())
        .assert()
        .code(code);
    let output = assert.get_output();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let printed = Printed {
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    };
    assert!(
        !printed.stderr.contains("tops3cret") && !printed.stdout.contains("tops3cret"),
        "{}",
        printed.stderr
    );
    printed
}

fn sent(server: &Server) -> BTreeSet<String> {
    server
        .requests()
        .iter()
        .flat_map(|request| request.list("text"))
        .collect()
}

// Promise: only the texts of the questions are sent, never a label word, a header or an
// instruction; the result is a file of the released layout in the other language, which the
// rest of the program reads.
#[test]
fn only_the_texts_of_questions_are_sent() {
    let server = Server::start(|request| deepl(&request.list("text")));
    let folder = scratch();
    let questions = json!([
        {"premise": "A man sits.", "hypothesis": "neutral", "answer": "contradiction"},
        {"premise": "A dog runs.", "hypothesis": "A man sits.", "answer": "entailment"},
    ]);
    fs::write(
        folder.path().join("snli_en2_test.json"),
        questions.to_string(),
    )
    .expect("writes");
    let base = "--from en --to de --task snli --cache c.redb --in snli_en2_test.json";
    translate(
        folder.path(),
        &server,
        &format!("{base} --out snli_de2_test.json"),
        0,
    );
    translate(
        folder.path(),
        &server,
        &format!("{base} --out snli_de2_train_question.json"),
        0,
    );
    assert_eq!(
        sent(&server),
        ["A dog runs.", "A man sits.", "neutral"]
            .map(str::to_owned)
            .into()
    );
    assert_eq!(
        server.requests().len(),
        1,
        "the second file is made from the cache"
    );
    let test = json(&folder.path().join("snli_de2_test.json"));
    assert_eq!(
        test,
        json!([
            {"premise": "<A man sits.>", "hypothesis": "<neutral>", "answer": "Widerspruch"},
            {"premise": "<A dog runs.>", "hypothesis": "<A man sits.>", "answer": "Konsequenz"},
        ])
    );
    let pairs = json(&folder.path().join("snli_de2_train_question.json"));
    let question = "Prämisse: <A man sits.>\nHypothese: <neutral>\nAntwort: \"";
    assert_eq!(
        pairs[0]["input"],
        format!("{question}\nTranslate the input from German to English:\n")
    );
    assert_eq!(
        pairs[0]["answer"],
        "Premise: A man sits.\nHypothesis: neutral\nAnswer: \""
    );
    translate(
        folder.path(),
        &server,
        "--from de --to fr --task snli --cache c.redb --in snli_de2_train_question.json --out snli_fr2_train_question.json",
        0,
    );
    let pairs = json(&folder.path().join("snli_fr2_train_question.json"));
    assert!(
        pairs[0]["input"]
            .as_str()
            .expect("a text")
            .starts_with("Prémisse: <<A man sits.>>\n")
    );
}

// Promise: a dry run sends nothing, needs no key, makes no cache, and says what the rest would
// cost.
#[test]
fn a_dry_run_counts_and_sends_nothing() {
    let folder = scratch();
    write_lines(folder.path(), 1000);
    let line =
        "data translate --engine deepl --from en --to de --in in.jsonl --dry-run --cache c.redb";
    let printed = call_line(folder.path(), line, 0);
    let characters: usize = (0..1000).map(|index| sentence(index).trim().len()).sum();
    let dollars = characters as f64 / 1e6 * 25.0;
    let (counts, rest) = printed.stdout.split_once(" requests\n").expect("says it");
    let expected = format!(
        "texts       1000\nlines       1000, 1000 different, 0 of these in the cache\nto be sent  1000 lines, {characters} \
         characters, "
    );
    // 50 texts or 30,000 characters a request.
    let requests: usize = counts
        .strip_prefix(&expected)
        .and_then(|count| count.parse().ok())
        .expect(counts);
    assert!(
        (characters.div_ceil(30_000)..=characters.div_ceil(29_000)).contains(&requests),
        "{requests}"
    );
    assert_eq!(
        rest,
        format!(
            "cost        about {dollars:.2} US dollars (25 per million characters, list price when this was built, before \
             free shares; see https://www.deepl.com/pro-api)\n"
        )
    );
    assert!(!folder.path().join("c.redb").exists());
    let priced = call_line(
        folder.path(),
        &format!("{line} --price-per-million 1000"),
        0,
    );
    assert!(
        priced
            .stdout
            .contains("(1000 per million characters, as given)"),
        "{}",
        priced.stdout
    );
}

// Promise: what is wrong is told before anything is sent, and never with a key.
#[test]
fn refusals_come_before_anything_is_sent() {
    let server = Server::start(|_| panic!("nothing may be sent"));
    let folder = scratch();
    write_lines(folder.path(), 2);
    fs::write(
        folder.path().join("q.json"),
        r#"[{"input": "a", "answer": "positive"}]"#,
    )
    .expect("writes");
    let cases = [
        (
            "--from en --to de --in in.jsonl --out none/../in.jsonl/x.jsonl",
            "cannot create",
        ),
        (
            "--from en --to de --in in.jsonl --out out.json",
            "no way to write `questions made of plain lines`",
        ),
        (
            "--from en --to de --in in.jsonl --task snli --out o.jsonl",
            "which have no task: leave --task out",
        ),
        (
            "--from en --to de --in q.json --out o.json",
            "q.json holds questions: name their task with --task",
        ),
        (
            "--from en --to de --task emotion --in q.json --out emotion_fr1_test.json",
            "emotion_fr1_test.json is a file in French by its name, but --to is de; change one of them",
        ),
        (
            "--from de --to fr --task emotion --in q.json --out o.json",
            "q.json item 0 (line 1): unknown gold word `positive`",
        ),
        (
            "--from en --to en --in in.jsonl --out o.jsonl",
            "engine deepl: from en to en there is nothing to translate",
        ),
        (
            "--from en --to de --in in.jsonl --out o.jsonl --adapter a",
            "engine deepl: --adapter has no effect on it",
        ),
        (
            "--from en --to de --in gone.jsonl --out o.jsonl",
            "gone.jsonl: ",
        ),
    ];
    for (line, expected) in cases {
        let printed = translate(folder.path(), &server, line, 1);
        assert!(
            printed.stderr.contains(expected),
            "{line}: {}",
            printed.stderr
        );
    }
    let line = "data translate --engine deepl --from en --to de --in in.jsonl --out o.jsonl --cache c.redb";
    let printed = call_line(folder.path(), line, 1);
    assert!(
        printed
            .stderr
            .contains("set the environment variable DEEPL_API_KEY to "),
        "{}",
        printed.stderr
    );
    assert!(server.requests().is_empty());
}

// Promise: our own model translates by the training template, as `generate` continues it, up to
// the end of the line; what comes to no end is told and nothing is made of it.
#[test]
fn a_model_of_ours_is_an_engine() {
    const MOST: usize = 200;
    let folder = scratch();
    let common = format!("--model {} --max-new-tokens", tiny::model());
    let mut ended = 0;
    for word in ["sea", "lake", "zz", "42", "hill", "moon", "river", "a b"] {
        fs::write(
            folder.path().join("in.jsonl"),
            json!({"text": word}).to_string(),
        )
        .expect("writes");
        let base = "data translate --engine model --from de --to en --in in.jsonl --out o.jsonl --cache c.redb";
        let output = program(folder.path())
            .args(format!("{base} {common} {MOST}").split_whitespace())
            .output()
            .expect("runs");
        let prompt = format!("{word}\nTranslate the input from German to English:\n");
        let line = format!("generate {common} {MOST} --prompt");
        let args: Vec<&str> = line.split_whitespace().chain([prompt.as_str()]).collect();
        let said = call(folder.path(), &args, 0).stdout;
        let has_end = said.trim_start().trim_end_matches('\n').contains('\n');
        if output.status.success() {
            let first = said
                .trim_start()
                .lines()
                .next()
                .expect("a line")
                .trim()
                .to_owned();
            assert_eq!(json_lines(&folder.path().join("o.jsonl"))[0]["text"], first);
            fs::remove_file(folder.path().join("o.jsonl")).expect("was there");
            ended += 1;
        } else {
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(
                message.contains("came to no end within 200 tokens; --max-new-tokens"),
                "{message}"
            );
            assert!(!has_end && !folder.path().join("o.jsonl").exists());
        }
    }
    assert!(ended > 0, "no line came to its end");
    let line = "data translate --engine model --from de --to en --in in.jsonl --out o.jsonl --url http://a --model m";
    let printed = call_line(folder.path(), line, 1);
    assert!(
        printed
            .stderr
            .contains("engine model: --url has no effect on it; remove it"),
        "{}",
        printed.stderr
    );
}

fn sentence(index: usize) -> String {
    format!(
        "Sentence {index} of many: {}",
        "the weather is fine. ".repeat(20 + index % 17)
    )
}

fn write_lines(folder: &Path, count: usize) {
    let lines: String = (0..count)
        .map(|index| json!({"text": sentence(index)}).to_string() + "\n")
        .collect();
    fs::write(folder.join("in.jsonl"), lines).expect("writes");
}

/// A service that counts what it is paid for, fails a fifth of the time, and can be made to
/// hold its answers back.
#[derive(Default)]
struct Service {
    paid: Mutex<HashMap<String, usize>>,
    /// Requests that are still answered; the others are held until `is_open`.
    left: AtomicUsize,
    held: AtomicUsize,
    is_open: AtomicBool,
    /// How long each answer takes.
    delay: Duration,
}

impl Service {
    fn start(self: &Arc<Self>) -> Server {
        let service = Arc::clone(self);
        Server::start(move |request| service.answer(request))
    }

    fn answer(&self, request: &Request) -> Reply {
        let take = |left: usize| left.checked_sub(1);
        if self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
            .is_err()
        {
            self.held.fetch_add(1, Ordering::SeqCst);
            while !self.is_open.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(2));
            }
            return Reply::new(503, "the caller is gone");
        }
        sleep(self.delay);
        let lines = request.list("text");
        let draw = (request.before.wrapping_mul(2_654_435_761) >> 7) % 100;
        match draw {
            0..5 => return Reply::new(429, "slow down").header("Retry-After", "0"),
            5..10 => return Reply::new(500, "oops"),
            10..15 => return deepl(&lines).cut(),
            15..20 => return deepl(&lines[1..]),
            _ => {}
        }
        let mut paid = self.paid.lock().expect("not poisoned");
        lines
            .iter()
            .for_each(|line| *paid.entry(line.clone()).or_default() += 1);
        deepl(&lines)
    }

    /// How often lines were paid for, beyond the first time.
    fn paid_again(&self) -> usize {
        self.paid
            .lock()
            .expect("not poisoned")
            .values()
            .map(|times| times - 1)
            .sum()
    }
}

fn job(folder: &Path, server: &Server) -> Command {
    let mut command = program(folder);
    let line = format!(
        "data translate --engine deepl --url {} --from en --to de --in in.jsonl --out out.jsonl --cache c.redb \
         --parallel {PARALLEL} --lines-per-request 10 --retry-pause 0.01 --tries 20",
        server.url
    );
    command
        .args(line.split_whitespace())
        .env("DEEPL_API_KEY", KEY)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Runs the job to its end and compares the result.
#[track_caller]
fn finish(folder: &Path, server: &Server) {
    let output = job(folder, server).output().expect("runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Vec<Value> = json_lines(&folder.join("out.jsonl"));
    assert_eq!(found.len(), LINES);
    for (index, row) in found.iter().enumerate() {
        assert_eq!(row["text"], translated(sentence(index).trim()) + " ");
    }
    assert!(!folder.join("c.redb.rescue").exists());
}

// Promise: a job of 2,000 lines that is killed again and again, with a fifth of the answers
// faults, loses no line and pays for none twice: what was answered was on disk before the next
// request. (What is answered in the very moment of the kill cannot be known to anyone; here the
// service holds its answers then.)
#[test]
fn killed_jobs_pay_for_no_line_twice() {
    let folder = scratch();
    write_lines(folder.path(), LINES);
    let service = Arc::<Service>::default();
    let server = service.start();
    for answered in [1, 30, 3, 60, 17] {
        service.is_open.store(false, Ordering::SeqCst);
        service.held.store(0, Ordering::SeqCst);
        service.left.store(answered, Ordering::SeqCst);
        let mut child = job(folder.path(), &server).spawn().expect("starts");
        while service.held.load(Ordering::SeqCst) < PARALLEL {
            assert!(
                child.try_wait().expect("waits").is_none(),
                "the job ended before it was killed"
            );
            sleep(Duration::from_millis(2));
        }
        child.kill().expect("is ours");
        child.wait().expect("ends");
        service.is_open.store(true, Ordering::SeqCst);
        assert!(!folder.path().join("out.jsonl").exists());
    }
    service.left.store(usize::MAX, Ordering::SeqCst);
    finish(folder.path(), &server);
    assert_eq!(service.paid.lock().expect("not poisoned").len(), LINES);
    assert_eq!(service.paid_again(), 0);
}

// Promise: killed at any moment, a job pays again for at most the requests that were under way.
#[test]
fn jobs_killed_at_random_moments_pay_again_for_little() {
    const KILLS: usize = 12;
    let folder = scratch();
    write_lines(folder.path(), LINES);
    let service = Arc::new(Service {
        delay: Duration::from_millis(25),
        ..Service::default()
    });
    service.left.store(usize::MAX, Ordering::SeqCst);
    let server = service.start();
    let mut state = 0x2_4051_3816_u64;
    let mut killed = 0;
    for _ in 0..KILLS {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut child = job(folder.path(), &server).spawn().expect("starts");
        sleep(Duration::from_micros(20_000 + (state >> 33) % 200_000));
        killed += usize::from(child.try_wait().expect("waits").is_none());
        child.kill().expect("is ours");
        child.wait().expect("ends");
    }
    finish(folder.path(), &server);
    assert_eq!(service.paid.lock().expect("not poisoned").len(), LINES);
    let again = service.paid_again();
    assert!(
        killed >= 5,
        "only {killed} jobs were still alive when killed"
    );
    assert!(
        again <= killed * PARALLEL * 10,
        "{again} lines paid for again after {killed} kills"
    );
}

// Promise: when the cache cannot grow, the answers already paid for are put aside, the job ends
// at once with what to do, and the next run takes them from there.
#[cfg(unix)]
#[test]
fn a_full_disk_loses_no_answer() {
    let folder = scratch();
    write_lines(folder.path(), LINES);
    let service = Arc::<Service>::default();
    service.left.store(usize::MAX, Ordering::SeqCst);
    let server = service.start();
    // No file may grow beyond 3,000 blocks of 512 bytes; a write that would is refused as on a
    // full disk.
    let inner = job(folder.path(), &server);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 3000; exec \"$@\"", "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    limited
        .envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(folder.path());
    let output = limited.output().expect("runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains(
            "error: cannot write the translation cache c.redb: I/O error: File too large"
        ),
        "{message}"
    );
    assert!(
        message.contains(
            "translated lines were saved to c.redb.rescue instead. Free some disk space and run"
        ),
        "{message}"
    );
    assert!(folder.path().join("c.redb.rescue").is_file());
    let paid = service.paid.lock().expect("not poisoned").len();
    assert!(
        (100..LINES).contains(&paid),
        "{paid} lines were paid for before the disk was full"
    );
    finish(folder.path(), &server);
    assert_eq!(service.paid_again(), 0);
}

// Promise: Ctrl-C ends a job in good order, with exit code 1 and where it stands; the next run
// goes on.
#[cfg(unix)]
#[test]
fn a_job_interrupted_by_ctrl_c_goes_on() {
    let folder = scratch();
    write_lines(folder.path(), LINES);
    let service = Arc::<Service>::default();
    service.left.store(40, Ordering::SeqCst);
    let server = service.start();
    let child = job(folder.path(), &server).spawn().expect("starts");
    while service.held.load(Ordering::SeqCst) < PARALLEL {
        sleep(Duration::from_millis(2));
    }
    Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("starts");
    sleep(Duration::from_millis(100));
    service.is_open.store(true, Ordering::SeqCst);
    let output = child.wait_with_output().expect("ends");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(
        message.contains("of 2000 distinct lines are translated and in the cache"),
        "{message}"
    );
    assert!(
        message.contains("error: interrupted; run the same command again to resume"),
        "{message}"
    );
    service.left.store(usize::MAX, Ordering::SeqCst);
    finish(folder.path(), &server);
    assert_eq!(service.paid_again(), 0);
}
