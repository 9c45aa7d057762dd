//! The linear projections of a block, and their names in weight files.

use std::fmt;

/// The seven projections of a block, in the order of the forward.
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
}

impl Projection {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Q,
        Self::K,
        Self::V,
        Self::O,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

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
        }
    }

    /// `self_attn` or `mlp`.
    pub(crate) fn module(self) -> &'static str {
        if self <= Self::O { "self_attn" } else { "mlp" }
    }

    /// By its weight name's last part.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
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
