//! `cross_entropy`: hidden rows x lm_head in chunks of rows, so that (N, V) is never in memory
//! (arXiv 2411.09009). Loss and gradient come from one pass.

use rayon::prelude::*;

use crate::{
    chunk_softmax::{ChunkSoftmax, Wanted},
    memory,
    product::panels::Panels,
};

pub use crate::chunk_softmax::{CHUNK, LogitCap, SLICE_TOKENS};

/// Of `hidden` (N, E), one row per target, and `head` (V, E): the sum over rows of -log
/// p(target), nats, and its gradient by the rows (N, E) if asked for; logits are capped where
/// `cap` says so.
///
/// # Panics
/// A target that is not below V.
pub fn forward_backward(
    hidden: &[f32],
    head: &Panels,
    targets: &[u32],
    cap: Option<LogitCap<'_>>,
    with_gradient: bool,
) -> (f64, Option<Vec<f32>>) {
    let (rows, width, vocab) = (targets.len(), head.inner(), head.out());
    assert_eq!(hidden.len(), rows * width);
    assert!(targets.iter().all(|&target| (target as usize) < vocab));
    let mut d_hidden = with_gradient.then(|| memory::float_room(rows * width));
    let mut sum = 0.0;
    let mut logits = memory::float_room(CHUNK.min(rows) * vocab);
    for (chunk, ids) in targets.chunks(CHUNK).enumerate() {
        let part = chunk * CHUNK * width..(chunk * CHUNK + ids.len()) * width;
        let wanted = Wanted::Ids(ids);
        let softmax = ChunkSoftmax::new(&hidden[part.clone()], head, wanted, cap, &mut logits);
        sum += softmax.losses().sum::<f64>();
        if let Some(d) = &mut d_hidden {
            softmax.gradient(head, &mut d[part]);
        }
    }
    // SAFETY: the chunks are all rows, and each wrote its gradient.
    (sum, d_hidden.map(|d| unsafe { memory::written(d) }))
}

/// The logits of products (N, V).
pub fn cap_logits(products: &[f32], vocab: usize, cap: &LogitCap<'_>) -> Vec<f32> {
    let mut logits = products.to_vec();
    logits
        .par_chunks_mut(vocab.max(1))
        .for_each(|row| cap.apply(row));
    logits
}
