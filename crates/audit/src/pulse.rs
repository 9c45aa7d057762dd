//! Where an audit is, and whether it was asked to stop: the checks run on a thread of their own
//! and look here at every item, while the caller's thread asks its caller. Never here: what is
//! looked at.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::AuditError;

/// Shared by the two threads.
#[derive(Default)]
pub(crate) struct Pulse {
    is_stopped: AtomicBool,
    /// Files done, and the one in hand.
    at: Mutex<(usize, String)>,
}

impl Pulse {
    /// Loops end at the next item; what they have found is thrown away.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// The error that ends a stopped audit.
    pub(crate) fn go_on(&self) -> Result<(), AuditError> {
        if self.is_stopped() {
            Err(AuditError::Stopped)
        } else {
            Ok(())
        }
    }

    /// `done` files are done, `name` is in hand.
    pub(crate) fn reach(&self, done: usize, name: &str) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = (done, name.to_owned());
    }

    pub(crate) fn place(&self) -> (usize, String) {
        self.at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
