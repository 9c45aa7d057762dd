//! ggml's tensor types: how many elements and bytes one block has. Never here: what the bytes
//! mean.

/// One block of a ggml type. Plain types are blocks of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// ggml's number.
    pub ggml_type: u32,
    /// ggml's name, such as `Q4_K`.
    pub name: &'static str,
    /// Elements in a block, all of one row.
    pub elements: u64,
    /// Bytes of a block.
    pub bytes: u64,
}

const fn entry(ggml_type: u32, name: &'static str, elements: u64, bytes: u64) -> Block {
    Block {
        ggml_type,
        name,
        elements,
        bytes,
    }
}

/// The types that are read. A size is the sum of a block's parts: scales, minima, high bits,
/// quants.
pub const BLOCKS: &[Block] = &[
    entry(0, "F32", 1, 4),
    entry(1, "F16", 1, 2),
    entry(2, "Q4_0", 32, 2 + 16),
    entry(3, "Q4_1", 32, 2 + 2 + 16),
    entry(6, "Q5_0", 32, 2 + 4 + 16),
    entry(7, "Q5_1", 32, 2 + 2 + 4 + 16),
    entry(8, "Q8_0", 32, 2 + 32),
    entry(9, "Q8_1", 32, 2 + 2 + 32),
    entry(10, "Q2_K", 256, 16 + 64 + 2 + 2),
    entry(11, "Q3_K", 256, 32 + 64 + 12 + 2),
    entry(12, "Q4_K", 256, 2 + 2 + 12 + 128),
    entry(13, "Q5_K", 256, 2 + 2 + 12 + 32 + 128),
    entry(14, "Q6_K", 256, 128 + 64 + 16 + 2),
    entry(15, "Q8_K", 256, 4 + 256 + 32),
    entry(30, "BF16", 1, 2),
];

/// The block of ggml's type number, or `None` for a type that is not read.
pub fn block(ggml_type: u32) -> Option<Block> {
    BLOCKS.iter().copied().find(|b| b.ggml_type == ggml_type)
}
