//! The threads of a job: each takes a batch, asks, stores, and takes the next. Never here: how
//! a batch is made.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use super::{
    JobEvents, Pace,
    pace::{Clock, back_off, sleep_until},
    pieces::TextPieces,
};
use crate::{Engine, EngineFailure, TranslateError, TranslationCache, Unanswered};

/// A single line is asked for so often before it is reported: another answer may fit.
const TRIES_OF_A_LINE: usize = 3;
/// After so many lines without a usable answer the engine is wrong, not the lines.
const MOST_UNANSWERED: usize = 10;

/// A job under way.
pub(super) struct RunningJob<'a> {
    engine: &'a dyn Engine,
    name: String,
    pieces: &'a TextPieces,
    cache: &'a TranslationCache,
    pace: &'a Pace,
    watch: &'a JobEvents<'a>,
    clock: Clock,
    queue: Mutex<VecDeque<Vec<usize>>>,
    answered: AtomicUsize,
    unanswered: Mutex<Vec<Unanswered>>,
    has_ended: AtomicBool,
    error: Mutex<Option<TranslateError>>,
}

impl<'a> RunningJob<'a> {
    pub(super) fn new(
        engine: &'a dyn Engine,
        pieces: &'a TextPieces,
        cache: &'a TranslationCache,
        pace: &'a Pace,
        watch: &'a JobEvents<'a>,
        queue: Vec<Vec<usize>>,
    ) -> Self {
        let waiting: usize = queue.iter().map(Vec::len).sum();
        Self {
            engine,
            name: engine
                .identity()
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
            pieces,
            cache,
            pace,
            watch,
            clock: Clock::new(pace),
            queue: Mutex::new(queue.into()),
            answered: AtomicUsize::new(pieces.lines.len() - waiting),
            unanswered: Mutex::default(),
            has_ended: AtomicBool::new(false),
            error: Mutex::default(),
        }
    }

    /// Processes the queue.
    pub(super) fn run(self) -> Result<(), TranslateError> {
        thread::scope(|scope| {
            for _ in 1..self.pace.parallel {
                scope.spawn(|| self.take_batches());
            }
            self.take_batches();
        });
        if let Some(error) = into_inner(self.error) {
            return Err(error);
        }
        let mut lines = into_inner(self.unanswered);
        if !lines.is_empty() {
            lines.sort_by_key(|line| line.text);
            return Err(TranslateError::Unanswered {
                engine: self.name,
                lines,
            });
        }
        if (self.watch.stop)() {
            Err(TranslateError::Stopped)
        } else {
            Ok(())
        }
    }

    fn take_batches(&self) {
        while !self.must_stop() {
            let Some(batch) = lock(&self.queue).pop_front() else {
                return;
            };
            if let Err(error) = self.answer(&batch) {
                self.has_ended.store(true, Ordering::SeqCst);
                // The first error ends the job; what other threads meet on their way out
                // follows from it. Answers that the cache could not take are reported in any case.
                let mut first = lock(&self.error);
                match &mut *first {
                    Some(TranslateError::Unwritten { kept, lost, .. }) => {
                        if let TranslateError::Unwritten {
                            kept: more,
                            lost: more_lost,
                            ..
                        } = error
                        {
                            (*kept, *lost) = (*kept + more, *lost + more_lost);
                        }
                    }
                    Some(_) if !matches!(error, TranslateError::Unwritten { .. }) => {}
                    _ => *first = Some(error),
                }
                return;
            }
        }
    }

    fn must_stop(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst) || (self.watch.stop)()
    }

    /// Asks for the lines of a batch and keeps the answers; parts of it if the answers do not
    /// fit.
    fn answer(&self, batch: &[usize]) -> Result<(), TranslateError> {
        let mut halves = vec![batch];
        let mut tries_of_a_line = 0;
        while let Some(part) = halves.pop() {
            let lines: Vec<&str> = part
                .iter()
                .map(|&index| self.pieces.lines[index].as_str())
                .collect();
            let problem = match self.ask(&lines)? {
                Ok(translations) => {
                    self.keep(&lines, &translations)?;
                    tries_of_a_line = 0;
                    continue;
                }
                Err(problem) => problem,
            };
            tries_of_a_line += usize::from(part.len() == 1);
            if part.len() > 1 {
                tracing::warn!(lines = part.len(), %problem, "an answer did not fit; asking for both halves");
                let (left, right) = part.split_at(part.len() / 2);
                halves.extend([right, left]);
            } else if tries_of_a_line < TRIES_OF_A_LINE {
                halves.push(part);
            } else {
                tries_of_a_line = 0;
                self.report(part[0], problem)?;
            }
        }
        Ok(())
    }

    /// One request, repeated while it fails in passing. The inner error: the answer does not
    /// fit the lines.
    fn ask(&self, lines: &[&str]) -> Result<Result<Vec<String>, String>, TranslateError> {
        let characters = lines.iter().map(|line| line.chars().count()).sum();
        for failures in 1.. {
            if !sleep_until(self.clock.book(characters), &|| self.must_stop()) {
                return Err(TranslateError::Stopped);
            }
            let failure = match self.engine.translate(lines) {
                Ok(translations) => return Ok(check(lines, translations)),
                Err(failure) => failure,
            };
            let (problem, pause) = match failure {
                _ if self.must_stop() => return Err(TranslateError::Stopped),
                EngineFailure::Split { problem } => return Ok(Err(problem)),
                EngineFailure::Final { problem, advice } => {
                    return Err(TranslateError::Refused {
                        engine: self.name.clone(),
                        problem,
                        advice,
                    });
                }
                EngineFailure::Passing { problem, pause } => (problem, pause),
            };
            if failures >= self.pace.tries {
                return Err(TranslateError::Unreachable {
                    engine: self.name.clone(),
                    problem,
                    tries: failures,
                });
            }
            tracing::info!(%problem, failures, "asking again");
            if let Some(pause) = pause {
                // The engine wants to be left alone, by all threads.
                self.clock.hold(pause);
            }
            if !sleep_until(
                Instant::now() + back_off(self.pace.first_pause, failures),
                &|| self.must_stop(),
            ) {
                return Err(TranslateError::Stopped);
            }
        }
        Err(TranslateError::Stopped)
    }

    fn keep(&self, lines: &[&str], translations: &[String]) -> Result<(), TranslateError> {
        let pairs: Vec<(&str, &str)> = lines
            .iter()
            .copied()
            .zip(translations.iter().map(String::as_str))
            .collect();
        self.cache.put(self.engine.identity(), &pairs)?;
        let done = self.answered.fetch_add(lines.len(), Ordering::SeqCst) + lines.len();
        (self.watch.progress)(done, self.pieces.lines.len());
        Ok(())
    }

    fn report(&self, line: usize, problem: String) -> Result<(), TranslateError> {
        let mut lines = lock(&self.unanswered);
        lines.push(Unanswered {
            text: self.pieces.first_text[line],
            line: self.pieces.lines[line].clone(),
            problem,
        });
        if lines.len() < MOST_UNANSWERED {
            return Ok(());
        }
        Err(TranslateError::Unanswered {
            engine: self.name.clone(),
            lines: std::mem::take(&mut *lines),
        })
    }
}

/// An answer has a line for each line, and says something in each. Blanks around it are not
/// part of it.
fn check(lines: &[&str], translations: Vec<String>) -> Result<Vec<String>, String> {
    if translations.len() != lines.len() {
        return Err(format!(
            "got {} lines for {}",
            translations.len(),
            lines.len()
        ));
    }
    match translations.iter().position(|line| line.trim().is_empty()) {
        Some(_) => Err("an empty translation".to_owned()),
        None => Ok(translations
            .into_iter()
            .map(|line| line.trim().to_owned())
            .collect()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
