//! The manifest as lines of key and value, whatever it holds: the report shows what it is
//! given.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::format::{bytes, duration};

/// A fact and its place: `train.lora.rank`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Fact {
    pub key: String,
    pub value: String,
}

/// All facts below a value, in its order; objects are opened, lists of plain values joined,
/// null and empty lists left out.
pub(crate) fn list_facts(value: &Value) -> Vec<Fact> {
    let mut facts = Vec::new();
    collect("", value, &mut facts);
    facts
}

/// Replaces the manifest's stages, one for each file of answers, by how many there were of each
/// kind and how long they took; what a training noted of itself stays.
pub(crate) fn sum_stages(manifest: &mut Value) {
    let Some(Value::Object(stages)) = manifest.get("stages") else {
        return;
    };
    let mut kinds: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    let mut trained = Vec::new();
    for (name, stage) in stages {
        let kind = name.split('.').next().unwrap_or(name);
        let sum = kinds.entry(kind).or_default();
        sum.0 += 1;
        sum.1 += stage["seconds"].as_f64().unwrap_or(0.0);
        if kind == "train" {
            trained.push((name.clone(), stage["notes"].clone()));
        }
    }
    let sums = kinds.into_iter().map(|(kind, (count, seconds))| {
        (
            kind.to_owned(),
            json!({ "count": count, "seconds": seconds }),
        )
    });
    manifest["stages"] = Value::Object(sums.chain(trained).collect());
}

/// The key of an entry inside another; that has none at the top.
fn key_below(key: &str, name: &str) -> String {
    if key.is_empty() {
        name.to_owned()
    } else {
        format!("{key}.{name}")
    }
}

fn collect(key: &str, value: &Value, facts: &mut Vec<Fact>) {
    match value {
        Value::Null => {}
        Value::Array(values) if values.is_empty() => {}
        Value::Object(entries) => entries
            .iter()
            .for_each(|(name, value)| collect(&key_below(key, name), value, facts)),
        Value::Array(values) if values.iter().any(|v| v.is_object() || v.is_array()) => {
            values.iter().enumerate().for_each(|(index, value)| {
                collect(&key_below(key, &index.to_string()), value, facts)
            });
        }
        Value::Array(values) => {
            let joined = values.iter().map(plain).collect::<Vec<_>>().join(", ");
            facts.push(Fact {
                key: key.to_owned(),
                value: joined,
            });
        }
        value => facts.push(Fact {
            key: key.to_owned(),
            value: measured(key, value),
        }),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A number whose key ends in its unit, in a unit for people.
fn measured(key: &str, value: &Value) -> String {
    match value.as_f64() {
        Some(number) if key.ends_with("seconds") => duration(number),
        Some(number) if key.ends_with("bytes") => bytes(number),
        _ => plain(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_summed_by_kind() {
        let mut manifest = serde_json::json!({"stages": {
            "eval.base.de": {"seconds": 1.5, "inputs": "aa"}, "eval.base.fr": {"seconds": 2.0, "inputs": "bb"},
            "train.x": {"seconds": 9.0, "notes": {"best_step": 5}},
        }});
        sum_stages(&mut manifest);
        let expected = serde_json::json!({
            "eval": {"count": 2, "seconds": 3.5}, "train": {"count": 1, "seconds": 9.0}, "train.x": {"best_step": 5},
        });
        assert_eq!(manifest["stages"], expected);
    }

    #[test]
    fn whatever_is_there_is_listed_in_order() {
        let manifest = serde_json::json!({
            "version": "0.1.0", "none": null, "empty": [], "languages": ["de", "fr"], "train": {"peak_bytes": 2048, "seconds": 125.0},
            "stages": [{"name": "data"}, {"name": "eval"}],
        });
        let facts: Vec<String> = list_facts(&manifest)
            .iter()
            .map(|fact| format!("{}={}", fact.key, fact.value))
            .collect();
        let expected = [
            "version=0.1.0",
            "languages=de, fr",
            "train.peak_bytes=2.0 KiB",
            "train.seconds=2 min 5 s",
            "stages.0.name=data",
            "stages.1.name=eval",
        ];
        assert_eq!(facts, expected);
    }
}
