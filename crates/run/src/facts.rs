//! The program, model, adapter and machine behind the numbers, as records name them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The model behind the numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelFacts {
    /// As named in records.
    pub name: String,
    /// Where it was fetched from.
    pub revision: Option<String>,
    /// Hash of its files.
    pub fingerprint: String,
}

/// The machine behind the numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MachineFacts {
    /// `cpu`, `cuda`, ...
    pub device: String,
    /// Instruction set of the CPU's products.
    pub instruction_set: String,
    /// Worker threads.
    pub threads: usize,
    /// Largest resident memory of the program so far, bytes; `None` where the system does not
    /// report it.
    pub peak_memory_bytes: Option<u64>,
}

/// Name and version of this program.
pub fn program() -> &'static str {
    concat!("lingualign ", env!("CARGO_PKG_VERSION"))
}

/// What the hub calls a model of the catalogue; any other name as it is.
pub(crate) fn hub_name(model: &str) -> String {
    hub::catalogue::entry(model)
        .map_or(model, |entry| entry.hub_id)
        .to_owned()
}

/// The two files of a PEFT folder.
pub(crate) fn adapter_files(folder: &Path) -> [PathBuf; 2] {
    [
        folder.join(model::adapter::peft::WEIGHTS),
        folder.join(model::adapter::peft::CONFIG),
    ]
}
