//! The page of a run at work, from made-up records, and who is served it.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use live::{LiveError, Server, Viewer};
use schema::{run_folder::RunFolder, work::WorkRecord};

const HOSTILE: &str = "<script>alert(1)</script>";
const ADAPTER: &str = "emotion.zh-en.seed1";

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    fs::write(path, text).expect("writes");
}

/// Five stages, of which three are done; a title that a browser might obey.
fn put_run(run: &RunFolder) {
    let answers = [
        "base/emotion.english.de.jsonl",
        "base/emotion.english.sw.jsonl",
    ];
    let stage =
        |outputs: &str| format!(r#"{{"inputs": "1", "outputs": {{{outputs}}}, "seconds": 60.0}}"#);
    let done = |file: &str| {
        stage(&format!(
            r#""answers/{file}": "", "answers/{file}.meta.json": """#
        ))
    };
    let manifest = format!(
        r#"{{"recipe": {{"name": "tried", "title": "{HOSTILE}", "model": "m"}},
            "planned": ["audit", "eval.base.emotion.english.de", "eval.base.emotion.english.sw",
                        "train.{ADAPTER}", "eval.{ADAPTER}.emotion.english.de.chat"],
            "current": ["audit", "eval.base.emotion.english.de", "eval.base.emotion.english.sw"],
            "stages": {{"audit": {}, "eval.base.emotion.english.de": {}, "eval.base.emotion.english.sw": {}}}}}"#,
        stage(""),
        done(answers[0]),
        done(answers[1])
    );
    put(&run.manifest(), &manifest);
    for (file, right) in answers.iter().zip([3, 1]) {
        let line = |at: usize| format!("{{\"item\": {at}, \"correct\": {}}}\n", at < right);
        let text: String = (0..4).map(line).collect();
        put(&run.answers_root().join(file), &text);
    }
    let log = r#"{"kind":"step","step":7,"epoch":0.5,"loss":2.5,"learning_rate":0.1,"grad_norm":1.0,"tokens":300,"target_tokens":9,"seconds":2.0}"#;
    // The second line is being written.
    put(&run.train_log(ADAPTER), &format!("{log}\n{{\"kind\":"));
    put(&run.report().join("index.html"), "the report");
}

fn put_work(run: &RunFolder, seconds_ago: u64) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    let record = WorkRecord {
        written: now.as_secs() - seconds_ago,
        label: format!("train {ADAPTER}"),
        done: 7,
        total: 45,
        unit: "steps".to_owned(),
        seconds_left: Some(840.0),
        ..WorkRecord::default()
    };
    let text = serde_json::to_string(&record).expect("JSON");
    put(&run.work().join("1.json"), &text);
}

fn page(run: &RunFolder) -> String {
    Viewer::new(run.clone()).page().expect("a page")
}

#[test]
fn the_page_says_what_is_done_and_what_came_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    put_run(&run);
    put_work(&run, 3);
    let shown = page(&run);
    for part in [
        "At work: 3 of 5 stages done, about 14 min left.",
        "<meta http-equiv=\"refresh\" content=\"5\">",
        "<th scope=\"row\">Answers</th><td>2</td><td>3</td><td>2 min 00 s</td>",
        "<th scope=\"row\">emotion, english labels</th><td>base</td><td>2 of 2</td><td>50.0</td>",
        "de\u{a0}75.0, sw\u{a0}25.0",
        "Update 7, epoch 0.50: loss 2.5000, 150 tokens&#x2f;s",
        "train emotion.zh-en.seed1: 7 of 45 steps",
        "href=\"report&#x2f;index.html\"",
        "&lt;script&gt;",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains(HOSTILE));
}

#[test]
fn a_silent_process_is_not_at_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path());
    put_run(&run);
    put_work(&run, 600);
    let shown = page(&run);
    assert!(
        shown.contains("Nobody is at work: 3 of 5 stages done."),
        "{shown}"
    );
    assert!(!shown.contains("http-equiv=\"refresh\"") && !shown.contains("7 of 45"));
}

#[test]
fn a_grid_shows_its_runs_and_a_damaged_record_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = RunFolder::new(folder.path());
    let none = Viewer::new(root.clone()).page();
    assert!(matches!(none, Err(LiveError::NoRun(_))), "{none:?}");
    for name in ["a", "b"] {
        put_run(&RunFolder::new(folder.path().join("runs").join(name)));
    }
    let shown = page(&root);
    assert!(
        shown.contains("href=\"runs&#x2f;b&#x2f;report&#x2f;index.html\""),
        "{shown}"
    );
    let broken = folder.path().join("runs/b/manifest.json");
    put(&broken, "{");
    let problem = Viewer::new(root).page().expect_err("damaged").to_string();
    assert!(problem.contains("manifest.json"), "{problem}");
}

/// Status and text of an answer.
fn ask(port: u16, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    let request = format!("{request}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("asks");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).expect("a status");
    (status.parse().expect("a number"), answer)
}

/// Ends a server also where a test fails: it would wait for ever.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn only_this_machine_and_only_reports_are_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = RunFolder::new(folder.path().join("run"));
    put_run(&run);
    put(&folder.path().join("secret.html"), "secret");
    #[cfg(unix)]
    std::os::unix::fs::symlink(
        folder.path().join("secret.html"),
        run.report().join("link.html"),
    )
    .expect("a link");
    let mut server = Server::start(run, 0).expect("listens");
    let address = server.address();
    let port = address
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .expect("a port");
    let port: u16 = port.parse().expect("a number");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let served = scope.spawn(|| server.run(&|| stop.load(Ordering::Relaxed)));
        let end = StopAtEnd(&stop);
        let get = |path: &str| {
            ask(
                port,
                &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"),
            )
        };
        let (status, text) = get("/");
        assert_eq!(status, 200);
        assert!(
            text.contains("3 of 5 stages done") && text.contains("text/html"),
            "{text}"
        );
        let (status, text) = get("/report/index.html?x=1");
        assert!(status == 200 && text.ends_with("the report"), "{text}");
        for path in [
            "/manifest.json",
            "/report/../manifest.json",
            "/report/../../secret.html",
            "/report/link.html",
            "//report/index.html",
            "/report",
        ] {
            let (status, text) = get(path);
            assert_eq!(status, 404, "{path}: {text}");
        }
        let foreign = ask(port, "GET / HTTP/1.1\r\nHost: evil.example\r\n");
        assert_eq!(foreign.0, 403, "{}", foreign.1);
        let post = ask(
            port,
            &format!("POST / HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 0\r\n"),
        );
        assert_eq!(post.0, 405, "{}", post.1);
        drop(end);
        served.join().expect("ends").expect("no problem");
    });
}
