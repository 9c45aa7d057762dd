//! Rows of one prompt to one vector. Sums are taken in f64 in the order of the tokens, so that
//! a vector depends neither on the batch nor on the threads. Never here: which prompts, files.

use std::ops::Range;

use schema::inside::Pooling;

/// The rows of one prompt in a batch, after the shared prefix.
#[derive(Clone, Debug)]
pub(super) struct PromptRows {
    /// In the order of the tokens.
    pub(super) rows: Vec<Range<usize>>,
    /// The question's tokens, counted from the first of these rows.
    pub(super) question: Range<usize>,
    /// Tokens of the shared prefix.
    pub(super) prefix: usize,
}

impl PromptRows {
    fn rows(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().cloned().flatten()
    }
}

/// Sums of the rows of the prefix (n, width): what [`Pooling::All`] begins with.
pub(super) fn sum_rows(values: &[f32], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width];
    values
        .chunks_exact(width)
        .for_each(|row| add(&mut sums, row, 1.0));
    sums
}

/// Pools the rows of `span` of `values` (N, width) into `out` (width). `prefix` is [`sum_rows`]
/// of the shared prefix, or empty where there is none; `sums` is room to work in.
pub(super) fn pool(
    pooling: Pooling,
    values: &[f32],
    span: &PromptRows,
    prefix: &[f64],
    sums: &mut Vec<f64>,
    out: &mut [f32],
) {
    let width = out.len();
    sums.clear();
    sums.resize(width, 0.0);
    let weight = match pooling {
        Pooling::Last => {
            if let Some(last) = span.rows().last() {
                out.copy_from_slice(row(values, width, last));
            }
            return;
        }
        Pooling::All => {
            sums.iter_mut()
                .zip(prefix)
                .for_each(|(sum, prefix)| *sum = *prefix);
            span.rows()
                .for_each(|at| add(sums, row(values, width, at), 1.0));
            span.prefix + span.rows.iter().map(Range::len).sum::<usize>()
        }
        Pooling::Question => {
            question(span).for_each(|at| add(sums, row(values, width, at), 1.0));
            span.question.len()
        }
        Pooling::Weighted => {
            (1..)
                .zip(question(span))
                .for_each(|(place, at)| add(sums, row(values, width, at), f64::from(place)));
            span.question.len() * (span.question.len() + 1) / 2
        }
    };
    out.iter_mut()
        .zip(sums)
        .for_each(|(out, sum)| *out = (*sum / weight as f64) as f32);
}

fn row(values: &[f32], width: usize, at: usize) -> &[f32] {
    &values[at * width..(at + 1) * width]
}

fn question(span: &PromptRows) -> impl Iterator<Item = usize> {
    span.rows()
        .skip(span.question.start)
        .take(span.question.len())
}

fn add(sums: &mut [f64], row: &[f32], weight: f64) {
    sums.iter_mut()
        .zip(row)
        .for_each(|(sum, value)| *sum += weight * f64::from(*value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poolings_of_a_prompt_whose_rows_lie_apart() {
        let values = [1.0, 10.0, 2.0, 20.0, 4.0, 40.0, 8.0, 80.0];
        let span = PromptRows {
            rows: vec![0..1, 2..4],
            question: 1..3,
            prefix: 2,
        };
        let prefix = sum_rows(&[3.0, 30.0, 4.0, 40.0], 2);
        assert_eq!(prefix, [7.0, 70.0]);
        for (pooling, expected) in [
            (Pooling::All, [4.0, 40.0]), // (7 + 1 + 4 + 8) / 5
            (Pooling::Question, [6.0, 60.0]),
            (Pooling::Weighted, [20.0 / 3.0, 200.0 / 3.0]), // (4 + 2 x 8) / 3
            (Pooling::Last, [8.0, 80.0]),
        ] {
            let mut out = [0.0; 2];
            pool(pooling, &values, &span, &prefix, &mut Vec::new(), &mut out);
            assert_eq!(out, expected, "{pooling}");
        }
    }
}
