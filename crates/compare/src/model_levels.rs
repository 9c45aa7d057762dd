//! The levels of every model of a run by itself: what is said of a model, not of a change. Never here: pairing.

use schema::{LabelSet, PromptForm, Protocol};

use crate::{
    error::CompareError,
    measure::find_never_right,
    results::{Levels, describe_levels, measure_base},
    run_records::RunRecords,
    stats::resample::Stop,
};

/// One model's answers to one task with one label set, in one form.
pub struct ModelLevels {
    /// The model as the user named it.
    pub model: String,
    /// The adapter's name; `None` for the base.
    pub adapter: Option<String>,
    /// The task.
    pub task: String,
    /// The label set.
    pub labels: LabelSet,
    /// In which form the prompts reached the model.
    pub prompt: PromptForm,
    /// How labels were scored.
    pub scoring: String,
    /// Rules for defective data.
    pub protocol: Option<Protocol>,
    /// The sets of exemplars, over which the levels are means.
    pub few_shots: Vec<String>,
    /// What came of them.
    pub levels: Levels,
}

/// Measures every model of a run.
///
/// # Errors
/// [`CompareError::Stopped`]; answers after several sets of exemplars that have no item in common.
pub fn measure_models(records: &RunRecords, stop: Stop) -> Result<Vec<ModelLevels>, CompareError> {
    let mut all = Vec::new();
    for ((task, labels, prompt), models) in &records.answers {
        let never_right = find_never_right(models.values().flatten());
        for sets in models.values() {
            let measured = measure_base(sets, &never_right, stop)?;
            let head = &sets[0].head;
            all.push(ModelLevels {
                model: head.model.clone(),
                adapter: head.adapter.clone(),
                task: task.clone(),
                labels: *labels,
                prompt: *prompt,
                scoring: head.scoring.clone(),
                protocol: head.protocol,
                few_shots: sets.iter().map(|set| set.head.few_shot.clone()).collect(),
                levels: describe_levels(&measured, stop)?,
            });
        }
    }
    Ok(all)
}
