//! A model's or a data set's name to verified files on disk: catalogue, local folders, GGUF
//! files, the hub, Python packages, the cache. Also GGUF's header and metadata. Never here:
//! tensors, tokenizers, printing.
//!
//! [`find_model`] and [`find_dataset`] are the ways in. A model that is fetched is in the
//! [`Cache`] with a `source.json` beside its files that says where they came from, because the
//! sources of one model can hold different numbers (a bf16 folder on the hub, 4-bit blocks in a
//! package).

#![forbid(unsafe_code)]

mod cache;
pub mod catalogue;
mod dataset;
mod download;
mod error;
mod find;
mod folder;
pub mod gguf;
mod hash;
mod hub_id;
mod model;
mod package;
mod progress;
mod pull;
mod sources;
mod upload;
mod verify;

pub use cache::{Cache, Cached, FileRecord, Origin};
pub use dataset::{Dataset, find_dataset};
pub use download::Listing;
pub use error::HubError;
pub use find::{fetch_model_again, find_entry, find_local, find_model, find_model_from};
pub use hash::{fingerprint, hash_bytes, hash_file};
pub use hub_id::HubId;
pub use model::{Model, ModelFiles};
pub use progress::{Progress, Silent};
pub use sources::Sources;
pub use upload::{Upload, upload_model};
pub use verify::{CheckedFile, FileState, verify};
