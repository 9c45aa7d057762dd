//! How fast an engine is asked: so many requests a second, so many characters a minute, and not
//! while it wants to be left alone. One clock for all threads. Never here: requests.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::Pace;

const LOOK: Duration = Duration::from_millis(20);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

/// When the next request may be sent.
pub(super) struct Clock {
    next: Mutex<Instant>,
    per_request: Duration,
    per_character: Duration,
}

impl Clock {
    pub(super) fn new(pace: &Pace) -> Self {
        Self {
            next: Mutex::new(Instant::now()),
            per_request: interval(pace.requests_per_second, 1.0),
            per_character: interval(pace.characters_per_minute, 60.0),
        }
    }

    /// Takes the next place for a request of so many characters: when it may be sent.
    pub(super) fn book(&self, characters: usize) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = (*next).max(Instant::now());
        let characters = u32::try_from(characters).unwrap_or(u32::MAX);
        *next = start
            + self
                .per_request
                .max(self.per_character.saturating_mul(characters));
        start
    }

    /// Lets nobody ask for so long.
    pub(super) fn hold(&self, pause: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(Instant::now() + pause);
    }
}

/// The time between two of so many in `seconds`; none without a rate.
fn interval(rate: Option<f64>, seconds: f64) -> Duration {
    match rate {
        Some(rate) if rate > 0.0 => Duration::from_secs_f64(seconds / rate),
        _ => Duration::ZERO,
    }
}

/// Sleeps until `moment`; false if `stop` ended it before.
pub(super) fn sleep_until(moment: Instant, stop: &dyn Fn() -> bool) -> bool {
    loop {
        if stop() {
            return false;
        }
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(LOOK));
    }
}

/// The pause after the `failures`-th failure in a row: twice as long each time, and between a
/// half and the whole of that by chance, so that threads do not come back together.
pub(super) fn back_off(first: Duration, failures: u32) -> Duration {
    let whole = first
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(LONGEST_BACK_OFF);
    whole.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(requests_per_second: Option<f64>, characters_per_minute: Option<f64>) -> Clock {
        Clock::new(&Pace {
            requests_per_second,
            characters_per_minute,
            ..Pace::test()
        })
    }

    #[test]
    fn requests_are_spread_by_number_and_by_length() {
        let spread = |clock: &Clock, sizes: &[usize]| {
            let booked: Vec<Instant> = sizes.iter().map(|&size| clock.book(size)).collect();
            booked[1..]
                .iter()
                .map(|at| (*at - booked[0]).as_secs_f64().round())
                .collect::<Vec<_>>()
        };
        assert_eq!(spread(&clock(Some(0.5), None), &[9, 9, 9]), [2.0, 4.0]);
        assert_eq!(spread(&clock(None, Some(60.0)), &[10, 5, 1]), [10.0, 15.0]);
        assert_eq!(
            spread(&clock(Some(0.1), Some(60.0)), &[3, 30, 1]),
            [10.0, 40.0]
        );
        assert_eq!(spread(&clock(None, None), &[1, 1000]), [0.0]);
    }

    #[test]
    fn everyone_waits_while_the_engine_wants_to_be_left_alone() {
        let clock = clock(None, None);
        let before = Instant::now();
        clock.hold(Duration::from_secs(30));
        assert!(clock.book(1) >= before + Duration::from_secs(30));
    }

    #[test]
    fn the_back_off_doubles_up_to_its_limit() {
        let first = Duration::from_millis(100);
        for (failures, most) in [(1, 0.1), (2, 0.2), (4, 0.8), (40, 60.0)] {
            let pause = back_off(first, failures).as_secs_f64();
            assert!((most / 2.0..=most).contains(&pause), "{failures}: {pause}");
        }
    }

    #[test]
    fn a_sleep_ends_when_it_is_told_to() {
        assert!(!sleep_until(
            Instant::now() + Duration::from_secs(3600),
            &|| true
        ));
        assert!(sleep_until(Instant::now(), &|| false));
    }
}
