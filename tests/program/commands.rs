//! Every subcommand but `run`: what it prints and writes.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use crate::{
    call::{call, call_line, files, json, json_lines, program, scratch},
    tiny,
};

/// An `eval` of the shipped data with builtin exemplars.
fn eval(folder: &Path, more: &str) -> Vec<Value> {
    let few_shot = if more.contains("--few-shot") {
        ""
    } else {
        "--few-shot builtin"
    };
    let (model, mini) = (tiny::model(), tiny::mini());
    call_line(
        folder,
        &format!(
            "eval --model {model} --task emotion --data {mini} {few_shot} {more} --out answers.jsonl"
        ),
        0,
    );
    json_lines(&folder.join("answers.jsonl"))
}

/// The label with the highest score; of equals the first in task order.
fn first_best(scores: &Value) -> &'static str {
    let score = |label: &str| scores[label].as_f64().expect("a number");
    if score("negative") > score("positive") {
        "negative"
    } else {
        "positive"
    }
}

// Promise: a record has the fields that others script against, with these meanings.
#[test]
fn eval_records_have_the_promised_fields() {
    let folder = scratch();
    let records = eval(
        folder.path(),
        "--languages de,sw --few-shot head:3 --limit 5",
    );
    assert_eq!(records.len(), 10);
    let golds: Vec<Value> = tiny::items("de", 8)
        .into_iter()
        .map(|item| item["answer"].clone())
        .collect();
    for (at, record) in records.iter().enumerate() {
        let keys: BTreeSet<&str> = record
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        let promised = "model adapter task language item gold chosen correct scores scoring labels protocol few_shot prompt_tokens";
        assert!(
            promised.split(' ').all(|key| keys.contains(key)),
            "{keys:?}"
        );
        assert_eq!(
            record["item"],
            json!(3 + at % 5),
            "the index in the file, behind the exemplars"
        );
        assert_eq!(record["language"], ["de", "sw"][at / 5]);
        assert_eq!(record["chosen"], first_best(&record["scores"]));
        assert_eq!(record["correct"], json!(record["chosen"] == record["gold"]));
        let fixed = [
            "model", "adapter", "task", "scoring", "labels", "protocol", "few_shot",
        ]
        .map(|key| record[key].clone());
        let expected = [
            json!("tiny"),
            Value::Null,
            json!("emotion"),
            json!("prefix"),
            json!("english"),
            Value::Null,
            json!("head:3"),
        ];
        assert_eq!(fixed, expected);
        assert!(record["prompt_tokens"].as_u64() > Some(200), "{record}");
    }
    for (record, word) in records.iter().zip(&golds[3..]) {
        let name = if word == "positiv" {
            "positive"
        } else {
            "negative"
        };
        assert_eq!(
            record["gold"], name,
            "the English name, whatever the file's words"
        );
    }
}

// Promise: where labels share their first token, every question is a tie; it goes to the first
// label and is counted.
#[test]
fn ties_go_to_the_first_label() {
    let folder = scratch();
    // The Japanese words begin with the same byte, and no vocabulary entry is a longer part of
    // them.
    for record in eval(folder.path(), "--languages ja --labels same --limit 6") {
        assert_eq!(
            (&record["chosen"], &record["tied"]),
            (&json!("positive"), &json!(true)),
            "{record}"
        );
        assert_eq!(record["scores"]["positive"], record["scores"]["negative"]);
    }
    for record in eval(
        folder.path(),
        "--languages ja --labels same --limit 6 --scoring sequence",
    ) {
        assert_eq!(record["tied"], json!(false));
        let sum: f64 = record["scores"]
            .as_object()
            .expect("scores")
            .values()
            .filter_map(Value::as_f64)
            .sum();
        assert!(
            (sum - 1.0).abs() < 1e-9,
            "probabilities over the labels: {record}"
        );
    }
}

// Promise: where a model is so sure of another token that every label's probability vanishes,
// the answers are ties, and the records can still be read.
#[test]
fn vanishing_scores_are_ties() {
    let folder = scratch();
    let model = folder.path().join("sure");
    tiny::make_model(&model);
    let path = model.join("model.safetensors");
    let mut bytes = fs::read(&path).expect("reads");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a JSON header");
    let offset = |at: usize| {
        8 + length
            + header["model.norm.weight"]["data_offsets"][at]
                .as_u64()
                .expect("a number") as usize
    };
    for scale in bytes[offset(0)..offset(1)].as_chunks_mut::<4>().0 {
        *scale = (f32::from_le_bytes(*scale) * 1e6).to_le_bytes(); // logits a million times as large
    }
    fs::write(&path, bytes).expect("writes");
    let mini = tiny::mini();
    let line = format!(
        "eval --model sure --task emotion --data {mini} --few-shot builtin --languages de --limit 4 --out a.jsonl"
    );
    call_line(folder.path(), &line, 0);
    for record in json_lines(&folder.path().join("a.jsonl")) {
        assert_eq!(record["scores"], json!({"negative": 0.0, "positive": 0.0}));
        assert_eq!(
            (&record["chosen"], &record["tied"]),
            (&json!("positive"), &json!(true))
        );
    }
    call_line(folder.path(), "compare a.jsonl a.jsonl", 0);
}

// Promise: adapters are evaluated in the order given, the base before them only if asked for;
// each is itself again after another one was on the model.
#[test]
fn adapters_are_evaluated_in_turn() {
    let folder = scratch();
    let golden = tiny::repository("tests/golden/tiny_llama/adapter");
    for (name, alpha) in [("a", 12), ("b", 48)] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            fs::copy(golden.join(file), folder.path().join(name).join(file)).expect("copies");
        }
        let path = folder.path().join(name).join("adapter_config.json");
        let mut config = json(&path);
        config["lora_alpha"] = json!(alpha);
        fs::write(path, config.to_string()).expect("writes");
    }
    let ask = |more: &str| eval(folder.path(), &format!("--languages sw --limit 2 {more}"));
    let base = ask("");
    let all = ask("--adapter b --base --adapter a --adapter b");
    let names: Vec<_> = all
        .iter()
        .map(|record| record["adapter"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            None,
            None,
            Some("b"),
            Some("b"),
            Some("a"),
            Some("a"),
            Some("b"),
            Some("b")
        ]
    );
    assert_eq!(all[..2], base, "the base is the base");
    assert_eq!(all[2..4], all[6..8], "b is b");
    assert_eq!(
        ask("--adapter a"),
        all[4..6],
        "without --base the base is not asked"
    );
    assert!(all[0]["scores"] != all[2]["scores"] && all[2]["scores"] != all[4]["scores"]);
    // Questions in several languages are prepared once for all adapters.
    let ask = |more: &str| {
        eval(
            folder.path(),
            &format!("--languages sw,de --limit 2 {more}"),
        )
    };
    let together = ask("--adapter a --adapter b");
    assert_eq!(together, [ask("--adapter a"), ask("--adapter b")].concat());
}

// Promise: `--few-shot file:PATH` reads `{task: {language: text}}`, and text equal to head:K
// gives equal scores.
#[test]
fn exemplars_from_a_file() {
    let folder = scratch();
    let items = tiny::items("de", 2);
    let show = |item: &Value, label: &str| {
        format!(
            "{}\nEmotion: \"{label}\"",
            item["input"].as_str().expect("text")
        )
    };
    let label = |item: &Value| {
        if item["answer"] == "positiv" {
            "positive"
        } else {
            "negative"
        }
    };
    let text = items
        .iter()
        .map(|item| show(item, label(item)))
        .collect::<Vec<_>>()
        .join("\n");
    fs::write(
        folder.path().join("shots.json"),
        json!({"emotion": {"de": text}}).to_string(),
    )
    .expect("writes");
    let head = eval(folder.path(), "--languages de --few-shot head:2 --limit 3");
    let file = eval(
        folder.path(),
        "--languages de --few-shot file:shots.json --limit 5",
    );
    let scores = |records: &[Value]| {
        records
            .iter()
            .map(|r| (r["item"].clone(), r["scores"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(scores(&head), scores(&file[2..]));
    assert_eq!(file[0]["few_shot"], "file:shots.json");
}

/// Name, shape, values.
type Named = (String, Vec<u64>, Vec<f32>);

/// Tensors of a safetensors file, by name, and its metadata.
fn tensors(path: &Path) -> (Vec<Named>, Value) {
    let bytes = fs::read(path).expect("reads");
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
    let header: Value = serde_json::from_slice(&rest[..length]).expect("a JSON header");
    let mut found = Vec::new();
    for (name, entry) in header
        .as_object()
        .expect("an object")
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
    {
        assert_eq!(entry["dtype"], "F32");
        let numbers = |key: &str| {
            entry[key]
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(Value::as_u64)
                .collect::<Vec<_>>()
        };
        let (shape, offsets) = (numbers("shape"), numbers("data_offsets"));
        let raw = &rest[length..][offsets[0] as usize..offsets[1] as usize];
        let values = raw
            .as_chunks::<4>()
            .0
            .iter()
            .map(|chunk| f32::from_le_bytes(*chunk))
            .collect();
        found.push((name.clone(), shape, values));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    (found, header["__metadata__"].clone())
}

// Promise: `capture` writes the four tensors with their shapes, and a text gives what its ids
// give.
#[test]
fn capture_writes_named_tensors() {
    let folder = scratch();
    let text = "Guten Tag, Ödön!";
    let rows = [
        json!({"text": text}),
        json!({"ids": text.as_bytes()}),
        json!({"text": "x"}),
    ]
    .map(|row| row.to_string());
    fs::write(folder.path().join("rows.jsonl"), rows.join("\n")).expect("writes");
    let model = tiny::model();
    call_line(
        folder.path(),
        &format!("capture --model {model} --input rows.jsonl --out all.safetensors"),
        0,
    );
    let (all, about) = tensors(&folder.path().join("all.safetensors"));
    let shapes: Vec<_> = all
        .iter()
        .map(|(name, shape, _)| (name.as_str(), shape.as_slice()))
        .collect();
    let expected: [(&str, &[u64]); 4] = [
        ("final.last", &[3, 48]),
        ("hidden.last", &[3, 4, 48]),
        ("hidden.mean", &[3, 4, 48]),
        ("logits.last", &[3, 257]),
    ];
    assert_eq!(shapes, expected);
    assert_eq!(
        (&about["model"], &about["dtype"]),
        (&json!("tiny"), &json!("f32"))
    );
    for (name, shape, values) in &all {
        let rows: Vec<&[f32]> = values.chunks(values.len() / shape[0] as usize).collect();
        assert!(
            rows[0] == rows[1] && rows[0] != rows[2],
            "{name}: a text and its ids"
        );
        assert!(
            values.iter().all(|value| value.is_finite())
                && values.iter().any(|value| *value != 0.0),
            "{name}"
        );
    }
    let [last, mean] = ["hidden.last", "hidden.mean"]
        .map(|name| all.iter().find(|t| t.0 == name).expect("there").2.clone());
    assert_eq!(
        last[2 * 4 * 48..],
        mean[2 * 4 * 48..],
        "of one token the mean is the last"
    );
    let adapter = tiny::repository("tests/golden/tiny_llama/adapter");
    let mut args = vec![
        "capture",
        "--model",
        model,
        "--input",
        "rows.jsonl",
        "--tensors",
        "final.last,logits.last",
    ];
    args.extend([
        "--out",
        "some.safetensors",
        "--adapter",
        adapter.to_str().expect("UTF-8"),
    ]);
    call(folder.path(), &args, 0);
    let (some, about) = tensors(&folder.path().join("some.safetensors"));
    assert_eq!(
        some.iter()
            .map(|(name, ..)| name.as_str())
            .collect::<Vec<_>>(),
        ["final.last", "logits.last"]
    );
    assert!(some[0].2 != all[0].2, "with an adapter");
    assert_eq!(about["adapter"], adapter.to_str().expect("UTF-8"));
}

// Promise: rows of ids need no tokenizer; a tensor named twice is written once.
#[test]
fn capture_of_ids_needs_no_tokenizer() {
    let folder = scratch();
    tiny::make_model(&folder.path().join("bare"));
    fs::remove_file(folder.path().join("bare/tokenizer.json")).expect("removes");
    fs::write(
        folder.path().join("rows.jsonl"),
        "{\"ids\": [256, 0, 97]}\n\n{\"ids\": [1]}\n",
    )
    .expect("writes");
    let line = "capture --model bare --input rows.jsonl --tensors final.last,final.last --out out.safetensors";
    call_line(folder.path(), line, 0);
    let (found, _) = tensors(&folder.path().join("out.safetensors"));
    assert_eq!(
        found
            .iter()
            .map(|(name, shape, _)| (name.as_str(), shape.clone()))
            .collect::<Vec<_>>(),
        [("final.last", vec![2, 48])]
    );
    fs::write(folder.path().join("rows.jsonl"), "{\"text\": \"a\"}\n").expect("writes");
    let message = call_line(
        folder.path(),
        "capture --model bare --input rows.jsonl --out no.safetensors",
        1,
    )
    .stderr;
    assert!(message.contains("no tokenizer.json"), "{message}");
}

// Promise: `check` prints a recipe with every default that reads back as the same recipe, and
// needs no model.
#[test]
fn check_prints_a_recipe_that_reads_back() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let first = call(
        folder.path(),
        &[
            "check",
            "recipe.toml",
            "--set",
            "train.epochs=1",
            "--set",
            "seeds=[3, 4]",
        ],
        0,
    )
    .stdout;
    assert!(
        first.contains("epochs = 1.0")
            && first.contains("seeds = [3, 4]")
            && first.contains("cutoff_len = 2048"),
        "{first}"
    );
    fs::write(folder.path().join("again.toml"), &first).expect("writes");
    let second = call_line(folder.path(), "check again.toml", 0).stdout;
    let without_notes = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(without_notes(&second), without_notes(&first));
    let absent = call_line(
        folder.path(),
        "check again.toml --set model=./absent --set data.dir=nowhere",
        1,
    );
    for needle in ["nowhere", "error: model: ", "./absent"] {
        assert!(
            absent.stderr.contains(needle),
            "{needle}: {}",
            absent.stderr
        );
    }
    assert!(!folder.path().join("runs").exists());
}

// Promise: `generate` continues a prompt, the same way each time, for at most so many tokens.
#[test]
fn generate_prints_text() {
    let folder = scratch();
    let model = tiny::model();
    let say = |count: &str| {
        call(
            folder.path(),
            &[
                "generate",
                "--model",
                model,
                "--prompt",
                "The sea is",
                "--max-new-tokens",
                count,
            ],
            0,
        )
        .stdout
    };
    let (long, again) = (say("12"), say("12"));
    assert!(!long.trim().is_empty() && long == again, "{long:?}");
    assert_eq!(say("0").trim(), "");
    let first: String = say("1").trim_end_matches('\n').to_owned();
    assert!(first.chars().count() <= 1, "a token is a byte: {first:?}");
}

// Promise: `model list` names the catalogue without a network, `model show` a folder's shape
// and fingerprint.
#[test]
fn models_are_listed_and_shown() {
    let folder = scratch();
    let list = call_line(folder.path(), "model list", 0).stdout;
    assert!(
        list.contains("smollm2-135m-instruct") && list.contains("mistral-7b"),
        "{list}"
    );
    let shown = call(folder.path(), &["model", "show", tiny::model()], 0).stdout;
    assert!(
        shown.contains("vocab_size: 257") && shown.contains("fingerprint"),
        "{shown}"
    );
    let printed = call_line(folder.path(), "model pull smollm2-135m-instruct", 1).stderr;
    assert!(printed.contains("HF_HUB_OFFLINE"), "{printed}");
}

// Promise: `report` and `compare` need records only: no model, no data, no manifest.
#[test]
fn report_and_compare_need_only_files() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    call_line(folder.path(), "run recipe.toml --out out", 0);
    let moved = folder.path().join("elsewhere");
    for path in files(&folder.path().join("out"), "answers")
        .into_iter()
        .chain(files(&folder.path().join("out"), "train"))
    {
        fs::create_dir_all(moved.join(&path).parent().expect("a folder")).expect("creates");
        fs::copy(folder.path().join("out").join(&path), moved.join(&path)).expect("copies");
    }
    let report = call_line(folder.path(), "report elsewhere out", 0);
    let lines = report.stdout.lines();
    let rows = lines.filter(|line| line.starts_with("emotion  ") && line.contains("  sw=>en  "));
    assert_eq!(rows.count(), 2, "{}", report.stdout);
    assert!(moved.join("report/index.html").is_file() && !moved.join("manifest.json").exists());
    let answers = |model: &str| format!("out/answers/{model}/emotion.english.sw.jsonl");
    let compared = call_line(
        folder.path(),
        &format!(
            "compare {} {} --all",
            answers("base"),
            answers("emotion.sw-en.seed1")
        ),
        0,
    );
    assert!(
        compared.stdout.contains("Swahili (sw)") && compared.stdout.contains("mean"),
        "{}",
        compared.stdout
    );
    let same = call_line(
        folder.path(),
        &format!("compare {0} {0}", answers("base")),
        0,
    )
    .stdout;
    assert!(
        same.contains("Not one answer became right or wrong."),
        "{same}"
    );
    assert!(
        same.lines().all(|line| line.chars().count() <= 80) && !same.contains('\u{1b}'),
        "for a terminal of eighty columns, and for a pipe without colours:\n{same}"
    );
}

/// The subcommands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let section = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| line.starts_with("  "));
    let first = |line: &str| {
        line.get(2..)
            .filter(|rest| !rest.starts_with(' '))
            .and_then(|rest| rest.split(' ').next().map(str::to_owned))
    };
    lines
        .filter_map(first)
        .filter(|name| name != "help")
        .collect()
}

// Promise: every subcommand explains itself with an example that begins with its own name.
#[test]
fn every_help_has_an_example() {
    let folder = scratch();
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut seen = Vec::new();
    while let Some(words) = open.pop() {
        let args: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = call(folder.path(), &args, 0).stdout;
        let command = ["lingualign"]
            .into_iter()
            .chain(words.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ");
        assert!(
            help.contains("Example") && help.contains(&format!("\n  {command}")),
            "`{command} --help`:\n{help}"
        );
        open.extend(
            listed(&help)
                .into_iter()
                .map(|name| [words.clone(), vec![name]].concat()),
        );
        seen.push(command);
    }
    for name in [
        "run",
        "check",
        "train",
        "eval",
        "capture",
        "compare",
        "generate",
        "report",
        "model list",
        "model pull",
        "model show",
    ] {
        assert!(seen.contains(&format!("lingualign {name}")), "{name}");
    }
}

// Promise: results go to stdout and messages to stderr, so that a pipe gets results alone.
#[test]
fn stdout_holds_results_alone() {
    let folder = scratch();
    let (model, mini) = (tiny::model(), tiny::mini());
    let line = format!(
        "eval --model {model} --task emotion --data {mini} --few-shot builtin --languages de --limit 2 --out a.jsonl"
    );
    let printed = call_line(folder.path(), &line, 0);
    assert_eq!(printed.stdout.lines().count(), 1, "{}", printed.stdout);
    assert!(
        printed.stderr.contains("wrote a.jsonl"),
        "{}",
        printed.stderr
    );
}

// Promise: a reader that closes the pipe early ends nothing with a panic, and files are still
// written.
#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_crash() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let mut command = program(folder.path());
    command.args([
        "run",
        "recipe.toml",
        "--out",
        "out",
        "--only",
        "eval,report",
        "--set",
        "train.settings=sw=>en",
    ]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    call_line(folder.path(), "run recipe.toml --out out", 0);
    let output = command
        .stdout(writer.try_clone().expect("clones"))
        .stderr(writer)
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(0));
}

// Promise: what cannot be printed is an error with a message, not a panic.
#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_an_error() {
    let folder = scratch();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let output = program(folder.path())
        .args(["model", "list"])
        .stdout(full)
        .output()
        .expect("starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1)
            && message.contains("stdout")
            && message.contains("No space left"),
        "{message}"
    );
}
