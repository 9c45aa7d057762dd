//! How many operations a training or an evaluation takes, and how fast this machine does them:
//! for a rough estimate of time. Counted are the products with frozen weights; attention's own,
//! updates and element-wise passes come on top. Never here: memory (`memory`), tokens of actual
//! data.

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use hub::catalogue::Shape;
use schema::task::Precision;

use crate::{Weight, error::Result, ops::linear};

/// Rows of a timed product: a small micro-batch.
const ROWS: usize = 256;
/// Largest side of a timed weight: it must not take longer to make than to multiply.
const WIDEST: usize = 2048;

/// Operations, a multiplication and an addition being two, of forward and backward of `tokens`
/// rows, `learnt` of which have a loss.
pub fn training(shape: &Shape, tokens: u64, learnt: u64, activation_checkpointing: bool) -> u64 {
    // Backward is dx alone, as long as forward; with checkpointing the blocks' forward is run
    // twice.
    let passes = if activation_checkpointing { 3 } else { 2 };
    passes * tokens * blocks(shape) + 2 * learnt * head(shape)
}

/// Operations of a forward of `tokens` rows, `scored` of which meet the head.
pub fn evaluation(shape: &Shape, tokens: u64, scored: u64) -> u64 {
    tokens * blocks(shape) + scored * head(shape)
}

/// Operations per row of all blocks' seven products.
fn blocks(shape: &Shape) -> u64 {
    let (queries, keys) = (shape.heads * shape.head, shape.kv_heads * shape.head);
    2 * (shape.layers * shape.hidden * (2 * queries + 2 * keys + 3 * shape.mlp)) as u64
}

/// Operations per row of the head's product.
fn head(shape: &Shape) -> u64 {
    2 * (shape.hidden * shape.vocab) as u64
}

/// Operations a second of this machine's products with a weight like the model's, measured for
/// about `time`.
///
/// # Errors
/// The weight's format has no product on the CPU.
pub fn measure_speed(shape: &Shape, precision: Precision, time: Duration) -> Result<f64> {
    let (inner, out) = (shape.hidden.min(WIDEST), shape.mlp.min(WIDEST));
    let x = Tensor::ones((ROWS, inner), DType::F32, &Device::Cpu)?;
    let dtype = if precision == Precision::F32 {
        DType::F32
    } else {
        DType::BF16
    };
    let weight = Weight::new(Tensor::ones((out, inner), dtype, &Device::Cpu)?)?;
    linear::forward(&x, &weight, None)?; // threads are started, pages are there
    let (start, mut products) = (Instant::now(), 0);
    while products == 0 || start.elapsed() < time {
        linear::forward(&x, &weight, None)?;
        products += 1;
    }
    Ok((2 * products * ROWS * inner * out) as f64 / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
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
    };

    #[test]
    fn operations_by_hand() {
        // A block: q (6, 4), k and v (3, 4), o (4, 6), three of (5, 4): 24 + 24 + 24 + 60 = 132
        // weights; the head 28.
        assert_eq!(
            training(&SHAPE, 10, 3, false),
            2 * 10 * 2 * 2 * 132 + 2 * 3 * 2 * 28
        );
        assert_eq!(
            training(&SHAPE, 10, 3, true),
            3 * 10 * 2 * 2 * 132 + 2 * 3 * 2 * 28
        );
        assert_eq!(evaluation(&SHAPE, 10, 3), 10 * 2 * 2 * 132 + 3 * 2 * 28);
    }

    #[test]
    fn products_take_time() {
        for precision in [Precision::F32, Precision::Bf16] {
            let speed =
                measure_speed(&SHAPE, precision, Duration::from_millis(1)).expect("measures");
            assert!(speed.is_finite() && speed > 0.0, "{precision}: {speed}");
        }
    }
}
