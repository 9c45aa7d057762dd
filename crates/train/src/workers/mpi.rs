//! Workers as the processes of an MPI job. Every wait sleeps between two looks: a process that
//! polls takes a core from those that compute.

use std::{fs, thread, time::Duration};

use ferrompi::{Communicator, Mpi, MpiDatatype, ThreadLevel};

use super::{Message, Workers, WorkersError};

/// Lengths of head and values, head, values: three messages of MPI, told apart by their tags.
const LENGTHS: i32 = 1;
const HEAD: i32 = 2;
const VALUES: i32 = 3;

/// Elements sent at once: below MPI 4.0 a count is an `int`.
const PIECE: usize = 1 << 28;

/// The longest sleep between two looks; the first ones are short.
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// The processes that `mpirun`, or what takes its place, has started. A process in which this is
/// dropped, by a failure or a panic, ends them all; see [`Self::finish`].
pub struct MpiWorkers {
    /// `None` when it is finished.
    mpi: Option<Mpi>,
    world: Communicator,
}

impl MpiWorkers {
    /// Joins the other processes; once in a process, on its main thread.
    ///
    /// # Errors
    /// There is no MPI, or it does not start.
    pub fn start() -> Result<Self, WorkersError> {
        let mpi = Mpi::init_thread(ThreadLevel::Funneled).map_err(WorkersError::new)?;
        let world = mpi.world();
        Ok(Self {
            mpi: Some(mpi),
            world,
        })
    }

    /// Threads for this process, so that those of one machine do not fight: the cores that it may
    /// run on, divided by the processes that may run on just these.
    ///
    /// # Errors
    /// The other processes cannot be reached.
    pub fn threads(&self) -> Result<usize, WorkersError> {
        let node = self.world.split_shared().map_err(WorkersError::new)?;
        let own = [allowed_cores()];
        let mut all = vec![0; node.size() as usize];
        node.allgather(&own, &mut all).map_err(WorkersError::new)?;
        let sharers = all.iter().filter(|cores| **cores == own[0]).count();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok((cores / sharers.max(1)).max(1))
    }

    /// Leaves the others in good order, when all have done their work.
    pub fn finish(mut self) {
        self.mpi = None;
    }

    fn send(&self, to: usize, message: &Message) -> Result<(), WorkersError> {
        let lengths = [message.head.len() as u64, message.values.len() as u64];
        self.send_piece(to, &lengths, LENGTHS)?;
        self.send_piece(to, &message.head, HEAD)?;
        for piece in message.values.chunks(PIECE) {
            self.send_piece(to, piece, VALUES)?;
        }
        Ok(())
    }

    fn send_piece<T: MpiDatatype>(
        &self,
        to: usize,
        piece: &[T],
        tag: i32,
    ) -> Result<(), WorkersError> {
        let sent = ferrompi::scope(|scope| {
            let mut request = self.world.isend(scope, piece, to as i32, tag)?;
            let mut pause = Pause::new();
            while request.test()?.is_none() {
                pause.rest();
            }
            Ok(())
        });
        sent.map_err(WorkersError::new)
    }

    /// `None` if `goes_on` says no before a message is there.
    fn receive(
        &self,
        from: usize,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Message>, WorkersError> {
        let from = from as i32;
        let mut pause = Pause::new();
        loop {
            let found = self.world.iprobe::<u64>(from, LENGTHS);
            if found.map_err(WorkersError::new)?.is_some() {
                break;
            }
            if !goes_on() {
                return Ok(None);
            }
            pause.rest();
        }
        let mut lengths = [0u64; 2];
        self.receive_piece(from, &mut lengths, LENGTHS)?;
        let [head, values] = lengths.map(|length| length as usize);
        let mut message = Message {
            head: vec![0; head],
            values: vec![0.0; values],
        };
        self.receive_piece(from, &mut message.head, HEAD)?;
        for piece in message.values.chunks_mut(PIECE) {
            self.receive_piece(from, piece, VALUES)?;
        }
        Ok(Some(message))
    }

    fn receive_piece<T: MpiDatatype>(
        &self,
        from: i32,
        piece: &mut [T],
        tag: i32,
    ) -> Result<(), WorkersError> {
        let length = piece.len();
        let status = self.world.recv(piece, from, tag);
        let found = status.map_err(WorkersError::new)?.count;
        if found == Some(length) {
            return Ok(());
        }
        Err(WorkersError::new(format!(
            "worker {from} sent {found:?} values, not {length}"
        )))
    }
}

impl Drop for MpiWorkers {
    /// A process that leaves early would let the others wait for ever.
    fn drop(&mut self) {
        if self.mpi.is_some() {
            self.world.abort(1);
        }
    }
}

impl Workers for MpiWorkers {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn count(&self) -> usize {
        self.world.size() as usize
    }

    fn broadcast(&mut self, message: &Message) -> Result<(), WorkersError> {
        (1..self.count()).try_for_each(|rank| self.send(rank, message))
    }

    fn hear(&mut self) -> Result<Message, WorkersError> {
        let heard = self.receive(0, &mut || true)?;
        heard.ok_or_else(|| WorkersError::new("the first worker said nothing"))
    }

    fn hand_in(&mut self, message: &Message) -> Result<(), WorkersError> {
        self.send(0, message)
    }

    fn collect(
        &mut self,
        rank: usize,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Message>, WorkersError> {
        self.receive(rank, goes_on)
    }
}

/// Sleeps that grow: a message that is nearly there is not kept waiting.
struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Self(Duration::from_micros(10))
    }

    fn rest(&mut self) {
        thread::sleep(self.0);
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

/// A number for the set of cores that this process may run on; 0 where the system does not tell,
/// which is the same for all.
fn allowed_cores() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .unwrap_or_default();
    // FNV-1a: two processes must agree, which the standard hasher does not promise.
    list.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
