//! Prompts that go on, files of the cache, and logs off a terminal, as a user meets them.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    call::{call, call_line, json, json_lines, program, scratch},
    tiny,
};

/// The tiny model with a template that puts `<end>` behind every text.
fn ending_model(folder: &Path) -> String {
    tiny::make_model(folder);
    let path = folder.join("tokenizer.json");
    let mut tokenizer = json(&path);
    tokenizer["post_processor"] = json!({"type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<end>", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<end>": {"id": "<end>", "ids": [256], "tokens": ["<end>"]}}});
    fs::write(&path, tokenizer.to_string()).expect("writes");
    folder.to_str().expect("a UTF-8 path").to_owned()
}

/// What an evaluation measured, without what names the model.
fn scores(folder: &Path, model: &str) -> Vec<Value> {
    let mini = tiny::mini();
    let line = format!(
        "eval --model {model} --task emotion --data {mini} --few-shot builtin --languages de --limit 4 --out answers.jsonl"
    );
    call_line(folder, &line, 0);
    let records = json_lines(&folder.join("answers.jsonl")).into_iter();
    let scores = records.map(|record| json!([record["scores"], record["prompt_tokens"]]));
    let scores = scores.collect();
    fs::remove_file(folder.join("answers.jsonl")).expect("removes");
    scores
}

// Promise: what a tokenizer adds behind a text is for texts that are over; no prompt has it.
#[test]
fn nothing_stands_between_a_prompt_and_what_follows() {
    let folder = scratch();
    let ending = ending_model(&folder.path().join("ending"));
    let plain = scores(folder.path(), tiny::model());
    assert!(plain.iter().all(|record| !record[0].is_null()), "{plain:?}");
    assert_eq!(scores(folder.path(), &ending), plain);

    let say = |model: &str| {
        let args = [
            "generate",
            "--model",
            model,
            "--prompt",
            "ab",
            "--max-new-tokens",
            "8",
        ];
        call(folder.path(), &args, 0).stdout
    };
    assert_eq!(say(&ending), say(tiny::model()));

    fs::write(folder.path().join("rows.jsonl"), "{\"text\": \"ab\"}\n").expect("writes");
    let states = |model: &str| {
        let out = "states.safetensors";
        let line =
            format!("capture --model {model} --input rows.jsonl --tensors logits.last --out {out}");
        call_line(folder.path(), &line, 0);
        let bytes = fs::read(folder.path().join(out)).expect("reads");
        fs::remove_file(folder.path().join(out)).expect("removes");
        // The numbers stand at the end, behind what names the model.
        bytes[bytes.len() - 64..].to_vec()
    };
    assert_eq!(states(&ending), states(tiny::model()));
}

// Promise: a log in a file is plain text.
#[test]
fn logs_off_a_terminal_have_no_colours() {
    let folder = scratch();
    let args = ["-v", "generate", "--model", tiny::model(), "--prompt", "ab"];
    let printed = call(folder.path(), &args, 0);
    assert!(printed.stderr.contains("INFO"), "{}", printed.stderr);
    assert!(!printed.stderr.contains('\u{1b}'), "{:?}", printed.stderr);
}

// Promise: `model verify` finds a damaged file by name and fails.
#[test]
fn verify_names_a_damaged_file() {
    let folder = scratch();
    let dir = folder.path().join("cache/hub/org--tiny/main");
    fs::create_dir_all(&dir).expect("a folder");
    let mut files = Vec::new();
    for (name, content) in [("config.json", "{}"), ("model.safetensors", "weights")] {
        fs::write(dir.join(name), content).expect("writes");
        let sha256 = hub::hash_bytes(content.as_bytes());
        files.push(json!({"name": name, "size": content.len(), "sha256": sha256}));
    }
    let source = json!({"source": "hub", "id": "org/tiny", "revision": "main", "commit": null, "files": files});
    fs::write(dir.join("source.json"), source.to_string()).expect("writes");
    let verify = |args: &[&str], code: i32| {
        let mut command = program(folder.path());
        command.env("LINGUALIGN_CACHE", folder.path().join("cache"));
        let called = assert_cmd::Command::from_std(command)
            .args(["model", "verify"])
            .args(args)
            .assert()
            .code(code);
        let output = called.get_output();
        String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
    };
    assert_eq!(verify(&["org/tiny"], 0).matches("whole\t").count(), 2);
    fs::write(dir.join("model.safetensors"), "weighst").expect("writes");
    for args in [&["org/tiny"][..], &[]] {
        let said = verify(args, 1);
        assert!(
            said.contains("damaged\t") && said.contains("model.safetensors\tSHA-256 is"),
            "{said}"
        );
        assert!(
            said.contains("1 of 2 files") && said.contains("--force"),
            "{said}"
        );
    }
    let said = verify(&[tiny::model()], 1);
    assert!(said.contains("no hash of it was recorded"), "{said}");
    let said = call_line(
        folder.path(),
        &format!("model pull {} --force", tiny::model()),
        1,
    );
    assert!(
        said.stderr.contains("nothing to fetch it from"),
        "{}",
        said.stderr
    );
}

/// The tiny model, with a value in the middle of its last tensor that is no number.
fn broken_model(folder: &Path) -> String {
    tiny::make_model(folder);
    let path = folder.join("model.safetensors");
    let mut bytes = fs::read(&path).expect("reads");
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, bytes).expect("writes");
    folder.to_str().expect("a UTF-8 path").to_owned()
}

// Promise: where a number comes out that is none, every command fails and names the model's files.
#[test]
fn what_is_not_finite_is_refused_with_the_files() {
    let folder = scratch();
    let model = broken_model(&folder.path().join("broken"));
    fs::write(folder.path().join("rows.jsonl"), "{\"ids\": [1, 2]}\n").expect("writes");
    fs::write(folder.path().join("lines.jsonl"), "{\"text\": \"ab\"}\n").expect("writes");
    tiny::write_recipe(folder.path());
    let mini = tiny::mini();
    for line in [
        format!("capture --model {model} --input rows.jsonl --out a.safetensors"),
        format!(
            "eval --model {model} --task emotion --data {mini} --languages de --few-shot zero --limit 1 --out a.jsonl"
        ),
        format!("generate --model {model} --prompt ab --max-new-tokens 4"),
        format!("run recipe.toml --out out --set model={model}"),
        format!(
            "data translate --engine model --model {model} --in lines.jsonl --from en --to de --cache c.redb --out b.jsonl"
        ),
    ] {
        let said = call_line(folder.path(), &line, 1).stderr;
        assert!(said.contains(&model), "{line}: {said}");
        assert!(
            said.contains("not finite") || said.contains("NaN"),
            "{line}: {said}"
        );
    }
}

// Promise: a prompt beyond the context is said by every command that takes one.
#[test]
fn prompts_beyond_the_context_are_said() {
    let folder = scratch();
    let short = folder.path().join("short");
    tiny::make_model(&short);
    let mut config = json(&short.join("config.json"));
    config["max_position_embeddings"] = json!(8);
    fs::write(short.join("config.json"), config.to_string()).expect("writes");
    let model = short.to_str().expect("a UTF-8 path");
    let rows = "{\"ids\": [1, 2, 3]}\n{\"ids\": [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n";
    fs::write(folder.path().join("rows.jsonl"), rows).expect("writes");
    let line = format!("capture --model {model} --input rows.jsonl --out a.safetensors");
    let said = call_line(folder.path(), &line, 0).stderr;
    let wanted = "note: rows longer than the model's context (max_position_embeddings, 8): 1 of 2, the longest has 9 tokens";
    assert!(said.contains(wanted), "{said}");

    let generate = |prompt: &str| {
        let line = format!("generate --model {model} --prompt {prompt} --max-new-tokens 3");
        call_line(folder.path(), &line, 0).stderr
    };
    let wanted =
        "note: the prompt has 7 tokens and the answer 3, together more than the model's context";
    assert!(
        generate("abcdefg").contains(wanted),
        "{}",
        generate("abcdefg")
    );
    assert!(!generate("abc").contains("context"), "{}", generate("abc"));

    fs::write(
        folder.path().join("lines.jsonl"),
        "{\"text\": \"a long line\"}\n",
    )
    .expect("writes");
    let line = format!(
        "data translate --engine model --model {model} --in lines.jsonl --from en --to de --cache c.redb --out b.jsonl"
    );
    let said = call_line(folder.path(), &line, 1).stderr;
    assert!(
        said.contains("more than the model's context of 8")
            && said.contains("it begins `a long line`"),
        "{said}"
    );
}
