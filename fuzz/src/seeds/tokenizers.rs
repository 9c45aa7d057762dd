//! Tokenizers: byte-level BPE without merges, SentencePiece BPE of a few pieces.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json;

/// GPT-2's way to write the 256 bytes.
fn byte_alphabet() -> Vec<char> {
    let is_shown = |byte: u32| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut others = (0x100..).filter_map(char::from_u32);
    (0..256_u32)
        .filter_map(|byte| match is_shown(byte) {
            true => char::from_u32(byte),
            false => others.next(),
        })
        .collect()
}

fn byte_level(changes: &[(&str, Value)]) -> Vec<u8> {
    let mut vocabulary: BTreeMap<String, usize> = byte_alphabet()
        .into_iter()
        .map(String::from)
        .zip(0..)
        .collect();
    vocabulary.insert("<end>".to_owned(), 256);
    vocabulary.insert("ab".to_owned(), 257);
    let step = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let mut file = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "pre_tokenizer": step, "decoder": step,
        "added_tokens": [{"id": 256, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true}],
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary,
            "merges": [["a", "b"]]},
    });
    for (key, value) in changes {
        file[*key] = value.clone();
    }
    json(&file)
}

pub(crate) fn tokenizer_json() -> Vec<Vec<u8>> {
    let template = json!({"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<end>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<end>": {"id": "<end>", "ids": [256], "tokens": ["<end>"]}}});
    let normalizer = json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Replace",
        "pattern": {"String": " "}, "content": "_"}, {"type": "Prepend", "prepend": "_"}]});
    let split = json!({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}"},
        "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]});
    vec![
        byte_level(&[]),
        byte_level(&[("post_processor", template)]),
        byte_level(&[("normalizer", normalizer), ("pre_tokenizer", split)]),
    ]
}

pub(crate) fn tokenizer_config() -> Vec<Vec<u8>> {
    let added = json!({"256": {"content": "<end>", "lstrip": false, "normalized": false, "rstrip": false,
        "single_word": false, "special": true}});
    vec![
        json(&json!({"tokenizer_class": "GPT2Tokenizer", "bos_token": null, "eos_token": "<end>"})),
        json(
            &json!({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": {"content": "<end>", "lstrip": false},
            "added_tokens_decoder": added, "add_bos_token": false, "model_max_length": 1024,
            "additional_special_tokens": ["<end>"], "clean_up_tokenization_spaces": false}),
        ),
    ]
}

pub(crate) fn llama_config() -> Vec<u8> {
    json(
        &json!({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "add_bos_token": true, "add_eos_token": false, "legacy": true}),
    )
}

/// A field of a Protocol Buffers message that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length > 127 {
        out.push(length as u8 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(bytes);
    out
}

pub(crate) fn sentencepiece() -> Vec<Vec<u8>> {
    let special = [("<unk>", 2), ("<s>", 3), ("</s>", 3)];
    let bytes = (0..=255_u8).map(|byte| (format!("<0x{byte:02X}>"), 6));
    let plain =
        ["\u{2581}", "a", "b", "ab", "\u{2581}a", "\u{2581}ab"].map(|text| (text.to_owned(), 1));
    let pieces = special
        .map(|(text, kind)| (text.to_owned(), kind))
        .into_iter()
        .chain(bytes)
        .chain(plain);
    let mut model = Vec::new();
    for (index, (text, kind)) in pieces.enumerate() {
        let mut piece = field(1, text.as_bytes());
        piece.push(2 << 3 | 5);
        piece.extend((-(index as f32)).to_le_bytes());
        piece.extend([3 << 3, kind]);
        model.extend(field(1, &piece));
    }
    model.extend(field(2, &[3 << 3, 2])); // byte pair encoding
    model.extend(field(3, &[3 << 3, 1])); // a space before the text
    vec![model]
}

/// Chat templates with what published ones use.
pub(crate) fn chat_templates() -> Vec<Vec<u8>> {
    const TURNS: &str = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m.content | trim + '<|im_end|>' }}{% endfor %}";
    const MACROS: &str = "{%- macro turn(m) -%}{% generation %}{{ m | tojson(indent=2) }}{% endgeneration %}{%- endmacro -%}
{%- set ns = namespace(n=0) -%}
{%- for m in messages[::-1] -%}
{%- if m.role not in ['user', 'assistant'] %}{% continue %}{% endif -%}
{%- set ns.n = ns.n + loop.index0 % 2 -%}{{ turn(m) ~ ns.n }}
{%- endfor -%}{{ strftime_now('%d %b %Y') if add_generation_prompt else bos_token | default('x') }}";
    const CHECKS: &str = "{% if messages | length > 9 %}{{ raise_exception('too long') }}{% endif %}{{ messages[0].content.split('a')[-1].strip('\n') }}{{ messages[-1]['content'].upper()[1:4] }}";
    // The answer must be shown.
    let shown = |template: &str| format!("{template}{{{{ messages[-1].content }}}}").into_bytes();
    [TURNS, MACROS, CHECKS].map(shown).to_vec()
}
