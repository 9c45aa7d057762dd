//! Questions and pairs as conversations: where an answer begins and ends, in the forms of
//! published models, and their tokens.

mod common;

use std::{fs, path::Path};

use common::{folder, test_file};
use data::{
    Tokenizer, TranslationPair,
    chat::Message,
    example, label_tokens,
    prompt::{self, AnswerTurn, Rendered},
    tasks::task,
    testset,
};
use schema::{Asking, FewShot, LabelSet, Language, PromptForm, Protocol, Scorers, Scoring};
use serde_json::{Value, json};

const FORMS: &str = include_str!("../../../tests/golden/chats/chats.json");
const SPECIAL: [&str; 14] = [
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "[INST]",
    "[/INST]",
    "<end_of_turn>",
    "<|eot_id|>",
    "<|end|>",
    "<|END_RESPONSE|>",
    "<|return|>",
    "[|endofturn|]",
    "<｜end▁of▁sentence｜>",
    "<|assistant_end|>",
];

/// The template of a form in the golden file.
fn form(name: &str) -> String {
    let golden: Value = serde_json::from_str(FORMS).expect("JSON");
    let forms = golden["forms"].as_array().expect("a list");
    let found = forms.iter().find(|form| form["name"] == name).expect(name);
    found["template"].as_str().expect("a text").to_owned()
}

/// Byte-level BPE that merges a space with what follows and nothing else, with special tokens
/// from id 300; BOS is added before every text.
fn write_model(dir: &Path, template: Option<&str>) {
    let mut others = 0x100_u32..;
    let character = |byte: u32| match byte {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => byte,
        _ => others.next().expect("endless"),
    };
    let alphabet = (0..256).map(character).filter_map(char::from_u32);
    let mut vocab: serde_json::Map<String, Value> = alphabet
        .zip(0..)
        .map(|(c, id)| (c.to_string(), json!(id)))
        .collect();
    vocab.insert("Ġn".to_owned(), json!(256));
    let special: Vec<Value> = SPECIAL
        .iter()
        .zip(300..)
        .map(|(content, id)| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        })
        .collect();
    for token in &special {
        vocab.insert(
            token["content"].as_str().expect("a text").to_owned(),
            token["id"].clone(),
        );
    }
    let step = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let bos = json!({"SpecialToken": {"id": "<s>", "type_id": 0}});
    let first = json!({"Sequence": {"id": "A", "type_id": 0}});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "post_processor": {"type": "TemplateProcessing", "single": [bos, first], "pair": [bos, first],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [300], "tokens": ["<s>"]}}},
        "pre_tokenizer": step, "decoder": step, "added_tokens": special,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab,
            "merges": [["Ġ", "n"]]},
    });
    let config = json!({"bos_token": "<s>", "eos_token": "</s>", "chat_template": template});
    fs::write(dir.join("tokenizer.json"), tokenizer.to_string()).expect("writes");
    fs::write(dir.join("tokenizer_config.json"), config.to_string()).expect("writes");
}

fn tokenizer(template: &str) -> Tokenizer {
    let dir = tempfile::tempdir().expect("a folder");
    write_model(dir.path(), Some(template));
    Tokenizer::from_folder(dir.path()).expect("a tokenizer")
}

fn asking(form: PromptForm, few_shot: FewShot) -> Asking {
    Asking {
        labels: LabelSet::English,
        scoring: Scoring::Prefix,
        scorers: Scorers::All,
        protocol: Some(Protocol::Paper),
        few_shot,
        limit: None,
        greedy: 0,
        prompt: form,
    }
}

fn render(tokenizer: &Tokenizer, asking: &Asking) -> Result<Rendered, String> {
    let task = task("snli").expect("shipped");
    let golds = ["neutral", "contradiction", "entailment"];
    let data = folder(task, &[("snli_en3_test.json", &test_file(task, &golds))]);
    let set = testset::load(data.path(), task, Language::En, asking.protocol).expect("loads");
    prompt::ask(tokenizer, task, &set, asking).map_err(|error| error.to_string())
}

/// What a form writes between a question and an answer, the spaces before it, and what ends it.
const ENDS: [(&str, &str, &str, &str); 21] = [
    (
        "chatml",
        "<|im_end|>\n<|im_start|>assistant\n",
        "",
        "<|im_end|>",
    ),
    (
        "qwen3",
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "",
        "<|im_end|>",
    ),
    (
        "qwen3-thinking",
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        "",
        "<|im_end|>",
    ),
    (
        "smollm3",
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n",
        "",
        "<|im_end|>",
    ),
    ("llama2", " [/INST]", " ", " </s>"),
    (
        "llama3",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "",
        "<|eot_id|>",
    ),
    ("mistral-v1", " [/INST]", "", "</s>"),
    ("mistral-v3", "[/INST]", " ", "</s>"),
    (
        "gemma",
        "<end_of_turn>\n<start_of_turn>model\n",
        "",
        "<end_of_turn>",
    ),
    (
        "command-r7b",
        "<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>",
        "",
        "<|END_RESPONSE|>",
    ),
    ("phi3", "<|end|>\n<|assistant|>\n", "", "<|end|>"),
    (
        "glm4.5",
        "/nothink<|assistant|>\n<think></think>\n",
        "",
        "</s>",
    ),
    (
        "exaone4",
        "[|endofturn|]\n[|assistant|]<think>\n\n</think>\n\n",
        "",
        "[|endofturn|]",
    ),
    (
        "apertus",
        "<|user_end|><|assistant_start|>",
        "",
        "<|assistant_end|>",
    ),
    ("olmo2", "\n<|assistant|>\n", "", "</s>"),
    (
        "deepseek-v3.1",
        "<｜Assistant｜></think>",
        "",
        "<｜end▁of▁sentence｜>",
    ),
    (
        "gpt-oss",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
        "",
        "<|return|>",
    ),
    ("ernie4.5", "\nAssistant:", " ", "</s>"),
    ("solar", "\n\n### Assistant:\n", "", "</s>"),
    ("teuken", "\nAssistant:", " ", "</s>"),
    (
        "seed-oss",
        "<seed:eos><seed:bos>assistant\n<seed:think>\n</seed:think>",
        "",
        "</s>",
    ),
];

#[test]
fn an_answer_begins_and_ends_as_the_template_writes_a_finished_one() {
    for (name, opening, before, after) in ENDS {
        let tokenizer = tokenizer(&form(name));
        let template = tokenizer.chat_template().expect("a template");
        let messages = [Message::user("Is it?")];
        let turn = AnswerTurn::find_without_thought(&template, &tokenizer, &messages).expect(name);
        let text = turn.render(&template, &messages).expect(name);
        let (_, found) = text.rsplit_once("Is it?").expect("the question");
        let frame = (turn.frame.before.as_str(), turn.frame.after.as_str());
        assert_eq!((found, frame), (opening, (before, after)), "{name}");
    }
}

#[test]
fn exemplars_are_turns_or_lines_of_the_questions_turn() {
    let tokenizer = tokenizer(&form("chatml"));
    let turns = render(&tokenizer, &asking(PromptForm::Chat, FewShot::Head(1))).expect("renders");
    let question =
        |at: usize| format!("Premise: premise {at}\nHypothesis: hypothesis {at}\nAnswer:");
    let user = |text: &str| format!("<|im_start|>user\n{text}<|im_end|>\n");
    let end = "<|im_start|>assistant\n";
    let shown = user(&question(0)) + end + "neutral<|im_end|>\n";
    assert_eq!(
        turns.prompts[0].text,
        shown.clone() + &user(&question(1)) + end
    );
    assert_eq!(
        turns.prompts[1].text,
        shown.clone() + &user(&question(2)) + end
    );
    let empty = "Premise: N/A\nHypothesis: N/A\nAnswer:";
    assert_eq!(turns.content_free[0], shown + &user(empty) + end);
    assert_eq!(turns.closing, user("Answer:") + end, "no exemplars");
    assert_eq!(
        turns.template_sha256.as_deref(),
        Some(tokenizer.chat_template().expect("one").sha256())
    );

    let one = render(
        &tokenizer,
        &asking(PromptForm::ChatOneTurn, FewShot::Head(1)),
    )
    .expect("renders");
    let lines = format!("{} neutral\n{}", question(0), question(1));
    assert_eq!(one.prompts[0].text, user(&lines) + end);

    let plain = render(&tokenizer, &asking(PromptForm::Plain, FewShot::Head(1))).expect("renders");
    assert!(
        plain.prompts[0].text.ends_with("Answer: \""),
        "as ever: {}",
        plain.prompts[0].text
    );
    assert_eq!((plain.template_sha256, plain.answer.is_chat), (None, false));
}

#[test]
fn the_template_writes_the_special_tokens_and_labels_follow_its_prompt() {
    let tokenizer = tokenizer(&form("llama2"));
    let rendered =
        render(&tokenizer, &asking(PromptForm::Chat, FewShot::Head(0))).expect("renders");
    let texts = rendered.texts();
    let ids = rendered.encode(&tokenizer, &texts).expect("encodes");
    assert_eq!(tokenizer.added_before(), [300]);
    for prompt in &ids {
        assert_eq!(
            prompt.iter().filter(|&&id| id == 300).count(),
            1,
            "one BOS: {prompt:?}"
        );
        assert_eq!(
            (prompt[0], prompt.last()),
            (300, Some(&305)),
            "from <s> to [/INST]"
        );
    }
    let words = ["no", "nono", "yes"].map(str::to_owned);
    let found = label_tokens::sequences(&tokenizer, texts[0], &words[..1], &rendered.answer)
        .expect("encodes");
    assert_eq!(found.kept, ids[0].len(), "nothing of the prompt is merged");
    assert_eq!(
        found.rows,
        [[256, u32::from(b'o')]],
        "a space and `n` are one token"
    );
    // `no` begins `nono`, so that the end of the turn tells them apart.
    let found =
        label_tokens::sequences(&tokenizer, texts[0], &words, &rendered.answer).expect("encodes");
    assert!(
        found.rows.iter().all(|row| row.last() == Some(&301)),
        "{found:?}"
    );
}

#[test]
fn a_pair_is_a_question_and_an_answer_that_ends() {
    let tokenizer = tokenizer(&form("llama2"));
    let pair = TranslationPair {
        source: "eins zwei drei vier fünf sechs sieben\n".into(),
        target: "no".into(),
        language: Language::De,
        into: None,
        item: 0,
    };
    let encode = |cutoff| {
        let pairs = [pair.clone()];
        example::encode_all(&tokenizer, &pairs, cutoff, PromptForm::Chat).map_err(|e| e.to_string())
    };
    let whole = encode(500).expect("encodes");
    let example = &whole.examples[0];
    let (asked, learnt) = example.input_ids.split_at(example.prompt_len);
    assert_eq!(asked[0], 300, "the template's BOS");
    assert_eq!(
        asked.iter().filter(|&&id| id == 300).count(),
        1,
        "and no other"
    );
    assert_eq!(asked.last(), Some(&305), "up to [/INST]");
    assert_eq!(
        learnt,
        [256, u32::from(b'o'), 32, 301],
        "the answer, and the end of its turn"
    );
    assert_eq!(whole.cut, 0);

    let short = encode(50).expect("encodes");
    let cut = &short.examples[0];
    assert_eq!((cut.input_ids.len(), short.cut), (50, 1));
    let tail = cut.input_ids[..cut.prompt_len].iter().rev().take(2);
    assert_eq!(
        tail.collect::<Vec<_>>(),
        [&305, &32],
        "what the template writes stays"
    );
    assert_eq!(
        &cut.input_ids[cut.prompt_len..],
        learnt,
        "and so does a short answer"
    );
    let error = encode(5).expect_err("no room");
    assert!(
        error.contains("a cutoff of 5 tokens leaves no room"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_asked_in_a_chat_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    write_model(dir.path(), None);
    let bare = Tokenizer::from_folder(dir.path()).expect("a tokenizer");
    let error = |tokenizer: &Tokenizer, few_shot: FewShot| {
        render(tokenizer, &asking(PromptForm::Chat, few_shot)).expect_err("refused")
    };
    let missing = error(&bare, FewShot::Head(0));
    assert!(
        missing.contains(
            "there is none: no chat_template.jinja, and no `chat_template` in tokenizer_config.json"
        ),
        "{missing}"
    );
    assert!(
        render(&bare, &asking(PromptForm::Plain, FewShot::Head(0))).is_ok(),
        "plain needs none"
    );
    let thought = error(&tokenizer(&form("deepseek-r1")), FewShot::Head(0));
    assert!(
        thought.contains("begins every answer with a thought"),
        "{thought}"
    );
    let silent = error(
        &tokenizer("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"),
        FewShot::Head(0),
    );
    assert!(
        silent.contains("leaves out what the model says"),
        "{silent}"
    );
    let refused = error(
        &tokenizer("{{ raise_exception('never') }}"),
        FewShot::Head(0),
    );
    assert!(
        refused.contains("refuses the conversation: never; "),
        "{refused}"
    );

    let file = dir.path().join("shots.json");
    fs::write(
        &file,
        json!({"snli": {"en": "Premise: a\nHypothesis: b\nAnswer: \"neutral\""}}).to_string(),
    )
    .expect("writes");
    let shots = FewShot::File(file);
    let chatml = tokenizer(&form("chatml"));
    assert!(error(&chatml, shots.clone()).contains("choose `chat-one-turn`"));
    let one = render(&chatml, &asking(PromptForm::ChatOneTurn, shots)).expect("renders");
    assert!(
        one.prompts[0]
            .text
            .starts_with("<|im_start|>user\nPremise: a\n"),
        "{}",
        one.prompts[0].text
    );
}

#[test]
fn where_a_template_is_found() {
    let dir = tempfile::tempdir().expect("a folder");
    let template = |dir: &Path| {
        Tokenizer::from_folder(dir)
            .expect("a tokenizer")
            .chat_template()
    };
    let text = |dir: &Path| {
        let found = template(dir).expect("a template");
        found.render(&[Message::user("x")], true).expect("renders")
    };
    write_model(dir.path(), None);
    fs::write(
        dir.path().join("chat_template.json"),
        json!({"chat_template": "json"}).to_string(),
    )
    .expect("writes");
    assert_eq!(text(dir.path()), "json");
    let named = json!({"bos_token": "<s>", "eos_token": "</s>", "chat_template": [
        {"name": "tool_use", "template": "tools"}, {"name": "default", "template": "{{ bos_token }}named{{ eos_token }}"},
    ]});
    fs::write(dir.path().join("tokenizer_config.json"), named.to_string()).expect("writes");
    assert_eq!(text(dir.path()), "<s>named</s>");
    fs::write(dir.path().join("chat_template.jinja"), "file\n").expect("writes");
    assert_eq!(text(dir.path()), "file");
    fs::remove_file(dir.path().join("chat_template.jinja")).expect("removes");
    let tools = json!({"chat_template": [{"name": "tool_use", "template": "tools"}]});
    fs::write(dir.path().join("tokenizer_config.json"), tools.to_string()).expect("writes");
    let error = template(dir.path()).err().expect("refused").to_string();
    assert!(
        error.contains("none of the templates is named `default`"),
        "{error}"
    );
}
