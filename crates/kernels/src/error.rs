//! The one error type of this crate. Slices of a wrong length are a defect of the caller: they
//! end in a panic.

use std::fmt;

/// What a kernel cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelError {
    /// The processor cannot run the instruction set of this name.
    NoInstructionSet(&'static str),
    /// A sequence continues rows that are not there: which, and in what.
    NoSuchRows(String),
    /// Quantised blocks whose sizes do not fit together: which sizes.
    Blocks(String),
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInstructionSet(set) => write!(
                f,
                "this processor has no {set}; take another instruction set"
            ),
            Self::NoSuchRows(problem) => write!(f, "rows: {problem}"),
            Self::Blocks(problem) => f.write_str(problem),
        }
    }
}

impl std::error::Error for KernelError {}
