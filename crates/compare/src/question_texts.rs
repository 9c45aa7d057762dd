//! The texts of the questions of a run, read one task and language at a time. Never here:
//! whether they are the texts that were asked.

use std::path::PathBuf;

use schema::{
    Language,
    questions::{AskedRecord, QuestionLine, QuestionRecord},
    run_folder::RunFolder,
};

use crate::{error::CompareError, record_lines::each_record};

/// What `questions/<task>.<language>.jsonl` holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuestionTexts {
    /// The ways to ask.
    pub ways: Vec<AskedRecord>,
    /// The questions.
    pub questions: Vec<QuestionRecord>,
}

/// Reads the texts; `None` where a run has not kept them.
///
/// # Errors
/// A line that is broken, or a way to ask whose frame does not fit the fields of a question.
pub fn read_question_texts(
    run: &RunFolder,
    task: &str,
    language: Language,
) -> Result<Option<QuestionTexts>, CompareError> {
    let path: PathBuf = run.questions(task, language);
    if !path.exists() {
        return Ok(None);
    }
    let mut texts = QuestionTexts::default();
    each_record(&path, |_, line| {
        match line {
            QuestionLine::Asked(way) => texts.ways.push(way),
            QuestionLine::Question(question) => {
                if let Some(problem) = frame_problem(&texts.ways, &question) {
                    return Err(problem);
                }
                texts.questions.push(question);
            }
        }
        Ok(())
    })?;
    Ok(Some(texts))
}

/// Why the prompts of a question cannot be put together.
fn frame_problem(ways: &[AskedRecord], question: &QuestionRecord) -> Option<String> {
    let mut others = ways.iter().filter(|way| !way.frame.is_empty());
    let odd = others.find(|way| way.frame.len() != question.fields.len() + 1)?;
    Some(format!(
        "item {} has {} fields, but the prompts of `{}` have {} texts around fields",
        question.item,
        question.fields.len(),
        odd.few_shot,
        odd.frame.len()
    ))
}
