//! The manifest as lines of key and value, whatever it holds: the report shows what it is
//! given.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::format::{bytes, count, duration};

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

/// What a reader asks first, in five lines: date, command, machine, time and versions; nothing
/// without a manifest. `training` is what the updates of each training stage took in all.
pub(crate) fn describe_making(manifest: &Value, training: &BTreeMap<String, f64>) -> Vec<Fact> {
    if manifest.is_null() {
        return Vec::new();
    }
    let unknown = || "not recorded".to_owned();
    let lines = [
        ("Date", describe_date(manifest)),
        ("Command", text(manifest, "/made/command")),
        ("Machine", describe_machine(&manifest["machine"])),
        ("Time", describe_time(manifest, training)),
        ("Versions", describe_versions(manifest)),
    ];
    let facts = lines.into_iter().map(|(key, value)| Fact {
        key: key.to_owned(),
        value: value.unwrap_or_else(unknown),
    });
    facts.collect()
}

fn text(manifest: &Value, pointer: &str) -> Option<String> {
    let value = manifest.pointer(pointer)?.as_str()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// `2026-03-01, 14:05 to 15:10 UTC`
fn describe_date(manifest: &Value) -> Option<String> {
    let moment = |name: &str| {
        let moment = text(manifest, &format!("/made/{name}"))?;
        let (day, time) = moment.split_once('T')?;
        Some((day.to_owned(), time.get(..5)?.to_owned()))
    };
    let (to_day, to) = moment("finished")?;
    Some(match moment("started") {
        None => format!("{to_day}, {to} UTC"),
        Some((day, from)) if day == to_day => format!("{day}, {from} to {to} UTC"),
        Some((day, from)) => format!("{day}, {from}, to {to_day}, {to} UTC"),
    })
}

/// `Intel Xeon, 2 threads, avx512bf16, peak memory 178.6 MiB`
fn describe_machine(machine: &Value) -> Option<String> {
    let device = text(machine, "/device").filter(|device| device != "cpu");
    let threads = machine["threads"]
        .as_u64()
        .map(|number| count(number as usize, "thread"));
    let memory = machine["peak_memory_bytes"].as_f64();
    let parts = [
        device,
        text(machine, "/cpu"),
        threads,
        text(machine, "/instruction_set").map(|set| format!("instructions {set}")),
        memory.map(|peak| format!("peak memory {}", bytes(peak))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What a kind of stage does.
fn name_kind(kind: &str) -> &'static str {
    match kind {
        "train" => "training",
        "eval" => "asking",
        "translate" => "translating",
        "audit" | "data" | "questions" | "held-out" => "data",
        _ => "looking inside",
    }
}

const KINDS: [&str; 5] = [
    "data",
    "training",
    "asking",
    "translating",
    "looking inside",
];

/// The time of the stages that count, by what they do.
fn describe_time(manifest: &Value, training: &BTreeMap<String, f64>) -> Option<String> {
    let current = manifest["current"].as_array();
    let counts = |name: &str| current.is_none_or(|all| all.iter().any(|of| of == name));
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for (name, stage) in manifest["stages"].as_object()? {
        if counts(name) {
            let kind = name.split('.').next().unwrap_or(name);
            *sums.entry(name_kind(kind)).or_default() += time_stage(name, stage, training);
        }
    }
    let said: Vec<String> = KINDS
        .iter()
        .filter_map(|kind| Some(format!("{kind} {}", duration(*sums.get(kind)?))))
        .collect();
    let all = duration(sums.values().sum());
    (!said.is_empty()).then(|| format!("{all} in all: {}", said.join(", ")))
}

/// What a stage took. Manifests of earlier versions have only the last part of a training that was
/// resumed.
fn time_stage(name: &str, stage: &Value, training: &BTreeMap<String, f64>) -> f64 {
    let recorded = stage["seconds"].as_f64().unwrap_or(0.0);
    training
        .get(name)
        .map_or(recorded, |updates| updates.max(recorded))
}

fn describe_versions(manifest: &Value) -> Option<String> {
    let fingerprint = text(manifest, "/model/fingerprint");
    let parts = [
        text(manifest, "/program"),
        text(manifest, "/model/name").map(|name| format!("model {name}")),
        text(manifest, "/model/revision"),
        fingerprint.and_then(|all| Some(format!("SHA-256 {}…", all.get(..12)?))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Replaces the manifest's stages, one for each file of answers, by how many there were of each
/// kind and how long they took; what a training noted of itself stays.
pub(crate) fn sum_stages(manifest: &mut Value, training: &BTreeMap<String, f64>) {
    let Some(Value::Object(stages)) = manifest.get("stages") else {
        return;
    };
    let mut kinds: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    let mut trained = Vec::new();
    for (name, stage) in stages {
        let kind = name.split('.').next().unwrap_or(name);
        let sum = kinds.entry(kind).or_default();
        sum.0 += 1;
        sum.1 += time_stage(name, stage, training);
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
        sum_stages(&mut manifest, &BTreeMap::new());
        let expected = serde_json::json!({
            "eval": {"count": 2, "seconds": 3.5}, "train": {"count": 1, "seconds": 9.0}, "train.x": {"best_step": 5},
        });
        assert_eq!(manifest["stages"], expected);
    }

    #[test]
    fn five_lines_say_how_it_was_made() {
        let manifest = serde_json::json!({
            "program": "lingualign 0.1.0",
            "made": {"started": "2026-03-01T14:05:59Z", "finished": "2026-03-01T15:10:00Z", "command": "lingualign run a.toml"},
            "machine": {"device": "cpu", "cpu": "A Processor", "threads": 2, "instruction_set": "avx2", "peak_memory_bytes": 2048},
            "model": {"name": "m", "revision": null, "fingerprint": "0123456789abcdef"},
            "current": ["train.x", "eval.base.de", "lens.base.de"],
            "stages": {
                "train.x": {"seconds": 150.0}, "eval.base.de": {"seconds": 20.0}, "eval.old": {"seconds": 99.0},
                "lens.base.de": {"seconds": 1.0},
            },
        });
        // the log of the training knows of an earlier part of 450 s
        let training = [("train.x".to_owned(), 600.0)].into();
        let said: Vec<String> = describe_making(&manifest, &training)
            .into_iter()
            .map(|fact| format!("{}: {}", fact.key, fact.value))
            .collect();
        let expected = [
            "Date: 2026-03-01, 14:05 to 15:10 UTC",
            "Command: lingualign run a.toml",
            "Machine: A Processor, 2 threads, instructions avx2, peak memory 2.0 KiB",
            "Time: 10 min 21 s in all: training 10 min 0 s, asking 20 s, looking inside 1.0 s",
            "Versions: lingualign 0.1.0, model m, SHA-256 0123456789ab…",
        ];
        assert_eq!(said, expected);
        let of_old = describe_making(&serde_json::json!({"stages": {}}), &training);
        assert!(
            of_old.iter().all(|fact| fact.value == "not recorded"),
            "{of_old:?}"
        );
        assert!(describe_making(&Value::Null, &training).is_empty());
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
