//! `data audit`, and what a run does with its findings.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    call::{call_line, json, scratch},
    protocols, tiny,
};

fn findings(file: &Path) -> Vec<Value> {
    json(file)["findings"].as_array().expect("a list").clone()
}

/// Language, kind, severity and count of every error.
fn errors(findings: &[Value]) -> Vec<(&str, &str, u64)> {
    let is_error = |finding: &&Value| finding["severity"] == "error";
    let text = |value: &'_ Value| value.as_str().expect("a text").to_owned();
    let mut errors: Vec<(&str, &str, u64)> = Vec::new();
    for finding in findings.iter().filter(is_error) {
        assert!(!text(&finding["suggestion"]).is_empty(), "{finding}");
        let (language, kind) = (finding["language"].as_str(), finding["kind"].as_str());
        errors.push((
            language.expect("a text"),
            kind.expect("a text"),
            finding["count"].as_u64().expect("a count"),
        ));
    }
    errors
}

// Promise: an error makes the exit code 1; the findings stand in the file with the fixed names,
// and on stdout.
#[test]
fn defects_are_told_in_json_in_html_and_on_stdout() {
    let folder = protocols::data();
    let printed = call_line(
        folder.path(),
        "data audit data --task snli --json found.json --html found.html",
        1,
    );
    let found = findings(&folder.path().join("found.json"));
    assert_eq!(
        errors(&found),
        [("ja", "label_words", 2), ("no", "label_order", 4)],
        "{found:#?}"
    );
    let ja = found
        .iter()
        .find(|f| f["kind"] == "label_words")
        .expect("found");
    assert_eq!(
        (&ja["task"], &ja["file"]),
        (&json!("snli"), &json!("snli/snli_ja6_test.json"))
    );
    assert_eq!(ja["items"], json!([1, 3]));
    let evidence = ja["evidence"].as_str().expect("a text");
    assert!(
        evidence.contains("`中性`") && evidence.contains("neutral on 2 of 2"),
        "{evidence}"
    );
    assert!(
        ja["suggestion"]
            .as_str()
            .expect("a text")
            .contains("`中立`"),
        "{ja}"
    );
    let no = found
        .iter()
        .find(|f| f["kind"] == "label_order")
        .expect("found");
    let evidence = no["evidence"].as_str().expect("a text");
    assert!(
        evidence.contains("`nøytral` and `motsigelse` are exchanged, which explains 4 items"),
        "{evidence}"
    );
    assert!(
        printed.stdout.contains("label_words") && printed.stdout.contains("2 errors"),
        "{}",
        printed.stdout
    );
    let page = fs::read_to_string(folder.path().join("found.html")).expect("a page");
    assert!(
        page.contains("中性") && page.contains("Audit of data"),
        "{page}"
    );
}

// Promise: sound data has no error, and the exit code says so. The shipped set is sound.
#[test]
fn the_shipped_data_passes() {
    let folder = scratch();
    let line = format!("data audit {} --json found.json", tiny::mini());
    call_line(folder.path(), &line, 0);
    assert_eq!(errors(&findings(&folder.path().join("found.json"))), []);
}

// Promise: the cost of a tokenizer is counted for every file, and pairs beyond the cutoff are
// named.
#[test]
fn tokens_are_counted() {
    let folder = scratch();
    let (mini, model) = (tiny::mini(), tiny::model());
    let line = format!(
        "data audit {mini} --task emotion --tokenizer {model} --cutoff-len 150 --json found.json"
    );
    call_line(folder.path(), &line, 0);
    let found = findings(&folder.path().join("found.json"));
    let tokens: Vec<&Value> = found.iter().filter(|f| f["kind"] == "tokens").collect();
    // Ids are bytes: three for a Devanagari letter.
    let hindi = tokens
        .iter()
        .find(|f| f["file"] == "ap_emotion/emotion_hi40_test.json")
        .expect("counted");
    assert!(
        hindi["evidence"]
            .as_str()
            .expect("a text")
            .contains("per character"),
        "{hindi}"
    );
    let cut = tokens
        .iter()
        .find(|f| f["severity"] == "warning")
        .expect("some Hindi pairs are longer than 150 bytes");
    assert!(
        cut["file"]
            .as_str()
            .expect("a name")
            .contains("_train_question")
            && cut["count"] != 0,
        "{cut}"
    );
}

#[test]
fn what_cannot_be_audited_is_said() {
    let folder = scratch();
    fs::create_dir(folder.path().join("empty")).expect("creates");
    let printed = call_line(folder.path(), "data audit empty", 1);
    assert!(
        printed
            .stderr
            .contains("empty holds no file of the tasks asked for"),
        "{}",
        printed.stderr
    );
    let data = protocols::data();
    fs::write(
        data.path().join("data/snli/snli_de6_test.json"),
        "[\n{\"premise\": \"p\",\n\"hypothesis\" 3}]",
    )
    .expect("writes");
    call_line(data.path(), "data audit data --json found.json", 1);
    let found = findings(&data.path().join("found.json"));
    let broken = found.iter().find(|f| f["kind"] == "syntax").expect("found");
    assert!(
        broken["evidence"]
            .as_str()
            .expect("a text")
            .starts_with("line 3: "),
        "{broken}"
    );
}

/// A recipe that asks SNLI of `language` without training.
fn write_recipe(folder: &Path, language: &str) {
    let model = tiny::model();
    let text = format!(
        "name = \"audited\"\nmodel = {model:?}\n[data]\ndir = \"data\"\n[eval]\ntasks = [\"snli\"]\n\
         languages = [{language:?}]\nfew_shot = \"builtin\"\n"
    );
    fs::write(folder.join("recipe.toml"), text).expect("writes");
}

// Promise: a run stops before it computes anything where its data has errors, and says how to
// accept them; accepted ones are recorded and shown.
#[test]
fn a_run_refuses_errors_unless_they_are_accepted() {
    let folder = protocols::data();
    write_recipe(folder.path(), "no");
    let run = "run recipe.toml --out out";
    let refused = call_line(folder.path(), run, 1);
    assert!(
        refused.stderr.contains("data.accept = [\"label_order\"]"),
        "{}",
        refused.stderr
    );
    assert!(
        refused
            .stderr
            .contains("`nøytral` and `motsigelse` are exchanged"),
        "{}",
        refused.stderr
    );
    assert!(
        !folder.path().join("out/answers").exists(),
        "nothing was asked"
    );
    assert_eq!(
        errors(&findings(&folder.path().join("out/audit.json"))).len(),
        1
    );
    let again = call_line(folder.path(), run, 1);
    assert!(
        again.stderr.contains("data.accept"),
        "a skipped audit refuses too: {}",
        again.stderr
    );

    call_line(
        folder.path(),
        &format!("{run} --set data.accept=label_order"),
        0,
    );
    assert_eq!(
        json(&folder.path().join("out/audit.json"))["accepted"],
        json!(["label_order"])
    );
    let page = fs::read_to_string(folder.path().join("out/report/index.html")).expect("a page");
    assert!(
        page.contains("The recipe accepts errors of the kind label_order"),
        "{page}"
    );
    assert!(page.contains("error, accepted"), "{page}");
}

// Promise: what the protocol repairs or keeps on purpose stops no run, and is a note.
#[test]
fn what_a_protocol_is_made_for_is_no_refusal() {
    for (language, protocol) in [
        ("no", "corrected"),
        ("no", "paper"),
        ("ja", "corrected"),
        ("ja", "paper"),
    ] {
        let folder = protocols::data();
        write_recipe(folder.path(), language);
        call_line(
            folder.path(),
            &format!("run recipe.toml --out out --set eval.protocol={protocol}"),
            0,
        );
        let found = findings(&folder.path().join("out/audit.json"));
        let labels = |f: &&Value| {
            f["kind"]
                .as_str()
                .is_some_and(|kind| kind.starts_with("label_"))
        };
        let defect = found
            .iter()
            .find(labels)
            .unwrap_or_else(|| panic!("{language} {protocol}: {found:?}"));
        assert_eq!(
            defect["severity"], "note",
            "{language} {protocol}: {defect}"
        );
        assert!(
            defect["suggestion"]
                .as_str()
                .expect("a text")
                .contains(protocol),
            "{defect}"
        );
    }
}

// Promise: the audit is made once for the same files, and again when one changes.
#[test]
fn an_audit_is_not_repeated_without_reason() {
    let folder = protocols::data();
    write_recipe(folder.path(), "de");
    let audited = |folder: &Path| {
        let printed = call_line(folder, "run recipe.toml --out out --redo", 0);
        printed
            .stderr
            .lines()
            .any(|line| line.contains("] audit ") && line.contains("test file"))
    };
    assert!(audited(folder.path()) && !audited(folder.path()));
    let path = folder.path().join("data/snli/snli_de6_test.json");
    let text = fs::read_to_string(&path).expect("reads");
    fs::write(&path, text.replace("h 2.", "h zwei.")).expect("writes");
    assert!(audited(folder.path()) && !audited(folder.path()));
}

/// The example of docs/tasks.md, with two labels exchanged in the first rows of one language.
fn exchanged_topic() -> tempfile::TempDir {
    let folder = scratch();
    for entry in fs::read_dir(tiny::repository("assets/examples/topic")).expect("shipped") {
        let path = entry.expect("an entry").path();
        let to = folder.path().join(path.file_name().expect("a name"));
        fs::copy(&path, to).expect("copies");
    }
    let table = folder.path().join("de.tsv");
    let text = fs::read_to_string(&table).expect("a table");
    let exchange = |(at, line): (usize, &str)| match line.rsplit_once('\t') {
        Some((text, "sport")) if at < 17 => format!("{text}\tfood\n"),
        Some((text, "food")) if at < 17 => format!("{text}\tsport\n"),
        _ => format!("{line}\n"),
    };
    let text: String = text.lines().enumerate().map(exchange).collect();
    fs::write(&table, text).expect("writes");
    folder
}

// Promise: a task of a user's own is audited as the evaluation reads it, what was read is counted,
// and a run refuses what `data audit` calls an error.
#[test]
fn a_task_of_ones_own_is_audited_and_a_run_refuses_its_errors() {
    let folder = exchanged_topic();
    let printed = call_line(
        folder.path(),
        "data audit . --task topic.toml --json found.json --html found.html",
        1,
    );
    let found = findings(&folder.path().join("found.json"));
    assert_eq!(errors(&found), [("de", "label_order", 8)], "{found:#?}");
    assert!(
        printed.stdout.contains("`sport` and `food` are exchanged")
            && printed
                .stdout
                .contains("1 error, 0 warnings and 0 notes; read 5 of 5 test files"),
        "{}",
        printed.stdout
    );
    let read = json(&folder.path().join("found.json"))["read"].clone();
    let wanted = json!([{"task": "topic", "role": "test", "read": 5, "of": 5, "items": 100}]);
    assert_eq!(read, wanted);
    let page = fs::read_to_string(folder.path().join("found.html")).expect("a page");
    assert!(page.contains("topic, test files"), "{page}");

    let model = tiny::model();
    let recipe = format!(
        "name = \"own\"\nmodel = {model:?}\n[data]\ndir = \".\"\n[eval]\ntasks = [\"topic.toml\"]\nlanguages = [\"de\", \"fr\"]\n"
    );
    fs::write(folder.path().join("recipe.toml"), recipe).expect("writes");
    let refused = call_line(folder.path(), "run recipe.toml --out out", 1);
    for wanted in [
        "data.accept = [\"label_order\"]",
        "`sport` and `food` are exchanged",
        "read 2 of 2 test files",
    ] {
        assert!(refused.stderr.contains(wanted), "{}", refused.stderr);
    }
    assert!(
        !folder.path().join("out/answers").exists(),
        "nothing was asked"
    );
}

// Promise: where there is nothing to audit, the message names the files of the task that was asked
// for.
#[test]
fn a_task_without_files_is_told_how_they_are_named() {
    let folder = exchanged_topic();
    fs::create_dir(folder.path().join("empty")).expect("creates");
    for (task, wanted) in [
        ("topic.toml", "those of topic are named {language}.tsv"),
        (
            "xcopa",
            "those of xcopa are named {language}/test-*.parquet or data/{language}/test.{language}.jsonl",
        ),
        ("snli", "those of snli are named snli/snli_de500_test.json"),
    ] {
        let printed = call_line(folder.path(), &format!("data audit empty --task {task}"), 1);
        assert!(
            printed.stderr.contains(wanted) && !printed.stderr.contains("ap_emotion"),
            "{}",
            printed.stderr
        );
    }
}

// Promise: an audit of large files ends soon after a signal, with nothing written.
#[test]
#[cfg(unix)]
fn a_signal_ends_an_audit_within_two_seconds() {
    use std::{
        process::{Command, Stdio},
        thread::sleep,
        time::{Duration, Instant},
    };
    let folder = scratch();
    let item = |at: usize, word: &str| {
        let text = format!(
            "{word} {at} walked along the river with {} friends and a dog.",
            at * 7
        );
        json!({"input": text, "answer": if word == "She" { "positive" } else { "positiv" }})
    };
    for (language, word) in [("en", "She"), ("de", "Er")] {
        let items: Vec<Value> = (0..60_000).map(|at| item(at, word)).collect();
        tiny::write_items(
            folder.path(),
            "ap_emotion",
            &format!("emotion_{language}"),
            &items,
        );
    }
    for wait in [700, 2_500] {
        let mut child = crate::call::program(folder.path())
            .args(["data", "audit", ".", "--json", "found.json"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        sleep(Duration::from_millis(wait));
        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(
            sent.expect("kill").success(),
            "it still runs after {wait} ms"
        );
        let start = Instant::now();
        let code = child.wait().expect("ends").code();
        let took = start.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?} after {wait} ms");
        assert_eq!(code, Some(130));
        assert!(!folder.path().join("found.json").exists());
    }
}
