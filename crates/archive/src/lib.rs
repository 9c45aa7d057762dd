//! One run in one file: packed from its folder ([`pack`]), opened again ([`Archive`]), and repeated from its recipe, with
//! what differs told for each stage ([`reproduce`]). Data and model are not in the file: their hashes are, and a
//! reproduction with others is refused.
//!
//! Never here: how a stage is made (`run`), what a difference means for a claim (`compare`), printing.

#![forbid(unsafe_code)]

mod contents;
mod differences;
mod error;
mod open;
mod pack;
mod reproduce;
mod sources;

pub use contents::{Contents, SourceFile};
pub use differences::{Likeness, StageDifference};
pub use error::{ArchiveError, Result};
pub use open::Archive;
pub use pack::{Packed, pack};
pub use reproduce::{Reproduction, ReproductionRequest, reproduce};
