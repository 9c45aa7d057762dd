//! The linear projections of a block, and their names in weight files.

use std::fmt;

/// A projection of a block; which of them it has is a property of the model
/// ([`crate::ModelConfig::projections`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Projection {
    /// `self_attn.q_proj`
    Q,
    /// `self_attn.k_proj`
    K,
    /// `self_attn.v_proj`
    V,
    /// `self_attn.o_proj`
    O,
    /// `mlp.gate_proj`
    Gate,
    /// `mlp.up_proj`
    Up,
    /// `mlp.down_proj`
    Down,
    /// `self_attn.qkv_proj`: queries, keys and values, one after another.
    Qkv,
    /// `mlp.gate_up_proj`: gate and up, one after the other.
    GateUp,
}

impl Projection {
    /// The seven that most families have.
    pub const ALL: [Self; 7] = [
        Self::Q,
        Self::K,
        Self::V,
        Self::O,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

    /// Those that stand for several in some families.
    pub const MERGED: [Self; 2] = [Self::Qkv, Self::GateUp];

    /// The weight name's last part: `q_proj`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Q => "q_proj",
            Self::K => "k_proj",
            Self::V => "v_proj",
            Self::O => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
            Self::Qkv => "qkv_proj",
            Self::GateUp => "gate_up_proj",
        }
    }

    /// `self_attn` or `mlp`.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Self::Q | Self::K | Self::V | Self::O | Self::Qkv => "self_attn",
            Self::Gate | Self::Up | Self::Down | Self::GateUp => "mlp",
        }
    }

    /// By its weight name's last part.
    pub fn by_name(name: &str) -> Option<Self> {
        let all = Self::ALL.into_iter().chain(Self::MERGED);
        all.into_iter().find(|p| p.name() == name)
    }
}

/// One projection of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LayerProjection {
    /// From 0.
    pub layer: usize,
    /// Which.
    pub projection: Projection,
}

impl LayerProjection {
    /// `model.layers.3.self_attn.q_proj`
    pub fn weight_name(self) -> String {
        format!(
            "model.layers.{}.{}.{}",
            self.layer,
            self.projection.module(),
            self.projection.name()
        )
    }

    /// A number of its own for each.
    pub(crate) fn index(self) -> u64 {
        (self.layer as u64) << 8 | self.projection as u64
    }
}

impl fmt::Display for LayerProjection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.weight_name())
    }
}
