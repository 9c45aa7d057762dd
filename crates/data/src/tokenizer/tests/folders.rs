//! Hugging Face folders read as transformers 5.24 reads them. The folders are those of
//! `tests/differential/tokenizer_folders.py` made small; what is expected was read from transformers.

use serde_json::{Value, json};

use super::*;

/// The tiny SentencePiece vocabulary as `tokenizer.json`.
fn saved() -> Value {
    let text = sentencepiece().inner.to_string(false).expect("serialises");
    serde_json::from_str(&text).expect("json")
}

fn template(single: &[&str]) -> Value {
    let parts: Vec<Value> = single
        .iter()
        .map(|part| match *part {
            "A" => json!({"Sequence": {"id": "A", "type_id": 0}}),
            name => json!({"SpecialToken": {"id": name, "type_id": 0}}),
        })
        .collect();
    json!({"type": "TemplateProcessing", "single": parts,
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
            "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}})
}

fn open(saved: &Value, config: &Value) -> Tokenizer {
    read(saved, config).expect("builds")
}

fn read(saved: &Value, config: &Value) -> Result<Tokenizer, DataError> {
    load(&[
        ("tokenizer.json", saved.to_string().as_bytes()),
        ("tokenizer_config.json", config.to_string().as_bytes()),
    ])
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode(text).expect("encodes")
}

#[test]
fn the_post_processor_alone_decides_what_comes_before() {
    let mut saved = saved();
    for class in ["PreTrainedTokenizerFast", "LlamaTokenizerFast"] {
        for said in [true, false] {
            let config = json!({"tokenizer_class": class, "bos_token": "<s>", "eos_token": "</s>",
                "add_bos_token": said, "add_eos_token": said});
            saved["post_processor"] = Value::Null;
            assert_eq!(ids(&open(&saved, &config), "abc"), [261, 267], "{class}");
            saved["post_processor"] = template(&["<s>", "A"]);
            let tokenizer = open(&saved, &config);
            assert_eq!(ids(&tokenizer, "abc"), [1, 261, 267], "{class}");
            assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
        }
    }
}

#[test]
fn nothing_is_put_behind_a_text_that_goes_on() {
    let mut saved = saved();
    saved["post_processor"] = template(&["<s>", "A", "</s>"]);
    assert_eq!(ids(&open(&saved, &json!({})), "abc"), [1, 261, 267]);

    let file = sentencepiece_file(2);
    let config = br#"{"add_bos_token": true, "add_eos_token": true}"#;
    let from_file = load(&[
        ("tokenizer.model", &file),
        ("tokenizer_config.json", config),
    ]);
    assert_eq!(ids(&from_file.expect("builds"), "abc"), [1, 261, 267]);

    let mut header = sentencepiece_header();
    let key = "tokenizer.ggml.add_eos_token".to_owned();
    header.metadata.insert(key, hub::gguf::Value::Bool(true));
    let from_gguf = Tokenizer::from_gguf(&header).expect("builds");
    assert_eq!(ids(&from_gguf, "abc"), [1, 261, 267]);
}

#[test]
fn a_token_that_only_the_configuration_names_is_one_id() {
    let saved = saved();
    let next = saved["model"]["vocab"].as_object().expect("a map").len() as u32;
    let listed = json!({"content": "[A]", "lstrip": false, "normalized": false, "rstrip": false,
        "single_word": false, "special": true});
    let configs = [
        json!({"added_tokens_decoder": {next.to_string(): listed}}),
        json!({"additional_special_tokens": ["[A]"]}),
        json!({"extra_special_tokens": ["[A]"]}),
        json!({"extra_special_tokens": {"a_token": "[A]"}}),
        json!({"additional_special_tokens": [{"content": "[A]", "__type": "AddedToken"}]}),
        json!({"image_token": "[A]"}),
        json!({"pad_token": "[A]"}),
    ];
    for config in configs {
        let tokenizer = open(&saved, &config);
        assert_eq!(ids(&tokenizer, "ab[A]"), [261, next], "{config}");
    }
    let split = json!({"extra_special_tokens": ["[A]"], "split_special_tokens": true});
    assert!(!ids(&open(&saved, &split), "ab[A]").contains(&next));
    let elsewhere = json!({"added_tokens_decoder": {(next + 1).to_string(): listed}});
    let error = read(&saved, &elsewhere)
        .expect_err("not its id")
        .to_string();
    assert!(error.contains(&format!("it gets {next}")), "{error}");
}

#[test]
fn a_class_that_builds_its_own_steps_does_so() {
    let saved = saved();
    let with = |config: Value| ids(&open(&saved, &config), " ab");
    // As saved: `▁` before the text, whatever it begins with.
    assert_eq!(with(json!({})), [264, 261]);
    assert_eq!(with(json!({"tokenizer_class": "LlamaTokenizer"})), [261]);
    let legacy = json!({"tokenizer_class": "LlamaTokenizerFast", "legacy": true});
    assert_eq!(ids(&open(&saved, &legacy), "ab</s>ab"), [261, 2, 261]);
    let present = json!({"tokenizer_class": "LlamaTokenizerFast"});
    assert_eq!(ids(&open(&saved, &present), "ab</s>ab"), [261, 2, 259]);
    for (class, wanted) in [
        ("Qwen2Tokenizer", "is for another kind of vocabulary"),
        ("GemmaTokenizer", "builds its own steps"),
    ] {
        let error = read(&saved, &json!({"tokenizer_class": class})).expect_err("refused");
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[test]
fn what_is_random_or_cuts_is_off() {
    let mut saved = saved();
    saved["model"]["dropout"] = json!(0.5);
    saved["truncation"] =
        json!({"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0});
    let tokenizer = open(&saved, &json!({}));
    for _ in 0..20 {
        assert_eq!(ids(&tokenizer, "abcabc"), [261, 267, 259, 267]);
    }
}

#[test]
fn spaces_before_punctuation_stay_where_the_vocabulary_is_bpe() {
    let saved = saved();
    let words = [261, 267];
    for (config, wanted) in [
        (json!({"clean_up_tokenization_spaces": true}), "ab ab"),
        (
            json!({"clean_up_tokenization_spaces": true,
                "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": true}),
            "ab ab",
        ),
    ] {
        let tokenizer = open(&saved, &config);
        assert_eq!(tokenizer.decode(&[261, 261]).expect("decodes"), wanted);
        assert_eq!(tokenizer.decode(&words).expect("decodes"), "abc");
    }
    assert_eq!(
        super::super::tidy("he 's , yes . no n't".to_owned()),
        "he's, yes. non't"
    );
}

#[test]
fn hostile_steps_are_refused_before_they_take_memory() {
    let mut saved = saved();
    let step = json!({"type": "Replace", "pattern": {"Regex": "."}, "content": "▁".repeat(333)});
    saved["normalizer"] = json!({"type": "Sequence", "normalizers": [step, step, step]});
    let error = read(&saved, &json!({})).map(|tokenizer| tokenizer.encode("abcd").map(|_| ()));
    let message = match error {
        Ok(Err(error)) | Err(error) => error.to_string(),
        Ok(Ok(())) => panic!("encoded"),
    };
    assert!(message.contains("more than the"), "{message}");
}
