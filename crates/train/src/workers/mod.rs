//! Several processes in one training, as the trainer sees them: who this one is, and messages
//! between the first worker and the others. The first worker decides, adds up, steps the
//! optimiser and writes files; the others compute the sums of their micro-batches.
//!
//! Sums are never reduced on their way. An all-reduce adds in an order that depends on the number
//! of workers; here the first worker gets every part and adds in the order of the micro-batches.

#[cfg(feature = "mpi")]
pub mod mpi;

use serde::{Deserialize, Serialize};

/// Between two workers: what it is about, and f32 values, which are not copied into text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// JSON.
    pub head: Vec<u8>,
    /// Values of an adapter or of its gradients.
    pub values: Vec<f32>,
}

impl Message {
    /// A head that any worker can read.
    pub(crate) fn new(head: &impl Serialize, values: Vec<f32>) -> Result<Self, WorkersError> {
        let head = serde_json::to_vec(head).map_err(WorkersError::new)?;
        Ok(Self { head, values })
    }

    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, WorkersError> {
        serde_json::from_slice(&self.head).map_err(WorkersError::new)
    }
}

/// The processes, or the worker itself, failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WorkersError(pub String);

impl WorkersError {
    /// From the failure of whatever carries messages.
    pub fn new(failure: impl std::fmt::Display) -> Self {
        Self(format!("a message between workers: {failure}"))
    }
}

/// All workers of a training, seen from one of them. Messages between two of them arrive in the
/// order in which they were sent.
pub trait Workers {
    /// 0 for the first worker.
    fn rank(&self) -> usize;

    /// How many there are, the first one included.
    fn count(&self) -> usize;

    /// From the first worker to each other one.
    ///
    /// # Errors
    /// A worker cannot be reached.
    fn broadcast(&mut self, message: &Message) -> Result<(), WorkersError>;

    /// What the first worker broadcast next; waits for it.
    ///
    /// # Errors
    /// The first worker cannot be reached.
    fn hear(&mut self) -> Result<Message, WorkersError>;

    /// To the first worker.
    ///
    /// # Errors
    /// It cannot be reached.
    fn hand_in(&mut self, message: &Message) -> Result<(), WorkersError>;

    /// What a worker handed in next, to the first worker; `None` if `goes_on` says no while it
    /// waits.
    ///
    /// # Errors
    /// That worker cannot be reached.
    fn collect(
        &mut self,
        rank: usize,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Message>, WorkersError>;
}

/// A process that trains by itself.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Workers for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn count(&self) -> usize {
        1
    }

    fn broadcast(&mut self, _: &Message) -> Result<(), WorkersError> {
        Ok(())
    }

    fn hear(&mut self) -> Result<Message, WorkersError> {
        Err(nobody())
    }

    fn hand_in(&mut self, _: &Message) -> Result<(), WorkersError> {
        Err(nobody())
    }

    fn collect(
        &mut self,
        _: usize,
        _: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Message>, WorkersError> {
        Err(nobody())
    }
}

fn nobody() -> WorkersError {
    WorkersError::new("there is no other worker")
}
