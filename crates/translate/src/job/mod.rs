//! A translation job: cached lines are not sent, equal lines are sent once, several requests run at
//! the same time, each answer is on disk before the same thread sends the next request, and the
//! texts come back in their order.
//!
//! A request with a temporary failure is repeated with growing pauses. An answer that does not fit
//! its lines is discarded and both halves are requested; a line that gets no fitting answer alone
//! is reported at the end. Never here: engines.

mod batches;
mod pace;
mod pieces;
mod workers;

use std::time::Duration;

use self::{pieces::TextPieces, workers::RunningJob};
use crate::{Engine, TranslateError, TranslationCache};

/// Room taken on disk for each request under way.
const RESERVED_PER_REQUEST: usize = 256 << 10;

/// How an engine is asked.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Requests under way at once, at least 1.
    pub parallel: usize,
    /// Most requests begun in a second.
    pub requests_per_second: Option<f64>,
    /// Most characters sent in a minute.
    pub characters_per_minute: Option<f64>,
    /// How often a request is tried before the job ends.
    pub tries: u32,
    /// The pause after the first failure of a request.
    pub first_pause: Duration,
}

/// Callbacks of a running job; called from several threads.
pub struct JobEvents<'a> {
    /// Lines answered so far, of so many.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
    /// Something that a user may want to know.
    pub note: &'a (dyn Fn(&str) + Sync),
    /// Whether to stop after the requests under way.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// The work of a job, before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPlan {
    /// Texts.
    pub texts: usize,
    /// Lines in them that are not blank.
    pub lines: usize,
    /// Different ones.
    pub unique: usize,
    /// Of these, how many are in the cache.
    pub cached: usize,
    /// Unicode code points of the others: what engines bill.
    pub characters: usize,
    /// Requests for them.
    pub requests: usize,
}

/// Counts what a job would send, and sends nothing.
///
/// # Errors
/// The cache cannot be read.
pub fn plan(
    engine: &dyn Engine,
    texts: &[String],
    cache: Option<&TranslationCache>,
) -> Result<JobPlan, TranslateError> {
    let pieces = TextPieces::of(texts, !engine.takes_line_breaks());
    let found = match cache {
        Some(cache) => cache.get(engine.identity(), &pieces.lines)?,
        None => vec![None; pieces.lines.len()],
    };
    let missing = missing(&found);
    Ok(JobPlan {
        texts: texts.len(),
        lines: pieces.all,
        unique: pieces.lines.len(),
        cached: found.iter().flatten().count(),
        characters: missing
            .iter()
            .map(|&index| pieces.lines[index].chars().count())
            .sum(),
        requests: batches::divide(&pieces.lines, &missing, engine.limits()).len(),
    })
}

/// Translates `texts`, in their order. Blank ones stay as they are, and so does what surrounds
/// a text.
///
/// # Errors
/// [`TranslateError`]. Lines answered until then are in the cache, and the same call resumes from
/// there.
pub fn run(
    engine: &dyn Engine,
    texts: &[String],
    cache: &TranslationCache,
    pace: &Pace,
    watch: &JobEvents<'_>,
) -> Result<Vec<String>, TranslateError> {
    let pieces = TextPieces::of(texts, !engine.takes_line_breaks());
    let mut found = cache.get(engine.identity(), &pieces.lines)?;
    let missing = missing(&found);
    if !missing.is_empty() {
        cache.reserve(RESERVED_PER_REQUEST * pace.parallel.max(1))?;
        let queue = batches::divide(&pieces.lines, &missing, engine.limits());
        let ended = RunningJob::new(engine, &pieces, cache, pace, watch, queue).run();
        cache.release()?;
        if let Err(error) = ended {
            report_progress(engine, &pieces, cache, watch);
            return Err(error);
        }
        found = cache.get(engine.identity(), &pieces.lines)?;
    }
    let translations: Option<Vec<String>> = found.into_iter().collect();
    let translations = translations.ok_or(TranslateError::Stopped)?;
    Ok(pieces.join(&translations))
}

/// How much is done, for whoever must run it again.
fn report_progress(
    engine: &dyn Engine,
    pieces: &TextPieces,
    cache: &TranslationCache,
    watch: &JobEvents<'_>,
) {
    match cache.get(engine.identity(), &pieces.lines) {
        Ok(found) => {
            let (done, all) = (found.iter().flatten().count(), pieces.lines.len());
            (watch.note)(&format!(
                "{done} of {all} distinct lines are translated and in the cache"
            ));
        }
        // The cache has already said what is wrong with it: that is the error that ends the
        // job.
        Err(problem) => tracing::debug!(%problem, "the cache cannot be counted"),
    }
}

fn missing(found: &[Option<String>]) -> Vec<usize> {
    found
        .iter()
        .enumerate()
        .filter(|(_, found)| found.is_none())
        .map(|(index, _)| index)
        .collect()
}

#[cfg(test)]
impl Pace {
    /// No limits, no pauses.
    fn test() -> Self {
        Self {
            parallel: 1,
            requests_per_second: None,
            characters_per_minute: None,
            tries: 3,
            first_pause: Duration::from_millis(1),
        }
    }
}
