//! How much memory a training or an evaluation takes: a pure function of the decoder's sizes
//! and of the work. One term for each thing that the layers keep or make on their way, so that
//! whoever changes a layer finds its term here; `tests/memory.rs` compares them with what is
//! really allocated. Never here: asking the machine, loading anything.
//!
//! Rows are f32 whatever the weights are, so a term counts floats per row; the letters are the
//! crate's legend.

use hub::catalogue::{BlockShape, Shape};
use schema::task::Precision;

use crate::{
    config::{ModelConfig, properties::MlpActivation},
    instruction_set,
    ops::cross_entropy,
    projection::Projection,
};

/// Bytes of a float of a row.
const FLOAT: u64 = 4;
/// Copies of the adapter: itself, the best so far, gradients on the device and on the host, two
/// moments of AdamW.
const ADAPTER_COPIES: u64 = 6;
/// Question rows behind one scored row: about the length of a short question.
const ROWS_PER_SCORED: u64 = 16;

/// One micro-batch of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingMicroBatch {
    /// Number format of the weights.
    pub precision: Precision,
    /// N
    pub tokens: usize,
    /// Rows with a loss, of the N.
    pub learnt: usize,
    /// R
    pub rank: usize,
    /// Projections with an update, in every layer.
    pub targets: Vec<Projection>,
    /// Whether updates have magnitudes (DoRA): the products that these multiply are kept.
    pub dora: bool,
    /// Whether the update's inputs are dropped in part: each projection then keeps its own.
    pub dropout: bool,
    /// Whether blocks keep only their input.
    pub activation_checkpointing: bool,
}

/// Bytes. What is held and what is made on the way do not all meet: see [`MemoryEstimate::total`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// The model.
    pub weights: u64,
    /// Second copies while the largest tensor is decoded; gone before anything is run.
    pub loading: u64,
    /// Activations held from forward to backward, or keys and values of the shared prefix.
    pub kept: u64,
    /// The most that one block makes beside what is kept, in forward and backward.
    pub block: u64,
    /// The most that the head makes: residual rows, their gradients, logits.
    pub head: u64,
    /// Adapter, gradients, moments.
    pub optimiser: u64,
}

impl MemoryEstimate {
    /// Of a training's steps.
    pub fn training(shape: &Shape, work: &TrainingMicroBatch) -> Self {
        let (rows, layers) = (work.tokens as u64, shape.layers as u64);
        let activations = kept_by_block(shape, work) * rows * FLOAT;
        let input = shape.hidden as u64 * rows * FLOAT;
        let backward = backward_of_block(shape, work) * rows * FLOAT;
        let (kept, block) = match work.activation_checkpointing {
            true => (layers * input, activations + backward),
            false => (layers * activations, backward),
        };
        let angles = angles(shape) * rows * FLOAT;
        Self {
            weights: weights(shape, work.precision),
            loading: loading(shape),
            kept: kept + angles,
            block,
            head: training_head(shape, work),
            optimiser: ADAPTER_COPIES * adapter_parameters(shape, work) * FLOAT,
        }
    }

    /// Of an evaluation that runs `tokens` question tokens at once after a shared prefix of
    /// `prefix` tokens.
    pub fn evaluation(shape: &Shape, precision: Precision, tokens: usize, prefix: usize) -> Self {
        let rows = tokens.max(prefix) as u64;
        let scored = (tokens as u64).div_ceil(ROWS_PER_SCORED);
        // Keys and values of every layer, and packed; the angles of the rows.
        let kept = (2 * keys(shape) + packs(shape)) * (shape.layers * prefix) as u64
            + angles(shape) * rows;
        // Residual rows, and per scored row its logits and their probabilities.
        let head = shape.hidden as u64 * rows + 2 * shape.vocab as u64 * scored;
        Self {
            weights: weights(shape, precision),
            loading: loading(shape),
            kept: kept * FLOAT,
            block: forward_of_block(shape, precision) * rows * FLOAT,
            head: head * FLOAT,
            optimiser: 0,
        }
    }

    /// The peak: the model, and the larger of what loading and what running needs beside it.
    /// Head and blocks take turns.
    pub fn total(&self) -> u64 {
        let running = self.kept + self.block.max(self.head) + self.optimiser;
        self.weights + running.max(self.loading)
    }
}

impl ModelConfig {
    /// The sizes that an estimate needs.
    pub fn shape(&self) -> Shape {
        Shape {
            layers: self.num_hidden_layers,
            hidden: self.hidden_size,
            heads: self.num_attention_heads,
            kv_heads: self.num_key_value_heads,
            head: self.head_dim,
            mlp: self.intermediate_size,
            vocab: self.vocab_size,
            tied: self.tie_word_embeddings,
            attention_bias: self.biases.contains(&Projection::Q),
            block: BlockShape {
                gated: self.activation != MlpActivation::Xielu,
                merged: self.merged_qkv || self.merged_gate_up,
                norms: self.norms.names().count(),
                norms_after: self.norms.after_mlp.is_some() || self.residual_multiplier != 1.0,
                qk_norm: self.qk_norm.map_or(0, |norm| {
                    let values = |heads| -> usize {
                        norm.span
                            .weight_shape(heads, self.head_dim)
                            .iter()
                            .product()
                    };
                    values(self.num_attention_heads) + values(self.num_key_value_heads)
                }),
                angles: (1 + usize::from(self.position_scale.is_some()))
                    * (1 + usize::from(self.local_rope.is_some())),
            },
        }
    }
}

/// Floats per row of its cosines and sines: 2 · D/2 in each set.
fn angles(shape: &Shape) -> u64 {
    (shape.block.angles * shape.head) as u64
}

fn queries(shape: &Shape) -> u64 {
    (shape.heads * shape.head) as u64
}

fn keys(shape: &Shape) -> u64 {
    (shape.kv_heads * shape.head) as u64
}

/// Floats per row of keys and values packed for attention: values in whole panels of 32.
fn packs(shape: &Shape) -> u64 {
    keys(shape) + (shape.kv_heads * shape.head.next_multiple_of(32)) as u64
}

/// Bits of one weight of a projection, and of the embedding and the head.
fn bits_per_weight(precision: Precision) -> (f64, f64) {
    match precision {
        Precision::F32 => (32.0, 32.0),
        Precision::Bf16 => (16.0, 16.0),
        // What files of 4 to 6 bits come to with their scales; the file is not looked into.
        Precision::Packed => (5.5, 6.5),
        Precision::Nf4 => (4.5, 16.0),
    }
}

/// Norms and biases are f32 in every format, and too few to count apart.
fn weights(shape: &Shape, precision: Precision) -> u64 {
    let embedding = (shape.vocab * shape.hidden * if shape.tied { 1 } else { 2 }) as u64;
    let (projections, ends) = bits_per_weight(precision);
    let bits = (shape.parameters() - embedding) as f64 * projections + embedding as f64 * ends;
    (bits / 8.0) as u64
}

/// The embedding is the largest tensor: its floats, decoded, beside those that are kept.
fn loading(shape: &Shape) -> u64 {
    (shape.vocab * shape.hidden) as u64 * FLOAT
}

fn adapter_parameters(shape: &Shape, work: &TrainingMicroBatch) -> u64 {
    let widths: u64 = work
        .targets
        .iter()
        .map(|&p| input_width(shape, p) + output_width(shape, p))
        .sum();
    shape.layers as u64 * (work.rank as u64 * widths + magnitudes(shape, work))
}

/// Outputs of the projections of a block with magnitudes.
fn magnitudes(shape: &Shape, work: &TrainingMicroBatch) -> u64 {
    let targets = work.targets.iter().filter(|_| work.dora);
    targets.map(|&p| output_width(shape, p)).sum()
}

fn input_width(shape: &Shape, projection: Projection) -> u64 {
    match projection {
        Projection::O => queries(shape),
        Projection::Down => shape.mlp as u64,
        _ => shape.hidden as u64,
    }
}

fn output_width(shape: &Shape, projection: Projection) -> u64 {
    match projection {
        Projection::Q => queries(shape),
        Projection::K | Projection::V => keys(shape),
        Projection::Gate | Projection::Up => shape.mlp as u64,
        Projection::O | Projection::Down => shape.hidden as u64,
        Projection::Qkv => queries(shape) + 2 * keys(shape),
        Projection::GateUp => 2 * shape.mlp as u64,
    }
}

/// Floats per row that one block keeps for its backward.
fn kept_by_block(shape: &Shape, work: &TrainingMicroBatch) -> u64 {
    let (e, f) = (shape.hidden as u64, shape.mlp as u64);
    // BlockSaved: resid_pre (the block below's output, counted once) and resid_mid.
    let residual = 2 * e;
    // AttentionSaved: q, k, v after rotation, the output, its log-sum-exp.
    let attention = 2 * queries(shape) + 2 * keys(shape) + shape.heads as u64;
    // MlpSaved: gate, up.
    let mlp = if shape.block.gated { 2 * f } else { f };
    residual + attention + mlp + kept_by_norms(shape) + kept_by_updates(shape, work)
}

/// What norms within attention, and behind attention and mlp, saw.
fn kept_by_norms(shape: &Shape) -> u64 {
    let qk = if shape.block.qk_norm > 0 { 1 } else { 0 };
    let after = if shape.block.norms_after { 2 } else { 0 };
    qk * (queries(shape) + keys(shape)) + after * shape.hidden as u64
}

/// LinearSaved of the updates: their rows in the low rank, what magnitudes multiply, and their
/// inputs.
fn kept_by_updates(shape: &Shape, work: &TrainingMicroBatch) -> u64 {
    let low = (work.rank * work.targets.len()) as u64 + magnitudes(shape, work);
    if work.dropout {
        return low
            + work
                .targets
                .iter()
                .map(|p| input_width(shape, *p))
                .sum::<u64>();
    }
    // Without dropout readers of one tensor share it, and attention keeps the input of o_proj
    // anyway.
    let has = |projections: &[Projection]| {
        u64::from(projections.iter().any(|p| work.targets.contains(p)))
    };
    low + has(&[Projection::Q, Projection::K, Projection::V, Projection::Qkv]) * shape.hidden as u64
        + has(&[Projection::Gate, Projection::Up, Projection::GateUp]) * shape.hidden as u64
        + has(&[Projection::Down]) * shape.mlp as u64
}

/// Floats per row that live at once in a block's backward: the larger of the mlp's part and the
/// attention's.
fn backward_of_block(shape: &Shape, work: &TrainingMicroBatch) -> u64 {
    let precision = work.precision;
    let (e, f, q, k) = (
        shape.hidden as u64,
        shape.mlp as u64,
        queries(shape),
        keys(shape),
    );
    // The loss's gradient and dy; d_gate, where d_act was, and d_up; dx; the rows as a narrower
    // weight sees them.
    let mlp = 2 * e
        + 2 * f
        + e
        + 2 * narrowed(f, precision)
        + merged(shape, 2 * f)
        + scaled(
            shape,
            work,
            &[Projection::Gate, Projection::Up, Projection::GateUp],
        );
    // The loss's gradient and dy, d_normed, d_mid; d_out; dq, dk, dv, rotated back; dx; what a
    // narrower weight sees.
    let inputs = [Projection::Q, Projection::K, Projection::V, Projection::Qkv];
    let attention = 4 * e
        + q
        + (q + 2 * k)
        + (q + k)
        + e
        + narrowed(q + 2 * k, precision)
        + scaled(shape, work, &inputs);
    mlp.max(attention + merged(shape, q + 2 * k) + behind(shape)) + behind(shape)
}

/// Widths of what magnitudes leave of the gradients of these projections, which lie beside it.
fn scaled(shape: &Shape, work: &TrainingMicroBatch, projections: &[Projection]) -> u64 {
    let found = projections
        .iter()
        .filter(|p| work.dora && work.targets.contains(p));
    found.map(|&p| output_width(shape, p)).sum()
}

/// Floats per row that live at once in a block's forward without backward, at the end of the
/// mlp.
fn forward_of_block(shape: &Shape, precision: Precision) -> u64 {
    let (e, f) = (shape.hidden as u64, shape.mlp as u64);
    let (q, k) = (queries(shape), keys(shape));
    // The input, two normed, resid_mid, resid_post; q, k, v and what attention made of them;
    // act, gate and up never being there as a whole, and the rows as a narrower weight sees them; or
    // a merged projection's outputs beside gate and up, before act is there.
    let inner = (f + narrowed(f, precision)).max(merged(shape, 4 * f));
    let mlp = 5 * e + 2 * q + 2 * k + inner;
    // The input, normed; q, k, v; q and k rotated, k and v packed, and what attention made of
    // them.
    // A norm of queries and keys has a copy of them, a merged projection one more of all.
    let normed = if shape.block.qk_norm > 0 { q + k } else { 0 };
    let attention = 2 * e + 3 * q + 3 * k + packs(shape);
    mlp.max(attention + normed + merged(shape, q + 2 * k)) + behind(shape)
}

/// Floats per row of a merged projection's outputs, which are taken apart.
fn merged(shape: &Shape, width: u64) -> u64 {
    if shape.block.merged { width } else { 0 }
}

/// Floats per row of an output that is normed or scaled before it is added.
fn behind(shape: &Shape) -> u64 {
    if shape.block.norms_after {
        2 * shape.hidden as u64
    } else {
        0
    }
}

/// Rows are rounded to bf16, in a copy, where dot instructions multiply them with weights of
/// that format or with quantised ones.
fn narrowed(width: u64, precision: Precision) -> u64 {
    if precision != Precision::F32 && instruction_set().rounds_rows() {
        width.div_ceil(2)
    } else {
        0
    }
}

/// The residual rows; at learnt rows themselves, normed, narrowed and the gradient of the
/// normed; a chunk of logits.
fn training_head(shape: &Shape, work: &TrainingMicroBatch) -> u64 {
    let (e, rows, learnt) = (shape.hidden as u64, work.tokens as u64, work.learnt as u64);
    // A chunk of logits, their panels' maxima and sums, and the parts that its gradient is
    // summed from.
    let vocab = shape.vocab as u64;
    let slices = vocab.div_ceil(cross_entropy::SLICE_TOKENS as u64);
    let logits = learnt.min(cross_entropy::CHUNK as u64) * (vocab + vocab / 8 + slices * e);
    let copies = 3 * e + narrowed(e, work.precision);
    // Where the loss is done, its gradient is spread over all rows: zeros, and the sum.
    (rows * e + (learnt * copies + logits).max(2 * rows * e)) * FLOAT
}
