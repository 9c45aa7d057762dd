//! How long the rest of a run will take, by the stages of the same kind that are done. Never here:
//! an estimate from the model's size (`estimate`).

use std::{collections::BTreeMap, time::Instant};

/// Below this share of a stage its speed says nothing.
const FIRST_SHARE: f64 = 0.02;
/// Kinds that take no time to speak of.
const QUICK: [&str; 4] = ["audit", "data", "questions", "report"];
/// A kind whose stages are a piece of work each. Others share one, as the languages of a task.
const ALONE: &str = "train";

/// What is known of the time of a stage and of those after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeLeft {
    /// The mean time of its kind, seconds, if one of them is done.
    usual: Option<f64>,
    /// Whether its own speed tells its time.
    is_alone: bool,
    /// Of those after it whose kind is known, seconds.
    after: f64,
    /// How many after it are of its own kind, where that is not known.
    alike: usize,
    /// Whether one after it is of another kind that is not known.
    is_at_least: bool,
}

impl TimeLeft {
    /// Of the stage `this` with the stages `after` it; `done` are the finished ones and their
    /// seconds.
    pub(crate) fn new<'a>(
        this: &str,
        after: impl Iterator<Item = &'a str>,
        done: impl Iterator<Item = (&'a str, f64)>,
    ) -> Self {
        let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (name, seconds) in done {
            let sum = sums.entry(kind(name)).or_default();
            *sum = (sum.0 + seconds, sum.1 + 1.0);
        }
        let usual = |kind: &str| match sums.get(kind) {
            Some((seconds, count)) => Some(seconds / count),
            None => QUICK.contains(&kind).then_some(0.0),
        };
        let mut left = Self {
            usual: usual(kind(this)),
            is_alone: kind(this) == ALONE,
            ..Self::default()
        };
        for name in after {
            match usual(kind(name)) {
                Some(seconds) => left.after += seconds,
                None if kind(name) == kind(this) => left.alike += 1,
                None => left.is_at_least = true,
            }
        }
        left
    }

    /// Seconds left when the stage has been worked at for `elapsed` seconds, which brought its
    /// share from `begun` (where it was resumed) to `share`.
    fn seconds(&self, elapsed: f64, begun: f64, share: f64) -> Option<f64> {
        let grown = share - begun;
        let whole = match self.usual {
            Some(usual) => usual,
            None if self.is_alone && grown >= FIRST_SHARE => elapsed / grown,
            None => return None,
        };
        let own = match self.is_alone {
            true => whole * (1.0 - share),
            false => (whole - elapsed).max(0.0),
        };
        Some(own + self.after + self.alike as f64 * whole)
    }
}

/// The time left of a run, as its work goes on: told what a [`crate::Watch`] is told.
#[derive(Default)]
pub struct Pace {
    left: Option<TimeLeft>,
    since: Option<Instant>,
    begun: Option<f64>,
    share: f64,
}

impl Pace {
    /// A stage begins.
    pub fn stage(&mut self, left: &TimeLeft) {
        self.left = Some(left.clone());
        self.since = Some(Instant::now());
        self.begun = Some(self.share);
    }

    /// A piece of work begins.
    pub fn start(&mut self) {
        (self.share, self.begun) = (0.0, None);
    }

    /// `done` of its `total`. The first tells where it was resumed.
    pub fn advance(&mut self, done: usize, total: usize) {
        self.share = done as f64 / total.max(1) as f64;
        if self.begun.is_none() {
            self.begun = Some(self.share);
            self.since = Some(Instant::now());
        }
    }

    /// How long this stage and all later ones will take, seconds; whether that is the least.
    pub fn seconds_left(&self) -> Option<(f64, bool)> {
        let left = self.left.as_ref()?;
        let elapsed = self
            .since
            .map_or(0.0, |since| since.elapsed().as_secs_f64());
        let begun = self.begun.unwrap_or(self.share);
        let seconds = left.seconds(elapsed, begun, self.share)?;
        Some((seconds, left.is_at_least))
    }
}

/// `about 14 min left`, `more than 2.5 h left`.
pub fn describe(seconds: f64, is_at_least: bool) -> String {
    let about = match is_at_least {
        true => "more than",
        false => "about",
    };
    let time = match seconds {
        short if short < 90.0 => format!("{:.0} s", (short / 10.0).ceil() * 10.0),
        medium if medium < 100.0 * 60.0 => format!("{:.0} min", medium / 60.0),
        long if long < 48.0 * 3600.0 => format!("{:.1} h", long / 3600.0),
        days => format!("{:.1} days", days / 86_400.0),
    };
    format!("{about} {time} left")
}

/// `train` of `train.emotion.de-en.seed1`.
pub fn kind(stage: &str) -> &str {
    stage.split('.').next().unwrap_or(stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_take_as_long_as_others_of_their_kind() {
        let done = [
            ("eval.base.a", 2.0),
            ("eval.base.b", 4.0),
            ("train.a", 100.0),
        ];
        let after = ["eval.c", "train.c", "report"];
        let left = TimeLeft::new("train.b", after.into_iter(), done.into_iter());
        assert!(!left.is_at_least);
        assert_eq!(left.seconds(0.0, 0.0, 0.0), Some(203.0));
        assert_eq!(left.seconds(500.0, 0.0, 0.75), Some(128.0));
        let left = TimeLeft::new("eval.c", ["eval.d"].into_iter(), done.into_iter());
        // Its share is that of all languages.
        assert_eq!(left.seconds(1.0, 0.25, 0.25), Some(5.0));
        assert_eq!(left.seconds(9.0, 0.25, 0.25), Some(3.0), "never below zero");
    }

    #[test]
    fn the_first_training_is_known_by_its_speed() {
        let done = [("eval.base.a", 2.0)];
        let after = ["train.b", "eval.b", "capture.b"];
        let left = TimeLeft::new("train.a", after.into_iter(), done.into_iter());
        assert!(left.is_at_least, "nobody knows a capture's time");
        assert_eq!(left.seconds(1.0, 0.0, 0.0), None);
        // A quarter in 10 s: 30 s more, 40 s for the other, 2 s of answers.
        assert_eq!(left.seconds(10.0, 0.0, 0.25), Some(72.0));
        assert_eq!(left.seconds(10.0, 0.5, 0.75), Some(10.0 + 40.0 + 2.0));
    }

    #[test]
    fn times_are_round() {
        assert_eq!(describe(31.0, false), "about 40 s left");
        assert_eq!(describe(840.0, false), "about 14 min left");
        assert_eq!(describe(9000.0, true), "more than 2.5 h left");
        assert_eq!(describe(300_000.0, false), "about 3.5 days left");
    }
}
