//! Effects of silenced neurons and changed residual vectors: checked line by line.
//!
//! Never here: drawing.

use std::path::Path;

use schema::inside::{InterventionRecord, SilencingRecord};

use super::record_lines::{check_finite, check_within, each_record};
use crate::error::CompareError;

/// Reads `silencing.<task>.jsonl`.
pub(super) fn read_silencing(path: &Path) -> Result<Vec<SilencingRecord>, CompareError> {
    let mut records: Vec<SilencingRecord> = Vec::new();
    each_record(path, |record: SilencingRecord| {
        let key = |of: &SilencingRecord| (of.silenced, of.kind, of.asked);
        let of = |problem: String| {
            format!(
                "{} silenced, {} asked: {problem}",
                record.silenced, record.asked
            )
        };
        if records.iter().any(|other| key(other) == key(&record)) {
            return Err(of("stands twice".to_owned()));
        }
        let shares = [
            ("accuracy_before", record.accuracy_before),
            ("accuracy_after", record.accuracy_after),
            ("changed_answers", record.changed_answers),
        ];
        check_within(0.0, 1.0, &shares).map_err(of)?;
        check_within(-1.0, 1.0, &[("gold_change", record.gold_change)]).map_err(of)?;
        check_finite(&[("low", Some(record.low)), ("high", Some(record.high))]).map_err(of)?;
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}

/// Reads `patching.<task>.jsonl`.
pub(super) fn read_interventions(path: &Path) -> Result<Vec<InterventionRecord>, CompareError> {
    let mut records: Vec<InterventionRecord> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    each_record(path, |record: InterventionRecord| {
        let of =
            |problem: String| format!("{} at layer {}: {problem}", record.language, record.layer);
        if !seen.insert((record.language, record.kind, record.layer)) {
            return Err(of("stands twice".to_owned()));
        }
        let shares = [
            ("before", record.before),
            ("after", record.after),
            ("chosen_before", record.chosen_before),
            ("chosen_after", record.chosen_after),
        ];
        check_within(0.0, 1.0 + 1e-6, &shares).map_err(of)?;
        check_finite(&[("low", Some(record.low)), ("high", Some(record.high))]).map_err(of)?;
        records.push(record);
        Ok(())
    })?;
    Ok(records)
}
