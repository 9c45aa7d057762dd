//! A thread beside the work that does something again and again. Never here: what it does.

use std::{
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Beats until it is dropped, which waits for the act in hand.
#[derive(Debug)]
pub struct Beat {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Beat {
    /// Acts after every pause.
    pub fn start(pause: Duration, mut act: impl FnMut() + Send + 'static) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                act();
            }
        });
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        drop(self.stop.take());
        // An act that panicked has said so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What work and beat share: the last value is as good as any, whoever panicked.
pub fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
