//! LoRA adapters: which projections, their matrices, their gradients. Read and written as PEFT
//! folders.

pub mod peft;

use std::{collections::BTreeMap, fmt};

use candle_core::Tensor;

use crate::{
    config::ModelConfig,
    error::{ModelError, Result},
    ops::lora::LoraGradients,
};

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
    fn module(self) -> &'static str {
        if self <= Self::O { "self_attn" } else { "mlp" }
    }

    /// By its weight name's last part.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

/// One projection of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// From 0.
    pub layer: usize,
    /// Which.
    pub projection: Projection,
}

impl Place {
    /// `model.layers.3.self_attn.q_proj`
    pub fn weight_name(self) -> String {
        format!(
            "model.layers.{}.{}.{}",
            self.layer,
            self.projection.module(),
            self.projection.name()
        )
    }

    /// A number of its own for each place.
    pub(crate) fn index(self) -> u64 {
        (self.layer as u64) << 8 | self.projection as u64
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.weight_name())
    }
}

/// The update of one projection.
#[derive(Clone, Debug)]
pub struct LoraWeights {
    /// (R, in), f32
    pub a: Tensor,
    /// (out, R), f32
    pub b: Tensor,
    /// alpha / rank, or alpha / sqrt(rank) where PEFT's `use_rslora` is set.
    pub scale: f64,
}

/// How an adapter is made; names as PEFT's.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraConfig {
    /// R
    pub rank: usize,
    /// The update is scaled by alpha / rank.
    pub alpha: f64,
    /// Share of the update's inputs dropped in training.
    pub dropout: f64,
    /// Projections with an update, in every layer.
    pub targets: Vec<Projection>,
}

/// An adapter of a model.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// How it was made.
    pub config: LoraConfig,
    /// One update per place.
    pub weights: BTreeMap<Place, LoraWeights>,
}

impl Adapter {
    /// A new adapter on every layer, B zero, A from `initial(in, count)`: `count` values for
    /// rows of `in`.
    pub fn new(
        config: LoraConfig,
        model: &ModelConfig,
        mut initial: impl FnMut(usize, usize) -> Vec<f32>,
    ) -> Result<Self> {
        let mut weights = BTreeMap::new();
        for layer in 0..model.num_hidden_layers {
            for &projection in &config.targets {
                let (out, inner) = shape(model, projection)?;
                let a = Tensor::from_vec(
                    initial(inner, config.rank * inner),
                    (config.rank, inner),
                    &candle_core::Device::Cpu,
                )?;
                let b = Tensor::zeros(
                    (out, config.rank),
                    candle_core::DType::F32,
                    &candle_core::Device::Cpu,
                )?;
                weights.insert(
                    Place { layer, projection },
                    LoraWeights {
                        a,
                        b,
                        scale: config.alpha / config.rank as f64,
                    },
                );
            }
        }
        Ok(Self { config, weights })
    }

    /// Trained values in all.
    pub fn parameters(&self) -> usize {
        self.weights
            .values()
            .map(|w| w.a.elem_count() + w.b.elem_count())
            .sum()
    }

    /// Fails unless every update fits the model, naming the first that does not.
    pub(crate) fn check(&self, model: &ModelConfig) -> Result<()> {
        for (place, weights) in &self.weights {
            let (out, inner) = shape(model, place.projection)?;
            let (a, b) = (weights.a.dims(), weights.b.dims());
            let fits = place.layer < model.num_hidden_layers
                && a.len() == 2
                && b == [out, a[0]]
                && a[1] == inner;
            if !fits {
                let layers = model.num_hidden_layers;
                let problem = format!(
                    "adapter of `{place}`: A {a:?}, B {b:?}; the model has {layers} layers and ({out}, {inner}) there"
                );
                return Err(ModelError::Input(problem));
            }
        }
        Ok(())
    }
}

fn shape(model: &ModelConfig, projection: Projection) -> Result<(usize, usize)> {
    model
        .projection_shape(projection.name())
        .ok_or_else(|| ModelError::op("adapter", projection.name()))
}

/// Gradients of an adapter's matrices, summed over micro-batches.
#[derive(Default)]
pub struct Gradients(BTreeMap<Place, LoraGradients>);

impl Gradients {
    /// Adds one projection's gradients to what is there.
    pub fn add(&mut self, place: Place, grads: LoraGradients) -> Result<()> {
        let sum = match self.0.remove(&place) {
            None => grads,
            Some(old) => LoraGradients {
                a: (old.a + grads.a)?,
                b: (old.b + grads.b)?,
            },
        };
        self.0.insert(place, sum);
        Ok(())
    }

    /// Gradients of A and B at a place. A missing one is an error: something was not reached by
    /// backward.
    pub fn get(&self, place: Place) -> Result<&LoraGradients> {
        self.0
            .get(&place)
            .ok_or_else(|| ModelError::op("gradients", format!("`{place}` got no gradient")))
    }
}
