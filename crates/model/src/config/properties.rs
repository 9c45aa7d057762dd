//! The properties in which families of decoders differ, beside sizes and positions. Each is a
//! value in [`super::ModelConfig`]; the layers look at it and never at a family's name. Never
//! here: which family has which.

pub use crate::ops::{glu::GateActivation, rope::RopePairs};

/// What a norm does with a row, all of them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// x / root mean square · w (arXiv 1910.07467).
    Rms,
    /// The same times 1 + w: files hold what is added to 1.
    RmsPlusOne,
    /// Without its mean first, and without a bias (arXiv 1607.06450).
    LayerNorm,
}

/// Where a block has norms over the hidden size, by the last part of their tensors' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockNorms {
    /// Of what attention reads; `None`: it reads the residual stream.
    pub before_attention: Option<&'static str>,
    /// Of what attention adds to the residual stream.
    pub after_attention: Option<&'static str>,
    /// Of what the mlp reads.
    pub before_mlp: Option<&'static str>,
    /// Of what the mlp adds to the residual stream.
    pub after_mlp: Option<&'static str>,
    /// Whether the mlp reads what attention reads, beside it: then `before_mlp` is `None`.
    pub parallel: bool,
}

impl BlockNorms {
    /// Before attention and before the mlp, as Llama has and names them.
    pub const BEFORE: Self = Self {
        before_attention: Some("input_layernorm"),
        after_attention: None,
        before_mlp: Some("post_attention_layernorm"),
        after_mlp: None,
        parallel: false,
    };

    /// The names of those that are there, in the order in which a block uses them.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [
            self.before_attention,
            self.after_attention,
            self.before_mlp,
            self.after_mlp,
        ]
        .into_iter()
        .flatten()
    }
}

/// Norms of queries and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QkNorm {
    /// What one norm covers.
    pub span: QkNormSpan,
    /// Whether it comes after the rotation.
    pub after_rope: bool,
    /// Last parts of the tensors' names: of queries, of keys.
    pub names: [&'static str; 2],
}

/// What one norm of queries or keys covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QkNormSpan {
    /// A head; all heads share one weight (D).
    Head,
    /// A head, each with its own weight: (heads, D).
    OwnHead,
    /// All heads together: (heads · D).
    Projection,
}

impl QkNormSpan {
    /// Shape of the weight for so many heads of `size`.
    pub fn weight_shape(self, heads: usize, size: usize) -> Vec<usize> {
        match self {
            Self::Head => vec![size],
            Self::OwnHead => vec![heads, size],
            Self::Projection => vec![heads * size],
        }
    }
}

/// The mlp's function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MlpActivation {
    /// activation(gate) · up
    Gated(GateActivation),
    /// xIELU of up, whose parameters are tensors of each layer (arXiv 2411.13010); no gate.
    Xielu,
}

/// Queries grow with their position: by 1 + beta · ln(1 + floor(position / context)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionScale {
    /// `llama_4_scaling_beta`
    pub beta: f64,
    /// `original_max_position_embeddings`
    pub context: f64,
}

impl PositionScale {
    /// The factor of a query; in f32 as the reference computes it.
    pub fn factor(&self, position: usize) -> f64 {
        let steps = (position as f32 / self.context as f32).floor();
        f64::from(1.0 + self.beta as f32 * (1.0 + steps).ln())
    }
}
