//! How many rows the questions of one language are, without a model. Never here: asking them.

use std::ops::AddAssign;

use data::{Tokenizer, forest, prompt, testset};
use schema::Language;

use crate::{
    ask::DOMAINS_AT_ONCE,
    error::EvalError,
    question_rows::QuestionRows,
    questions::{self, EncodedQuestion, EncodedQuestions},
    request::Ask,
};

/// What one language's questions run through the model; free answers are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCount {
    /// Tokens of the shared prefix, which is run once.
    pub prefix: usize,
    /// Rows of what follows it and of the labels; what questions share is one row.
    pub rows: usize,
    /// Rows whose logits are needed.
    pub scored: usize,
    /// Questions, the content-free ones and the closing headers among them.
    pub questions: usize,
}

impl AddAssign for RowCount {
    fn add_assign(&mut self, other: Self) {
        self.prefix += other.prefix;
        self.rows += other.rows;
        self.scored += other.scored;
        self.questions += other.questions;
    }
}

/// Counts what [`crate::ask()`] would run.
///
/// # Errors
/// The test file or the exemplars are missing or defective.
pub fn count_rows(
    tokenizer: &Tokenizer,
    ask: &Ask<'_>,
    language: Language,
) -> Result<RowCount, EvalError> {
    let set = testset::load(ask.dir, ask.task, language, ask.asking.protocol)?;
    let rendered = prompt::ask(tokenizer, ask.task, &set, ask.asking)?;
    let all = questions::encode(tokenizer, ask, &rendered)?;
    let prompts = rendered.prompts.len();
    let limit = ask.asking.limit.unwrap_or(usize::MAX).min(prompts);
    let wanted: Vec<&EncodedQuestion> = all.questions[..limit]
        .iter()
        .chain(&all.questions[prompts..])
        .collect();
    count_questions(&all, &wanted, ask.tokens_per_batch, limit)
}

/// Batches of `wanted`, and the closing headers of the first `limit` questions.
fn count_questions(
    all: &EncodedQuestions,
    wanted: &[&EncodedQuestion],
    tokens_per_batch: usize,
    limit: usize,
) -> Result<RowCount, EvalError> {
    let suffixes: Vec<&[u32]> = wanted.iter().map(|q| q.suffix.as_slice()).collect();
    let mut count = RowCount {
        prefix: all.prefix.len(),
        ..RowCount::default()
    };
    for batch in forest::batches(&suffixes, |at| wanted[at].label_rows(), tokens_per_batch) {
        let batch: Vec<&EncodedQuestion> = batch.into_iter().map(|at| wanted[at]).collect();
        count += count_batch(&batch)?;
    }
    let domains: Vec<&EncodedQuestion> = all.domains.iter().take(limit).collect();
    for batch in domains.chunks(DOMAINS_AT_ONCE) {
        count += count_batch(batch)?;
    }
    Ok(count)
}

fn count_batch(batch: &[&EncodedQuestion]) -> Result<RowCount, EvalError> {
    let layout = QuestionRows::new(batch, 0)?;
    Ok(RowCount {
        prefix: 0,
        rows: layout.rows.len(),
        scored: layout.scored().0.len(),
        questions: batch.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_questions_share_is_counted_once() {
        let question = |suffix: &[u32], continuations: &[&[u32]]| EncodedQuestion {
            suffix: suffix.to_vec(),
            prompt_tokens: 3 + suffix.len(),
            kept: suffix.len(),
            continuations: continuations.iter().map(|tokens| tokens.to_vec()).collect(),
            bytes: Vec::new(),
            characters: Vec::new(),
        };
        let labels: [&[u32]; 2] = [&[7], &[8, 9]];
        let all = EncodedQuestions {
            prefix: vec![1, 2, 3],
            questions: vec![
                question(&[1, 2, 3, 4, 5], &labels),
                question(&[1, 2, 3, 4, 6, 7], &labels),
                question(&[9], &labels),
            ],
            domains: vec![question(&[4, 5], &labels)],
            label_sets: Vec::new(),
            longest_label: 0,
            ends: Vec::new(),
            has_quotes: true,
        };
        let wanted: Vec<&EncodedQuestion> = all.questions.iter().collect();
        // Together: 5 rows, 2 behind the four that are shared, and 1; each question has a row for
        // the second token of its second label. So has the header, which is 2 rows.
        let together = RowCount {
            prefix: 3,
            rows: 8 + 3 + 3,
            scored: 6 + 2,
            questions: 3 + 1,
        };
        assert_eq!(
            count_questions(&all, &wanted, 100, 3).expect("counts"),
            together
        );
        // In batches of fewer rows nothing is shared.
        let apart = RowCount {
            rows: together.rows + 4,
            ..together
        };
        assert_eq!(count_questions(&all, &wanted, 7, 3).expect("counts"), apart);
    }
}
