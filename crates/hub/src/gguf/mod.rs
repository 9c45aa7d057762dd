//! GGUF header and metadata (format versions 2 and 3, little-endian). Never here: tensor
//! values.

mod access;
mod block;
mod check;
mod parse;
mod reader;
mod rewrite;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use block::{BLOCKS, Block, block};
pub use rewrite::NewHeader;

use crate::HubError;

/// A metadata value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any unsigned integer kind.
    Unsigned(u64),
    /// Any signed integer kind.
    Signed(i64),
    /// f32 or f64.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// UTF-8 text.
    Text(String),
    /// A list of one kind.
    List(Vec<Value>),
}

/// One tensor of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorEntry {
    /// GGUF name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Shape, outermost dimension first: (out, in).
    pub shape: Vec<usize>,
    /// ggml type number; [`block`] says what it stands for.
    pub ggml_type: u32,
    /// Byte offset in the file (absolute).
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// Everything before the tensor data.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The file it was read from; every error names it.
    pub path: PathBuf,
    /// Metadata by key.
    pub metadata: BTreeMap<String, Value>,
    /// Tensors in file order.
    pub tensors: Vec<TensorEntry>,
}

impl Header {
    /// Reads and checks the header of the file at `path`.
    ///
    /// Every tensor is of a known type, has a whole number of blocks, lies inside the file at
    /// an aligned offset and overlaps no other. A count or length that the rest of the file
    /// cannot hold is refused before anything is allocated, and all lists together have at most
    /// 2^23 elements (256 MiB).
    ///
    /// # Errors
    /// [`HubError::Gguf`] names the file and the key, tensor or field; [`HubError::Disk`] if it
    /// cannot be read.
    pub fn read(path: &Path) -> Result<Self, HubError> {
        parse::read(path)
    }

    /// The tensor of that name, if there is one.
    pub fn tensor(&self, name: &str) -> Option<&TensorEntry> {
        self.tensors.iter().find(|t| t.name == name)
    }

    /// An error at `key` of this file, for the caller's own checks.
    pub fn error(&self, key: &str, problem: impl Into<String>) -> HubError {
        HubError::Gguf {
            path: self.path.clone(),
            at: show(&format!("key `{key}`")),
            problem: problem.into(),
        }
    }
}

/// A name from a damaged file may be long or hold control characters: a message shows its
/// beginning, escaped.
fn show(at: &str) -> String {
    at.chars().take(120).flat_map(char::escape_debug).collect()
}
