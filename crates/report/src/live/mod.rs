//! The page of a run that is at work. Never here: a clock, reading the run.

use compare::TrainingLog;
use schema::escape::show_on_a_line;
use serde::Serialize;

use crate::{
    error::ReportError,
    figures::loss,
    page::{Downloads, render},
};

/// A run, or each run of a grid, as it is now.
#[derive(Debug, Serialize)]
pub struct LivePage {
    /// The name of its folder.
    pub title: String,
    /// Whether a process is at work: then the page is loaded again every few seconds.
    pub is_at_work: bool,
    /// When it was written, in words.
    pub written: String,
    /// The runs.
    pub runs: Vec<LiveRun>,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct LiveRun {
    /// The recipe's title.
    pub title: String,
    /// Of the model.
    pub model: String,
    /// What it does, or that nobody is at work, in a sentence.
    pub state: String,
    /// Stages done.
    pub done: usize,
    /// All stages.
    pub planned: usize,
    /// The stages by their kinds, in their order.
    pub kinds: Vec<LiveKind>,
    /// What each process does.
    pub work: Vec<LiveWork>,
    /// The trainings that have begun.
    pub trainings: Vec<LiveTraining>,
    /// Answers so far.
    pub answers: Vec<LiveAnswers>,
    /// Addresses of its report and of its questions, where they are there.
    pub links: Vec<(String, &'static str)>,
}

/// Stages of one kind.
#[derive(Debug, Serialize)]
pub struct LiveKind {
    /// What they do.
    pub what: &'static str,
    /// Those that are done.
    pub done: usize,
    /// All of them.
    pub planned: usize,
    /// The time that they took, in words.
    pub took: String,
}

/// What a process does.
#[derive(Debug, Serialize)]
pub struct LiveWork {
    /// The piece of work.
    pub label: String,
    /// `done` of `total` of `unit`.
    pub done: usize,
    /// See [`Self::done`].
    pub total: usize,
    /// See [`Self::done`].
    pub unit: String,
    /// What there is to say about it.
    pub remark: String,
}

/// The answers of one model to one task with one label set, so far.
#[derive(Debug, Serialize)]
pub struct LiveAnswers {
    /// Task and label set.
    pub asked: String,
    /// The model.
    pub model: String,
    /// Languages that are answered, of all.
    pub languages: (usize, usize),
    /// Mean accuracy over them, per cent.
    pub mean: String,
    /// Accuracy by language.
    pub by_language: String,
}

/// One adapter's training.
#[derive(Debug, Serialize)]
pub struct LiveTraining {
    name: String,
    sentence: String,
    curve: String,
}

impl LiveTraining {
    /// From what its log holds so far.
    pub fn new(log: &TrainingLog) -> Self {
        let mut sentences = Vec::new();
        if let Some(step) = log.steps.last() {
            let speed = step.tokens as f64 / step.seconds.max(1e-9);
            sentences.push(format!(
                "Update {}, epoch {:.2}: loss {:.4}, {speed:.0} tokens/s, gradient norm {:.2}.",
                step.step, step.epoch, step.loss, step.grad_norm
            ));
        }
        let validations = log.validations.iter();
        if let Some(best) = validations.min_by(|a, b| a.loss.total_cmp(&b.loss)) {
            sentences.push(format!(
                "Best validation loss so far {:.4}, after update {}.",
                best.loss, best.step
            ));
        }
        let name = show_on_a_line(&log.adapter);
        Self {
            sentence: sentences.join(" "),
            curve: loss::draw(format!("Loss of {name}"), &[log]).to_inline(),
            name,
        }
    }
}

/// The page, whole.
///
/// # Errors
/// The template.
pub fn live_page(page: &LivePage) -> Result<String, ReportError> {
    render(
        "live.html",
        include_str!("live.html"),
        page,
        (&[], &[]),
        Downloads::Beside,
    )
}
