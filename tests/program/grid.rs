//! A recipe that stands for many: its cells made by one process, by several, by lines, by a cluster;
//! killed at any moment, failing one by one; and the same results whoever made them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::OnceLock,
    thread::sleep,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    call::{assert_same_results, call, call_line, json, program, results, scratch},
    tiny,
};

/// Two ranks, asked two tasks; two settings of one of them.
const GRID: &str = r#"
[grid]
"train.lora.rank" = [2, 4]
"eval.tasks" = [["emotion"], { eval.tasks = ["snli"], train.max_steps = 2 }]
leave_out = [{ "eval.tasks" = "snli", setting = "de=>en" }]
"#;
const MEMBERS: [&str; 4] = ["emotion.rank2", "emotion.rank4", "snli.rank2", "snli.rank4"];
const CELLS: usize = 2 * 3 + 2 * 2;

fn prepare() -> TempDir {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let recipe = fs::read_to_string(folder.path().join("recipe.toml")).expect("reads");
    let recipe = recipe
        .replace(
            "settings = [\"sw=>en\"]",
            "settings = [\"sw=>en\", \"de=>en\"]\nsave_steps = 1",
        )
        .replace("name = \"tiny\"", "name = \"study\"");
    fs::write(folder.path().join("recipe.toml"), recipe + GRID).expect("writes");
    folder
}

fn of_all(folder: &Path) -> BTreeMap<PathBuf, String> {
    let of_member = |member: &&str| {
        let run = folder.join("runs/study/runs").join(member);
        let files = results(&run).into_iter();
        files
            .map(|(path, content)| (Path::new(member).join(path), content))
            .collect::<Vec<_>>()
    };
    MEMBERS.iter().flat_map(of_member).collect()
}

/// The results of a grid run by one process.
fn expected() -> &'static BTreeMap<PathBuf, String> {
    static EXPECTED: OnceLock<BTreeMap<PathBuf, String>> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let folder = prepare();
        call_line(folder.path(), "grid run recipe.toml", 0);
        of_all(folder.path())
    })
}

// Promise: the base of all members of a model and task is asked once, and taken over by the others;
// what differs is made.
#[test]
fn what_members_share_is_made_once() {
    let folder = prepare();
    call_line(folder.path(), "grid run recipe.toml", 0);
    let stages = |member: &str| {
        let run = folder.path().join("runs/study/runs").join(member);
        json(&run.join("manifest.json"))["stages"]
            .as_object()
            .expect("stages")
            .clone()
    };
    let (first, second) = (stages("emotion.rank2"), stages("emotion.rank4"));
    let taken =
        |stage: &serde_json::Value| stage["notes"]["taken_from"].as_str().map(str::to_owned);
    let base = "eval.base.emotion.english.de";
    assert_eq!(taken(&first[base]), None);
    assert_eq!(taken(&second[base]), Some("emotion.rank2".to_owned()));
    assert_eq!(taken(&second["train.emotion.sw-en.seed1"]), None);
    assert_eq!(first[base]["outputs"], second[base]["outputs"]);
    assert!(of_all(folder.path()) == *expected());
    for member in MEMBERS {
        let page = folder
            .path()
            .join("runs/study/runs")
            .join(member)
            .join("report/index.html");
        assert!(page.is_file(), "{member} has a report");
    }
}

// Promise: several processes, and lines run by somebody else, end with the same bytes as one process.
#[test]
fn whoever_makes_the_cells() {
    let folder = prepare();
    call_line(folder.path(), "grid run recipe.toml --jobs 3", 0);
    assert_same_results(&of_all(folder.path()), expected());

    let folder = prepare();
    let lines = call_line(folder.path(), "grid commands recipe.toml --pack 2", 0).stdout;
    assert_eq!(lines.lines().count(), CELLS / 2);
    for line in lines.lines().rev() {
        let mut shell = std::process::Command::new("sh");
        let program = program(folder.path());
        let environment = program
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?)));
        let status = shell
            .envs(environment)
            .current_dir(folder.path())
            .args(["-c", line])
            .status();
        assert!(status.expect("a shell").success(), "{line}");
    }
    call_line(folder.path(), "grid collect recipe.toml", 0);
    assert_same_results(&of_all(folder.path()), expected());
}

fn start(folder: &Path, line: &str) -> Child {
    program(folder)
        .args(line.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

// Promise: killed again and again, by itself or with its processes, a grid ends as one left alone; a
// killed cell is told from one that is being made.
#[test]
fn killed_again_and_again() {
    let folder = prepare();
    let mut killed = 0;
    for at in 0..12_u64 {
        let mut child = start(folder.path(), "grid run recipe.toml");
        sleep(Duration::from_millis(150 + 97 * at));
        killed += usize::from(child.try_wait().expect("waits").is_none());
        let states = call_line(folder.path(), "grid status recipe.toml", 0);
        assert!(
            !states.stdout.contains("killed") || states.stdout.contains("working") || killed > 1
        );
        child.kill().expect("is ours");
        child.wait().expect("ends");
    }
    assert!(killed > 2, "caught {killed} times");
    call_line(folder.path(), "grid run recipe.toml", 0);
    assert_same_results(&of_all(folder.path()), expected());
    let states = call_line(folder.path(), "grid status recipe.toml", 0);
    assert_eq!(
        states.stdout.matches(" done ").count(),
        CELLS,
        "{}",
        states.stdout
    );
}

// Promise: a cell that was killed is shown as killed.
#[test]
fn a_dead_cell_is_told_from_a_slow_one() {
    let folder = prepare();
    let record = folder
        .path()
        .join("runs/study/cells/emotion.rank2.base.json");
    let mut child = start(folder.path(), "grid run recipe.toml");
    while !record.is_file() {
        sleep(Duration::from_millis(1));
    }
    let state = |line: &str| {
        let said = call_line(folder.path(), line, 0);
        said.stdout.lines().next().unwrap_or_default().to_owned()
    };
    let working = state("grid status recipe.toml");
    child.kill().expect("is ours");
    child.wait().expect("ends");
    assert!(
        working.contains("working") || working.contains("done"),
        "{working}"
    );
    if working.contains("working") {
        let killed = state("grid status recipe.toml");
        assert!(
            killed.contains("killed") || killed.contains("done"),
            "{killed}"
        );
    }
}

// Promise: a cell that fails is reported with its reason, stops no other, and is what `retry` tries
// again.
#[test]
fn a_failed_cell_stops_no_other() {
    let folder = prepare();
    let recipe = folder.path().join("recipe.toml");
    let good = fs::read_to_string(&recipe).expect("reads");
    let bad = good.replace(
        "train.max_steps = 2 }",
        "train.max_steps = 2, eval.few_shot = \"file:none.json\" }",
    );
    fs::write(&recipe, bad).expect("writes");
    let failed = call_line(folder.path(), "grid run recipe.toml", 1);
    assert!(
        failed.stderr.contains("4 of 10 cells failed"),
        "{}",
        failed.stderr
    );
    assert!(failed.stderr.contains("none.json"), "{}", failed.stderr);
    let states = call_line(folder.path(), "grid status recipe.toml", 0);
    assert_eq!(
        states.stdout.matches(" done ").count(),
        6,
        "{}",
        states.stdout
    );
    assert_eq!(
        states.stdout.matches(" failed ").count(),
        4,
        "{}",
        states.stdout
    );
    assert!(states.stderr.contains("none.json"), "{}", states.stderr);
    fs::write(&recipe, good).expect("writes");
    let lines = call_line(folder.path(), "grid commands recipe.toml", 0);
    assert_eq!(lines.stdout.lines().count(), 4, "what is not done");
    call_line(folder.path(), "grid retry recipe.toml", 0);
    call_line(folder.path(), "grid collect recipe.toml", 0);
    assert_same_results(&of_all(folder.path()), expected());
}

// Promise: a call that was written for another plan is refused; a grid is no plain recipe; a cell that
// is not there is named.
#[test]
fn calls_that_do_not_fit_are_refused() {
    let folder = prepare();
    let refused = call_line(
        folder.path(),
        "grid run recipe.toml --cell 0 --plan 0123",
        1,
    );
    assert!(
        refused
            .stderr
            .contains("has changed since this command was written"),
        "{}",
        refused.stderr
    );
    let refused = call_line(folder.path(), "run recipe.toml", 1);
    assert!(
        refused.stderr.contains("lingualign grid run"),
        "{}",
        refused.stderr
    );
    let refused = call_line(folder.path(), "grid run recipe.toml --cell 10", 1);
    assert!(
        refused
            .stderr
            .contains("no cell `10`: give a number from 0 to 9"),
        "{}",
        refused.stderr
    );
    let refused = call_line(folder.path(), "grid collect recipe.toml", 1);
    assert!(
        refused.stderr.contains("begin with `lingualign grid run`"),
        "{}",
        refused.stderr
    );
    assert!(!folder.path().join("runs").exists(), "nothing is written");
}

// Promise: a recipe without [grid] is a grid of one member, and its answers are those of `run`.
#[test]
fn a_plain_recipe_is_a_grid_of_one() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    call_line(folder.path(), "grid run recipe.toml", 0);
    call(folder.path(), &["run", "recipe.toml", "--out", "alone"], 0);
    let member = results(&folder.path().join("runs/tiny/runs/all"));
    assert_same_results(&member, &results(&folder.path().join("alone")));
}

// Promise: where every cell fails, the reasons are said, by one process and by several.
#[test]
fn reasons_are_said_where_all_fail() {
    for jobs in ["1", "2"] {
        let folder = prepare();
        let line = format!("grid run recipe.toml --set data.dir=nowhere --jobs {jobs}");
        let failed = call_line(folder.path(), &line, 1);
        assert!(
            failed.stderr.contains("10 of 10 cells failed"),
            "{}",
            failed.stderr
        );
        assert!(failed.stderr.contains("nowhere"), "{}", failed.stderr);
    }
}

// Promise: a signal reaches the processes of a grid, which stop in good order; the same command goes
// on.
#[cfg(unix)]
#[test]
fn processes_are_interrupted_in_good_order() {
    for _ in 0..10 {
        let folder = prepare();
        let records = folder.path().join("runs/study/cells");
        let mut child = start(folder.path(), "grid run recipe.toml --jobs 2");
        while !records.is_dir() {
            sleep(Duration::from_millis(5));
        }
        let kill = std::process::Command::new("kill")
            .arg(child.id().to_string())
            .status();
        assert!(kill.expect("starts").success());
        let code = child.wait().expect("ends").code();
        let states = call_line(folder.path(), "grid status recipe.toml", 0);
        assert!(!states.stdout.contains("killed"), "{}", states.stdout);
        assert!(!states.stdout.contains("working"), "{}", states.stdout);
        if code == Some(130) {
            call_line(folder.path(), "grid run recipe.toml", 0);
            return assert_same_results(&of_all(folder.path()), expected());
        }
    }
    panic!("every grid was over before the signal");
}
