//! The same model asked plainly and in a chat: one form against another, question by question.
//!
//! Never here: one model against another (`results`).

use schema::{LabelSet, PromptForm};
use serde::Serialize;

use crate::{
    answers::AnswerSet,
    change::{ComparedAnswers, measure_changes},
    error::CompareError,
    means::MeanChange,
    measure::find_never_right,
    pairing::Pairing,
    run_records::{AskedAs, RunRecords},
    stats::resample::Stop,
};

/// A model's answers in another form than the plain one, against its plain ones.
#[derive(Clone, Debug, Serialize)]
pub struct FormResult {
    /// Task name.
    pub task: String,
    /// The label words that were scored.
    pub labels: LabelSet,
    /// `base`, or an adapter.
    pub model: String,
    /// The other form.
    pub prompt: PromptForm,
    /// Mean accuracies, plain and in the other form, and their difference.
    pub mean: MeanChange,
    /// Languages compared.
    pub languages: usize,
}

/// Compares all models' answers to `question` with those to the same question in the plain form;
/// nothing where it is the plain one, or was not asked plainly.
///
/// # Errors
/// Answers that cannot be compared; [`CompareError::Stopped`].
pub(crate) fn compare_forms(
    records: &RunRecords,
    question: &AskedAs,
    stop: Stop,
) -> Result<Vec<FormResult>, CompareError> {
    let (task, labels, prompt) = question;
    let plain = (task.clone(), *labels, PromptForm::Plain);
    let (Some(plain), false) = (records.answers.get(&plain), prompt.is_plain()) else {
        return Ok(Vec::new());
    };
    let mut results = Vec::new();
    for (model, other) in &records.answers[question] {
        if let Some(plain) = plain.get(model) {
            let (mean, languages) = compare_sets(plain, other, stop)?;
            results.push(FormResult {
                task: task.clone(),
                labels: *labels,
                model: model.clone(),
                prompt: *prompt,
                mean,
                languages,
            });
        }
    }
    Ok(results)
}

fn compare_sets(
    plain: &[AnswerSet],
    other: &[AnswerSet],
    stop: Stop,
) -> Result<(MeanChange, usize), CompareError> {
    let pairing = Pairing::new(plain, &[other])?;
    let sets = pairing.measure(&find_never_right(plain.iter().chain(other)), stop)?;
    let changes = measure_changes(&ComparedAnswers {
        labels: &plain[0].label_names,
        few_shots: &pairing.few_shots,
        languages: &pairing.languages,
        sets: &sets,
        seen: &[],
        stop,
    })?;
    Ok((changes.mean, pairing.languages.len()))
}
