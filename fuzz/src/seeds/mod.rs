//! Small whole inputs for every target, made by the formats' own rules. Never here: stored files,
//! but for the shipped ones that users copy from.

pub(crate) mod answers;
pub(crate) mod models;
pub(crate) mod records;
pub(crate) mod texts;
pub(crate) mod tokenizers;

use serde_json::Value;

fn json(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
