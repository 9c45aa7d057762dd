//! What waits for a server, on a thread of its own, so that a user who wants to stop does not wait
//! for the server too. Never here: requests, files.

use std::{
    io::{self, Read},
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use schema::disk::DiskError;

use crate::{HubError, Progress, progress::check_interrupted};

/// Between two looks at whether to stop.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes of a block.
const BLOCK: usize = 1 << 17;
/// Blocks that may wait to be written.
const WAITING: usize = 4;

/// What `work` returns; `path` is what an interruption leaves as it is.
pub(super) fn apart<T: Send + 'static>(
    progress: &dyn Progress,
    path: &Path,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HubError> {
    let (send, received) = sync_channel(1);
    // Nobody waits for what is sent after an interruption.
    thread::spawn(move || drop(send.send(work())));
    next(&received, progress, path)?.ok_or_else(|| {
        let source = io::Error::other("the thread of its connection ended without an answer");
        DiskError::at("fetch", path)(source).into()
    })
}

/// The blocks of a body, in their order.
pub(super) struct Blocks(Receiver<io::Result<Vec<u8>>>);

impl Blocks {
    pub(super) fn of(mut body: impl Read + Send + 'static) -> Self {
        let (send, received) = sync_channel(WAITING);
        thread::spawn(move || {
            loop {
                let mut block = vec![0; BLOCK];
                let read = match body.read(&mut block) {
                    Ok(0) => return,
                    Ok(read) => Ok(read),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(e) => Err(e),
                };
                let is_last = read.is_err();
                let block = read.map(|read| {
                    block.truncate(read);
                    block
                });
                if send.send(block).is_err() || is_last {
                    return;
                }
            }
        });
        Self(received)
    }

    /// The next block, why there is none, or `None` at the end.
    pub(super) fn next(
        &self,
        progress: &dyn Progress,
        path: &Path,
    ) -> Result<Option<io::Result<Vec<u8>>>, HubError> {
        next(&self.0, progress, path)
    }
}

fn next<T>(
    received: &Receiver<T>,
    progress: &dyn Progress,
    path: &Path,
) -> Result<Option<T>, HubError> {
    loop {
        match received.recv_timeout(LOOK) {
            Ok(found) => return Ok(Some(found)),
            Err(RecvTimeoutError::Timeout) => check_interrupted(progress, path)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}
