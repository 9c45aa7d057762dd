//! Asks every question of one language and records what was answered.

use std::{collections::BTreeMap, panic, path::Path, thread};

use data::{Tokenizer, forest, prompt, prompt::Rendered, testset};
use model::Decoder;
use schema::{AnswerRecord, FewShot, LabelSet, Language, Protocol, Recipe, Scoring, Task};

use crate::{
    error::EvalError,
    label_scores::{choose, score},
    questions::{self, Questions},
};

/// What is asked, and how.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Name of the model for the records.
    pub model: &'a str,
    /// Name of its adapter; `None`: the base model.
    pub adapter: Option<&'a str>,
    /// The task.
    pub task: &'a Task,
    /// Folder in the released layout.
    pub dir: &'a Path,
    /// Which words are scored.
    pub labels: LabelSet,
    /// How.
    pub scoring: Scoring,
    /// Rules for defective data.
    pub protocol: Option<Protocol>,
    /// Where exemplars come from.
    pub few_shot: &'a FewShot,
    /// Scored items; `None`: all.
    pub limit: Option<usize>,
    /// Rows run at once: question tokens, those that several questions begin with counted once; never changes a result.
    pub tokens_per_batch: usize,
}

impl<'a> Ask<'a> {
    /// As `recipe` says, of its base model until an adapter is named.
    pub fn of(recipe: &'a Recipe, task: &'a Task, labels: LabelSet, few_shot: &'a FewShot) -> Self {
        let eval = &recipe.eval;
        Self {
            model: &recipe.model,
            adapter: None,
            task,
            dir: &recipe.data.dir,
            labels,
            scoring: eval.scoring,
            protocol: eval.protocol,
            few_shot,
            limit: eval.limit,
            tokens_per_batch: eval.tokens_per_batch,
        }
    }
}

/// The answers of one language.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// One record per scored item, in file order.
    pub records: Vec<AnswerRecord>,
    /// What the protocol repaired in the file.
    pub repairs: Vec<String>,
    /// Tokens of the prefix that was computed once.
    pub prefix_tokens: usize,
}

/// A language that is asked next: its questions are made while another one's are answered.
#[derive(Default)]
pub struct Ahead {
    /// The language after the one that is asked; asked with the same [`Ask`].
    pub next: Option<Language>,
    ready: Option<(Language, Result<Prepared, EvalError>)>,
}

/// One language's questions before the model has seen them.
struct Prepared {
    rendered: Rendered,
    questions: Questions,
    repairs: Vec<String>,
}

fn prepare(tokenizer: &Tokenizer, ask: &Ask<'_>, language: Language) -> Result<Prepared, EvalError> {
    let set = testset::load(ask.dir, ask.task, language, ask.protocol)?;
    let rendered = prompt::render(ask.task, &set, ask.few_shot, ask.labels)?;
    let questions = questions::encode(tokenizer, ask.task, language, &rendered, ask.labels, ask.scoring)?;
    Ok(Prepared { rendered, questions, repairs: set.repairs })
}

/// Asks all questions of `language`. `watch` sees how many of how many are answered and may stop by returning false.
/// What is wrong with the language of `ahead` is said when that one is asked.
pub fn ask(
    model: &Decoder,
    tokenizer: &Tokenizer,
    ask: &Ask<'_>,
    language: Language,
    ahead: &mut Ahead,
    watch: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Answers, EvalError> {
    let prepared = match ahead.ready.take() {
        Some((ready, prepared)) if ready == language => prepared?,
        _ => prepare(tokenizer, ask, language)?,
    };
    thread::scope(|scope| {
        let next = ahead.next.map(|next| (next, scope.spawn(move || prepare(tokenizer, ask, next))));
        let answers = answer(model, ask, prepared, language, watch);
        ahead.ready =
            next.map(|(next, handle)| (next, handle.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))));
        answers
    })
}

fn answer(
    model: &Decoder,
    ask: &Ask<'_>,
    prepared: Prepared,
    language: Language,
    watch: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Answers, EvalError> {
    let Prepared { rendered, questions, repairs } = prepared;
    questions.check_vocabulary(model.config().vocab_size)?;
    let scored = ask.limit.unwrap_or(usize::MAX).min(rendered.prompts.len());
    let wanted: Vec<usize> = (0..scored).chain(rendered.prompts.len()..questions.questions.len()).collect();
    let scores = score_all(model, ask, &questions, &wanted, language, watch)?;
    let by_label = |scores: &[f64]| -> BTreeMap<String, f64> {
        ask.task.labels.iter().cloned().zip(scores.iter().copied()).collect()
    };
    for (at, scores) in wanted.iter().zip(&scores) {
        if let Some(label) = scores.iter().position(|s| !s.is_finite()) {
            let item = rendered.prompts.get(*at).map_or("content-free".into(), |p| p.item.to_string());
            return Err(EvalError::NotFinite {
                language,
                item,
                label: ask.task.labels[label].clone(),
                score: scores[label],
            });
        }
    }
    let prior = by_label(&mean_shares(&scores[scored..]));
    let records = rendered.prompts[..scored]
        .iter()
        .zip(&scores)
        .zip(&questions.questions)
        .map(|((prompt, scores), question)| {
            let (chosen, tied) = choose(scores);
            AnswerRecord {
                model: ask.model.to_owned(),
                adapter: ask.adapter.map(str::to_owned),
                task: ask.task.name.clone(),
                language,
                item: prompt.item,
                group: None,
                gold: ask.task.label_name(prompt.gold).to_owned(),
                chosen: ask.task.labels[chosen].clone(),
                correct: prompt.answerable && chosen == prompt.gold.0,
                scores: by_label(scores),
                prior: prior.clone(),
                tied,
                scoring: ask.scoring,
                labels: ask.labels,
                protocol: ask.protocol,
                few_shot: ask.few_shot.to_string(),
                prompt_tokens: question.prompt_tokens,
            }
        })
        .collect();
    Ok(Answers { records, repairs, prefix_tokens: questions.prefix.len() })
}

/// Mean over content-free questions of each label's share of the score: what is answered where nothing is asked.
fn mean_shares(scores: &[Vec<f64>]) -> Vec<f64> {
    let mut mean = vec![0.0; scores.first().map_or(0, Vec::len)];
    for row in scores {
        let total: f64 = row.iter().sum();
        for (sum, score) in mean.iter_mut().zip(row) {
            // Where all scores vanish no label is preferred.
            let share = if total > 0.0 { score / total } else { 1.0 / row.len() as f64 };
            *sum += share / scores.len() as f64;
        }
    }
    mean
}

/// Scores in the order of `wanted`; questions with common beginnings are run together.
fn score_all(
    model: &Decoder,
    ask: &Ask<'_>,
    all: &Questions,
    wanted: &[usize],
    language: Language,
    watch: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Vec<Vec<f64>>, EvalError> {
    let cache = if all.prefix.is_empty() { None } else { Some(model.prefill(&all.prefix, None)?.0) };
    let suffixes: Vec<&[u32]> = wanted.iter().map(|&at| all.questions[at].suffix.as_slice()).collect();
    let more = |at: usize| all.questions[wanted[at]].continuations.iter().map(|c| c.len() - 1).sum();
    let mut scores = vec![Vec::new(); wanted.len()];
    let (mut done, mut rows) = (0, 0);
    for batch in forest::batches(&suffixes, more, ask.tokens_per_batch) {
        let indices: Vec<usize> = batch.iter().map(|&at| wanted[at]).collect();
        let found = score(model, cache.as_ref(), all, &indices)?;
        rows += found.rows;
        for (at, found) in batch.iter().zip(found.scores) {
            scores[*at] = found;
        }
        done += batch.len();
        if !watch(done, wanted.len()) {
            return Err(EvalError::Stopped(language));
        }
    }
    let apart: usize = suffixes.iter().enumerate().map(|(at, suffix)| suffix.len() + more(at)).sum();
    tracing::debug!(%language, prefix = all.prefix.len(), rows, apart, "rows computed, and without common beginnings");
    Ok(scores)
}
