//! Bad input: one clear message, the exit code, and no half-made file.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    call::{call, call_line, files, scratch},
    tiny,
};

/// Calls the program and checks the exit code and that stderr has one error, in words, with all
/// of `needles`.
#[track_caller]
fn refused(folder: &Path, args: &[&str], code: i32, needles: &[&str]) {
    let printed = call(folder, args, code);
    let message = printed
        .stderr
        .split_once("error: ")
        .map_or("", |(_, message)| message);
    assert_eq!(
        printed.stderr.matches("error: ").count(),
        1,
        "one error: {}",
        printed.stderr
    );
    for needle in needles {
        assert!(
            message.contains(needle),
            "`{needle}` is not said: {}",
            printed.stderr
        );
    }
    assert!(
        message.matches("(os error").count() <= 1,
        "said twice: {message}"
    );
    assert!(!printed.stderr.contains("panicked"), "{}", printed.stderr);
}

/// An `eval` on German reviews in `data`; each of `change` replaces an option's value or is
/// added.
#[track_caller]
fn eval_refused(folder: &Path, change: &[&str], code: i32, needles: &[&str]) {
    let mut args = vec![
        "eval",
        "--model",
        tiny::model(),
        "--task",
        "emotion",
        "--data",
        "data",
        "--languages",
        "de",
    ];
    args.extend(["--few-shot", "builtin", "--out", "answers.jsonl"]);
    for pair in change.chunks(2) {
        match args.iter().position(|arg| *arg == pair[0]) {
            Some(at) => args[at + 1] = pair[1],
            None => args.extend(pair),
        }
    }
    refused(folder, &args, code, needles);
    assert!(
        !folder.join("answers.jsonl").exists(),
        "a failed evaluation leaves no answers"
    );
}

fn write_data(folder: &Path, items: &[Value]) {
    tiny::write_items(&folder.join("data"), "ap_emotion", "emotion_de", items);
}

// Promise: an option's value that does not exist is wrong usage (2), with what there is
// instead.
#[test]
fn unknown_words_on_the_command_line() {
    let folder = scratch();
    write_data(folder.path(), &tiny::items("de", 4));
    eval_refused(
        folder.path(),
        &["--languages", "de,xx"],
        2,
        &["`xx`", "known: en zh de"],
    );
    eval_refused(
        folder.path(),
        &["--languages", "de,de"],
        2,
        &["`de`", "twice"],
    );
    eval_refused(
        folder.path(),
        &["--task", "emotions"],
        2,
        &["emotions", "emotion, snli, paws"],
    );
    eval_refused(
        folder.path(),
        &["--labels", "englisch"],
        2,
        &["`englisch`", "did you mean `english`?"],
    );
    eval_refused(
        folder.path(),
        &["--scoring", "sum"],
        2,
        &["`sum`", "prefix, sequence"],
    );
    eval_refused(
        folder.path(),
        &["--protocol", "fixed"],
        2,
        &["`fixed`", "paper, corrected"],
    );
    eval_refused(
        folder.path(),
        &["--few-shot", "tail:2"],
        2,
        &["tail:2", "head:K, seed:SEED:K, file:PATH, builtin or zero"],
    );
    eval_refused(folder.path(), &["--few-shot", "head:two"], 2, &["`two`"]);
    eval_refused(
        folder.path(),
        &["--dtype", "f8"],
        2,
        &["`f8`", "f32, bf16, packed, nf4"],
    );
    eval_refused(folder.path(), &["--limit", "0"], 2, &["--limit", "0"]);
    eval_refused(folder.path(), &["--threads", "0"], 2, &["--threads"]);
    refused(
        folder.path(),
        &["eval", "--task", "emotion"],
        2,
        &["--model", "--data", "--out"],
    );
    refused(
        folder.path(),
        &["run", "recipe.toml", "--only", "date"],
        2,
        &["'date'", "data, train, eval"],
    );
    refused(
        folder.path(),
        &["run", "recipe.toml", "--set", "train.epochs"],
        2,
        &["KEY=VALUE"],
    );
    refused(folder.path(), &["evaluate"], 2, &["evaluate"]);
}

// Promise: a device that is not there is said before anything is loaded.
#[test]
fn devices_that_are_not_there() {
    let folder = scratch();
    write_data(folder.path(), &tiny::items("de", 4));
    eval_refused(
        folder.path(),
        &["--device", "tpu"],
        1,
        &["`tpu`", "auto, cpu, cuda"],
    );
    eval_refused(
        folder.path(),
        &["--device", "cuda:first"],
        1,
        &["`cuda:first`"],
    );
    if !cfg!(feature = "cuda") {
        eval_refused(
            folder.path(),
            &["--device", "cuda"],
            1,
            &["`cuda`", "built without", "--features cuda"],
        );
    }
}

// Promise: a label set that a task or language lacks is refused with the list of those it has.
#[test]
fn label_sets_that_a_task_lacks() {
    let folder = scratch();
    let item = json!({"sentence1": "a.", "sentence2": "b.", "answer": "same"});
    tiny::write_items(
        &folder.path().join("data"),
        "paws",
        "paws_de",
        &[item.clone(), item],
    );
    eval_refused(
        folder.path(),
        &["--task", "paws", "--labels", "same"],
        1,
        &["paws", "`same`", "english, agnostic"],
    );
}

// Promise: a defect of a data file is named with file, line and word.
#[test]
fn defects_of_data_files() {
    let folder = scratch();
    let mut items = tiny::items("de", 20);
    items[15]["answer"] = json!("gut"); // items stand from line 2 on
    write_data(folder.path(), &items);
    eval_refused(
        folder.path(),
        &[],
        1,
        &[
            "emotion_de20_test.json",
            "line 17",
            "item 15",
            "`gut`",
            "`positiv`, `negativ`",
        ],
    );
    let path = folder.path().join("data/ap_emotion/emotion_de20_test.json");
    let sound = fs::read_to_string(&path).expect("reads");
    let with_line = |number: usize, line: &str| {
        let mut lines: Vec<&str> = sound.lines().collect();
        lines[number - 1] = line;
        fs::write(&path, lines.join("\n")).expect("writes");
    };
    with_line(9, "{\"input\": \"abgebrochen");
    eval_refused(folder.path(), &[], 1, &["emotion_de20_test.json", "line 9"]);
    with_line(
        5,
        "{\"input\": \"x\", \"answer\": \"positiv\", \"answer\": \"negativ\"},",
    );
    eval_refused(
        folder.path(),
        &[],
        1,
        &[
            "emotion_de20_test.json",
            "line 5",
            "key `answer` is given twice",
        ],
    );
    with_line(6, "{\"input\": \"\", \"answer\": \"positiv\"},");
    eval_refused(folder.path(), &[], 1, &["line 6", "`input` is empty"]);
    with_line(7, "{\"text\": \"x\", \"answer\": \"positiv\"},");
    eval_refused(folder.path(), &[], 1, &["line 7", "`text`", "`input`"]);
    fs::write(&path, b"[\n{\"input\": \"\xFF\"}\n]").expect("writes");
    eval_refused(folder.path(), &[], 1, &["line 2", "UTF-8"]);
    fs::write(&path, "[]").expect("writes");
    eval_refused(folder.path(), &[], 1, &["emotion_de20_test.json", "empty"]);
}

// Promise: a missing test file is named, and so is what it should be called.
#[test]
fn missing_and_doubled_test_files() {
    let folder = scratch();
    write_data(folder.path(), &tiny::items("de", 4));
    eval_refused(
        folder.path(),
        &["--languages", "sw"],
        1,
        &["ap_emotion", "emotion_sw<count>_test.json"],
    );
    eval_refused(folder.path(), &["--data", "nowhere"], 1, &["nowhere"]);
    eval_refused(
        folder.path(),
        &["--few-shot", "head:4"],
        1,
        &["head:4", "4 items"],
    );
    eval_refused(
        folder.path(),
        &["--few-shot", "file:none.json"],
        1,
        &["none.json"],
    );
    write_data(folder.path(), &tiny::items("de", 5));
    eval_refused(
        folder.path(),
        &[],
        1,
        &["emotion_de4_test.json, emotion_de5_test.json"],
    );
}

// Promise: all mistakes of a recipe are told at once, each with its key and line.
#[test]
fn a_recipe_with_five_mistakes() {
    let folder = scratch();
    let text = "model = \"./tiny\"\n[data]\ndir = \"d\"\n[train]\nsettings = [\"zh/qq=>en\"]\ntasks = [\"emotion\"]\nepochs = -1\n\
                [train.lora]\nrank = 0\n[eval]\ntasks = [\"emotoin\"]\nlimt = 3\n";
    fs::write(folder.path().join("bad.toml"), text).expect("writes");
    let needles = [
        "5 problems",
        "train.settings: setting `zh/qq=>en`: unknown language `qq`",
        "(line 5)",
        "train.epochs: must be above 0 (line 7)",
        "train.lora.rank: must be at least 1 (line 9)",
        "eval.tasks: unknown value `emotoin`; did you mean `emotion`? (line 11)",
        "eval.limt: no such key; did you mean `limit`? (line 12)",
    ];
    for command in ["check", "run", "train"] {
        refused(folder.path(), &[command, "bad.toml"], 1, &needles);
    }
    assert!(!folder.path().join("runs").exists(), "nothing is begun");
    fs::write(folder.path().join("bad.toml"), "model = \"x\"\n[data\n").expect("writes");
    refused(
        folder.path(),
        &["check", "bad.toml"],
        1,
        &["bad.toml:2:", "not TOML"],
    );
    refused(
        folder.path(),
        &["run", "absent.toml"],
        1,
        &["absent.toml", "No such file"],
    );
}

// Promise: `--set` is checked like the recipe, and said to be the culprit.
#[test]
fn overrides_that_do_not_fit() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    refused(
        folder.path(),
        &["run", "recipe.toml", "--set", "eval.limits=3"],
        1,
        &["eval.limits", "`limit`", "--set"],
    );
    refused(
        folder.path(),
        &["run", "recipe.toml", "--set", "train.pairs=many"],
        1,
        &["train.pairs", "`many`", "--set"],
    );
    refused(
        folder.path(),
        &["run", "recipe.toml", "--set", "eval.languages=de,de"],
        1,
        &["eval.languages", "twice"],
    );
    let too_many = [
        "run",
        "recipe.toml",
        "--out",
        "out",
        "--set",
        "train.pairs=500",
    ];
    refused(
        folder.path(),
        &too_many,
        1,
        &["emotion_sw120_train_question.json has 120 pairs", "500"],
    );
    let no_file = [
        "run",
        "recipe.toml",
        "--out",
        "out",
        "--set",
        "train.settings=it=>en",
    ];
    refused(
        folder.path(),
        &no_file,
        1,
        &["emotion_it<count>_train_question.json"],
    );
}

// Promise: a model that is not there, or is not what it says, is refused by file and tensor.
#[test]
fn models_that_cannot_be_loaded() {
    let folder = scratch();
    write_data(folder.path(), &tiny::items("de", 4));
    eval_refused(
        folder.path(),
        &["--model", "./absent"],
        1,
        &["`./absent`", "no such folder or file"],
    );
    eval_refused(
        folder.path(),
        &["--model", "smollm-135m-instruct"],
        1,
        &["did you mean `smollm2-135m-instruct`?"],
    );
    eval_refused(
        folder.path(),
        &["--model", "no/such"],
        1,
        &["no/such", "HF_HUB_OFFLINE"],
    );
    eval_refused(folder.path(), &["--model", "data"], 1, &["config.json"]);
    let model = folder.path().join("model");
    let damage = |edit: &dyn Fn(&Path), needles: &[&str]| {
        tiny::make_model(&model);
        edit(&model);
        eval_refused(folder.path(), &["--model", "model"], 1, needles);
    };
    let cut = |length: u64| {
        move |model: &Path| {
            let file = fs::OpenOptions::new()
                .write(true)
                .open(model.join("model.safetensors"))
                .expect("opens");
            file.set_len(length).expect("cuts");
        }
    };
    for length in [200_000, 265_631, 100, 4, 0] {
        damage(
            &cut(length),
            &["model.safetensors", "not a complete safetensors file"],
        );
    }
    let lie = |key: &'static str, value: Value| {
        move |model: &Path| {
            let path = model.join("config.json");
            let mut config = crate::call::json(&path);
            config[key] = value.clone();
            fs::write(path, config.to_string()).expect("writes");
        }
    };
    damage(
        &lie("hidden_size", json!(56)),
        &["model.embed_tokens.weight", "[257, 48]", "[257, 56]"],
    );
    damage(
        &lie("vocab_size", json!(300)),
        &["model.embed_tokens.weight", "[300, 48]"],
    );
    damage(
        &lie("num_hidden_layers", json!(4)),
        &["model.layers.3.", "missing"],
    );
    damage(
        &lie("num_hidden_layers", json!(2)),
        &["holds 9", "model.layers.2."],
    );
    damage(
        &lie("num_hidden_layers", json!(100_000_000_000u64)),
        &["num_hidden_layers", "100000000000"],
    );
    damage(
        &lie("intermediate_size", json!(96)),
        &["gate_proj", "[80, 48]", "[96, 48]"],
    );
    damage(
        &lie("num_key_value_heads", json!(4)),
        &["num_key_value_heads", "4"],
    );
    damage(
        &lie("num_attention_heads", json!(0)),
        &["num_attention_heads"],
    );
    damage(&lie("head_dim", json!(7)), &["head_dim", "7"]);
    damage(
        &lie("tie_word_embeddings", json!(false)),
        &["lm_head.weight", "missing"],
    );
    damage(
        &lie("model_type", json!("gpt2")),
        &["model_type", "`gpt2`", "llama, mistral, qwen2"],
    );
    damage(
        &lie("hidden_size", json!("48")),
        &["config.json", "hidden_size"],
    );
    damage(
        &|model| fs::write(model.join("config.json"), "{\n\"a\": 1,\n").expect("writes"),
        &["config.json", "line 3"],
    );
    damage(
        &|model| fs::write(model.join("tokenizer.json"), "{}").expect("writes"),
        &["tokenizer.json"],
    );
    let add_token = |model: &Path| {
        let path = model.join("tokenizer.json");
        let mut tokenizer = crate::call::json(&path);
        tokenizer["model"]["vocab"]["posi"] = json!(257); // part of a label, and beyond the embedding
        fs::write(path, tokenizer.to_string()).expect("writes");
    };
    damage(&add_token, &["257", "label", "vocabulary of 257"]);
}

// Promise: an adapter that is not whole, or is another model's, is refused by name.
#[test]
fn adapters_that_do_not_fit() {
    let folder = scratch();
    write_data(folder.path(), &tiny::items("de", 4));
    let golden = tiny::repository("tests/golden/tiny_llama/adapter");
    let adapter = folder.path().join("adapter");
    fs::create_dir(&adapter).expect("a folder");
    let ask = |needles: &[&str]| eval_refused(folder.path(), &["--adapter", "adapter"], 1, needles);
    ask(&["adapter_config.json"]);
    fs::copy(
        golden.join("adapter_config.json"),
        adapter.join("adapter_config.json"),
    )
    .expect("copies");
    ask(&["adapter", "adapter_model.safetensors is missing"]);
    let weights = fs::read(golden.join("adapter_model.safetensors")).expect("reads");
    fs::write(
        adapter.join("adapter_model.safetensors"),
        &weights[..weights.len() - 1],
    )
    .expect("writes");
    ask(&[
        "adapter_model.safetensors",
        "not a complete safetensors file",
    ]);
    // Four layers' adapter on a model of three: the last layer's tensors under another number.
    let renamed = String::from_utf8_lossy(&weights)
        .contains("layers.2.")
        .then(|| {
            let (from, to) = (b"layers.2.".as_slice(), b"layers.7.".as_slice());
            let mut bytes = weights.clone();
            for at in 0..bytes.len() - from.len() {
                if bytes[at..].starts_with(from) {
                    bytes[at..at + to.len()].copy_from_slice(to);
                }
            }
            bytes
        });
    fs::write(
        adapter.join("adapter_model.safetensors"),
        renamed.expect("three layers"),
    )
    .expect("writes");
    ask(&["adapter", "model.layers.7.", "3 layers"]);
    let mut config = crate::call::json(&golden.join("adapter_config.json"));
    config["lora_bias"] = json!(true);
    fs::write(adapter.join("adapter_config.json"), config.to_string()).expect("writes");
    ask(&["adapter_config.json", "lora_bias"]);
}

// Promise: a bad row of `capture` is named by file and line, whatever is wrong with it.
#[test]
fn rows_that_cannot_be_captured() {
    let folder = scratch();
    let try_line = |line: &str, needles: &[&str]| {
        fs::write(
            folder.path().join("rows.jsonl"),
            format!("{{\"text\": \"a\"}}\n{{\"ids\": [1]}}\n{line}\n"),
        )
        .expect("writes");
        let args = [
            "capture",
            "--model",
            tiny::model(),
            "--input",
            "rows.jsonl",
            "--out",
            "out.safetensors",
        ];
        refused(
            folder.path(),
            &args,
            1,
            &[&["rows.jsonl", "line 3"], needles].concat(),
        );
        assert!(!folder.path().join("out.safetensors").exists());
    };
    try_line("{\"txt\": \"a\"}", &["neither `text` nor `ids`"]);
    try_line("{\"text\": \"a\", \"ids\": [1]}", &["or both"]);
    try_line("{\"text\": \"a\", \"ids\": \"1\"}", &["or both"]);
    try_line("{\"text\": \"a\"", &["not JSON"]);
    try_line("{\"ids\": []}", &["no tokens"]);
    try_line("{\"ids\": [1, -2]}", &["whole number"]);
    try_line("{\"ids\": [1, 257]}", &["257", "vocabulary"]);
    fs::write(folder.path().join("rows.jsonl"), "\n\n").expect("writes");
    let line = format!(
        "capture --model {} --input rows.jsonl --out out.safetensors",
        tiny::model()
    );
    assert!(
        call_line(folder.path(), &line, 1)
            .stderr
            .contains("rows.jsonl has no rows")
    );
}

// Promise: an output that cannot be written is refused before the work is done, and named.
#[test]
fn outputs_in_whose_way_something_stands() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    write_data(folder.path(), &tiny::items("de", 4));
    fs::write(folder.path().join("file"), "mine").expect("writes");
    fs::create_dir(folder.path().join("folder")).expect("creates");
    for command in ["run", "train"] {
        refused(
            folder.path(),
            &[command, "recipe.toml", "--out", "file"],
            1,
            &["file"],
        );
        refused(
            folder.path(),
            &[command, "recipe.toml", "--out", "file/out"],
            1,
            &["file/out"],
        );
    }
    for out in ["file/answers.jsonl", "folder"] {
        let args = [
            "eval",
            "--model",
            tiny::model(),
            "--task",
            "emotion",
            "--data",
            "data",
            "--languages",
            "de",
        ];
        let printed = call(
            folder.path(),
            &[&args[..], &["--few-shot", "builtin", "--out", out]].concat(),
            1,
        );
        assert!(
            printed.stderr.contains("cannot") && printed.stdout.is_empty(),
            "{}\n{}",
            printed.stdout,
            printed.stderr
        );
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("file")).expect("reads"),
        "mine"
    );
    fs::create_dir(folder.path().join("old")).expect("creates");
    fs::write(folder.path().join("old/manifest.json"), "{\"stages\": ").expect("writes");
    refused(
        folder.path(),
        &["run", "recipe.toml", "--out", "old"],
        1,
        &["old/manifest.json", "damaged", "delete it"],
    );
}

// Promise: a damaged checkpoint is not trained on; deleting it is said to be the way out, and
// is one.
#[test]
fn a_damaged_checkpoint() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    call_line(folder.path(), "run recipe.toml --out out --only data", 0);
    let state = folder
        .path()
        .join("out/checkpoints/emotion.sw-en.seed1/state.safetensors");
    schema::write_whole(&state, b"no tensors").expect("writes");
    let args = ["run", "recipe.toml", "--out", "out", "--only", "train"];
    refused(folder.path(), &args, 1, &["state.safetensors", "delete it"]);
    fs::remove_file(&state).expect("removes");
    call(folder.path(), &args, 0);
}

// Promise: on a full disk a run says which file it could not write, leaves no part of it, and
// goes on later. A limit on the size of files stands for the full disk: the first file above it
// fails to be written.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_whole_files() {
    let folder = scratch();
    tiny::write_recipe(folder.path());
    let mut shell = std::process::Command::new("sh");
    let limited = crate::call::program(folder.path());
    shell
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 16; exec \"$0\" run recipe.toml --out out",
        ])
        .arg(limited.get_program());
    shell
        .envs(
            limited
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(folder.path());
    let output = shell.output().expect("starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("cannot write") && message.contains("state.safetensors")
            || message.contains("adapter_model.safetensors"),
        "{message}"
    );
    let out = folder.path().join("out");
    assert!(
        files(&out, "adapters").is_empty() && files(&out, "checkpoints").is_empty(),
        "no part of a file"
    );
    assert_eq!(files(&out, "answers").len(), 2 * 3, "what was done stays");
    call_line(folder.path(), "run recipe.toml --out out", 0);
    call_line(folder.path(), "run recipe.toml --out free", 0);
    crate::call::assert_same_results(
        &crate::call::results(&out),
        &crate::call::results(&folder.path().join("free")),
    );
}

// Promise: answers that contradict themselves or each other are not compared.
#[test]
fn answers_that_cannot_be_compared() {
    let folder = scratch();
    let model = tiny::model();
    let mini = tiny::mini();
    for (language, name) in [("de", "a"), ("sw", "b")] {
        let line = format!(
            "eval --model {model} --task emotion --data {mini} --few-shot builtin --languages {language} --limit 3 --out {name}.jsonl"
        );
        call_line(folder.path(), &line, 0);
    }
    refused(
        folder.path(),
        &["compare", "a.jsonl", "b.jsonl"],
        1,
        &["a.jsonl", "b.jsonl", "no language in common"],
    );
    refused(
        folder.path(),
        &["compare", "a.jsonl", "absent.jsonl"],
        1,
        &["absent.jsonl"],
    );
    let text = fs::read_to_string(folder.path().join("a.jsonl")).expect("reads");
    fs::write(folder.path().join("cut.jsonl"), &text[..text.len() - 30]).expect("writes");
    refused(
        folder.path(),
        &["compare", "a.jsonl", "cut.jsonl"],
        1,
        &["cut.jsonl:3"],
    );
    fs::write(
        folder.path().join("wrong.jsonl"),
        text.replacen("\"correct\":true", "\"correct\":false", 1),
    )
    .expect("writes");
    refused(
        folder.path(),
        &["compare", "a.jsonl", "wrong.jsonl"],
        1,
        &["wrong.jsonl:", "`correct` is false"],
    );
    fs::write(
        folder.path().join("fewer.jsonl"),
        text.lines().next().expect("a line"),
    )
    .expect("writes");
    refused(
        folder.path(),
        &["compare", "a.jsonl", "fewer.jsonl"],
        1,
        &["items"],
    );
    refused(
        folder.path(),
        &["report", "absent"],
        1,
        &["absent", "no answers"],
    );
}
