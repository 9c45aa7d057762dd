//! Effects of silenced neurons and changed residual vectors: checked line by line.
//!
//! Never here: drawing.

use std::{collections::BTreeSet, path::Path};

use schema::inside::{InterventionRecord, SilencingRecord};

use crate::{
    error::CompareError,
    record_lines::{check_finite, check_within, each_record},
};

/// Reads `silencing.<task>.jsonl`.
pub(super) fn read_silencing(path: &Path) -> Result<Vec<SilencingRecord>, CompareError> {
    let mut records: Vec<SilencingRecord> = Vec::new();
    let mut seen = BTreeSet::new();
    each_record(path, |_, record: SilencingRecord| {
        let is_new = seen.insert((record.silenced, record.kind, record.asked));
        check_silencing(&record, is_new).map_err(|problem| {
            format!(
                "{} silenced, {} asked: {problem}",
                record.silenced, record.asked
            )
        })?;
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

fn check_silencing(record: &SilencingRecord, is_new: bool) -> Result<(), String> {
    check_is_new(is_new)?;
    let shares = [
        ("accuracy_before", record.accuracy_before),
        ("accuracy_after", record.accuracy_after),
        ("changed_answers", record.changed_answers),
    ];
    check_within(0.0, 1.0, &shares)?;
    check_within(-1.0, 1.0, &[("gold_change", record.gold_change)])?;
    check_finite(&[("low", Some(record.low)), ("high", Some(record.high))])
}

fn check_is_new(is_new: bool) -> Result<(), String> {
    if is_new {
        Ok(())
    } else {
        Err("duplicate record".to_owned())
    }
}

/// Reads `patching.<task>.jsonl`.
pub(super) fn read_interventions(path: &Path) -> Result<Vec<InterventionRecord>, CompareError> {
    let mut records: Vec<InterventionRecord> = Vec::new();
    let mut seen = BTreeSet::new();
    each_record(path, |_, record: InterventionRecord| {
        let is_new = seen.insert((record.language, record.kind, record.layer));
        check_intervention(&record, is_new).map_err(|problem| {
            format!("{} at layer {}: {problem}", record.language, record.layer)
        })?;
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

fn check_intervention(record: &InterventionRecord, is_new: bool) -> Result<(), String> {
    check_is_new(is_new)?;
    let shares = [
        ("before", record.before),
        ("after", record.after),
        ("chosen_before", record.chosen_before),
        ("chosen_after", record.chosen_after),
    ];
    check_within(0.0, 1.0 + 1e-6, &shares)?;
    check_finite(&[("low", Some(record.low)), ("high", Some(record.high))])
}
