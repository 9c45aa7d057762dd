//! GGUF header and metadata (format versions 2 and 3). Never here: tensor values.
use std::collections::BTreeMap;

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
    /// ggml type number.
    pub ggml_type: u32,
    /// Byte offset in the file (absolute).
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// Everything before the tensor data.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Metadata by key.
    pub metadata: BTreeMap<String, Value>,
    /// Tensors in file order.
    pub tensors: Vec<TensorEntry>,
}
