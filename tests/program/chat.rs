//! docs/chat.md: an instruct model tuned and asked by its chat template, beside plain prompts.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    call::{call, call_line, json, json_lines, scratch},
    tiny,
};

const TEMPLATE: &str = "{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}\n{% endfor %}{% if \
                        add_generation_prompt %}assistant:{% endif %}";

/// The tiny model with this chat template, in `model`, and the shipped recipe for it.
fn place(template: Option<&str>) -> TempDir {
    let folder = scratch();
    tiny::make_model(&folder.path().join("model"));
    write_template(folder.path(), template);
    let recipe = fs::read_to_string(tiny::repository("recipes/chat.toml")).expect("shipped");
    let recipe = recipe
        .replace("smollm2-135m-instruct", "model")
        .replace("../assets/mini", &tiny::mini());
    fs::write(folder.path().join("chat.toml"), recipe).expect("writes");
    folder
}

fn write_template(folder: &Path, template: Option<&str>) {
    let config = json!({"tokenizer_class": "GPT2Tokenizer", "bos_token": null, "eos_token": "<end>",
        "chat_template": template});
    let path = folder.join("model/tokenizer_config.json");
    fs::write(path, config.to_string()).expect("writes");
}

const RUN: &str = "run chat.toml --out out --set model=./model --set train.max_steps=2 --set train.pairs=8 --set \
                   eval.languages=en,de --set eval.limit=4";

/// What an answer says, without the names of the model.
fn values(record: &Value) -> [Value; 4] {
    ["item", "scores", "log_probs", "prompt_tokens"].map(|key| record[key].clone())
}

// Promise: one recipe tunes an instruct model and asks it plainly and in a chat, and one report
// shows both.
#[test]
fn an_instruct_model_is_tuned_and_asked_by_its_template() {
    let folder = place(Some(TEMPLATE));
    let root = folder.path();
    call_line(root, RUN, 0);

    let answers = |path: &str| json_lines(&root.join("out/answers").join(path));
    let (plain, chat) = (
        answers("base/emotion.english.de.jsonl"),
        answers("base/chat/emotion.english.de.jsonl"),
    );
    assert_eq!((plain.len(), chat.len()), (4, 4));
    assert_eq!(plain[0].get("prompt"), None, "as before there were chats");
    assert_eq!(chat[0]["prompt"], "chat");
    let meta = |path: &str| json(&root.join("out/answers").join(path))["evaluations"][0].clone();
    let of_plain = meta("base/emotion.english.de.jsonl.meta.json");
    let of_chat = meta("base/chat/emotion.english.de.jsonl.meta.json");
    assert_eq!(of_plain.get("template_sha256"), None);
    assert_eq!(
        of_chat["template_sha256"],
        hub::hash_bytes(TEMPLATE.as_bytes())
    );
    assert_ne!(of_plain["prompts_sha256"], of_chat["prompts_sha256"]);

    let kept = json_lines(&root.join("out/questions/emotion.de.jsonl"));
    let way = kept.iter().find(|line| line["prompt"] == "chat");
    let frame = way.expect("a chat")["frame"].clone();
    assert!(
        frame[1]
            .as_str()
            .is_some_and(|end| end.ends_with("assistant:")),
        "{frame}"
    );
    let page = fs::read_to_string(root.join("out/report/questions/texts/emotion.de.js"));
    let page = page.expect("texts");
    let (checked, differing) = ("\"other\":[],\"unchecked\":false", "\"other\":[");
    assert!(
        page.contains(checked) && page.matches(differing).count() == page.matches(checked).count(),
        "{page}"
    );

    let forms = json(&root.join("out/report/results.json"))["forms"].clone();
    let forms = forms.as_array().expect("a list");
    let models: Vec<&str> = forms
        .iter()
        .filter_map(|form| form["model"].as_str())
        .collect();
    assert_eq!(models, ["base", "emotion.zh-de-en.seed1"]);
    let right = |records: &[Value]| {
        records
            .iter()
            .filter(|record| record["correct"] == true)
            .count()
    };
    let english = answers("base/chat/emotion.english.en.jsonl");
    let mean = (right(&chat) + right(&english)) as f64 / 8.0;
    assert_eq!(
        forms[0]["mean"]["after"]["value"], mean,
        "both languages in the chat"
    );
    let page = fs::read_to_string(root.join("out/report/report.md")).expect("a report");
    for part in [
        "emotion, English label words, asked in a chat",
        "| english, chat | base ",
        "The same questions asked plainly and by the",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }

    let asked = format!(
        "--task emotion --data {} --languages de --few-shot builtin --limit 4",
        tiny::mini()
    );
    let eval = |form: &str| {
        let line = format!("eval --model model {asked} --prompt {form} --out {form}.jsonl");
        call_line(root, &line, 0);
        json_lines(&root.join(format!("{form}.jsonl")))
    };
    for (form, of_run) in [("plain", &plain), ("chat", &chat)] {
        let records = eval(form);
        assert!(
            records.iter().map(values).eq(of_run.iter().map(values)),
            "{form}"
        );
    }
    let one = eval("chat-one-turn");
    assert!(
        !one.iter().map(values).eq(chat.iter().map(values)),
        "another prompt"
    );
    let compared = call_line(root, "compare plain.jsonl chat.jsonl", 0).stdout;
    assert!(
        compared.contains("differs: prompt is `plain` in one and `chat` in the other"),
        "{compared}"
    );

    let again = call_line(root, RUN, 0);
    assert!(
        !again.stderr.contains("eval base"),
        "nothing is asked again: {}",
        again.stderr
    );
    let other = TEMPLATE.replace(": ", "> ");
    fs::write(root.join("model/chat_template.jinja"), other).expect("writes");
    let changed = call_line(root, RUN, 1).stderr;
    assert!(
        changed.contains("--redo"),
        "another template is another question: {changed}"
    );
}

#[test]
fn a_template_answers_one_question_and_its_absence_is_said_before_anything_is_made() {
    let folder = place(Some(TEMPLATE));
    let root = folder.path();
    let ask = [
        "generate",
        "--model",
        "model",
        "--chat",
        "--prompt",
        "Hello",
        "--max-new-tokens",
        "3",
    ];
    let chat = call(root, &ask, 0).stdout;
    let whole = [
        "generate",
        "--model",
        "model",
        "--prompt",
        "user: Hello<end>\nassistant:",
        "--max-new-tokens",
        "3",
    ];
    assert_eq!(chat, call(root, &whole, 0).stdout, "the template's text");
    let system = ["--system", "Be brief"];
    let with_system = call(root, &[&ask[..], &system].concat(), 0).stdout;
    let mut whole = whole;
    whole[4] = "system: Be brief<end>\nuser: Hello<end>\nassistant:";
    assert_eq!(with_system, call(root, &whole, 0).stdout);
    let plain: Vec<&str> = ask
        .iter()
        .copied()
        .filter(|word| *word != "--chat")
        .collect();
    let refused = call(root, &[&plain[..], &system].concat(), 2).stderr;
    assert!(refused.contains("--chat"), "{refused}");
    let only_users = "{% for m in messages if m.role != 'system' %}{{ m.role + ': ' + m.content + eos_token }}\n{% endfor %}{% if \
                      add_generation_prompt %}assistant:{% endif %}";
    write_template(root, Some(only_users));
    let refused = call(root, &[&ask[..], &system].concat(), 1).stderr;
    assert!(
        refused.contains("has no place for a system message"),
        "{refused}"
    );

    write_template(root, None);
    let missing =
        "there is none: no chat_template.jinja, and no `chat_template` in tokenizer_config.json";
    let refused = call(root, &ask, 1).stderr;
    assert!(refused.contains(missing), "{refused}");
    let refused = call_line(root, RUN, 1).stderr;
    assert!(refused.contains(missing), "{refused}");
    assert!(!root.join("out/answers").exists() && !root.join("out/train").exists());

    write_template(root, Some("{{ raise_exception('only tools') }}"));
    let refused = call_line(root, RUN, 1).stderr;
    assert!(
        refused.contains("refuses the conversation: only tools; ask without it (`plain`)"),
        "{refused}"
    );
    let line =
        "eval --model model --task emotion --prompt chat --lm-eval results --out x.jsonl --data .";
    let refused = call_line(root, line, 1).stderr;
    assert!(
        refused.contains("lm-evaluation-harness has chat templates of its own"),
        "{refused}"
    );
    let refused = call_line(root, "check chat.toml --set train.prompt=chat-one-turn", 1).stderr;
    assert!(
        refused.contains("train.prompt: unknown value `chat-one-turn`; one of: plain, chat"),
        "{refused}"
    );
    let line = "check chat.toml --set eval.few_shot=file:shots.json --set eval.prompt=chat";
    let refused = call_line(root, line, 1).stderr;
    assert!(
        refused.contains("eval.few_shot: the text of a file cannot be cut into the turns"),
        "{refused}"
    );
}
