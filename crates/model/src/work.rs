//! How many operations a training or an evaluation takes. Counted are the products with frozen
//! weights; what else a pass does (attention, norms, updates) is part of the time in which a
//! machine does them ([`crate::speed`]). Never here: a clock, memory (`memory`), tokens of
//! actual data.

use hub::catalogue::Shape;

/// Operations, a multiplication and an addition being two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Of the blocks.
    pub blocks: u64,
    /// Of the head.
    pub head: u64,
}

/// Of forward and backward of `rows` rows, `learnt` of which have a loss.
pub fn training(shape: &Shape, rows: u64, learnt: u64, activation_checkpointing: bool) -> Work {
    // Backward is dx alone, as long as forward; with checkpointing the blocks' forward is run
    // twice. Nothing below the first block is trained, so that its q, k and v have no dx.
    let passes = if activation_checkpointing { 3 } else { 2 };
    Work {
        blocks: rows * (passes * blocks(shape) - queries_keys_values(shape)),
        head: 2 * learnt * head(shape),
    }
}

/// Of a forward of `rows` rows, `scored` of which meet the head.
pub fn evaluation(shape: &Shape, rows: u64, scored: u64) -> Work {
    Work {
        blocks: rows * blocks(shape),
        head: scored * head(shape),
    }
}

/// Per row, of all blocks' products.
fn blocks(shape: &Shape) -> u64 {
    let (queries, keys) = (shape.heads * shape.head, shape.kv_heads * shape.head);
    let mlp = shape.block.mlp_matrices() * shape.mlp;
    2 * (shape.layers * shape.hidden * (2 * queries + 2 * keys + mlp)) as u64
}

/// Per row, of one block's products with q, k and v.
fn queries_keys_values(shape: &Shape) -> u64 {
    2 * (shape.hidden * shape.head * (shape.heads + 2 * shape.kv_heads)) as u64
}

/// Per row, of the head's product.
fn head(shape: &Shape) -> u64 {
    2 * (shape.hidden * shape.vocab) as u64
}

#[cfg(test)]
mod tests {
    use hub::catalogue::BlockShape;

    use super::*;

    const SHAPE: Shape = Shape {
        layers: 2,
        hidden: 4,
        heads: 2,
        kv_heads: 1,
        head: 3,
        mlp: 5,
        vocab: 7,
        tied: true,
        attention_bias: false,
        block: BlockShape::LLAMA,
    };

    #[test]
    fn operations_by_hand() {
        // A block: q (6, 4), k and v (3, 4), o (4, 6), three of (5, 4): 24 + 24 + 24 + 60 = 132
        // weights, 48 of them of q, k and v; the head 28. Two operations a weight and row.
        assert_eq!(
            training(&SHAPE, 10, 3, false),
            Work {
                blocks: 10 * (2 * 528 - 96),
                head: 2 * 3 * 56
            }
        );
        assert_eq!(
            training(&SHAPE, 10, 3, true),
            Work {
                blocks: 10 * (3 * 528 - 96),
                head: 2 * 3 * 56
            }
        );
        assert_eq!(
            evaluation(&SHAPE, 10, 3),
            Work {
                blocks: 10 * 528,
                head: 3 * 56
            }
        );
    }
}
