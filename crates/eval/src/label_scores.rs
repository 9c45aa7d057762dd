//! A batch of questions to one score per label: the paper's prefix sum, or exact sequence probabilities.

use data::forest::Forest;
use model::{Decoder, KvCache, Parent, Rows, ops::softmax};

use crate::{
    error::EvalError,
    questions::{Question, Questions},
};

/// Rows whose probabilities over the whole vocabulary are in memory at once.
const HEAD_ROWS: usize = 64;

/// What was found of a batch.
pub(crate) struct Scores {
    /// Of each question, in the order of the labels.
    pub(crate) scores: Vec<Vec<f64>>,
    /// Rows that were run.
    pub(crate) rows: usize,
}

/// Questions laid out as a forest: what several begin with is run once.
struct Layout {
    input_ids: Vec<u32>,
    rows: Rows,
    /// Where each question ends.
    ends: Vec<Parent>,
}

impl Layout {
    fn new(questions: &[&Question], prefix: usize) -> Result<Self, EvalError> {
        let suffixes: Vec<&[u32]> = questions.iter().map(|q| q.suffix.as_slice()).collect();
        let forest = Forest::grow(&suffixes);
        let place = |place: data::forest::Place| Parent { sequence: place.sequence, rows: place.rows };
        let rows = Rows::forest(forest.sequences.iter().map(|s| (s.parent.map(place), s.tokens.len())), prefix)?;
        Ok(Self { input_ids: forest.tokens(), rows, ends: forest.ends.into_iter().map(place).collect() })
    }

    /// The flat row of a question's last token.
    fn last_row(&self, question: usize) -> u32 {
        let end = self.ends[question];
        (self.rows.range(end.sequence).start + end.rows - 1) as u32
    }
}

/// Scores of each question in `batch` (indices into the questions), in the order of the labels.
pub(crate) fn score(
    model: &Decoder,
    cache: Option<&KvCache>,
    all: &Questions,
    batch: &[usize],
) -> Result<Scores, EvalError> {
    let questions: Vec<&Question> = batch.iter().map(|&i| &all.questions[i]).collect();
    let layout = Layout::new(&questions, cache.map_or(0, KvCache::len))?;
    if all.label_sets.is_empty() {
        sequence_scores(model, cache, layout, &questions)
    } else {
        prefix_scores(model, cache, &layout, &all.label_sets)
    }
}

/// Sum of next-token probabilities over each label's set; only the last row goes through the head.
fn prefix_scores(
    model: &Decoder,
    cache: Option<&KvCache>,
    layout: &Layout,
    label_sets: &[Vec<u32>],
) -> Result<Scores, EvalError> {
    let last: Vec<u32> = (0..layout.ends.len()).map(|question| layout.last_row(question)).collect();
    let hidden = model.hidden_at(&layout.input_ids, &layout.rows, cache, &last)?;
    let mut scores = Vec::with_capacity(last.len());
    for start in (0..last.len()).step_by(HEAD_ROWS) {
        let part = hidden.narrow(0, start, HEAD_ROWS.min(last.len() - start))?;
        let p = softmax::softmax(&model.logits(&part)?)?.to_device(&candle_core::Device::Cpu)?; // (n, V)
        for row in p.to_vec2::<f32>()? {
            scores.push(label_sets.iter().map(|set| set.iter().map(|&id| f64::from(row[id as usize])).sum()).collect());
        }
    }
    Ok(Scores { scores, rows: layout.rows.len() })
}

/// A token whose probability is wanted at a row.
struct Wanted {
    row: u32,
    token: u32,
    /// Index of the sum that it belongs to.
    sum: usize,
}

/// Probability of each label's tokens and closing quote, normalised over the labels. A label's tokens continue their
/// question as a branch, so the question's own rows are computed once for all labels.
fn sequence_scores(
    model: &Decoder,
    cache: Option<&KvCache>,
    mut layout: Layout,
    questions: &[&Question],
) -> Result<Scores, EvalError> {
    let (mut wanted, mut sums) = (Vec::new(), 0);
    for (at, question) in questions.iter().enumerate() {
        let last = layout.last_row(at);
        for tokens in &question.continuations {
            wanted.push(Wanted { row: last, token: tokens[0], sum: sums });
            if tokens.len() > 1 {
                let start = layout.input_ids.len() as u32;
                layout.rows.branch(layout.ends[at], tokens.len() - 1)?;
                layout.input_ids.extend(&tokens[..tokens.len() - 1]);
                wanted.extend(tokens[1..].iter().zip(start..).map(|(&token, row)| Wanted { row, token, sum: sums }));
            }
            sums += 1;
        }
    }
    wanted.sort_by_key(|w| w.row);
    let mut rows: Vec<u32> = wanted.iter().map(|w| w.row).collect();
    rows.dedup();
    let hidden = model.hidden_at(&layout.input_ids, &layout.rows, cache, &rows)?;
    let mut log_p = vec![0.0f64; sums];
    for (part, start) in rows.chunks(HEAD_ROWS).zip((0..).step_by(HEAD_ROWS)) {
        let log_probabilities = softmax::log_softmax(&model.logits(&hidden.narrow(0, start, part.len())?)?)?;
        let found = log_probabilities.to_device(&candle_core::Device::Cpu)?.to_vec2::<f32>()?;
        let (first, end) = (part[0], part[part.len() - 1]);
        for w in wanted.iter().filter(|w| (first..=end).contains(&w.row)) {
            let at = part.partition_point(|&row| row < w.row);
            log_p[w.sum] += f64::from(found[at][w.token as usize]);
        }
    }
    let mut start = 0;
    let shares = questions.iter().map(|question| {
        let own = &log_p[start..start + question.continuations.len()];
        start += own.len();
        normalise(own)
    });
    Ok(Scores { scores: shares.collect(), rows: layout.rows.len() })
}

/// exp, to a sum of 1.
fn normalise(log_p: &[f64]) -> Vec<f64> {
    let max = log_p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let p: Vec<f64> = log_p.iter().map(|l| (l - max).exp()).collect();
    let total: f64 = p.iter().sum();
    p.into_iter().map(|p| p / total).collect()
}

/// Index of the highest score, the first of equals, and whether there are equals.
pub fn choose(scores: &[f64]) -> (usize, bool) {
    let mut best = 0;
    for (i, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = i;
        }
    }
    let tied = scores.iter().filter(|&&s| s == scores[best]).count() > 1;
    (best, tied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_chosen_and_it_is_said() {
        assert_eq!(choose(&[0.1, 0.3, 0.2]), (1, false));
        assert_eq!(choose(&[0.3, 0.1, 0.3]), (0, true));
        assert_eq!(choose(&[0.1, 0.1, 0.3]), (2, false));
    }

    #[test]
    fn probabilities_sum_to_one_however_small_they_are() {
        let p = normalise(&[-1000.0, -1001.0]);
        assert!((p[0] - 1.0 / (1.0 + (-1.0f64).exp())).abs() < 1e-12 && (p[0] + p[1] - 1.0).abs() < 1e-12);
    }
}
