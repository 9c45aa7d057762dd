//! A recipe with `[grid]` as cells: one for the base and one for each adapter of every member. Which
//! there are ([`Plan`]), what is done of them ([`survey`]), and who makes which: this process
//! ([`work`]), several on this machine ([`crew`]), a cluster ([`slurm`]), or whatever runs a line
//! ([`lines`]). The run folders of the members stay the only truth: a cell is done when its manifest
//! says so, whoever made it.
//!
//! Never here: how a stage is made (`run`), arithmetic on results, printing, a scheduler.

#![forbid(unsafe_code)]

mod beat;
mod collect;
mod cost;
pub mod crew;
mod error;
mod folder;
pub mod lines;
mod plan;
mod record;
pub mod slurm;
mod survey;
mod work;

pub use collect::collect;
pub use cost::{CellCost, estimate};
pub use error::{GridError, Result};
pub use folder::GridFolder;
pub use plan::{Cell, Plan};
pub use record::{CellRecord, Outcome};
pub use survey::{CellState, CellStatus, survey};
pub use work::{WorkOptions, Worked, work};

/// The exit status of a process that was asked to stop and resumes: 128 + SIGINT, whatever signal asked.
pub const INTERRUPTED: u8 = 130;
