//! docs/lm-eval.md: a task for lm-evaluation-harness, answers in its formats, its samples
//! beside ours.

use std::{fs, path::PathBuf};

use schema::write_whole;
use serde_json::Value;

use crate::{
    call::{call_line, files, json, json_lines, scratch},
    tiny,
};

const SHOTS: &str = "--few-shot builtin --limit 5";

/// The only file below a folder whose name begins so.
fn only(folder: &std::path::Path, start: &str) -> PathBuf {
    let all = files(
        folder.parent().expect("a parent"),
        &folder.file_name().expect("a name").to_string_lossy(),
    );
    let begins = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(start))
    };
    let mut found: Vec<PathBuf> = all.into_iter().filter(begins).collect();
    assert_eq!(found.len(), 1, "{start}: {found:?}");
    folder.parent().expect("a parent").join(found.remove(0))
}

// Promise: lm-eval is given the very prompts that are asked here, and its files of our answers
// are of those rows.
#[test]
fn the_rows_that_are_exported_are_those_that_are_answered() {
    let folder = scratch();
    let (model, mini) = (tiny::model(), tiny::mini());
    let asked = format!("--task snli --data {mini} --languages de,th {SHOTS}");
    let printed = call_line(
        folder.path(),
        &format!("data lm-eval {asked} --out harness"),
        0,
    );
    assert_eq!(printed.stdout, "snli\tde\t5\nsnli\tth\t5\n");
    assert!(
        printed
            .stderr
            .contains("ask it with: lm_eval --include_path harness --tasks snli"),
        "{}",
        printed.stderr
    );
    let line = format!(
        "eval --model {model} {asked} --scoring sequence --lm-eval results --out ours.jsonl"
    );
    call_line(folder.path(), &line, 0);
    let records = json_lines(&folder.path().join("ours.jsonl"));
    let results = json(&only(&folder.path().join("results"), "results_"));
    for (language, records) in ["de", "th"].into_iter().zip(records.chunks(5)) {
        let rows = json_lines(&folder.path().join(format!("harness/snli_{language}.jsonl")));
        let samples = json_lines(&only(
            &folder.path().join("results"),
            &format!("samples_snli_{language}_"),
        ));
        let docs: Vec<&Value> = samples.iter().map(|sample| &sample["doc"]).collect();
        assert_eq!(docs, rows.iter().collect::<Vec<_>>());
        for (sample, record) in samples.iter().zip(records) {
            assert_eq!(sample["acc"] == 1.0, record["correct"] == true);
            assert_eq!(sample["doc"]["item"], record["item"]);
            assert_eq!(sample["arguments"]["gen_args_2"]["arg_1"], "contradiction");
            let said: f64 = sample["resps"][2][0][0]
                .as_str()
                .expect("a text")
                .parse()
                .expect("a number");
            assert_eq!(record["log_probs"]["contradiction"].as_f64(), Some(said));
        }
        let right = records
            .iter()
            .filter(|record| record["correct"] == true)
            .count();
        assert_eq!(
            results["results"][format!("snli_{language}")]["acc,none"].as_f64(),
            Some(right as f64 / 5.0)
        );
    }
    assert_eq!(results["model_name"], "tiny");

    let same = call_line(folder.path(), "compare ours.jsonl results --all", 0).stdout;
    assert!(
        same.contains("Thai (th)") && !same.contains("differs:"),
        "{same}"
    );
    // A folder of two tasks gives those of the file beside it.
    let line = format!(
        "eval --model {model} --task paws --data {mini} --languages de {SHOTS} --lm-eval results --out p.jsonl"
    );
    call_line(folder.path(), &line, 0);
    let same = call_line(folder.path(), "compare results p.jsonl", 0).stdout;
    assert!(same.starts_with("paws, english labels"), "{same}");
    let refused = call_line(folder.path(), "compare results results", 1).stderr;
    assert!(
        refused.contains("results is of paws, snli, results of paws, snli; name files of one task"),
        "{refused}"
    );
}

#[test]
fn a_run_is_written_by_its_adapters_names() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let labels =
        "--set eval.labels=[\"english\",\"same\"] --set eval.few_shot=[\"builtin\",\"head:2\"]";
    call_line(
        folder.path(),
        &format!("run recipe.toml --out run {labels}"),
        0,
    );
    call_line(folder.path(), "report run --lm-eval harness", 0);
    let adapter = folder.path().join("harness/emotion.sw-en.seed1");
    let results = json(&only(&adapter, "results_"));
    let model_args = "pretrained=tiny,peft=emotion.sw-en.seed1,dtype=float32";
    assert_eq!(
        (&results["config"]["model_args"], &results["model_name"]),
        (&model_args.into(), &"emotion.sw-en.seed1".into())
    );
    let groups: Vec<&String> = results["group_subtasks"]
        .as_object()
        .expect("groups")
        .keys()
        .collect();
    assert_eq!(
        groups,
        [
            "emotion",
            "emotion_head_2",
            "emotion_same",
            "emotion_same_head_2"
        ]
    );
    assert_eq!(results["n-shot"]["emotion_same_head_2"], 2);
    let seconds = results["total_evaluation_time_seconds"]
        .as_str()
        .expect("a text")
        .parse::<f64>();
    assert!(seconds.is_ok_and(|seconds| seconds > 0.0));
    // Their accuracies are those of the records.
    let records = json_lines(
        &folder
            .path()
            .join("run/answers/emotion.sw-en.seed1/emotion.same.de.jsonl"),
    );
    let right = records
        .iter()
        .filter(|record| record["correct"] == true)
        .count() as f64
        / records.len() as f64;
    assert_eq!(
        results["results"]["emotion_same_de"]["acc,none"].as_f64(),
        Some(right)
    );
    // The samples tell how they were scored.
    let samples = only(&adapter, "samples_emotion_same_de_");
    let answers = "run/answers/emotion.sw-en.seed1/emotion.same.de.jsonl";
    let same = call_line(
        folder.path(),
        &format!("compare {answers} {}", samples.display()),
        0,
    )
    .stdout;
    assert!(!same.contains("differs:"), "{same}");

    // Other data gives other prompts, and other answers other hashes: neither is written.
    let other = folder.path().join("other");
    for language in ["en", "de", "sw"] {
        let mut items = tiny::items(language, 40);
        items[0]["input"] = "Something else.".into();
        tiny::write_items(&other, "ap_emotion", &format!("emotion_{language}"), &items);
    }
    let refused = call_line(folder.path(), "report run --lm-eval new --data other", 1).stderr;
    let wanted = "emotion in en: the prompts rendered from other are not those that were asked (prompts_sha256 is ";
    assert!(
        refused.contains(wanted)
            && refused.contains("; give the data that was asked, or evaluate again"),
        "{refused}"
    );
    let answers = folder.path().join(answers);
    let text =
        fs::read_to_string(&answers)
            .expect("written")
            .replacen("\"item\":", "\"item\": ", 1);
    write_whole(&answers, text.as_bytes()).expect("writes");
    let refused = call_line(folder.path(), "report run --lm-eval new", 1).stderr;
    assert!(
        refused.contains("emotion.same.de.jsonl: not the file that the run wrote"),
        "{refused}"
    );
    assert!(!folder.path().join("new").exists());
}

#[test]
fn what_cannot_be_written_or_compared_is_told() {
    let folder = scratch();
    let asked = format!("--task paws --data {} --languages de", tiny::mini());
    fs::write(folder.path().join("file"), "").expect("writes");
    let refused = call_line(
        folder.path(),
        &format!("data lm-eval {asked} --out file"),
        1,
    )
    .stderr;
    assert!(refused.contains("cannot create file"), "{refused}");
    let refused = call_line(
        folder.path(),
        &format!("data lm-eval {asked} --name a,b --out x"),
        1,
    )
    .stderr;
    assert!(
        refused.contains("task name `a,b`: is not a name for lm-eval's files"),
        "{refused}"
    );
    let refused = call_line(
        folder.path(),
        &format!("data lm-eval {} --out x", asked.replace("de", "qq")),
        2,
    )
    .stderr;
    assert!(refused.contains("unknown language `qq`"), "{refused}");
    call_line(
        folder.path(),
        &format!(
            "eval --model {} {asked} {SHOTS} --out p.jsonl",
            tiny::model()
        ),
        0,
    );
    write_whole(&folder.path().join("m/samples_x_de_1.jsonl"), b"{}\n").expect("writes");
    let refused = call_line(folder.path(), "compare p.jsonl m", 1).stderr;
    assert!(
        refused.contains("m has no samples of paws; name others"),
        "{refused}"
    );
    fs::create_dir(folder.path().join("empty")).expect("creates");
    let refused = call_line(folder.path(), "compare empty empty", 1).stderr;
    assert!(
        refused.contains("empty: no samples_<task>_<date>.jsonl of lm-eval"),
        "{refused}"
    );
    fs::write(folder.path().join("samples_x_de_1.jsonl"), "{}\n").expect("writes");
    let refused = call_line(folder.path(), "compare samples_x_de_1.jsonl file", 1).stderr;
    assert!(
        refused.contains(
            "samples_x_de_1.jsonl line 1: not a sample of lm-eval: missing field `doc_id`"
        ),
        "{refused}"
    );
    let refused = call_line(folder.path(), "report empty --data x", 2).stderr;
    assert!(refused.contains("--lm-eval <DIR>"), "{refused}");
}
