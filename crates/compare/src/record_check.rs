//! How an answer record contradicts itself: checked on reading, so that nothing behind it has to.
//!
//! Never here: how two records contradict each other (`answers`).

use std::collections::BTreeMap;

use schema::{AnswerRecord, Protocol, scores::Measures};

/// How a record contradicts itself.
pub(crate) fn record_problem(record: &AnswerRecord) -> Option<String> {
    let problem = label_problem(record)
        .or_else(|| score_problem(record))
        .or_else(|| measure_problem(record))
        .or_else(|| verdict_problem(record))
        .or_else(|| hash_problem(record))?;
    Some(format!("item {}: {problem}", record.item))
}

fn hash_problem(record: &AnswerRecord) -> Option<String> {
    let hash = record.prompt_hash.as_deref()?;
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!is_hash).then(|| format!("`prompt_hash` is `{hash}`, not 16 hexadecimal digits"))
}

fn label_problem(record: &AnswerRecord) -> Option<String> {
    for (role, label) in [("gold", &record.gold), ("chosen", &record.chosen)] {
        if !record.scores.contains_key(label) {
            let names: Vec<_> = record.scores.keys().cloned().collect();
            return Some(format!(
                "the {role} label `{label}` has no score (scores: {})",
                names.join(", ")
            ));
        }
    }
    None
}

fn score_problem(record: &AnswerRecord) -> Option<String> {
    for (name, values) in [("score", &record.scores), ("prior", &record.prior)] {
        let odd = values.iter().find(|(_, v)| !v.is_finite() || **v < 0.0);
        if let Some((label, value)) = odd {
            return Some(format!(
                "the {name} of `{label}` is {value}, which is not a probability"
            ));
        }
    }
    let chosen = record.scores.get(&record.chosen)?;
    let higher = record.scores.iter().find(|(_, score)| *score > chosen)?;
    Some(format!(
        "`{}` is chosen with {chosen}, but `{}` has {}",
        record.chosen, higher.0, higher.1
    ))
}

/// What is wrong with what was measured beside the scores.
fn measure_problem(record: &AnswerRecord) -> Option<String> {
    of_same_labels(record, "prior", &record.prior)
        .or_else(|| of_same_labels(record, "prefix_scores", &record.prefix_scores))
        .or_else(|| of_same_labels(record, "log_probs", &record.log_probs))
        .or_else(|| of_same_labels(record, "label_tokens", &record.label_tokens))
        .or_else(|| of_same_labels(record, "label_bytes", &record.label_bytes))
        .or_else(|| of_same_labels(record, "label_characters", &record.label_characters))
        .or_else(|| of_same_labels(record, "prior_log_probs", &record.prior_log_probs))
        .or_else(|| of_same_labels(record, "domain_log_probs", &record.domain_log_probs))
        .or_else(|| measures_of(record).problem(offered(record).count()))
        .or_else(|| {
            let others = record.prior_log_probs.values();
            let odd = others
                .chain(record.domain_log_probs.values())
                .find(|log| !log.is_finite())?;
            Some(format!(
                "a prior's logarithm is {odd}, which is not a number"
            ))
        })
}

/// The measures of a record, in the order of the labels' names.
fn measures_of(record: &AnswerRecord) -> Measures {
    Measures {
        prefix: record.prefix_scores.values().copied().collect(),
        log_probs: record.log_probs.values().copied().collect(),
        tokens: record.label_tokens.values().copied().collect(),
        bytes: record.label_bytes.values().copied().collect(),
        characters: record.label_characters.values().copied().collect(),
    }
}

/// The labels that the question offers: not those that have the score 0 and were not measured.
fn offered(record: &AnswerRecord) -> impl Iterator<Item = &String> {
    let measured = &record.log_probs;
    record
        .scores
        .iter()
        .filter(|(label, score)| {
            **score > 0.0 || measured.is_empty() || measured.contains_key(*label)
        })
        .map(|(label, _)| label)
}

/// What is wrong with a map that is of other labels than the scores; an empty one is not.
fn of_same_labels<T>(
    record: &AnswerRecord,
    name: &str,
    values: &BTreeMap<String, T>,
) -> Option<String> {
    let fits = values.is_empty() || values.keys().eq(offered(record));
    (!fits).then(|| format!("`{name}` and `scores` are not for the same labels"))
}

fn verdict_problem(record: &AnswerRecord) -> Option<String> {
    let matches = record.chosen == record.gold;
    let may_refuse = record.protocol == Some(Protocol::Paper); // a gold word its scorer does not know
    let fits = record.correct == matches || (matches && may_refuse);
    (!fits).then(|| {
        format!(
            "gold is `{}`, chosen is `{}`, yet `correct` is {}",
            record.gold, record.chosen, record.correct
        )
    })
}

/// That a record has exact probabilities and the first of its language has none, or the reverse.
pub(crate) fn lacks(first: usize, record: &AnswerRecord) -> String {
    let (with, without) = if record.log_probs.is_empty() {
        (first, record.item)
    } else {
        (record.item, first)
    };
    format!(
        "item {without} of `{}` has no `log_probs`, item {with} has them",
        record.language
    )
}
