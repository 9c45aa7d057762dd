//! What was trained is measured: held-out lines, their translations before and after, the report
//! beside the transfer; and that a batch, a kill and the order change nothing.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{
    call::{call_line, files, json, json_lines, scratch},
    tiny,
};

const ADAPTER: &str = "emotion.sw-en.seed1";

/// The tiny recipe with a section more.
fn write_recipe(folder: &Path, lines: usize) {
    tiny::write_recipe(folder);
    let path = folder.join("recipe.toml");
    let text = fs::read_to_string(&path).expect("a recipe")
        + &format!(
            "\n[eval.translation]\nlines = {lines}\nlanguages = [\"de\", \"sw\"]\nmax_new_tokens = 12\n"
        );
    fs::write(path, text).expect("writes");
}

fn texts(records: &[Value], key: &str) -> BTreeSet<String> {
    let of = |record: &Value| record[key].as_str().expect("a text").to_owned();
    records.iter().map(of).collect()
}

// Promise: no held-out line is among the pairs, in any language; base and adapter translate the
// same ones; the report shows both beside the accuracy.
#[test]
fn a_run_measures_what_it_trained() {
    let folder = scratch();
    write_recipe(folder.path(), 6);
    call_line(folder.path(), "run recipe.toml --out out", 0);
    let out = folder.path().join("out");
    let learnt = texts(
        &json_lines(&out.join(format!("data/{ADAPTER}.jsonl"))),
        "target",
    );
    assert_eq!(learnt.len(), 8);
    for from in ["de", "sw"] {
        let lines = json_lines(&out.join(format!("data/held-out.emotion.{from}-en.jsonl")));
        assert_eq!(lines.len(), 6);
        assert!(learnt.is_disjoint(&texts(&lines, "reference")), "{from}");
        let [base, tuned] = ["base", ADAPTER].map(|model| {
            json_lines(&out.join(format!("translations/{model}/emotion.{from}-en.jsonl")))
        });
        assert_eq!(texts(&base, "source"), texts(&tuned, "source"));
        assert_eq!(base.len(), 6);
        for record in base.iter().chain(&tuned) {
            let reference = record["reference"].as_str().expect("a text");
            assert!(
                !reference.contains("Emotion:"),
                "without header words: {reference}"
            );
            assert!(
                record["chrf"]
                    .as_f64()
                    .is_some_and(|score| (0.0..=100.0).contains(&score))
            );
        }
        assert!(tuned.iter().all(|record| record["adapter"] == ADAPTER));
    }
    let results = json(&out.join("report/results.json"));
    let block = &results["translations"][0];
    assert_eq!(block["base"].as_array().map(Vec::len), Some(2));
    let changes = &block["settings"][0]["directions"];
    assert_eq!(changes[0]["from"], "de");
    assert_eq!(
        (&changes[0]["seen"], &changes[1]["seen"]),
        (&Value::from(false), &Value::from(true))
    );
    assert!(changes[0]["accuracy"]["value"].is_number(), "{changes}");
    let page = fs::read_to_string(out.join("report/report.md")).expect("a report");
    assert!(page.contains("## emotion, translation"), "{page}");
    assert!(
        page.contains("chrF2++|nrefs:1") || page.contains("chrF2++\\|nrefs:1"),
        "{page}"
    );
    let again = call_line(folder.path(), "run recipe.toml --out out", 0);
    assert!(
        !again.stderr.contains("translate "),
        "nothing is done again: {}",
        again.stderr
    );
}

// Promise: whatever is asked at once, and wherever it was interrupted, the records are the same
// bytes.
#[test]
fn neither_batches_nor_a_kill_change_a_record() {
    let folder = scratch();
    write_recipe(folder.path(), 6);
    call_line(
        folder.path(),
        "run recipe.toml --out one --only data,eval --set eval.tokens_per_batch=1 --set eval.limit=1",
        1,
    );
    let made = |run: &str| -> Vec<(String, Vec<u8>)> {
        let run = folder.path().join(run);
        files(&run, "translations")
            .into_iter()
            .map(|path| {
                let bytes = fs::read(run.join(&path)).expect("reads");
                (path.display().to_string(), bytes)
            })
            .collect()
    };
    let one = made("one");
    assert_eq!(one.len(), 2, "the base's; there is no adapter yet");
    call_line(
        folder.path(),
        "run recipe.toml --out all --only data,eval --set eval.limit=1",
        1,
    );
    assert_eq!(made("all"), one);
    // As after a kill: the records are gone, and a journal has three lines and a half.
    let name = "translations/base/emotion.de-en.jsonl";
    let file = folder.path().join("all").join(name);
    let manifest = json(&folder.path().join("all/manifest.json"));
    let inputs = &manifest["stages"]["translate.base.emotion.de-en"]["inputs"];
    let summed = |line: &Value| {
        let line = line.to_string();
        format!("{line} {}\n", &hub::hash_bytes(line.as_bytes())[..32])
    };
    let mut journal = summed(&serde_json::json!({"inputs": inputs}));
    for record in json_lines(&file).iter().take(3) {
        let answer = serde_json::json!({"answer": {"item": record["item"], "text": "kept from before", "ended": true}});
        journal += &summed(&answer);
    }
    fs::write(
        file.with_extension("jsonl.partial"),
        journal + "{\"answer\":{\"it",
    )
    .expect("writes");
    fs::remove_file(&file).expect("removes");
    let partial = file.with_extension("jsonl.partial");
    let whole = fs::read_to_string(&partial).expect("reads");
    fs::write(&partial, whole.replacen("kept", "kepT", 1)).expect("writes");
    let again = "run recipe.toml --out all --only data,eval --set eval.limit=1";
    let refused = call_line(folder.path(), again, 1);
    assert!(
        refused.stderr.contains("line 2: its checksum is another"),
        "{}",
        refused.stderr
    );
    fs::write(&partial, whole).expect("writes");
    let resumed = call_line(
        folder.path(),
        "run recipe.toml --out all --only data,eval --set eval.limit=1",
        1,
    );
    assert!(
        resumed.stderr.contains("resumed after 3 lines"),
        "{}",
        resumed.stderr
    );
    let kept = json_lines(&file);
    let from_before = kept
        .iter()
        .filter(|record| record["answer"] == "kept from before");
    assert_eq!((from_before.count(), kept.len()), (3, 6));
    assert!(!file.with_extension("jsonl.partial").exists());
}

// Promise: with nothing left to hold out the run ends before anything is trained, and says what
// to do.
#[test]
fn adapters_that_learn_everything_leave_nothing_to_measure() {
    let folder = scratch();
    write_recipe(folder.path(), 6);
    let line = "run recipe.toml --out out --set train.pairs=0 --set train.val_size=0";
    let printed = call_line(folder.path(), line, 1);
    assert!(
        printed
            .stderr
            .contains("no line is left to measure translation from")
            && printed.stderr.contains("lower `train.pairs`"),
        "{}",
        printed.stderr
    );
    assert!(!folder.path().join("out/adapters").exists());
}

// Promise: the command measures an adapter of a run folder without being told what it learnt, and
// one from elsewhere only if it is.
#[test]
fn the_command_measures_base_and_adapter() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    call_line(folder.path(), "train recipe.toml --out out", 0);
    let (model, mini) = (tiny::model(), tiny::mini());
    let common = format!(
        "eval --model {model} --task translation --questions emotion --data {mini} --languages de,sw --limit 4 \
         --max-new-tokens 8"
    );
    let line = format!("{common} --base --adapter out/adapters/{ADAPTER} --out translations.jsonl");
    let printed = call_line(folder.path(), &line, 0);
    let records = json_lines(&folder.path().join("translations.jsonl"));
    assert_eq!(records.len(), 2 * 2 * 4);
    assert!(
        printed
            .stdout
            .contains("base\temotion\tde-en\t4 lines, chrF++ "),
        "{}",
        printed.stdout
    );
    let learnt = texts(
        &json_lines(&folder.path().join(format!("out/data/{ADAPTER}.jsonl"))),
        "target",
    );
    let references = texts(&records, "reference");
    assert!(
        learnt
            .iter()
            .all(|text| !references.iter().any(|line| text.contains(line)))
    );
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("lists")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".partial"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    let moved = folder.path().join("elsewhere");
    fs::rename(
        folder.path().join(format!("out/adapters/{ADAPTER}")),
        &moved,
    )
    .expect("moves");
    let refused = call_line(
        folder.path(),
        &format!("{common} --adapter elsewhere --out other.jsonl"),
        1,
    );
    assert!(
        refused.stderr.contains("give `--learnt PAIRS.jsonl`"),
        "{}",
        refused.stderr
    );
    let told =
        format!("{common} --adapter elsewhere --learnt out/data/{ADAPTER}.jsonl --out other.jsonl");
    call_line(folder.path(), &told, 0);
    let refused = call_line(
        folder.path(),
        &format!("{common} --scoring prefix --out third.jsonl"),
        1,
    );
    assert!(
        refused
            .stderr
            .contains("`--scoring` is for questions with labels"),
        "{}",
        refused.stderr
    );
}
