//! Recipes, tasks, tables, records.

use std::sync::Arc;

use parquet::{
    data_type::{ByteArray, ByteArrayType},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde_json::{Value, json};

use super::json;

pub(crate) fn recipes() -> Vec<Vec<u8>> {
    [
        include_str!("../../../recipes/quickstart.toml"),
        include_str!("../../../recipes/topic.toml"),
        include_str!("../../../recipes/inside.toml"),
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(crate) fn tasks() -> Vec<Vec<u8>> {
    [
        include_str!("../../../assets/examples/topic/topic.toml").replace("\"topic\"", "\"mine\""),
        include_str!("../../../assets/tasks/emotion.toml").replace("\"emotion\"", "\"mine\""),
        include_str!("../../../assets/tasks/belebele.toml").replace("\"belebele\"", "\"mine\""),
    ]
    .map(String::into_bytes)
    .to_vec()
}

pub(crate) fn test_sets() -> Vec<Vec<u8>> {
    let items = [
        ("Gut.", "positiv"),
        ("Schlecht.", "negativ"),
        ("\u{c4}rger", "negativ"),
    ]
    .map(|(input, answer)| json!({"input": input, "answer": answer}));
    vec![json(&json!(items))]
}

pub(crate) fn csv() -> Vec<Vec<u8>> {
    vec![
        b"text,label\nGut.,1\n\"Zwei\nZeilen, \"\"so\"\"\",0\n".to_vec(),
        b"\xef\xbb\xbftext,label,more\r\na,1,x\r\nb,0,y\r\n".to_vec(),
    ]
}

fn rows() -> [Value; 2] {
    [
        json!({"text": "Gut.", "label": 1, "more": {"a": [1, null]}}),
        json!({"text": "Schl\u{e4}cht \u{1f600}", "label": 0}),
    ]
}

pub(crate) fn json_list() -> Vec<Vec<u8>> {
    vec![json(&json!(rows()))]
}

pub(crate) fn json_lines() -> Vec<Vec<u8>> {
    vec![lines(&rows())]
}

fn lines(values: &[Value]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| format!("{value}\n").into_bytes())
        .collect()
}

pub(crate) fn parquet() -> Vec<Vec<u8>> {
    let schema = parse_message_type(
        "message m { required binary text (UTF8); required binary label (UTF8); }",
    )
    .expect("a schema");
    let mut bytes = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut file =
        SerializedFileWriter::new(&mut bytes, Arc::new(schema), properties).expect("opens");
    let mut group = file.next_row_group().expect("a group");
    while let Some(mut column) = group.next_column().expect("a column") {
        let texts = ["a", "bc", "def"].map(ByteArray::from);
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&texts, None, None).expect("writes");
        column.close().expect("closes");
    }
    group.close().expect("closes");
    file.close().expect("closes");
    vec![bytes]
}

pub(crate) fn llama_factory() -> Vec<Vec<u8>> {
    let list = json!({
        "a": {"file_name": "rows.json", "columns": {"prompt": "instruction", "response": "output"}},
        "b": {"file_name": "rows.json", "formatting": "sharegpt", "columns": {"messages": "messages"},
            "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}},
    });
    vec![json(&list)]
}

pub(crate) fn records() -> Vec<Vec<u8>> {
    let record = |item: usize| {
        let (gold, language) = (["positive", "negative"][item % 2], ["de", "sw"][item / 4]);
        json!({
            "model": "tiny", "adapter": null, "task": "emotion", "language": language, "item": item % 4, "gold": gold,
            "chosen": "positive", "correct": gold == "positive", "scores": {"positive": 0.75, "negative": 0.25},
            "prior": {"positive": 0.5, "negative": 0.5}, "prefix_scores": {"positive": 0.75, "negative": 0.25},
            "log_probs": {"positive": -0.5, "negative": -1.5}, "label_tokens": {"positive": 1, "negative": 2},
            "prior_log_probs": {"positive": -0.7, "negative": -0.7}, "domain_log_probs": {"positive": -2.0, "negative": -2.5},
            "tied": false, "scoring": "prefix", "labels": "english", "protocol": null, "few_shot": "head:2", "prompt_tokens": 20,
        })
    };
    let all: Vec<Value> = (0..8).map(record).collect();
    vec![lines(&all)]
}

pub(crate) fn journals() -> Vec<Vec<u8>> {
    let begun = json!({"begun": {
        "program": "lingualign 0.1.0", "numerics": "4", "model_fingerprint": "0", "adapter_sha256": null, "dtype": "f32",
        "device": "cpu", "instruction_set": "avx2", "model": "tiny", "adapter": null, "task": "emotion", "language": "de",
        "labels": "english", "few_shot": "head:2", "scoring": "prefix", "protocol": null, "scorers": "all",
        "limit": null, "greedy": 0,
        "data_sha256": "0", "prompts_sha256": "0", "scorer_sha256": "0"}});
    vec![lines(&[begun, json!({"said": [0, "x"]})])]
}

pub(crate) fn lm_eval() -> Vec<Vec<u8>> {
    let shipped = include_str!(
        "../../../crates/import/tests/golden/lm_eval/samples_snli_de_2026-11-24T02-11-20.739778.jsonl"
    );
    let few: String = shipped.split_inclusive('\n').take(2).collect();
    vec![few.into_bytes()]
}
