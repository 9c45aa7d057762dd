//! RoPE's frequencies and their scalings: `linear` (arXiv 2306.15595), `llama3`, `yarn` (arXiv
//! 2309.00071), `longrope` (arXiv 2402.13753), and the per-frequency factors that GGUF files carry instead of `llama3`.

use candle_core::{Device, Tensor};

use super::properties::PositionScale;
use crate::{
    error::Result,
    ops::rope::{Angles, RopePairs},
};

/// Base and scaling.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// `rope_theta`.
    pub theta: f64,
    /// How frequencies are changed for longer contexts.
    pub scaling: RopeScaling,
}

/// `rope_scaling`
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// As trained.
    None,
    /// All frequencies divided.
    Linear {
        /// By this.
        factor: f64,
    },
    /// Long wavelengths divided, short ones kept, a ramp between.
    Llama3 {
        /// Divisor of the long wavelengths.
        factor: f64,
        /// Wavelengths longer than the original context over this are divided.
        low_freq_factor: f64,
        /// Wavelengths shorter than the original context over this are kept.
        high_freq_factor: f64,
        /// Context before scaling.
        original_max_position_embeddings: f64,
    },
    /// A ramp over dimensions, and scores sharpened by the attention factor.
    Yarn(Yarn),
    /// Each frequency divided by its own factor, one for short texts and one for long ones.
    Long(LongRope),
    /// Each frequency divided by its own factor (`rope_freqs.weight`).
    Factors(Vec<f32>),
}

/// Parameters of YaRN, named as in `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Yarn {
    /// Divisor of the long wavelengths.
    pub factor: f64,
    /// Context before scaling.
    pub original_max_position_embeddings: f64,
    /// Turns over the original context above which a dimension is kept.
    pub beta_fast: f64,
    /// Turns below which a dimension is divided.
    pub beta_slow: f64,
    /// Factor of cosines and sines.
    pub attention_factor: f64,
    /// Whether the ramp's ends are rounded to whole dimensions.
    pub truncate: bool,
}

/// Parameters of LongRoPE, named as in `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct LongRope {
    /// Divisors in a text that the original context holds.
    pub short_factor: Vec<f64>,
    /// Divisors in a longer one.
    pub long_factor: Vec<f64>,
    /// Context before scaling.
    pub original_max_position_embeddings: f64,
    /// Factor of cosines and sines.
    pub attention_factor: f64,
}

/// What of each head is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotatedPart {
    /// D
    pub size: usize,
    /// Values that are rotated, an even number.
    pub rotated: usize,
    /// Which of them are pairs.
    pub pairs: RopePairs,
}

/// A row's place in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPosition {
    /// From 0.
    pub position: usize,
    /// Whether the text is longer than LongRoPE's original context.
    pub is_long: bool,
}

impl Rope {
    /// Angle per position of each pair, in a short text: (D/2).
    pub fn inverse_frequencies(&self, head_dim: usize) -> Vec<f32> {
        self.frequencies(head_dim, false)
    }

    fn frequencies(&self, head_dim: usize, is_long: bool) -> Vec<f32> {
        let exact = self.exact_frequencies(head_dim, is_long);
        exact.into_iter().map(|f| f as f32).collect()
    }

    fn exact_frequencies(&self, head_dim: usize, is_long: bool) -> Vec<f64> {
        let plain: Vec<f64> = (0..head_dim / 2)
            .map(|i| self.theta.powf(-2.0 * i as f64 / head_dim as f64))
            .collect();
        match &self.scaling {
            RopeScaling::None => plain,
            RopeScaling::Linear { factor } => plain.iter().map(|f| f / factor).collect(),
            RopeScaling::Factors(factors) => plain
                .iter()
                .zip(factors)
                .map(|(f, &by)| f / f64::from(by))
                .collect(),
            RopeScaling::Long(long) => {
                let factors = match is_long {
                    true => &long.long_factor,
                    false => &long.short_factor,
                };
                plain.iter().zip(factors).map(|(f, by)| f / by).collect()
            }
            RopeScaling::Llama3 {
                factor,
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_position_embeddings: context,
            } => plain
                .iter()
                .map(|&f| llama3(f, *factor, *low, *high, *context))
                .collect(),
            RopeScaling::Yarn(yarn) => yarn.scale(&plain, self.theta, head_dim),
        }
    }

    /// What each pair's frequency is divided by, in a short text: (D/2).
    pub(crate) fn divisors(&self, head_dim: usize) -> Vec<f32> {
        let plain = Self {
            theta: self.theta,
            scaling: RopeScaling::None,
        };
        let pairs = plain.exact_frequencies(head_dim, false);
        let scaled = self.exact_frequencies(head_dim, false);
        let quotients = pairs.into_iter().zip(scaled);
        quotients.map(|(plain, f)| (plain / f) as f32).collect()
    }

    /// With each frequency divided by its own factor too; `None` for YaRN, whose ramp would then
    /// be another.
    pub(crate) fn with_factors(&self, mut factors: Vec<f32>) -> Option<Self> {
        match &self.scaling {
            RopeScaling::None => (),
            RopeScaling::Linear { factor } => {
                factors.iter_mut().for_each(|f| *f *= *factor as f32);
            }
            _ => return None,
        }
        Some(Self {
            theta: self.theta,
            scaling: RopeScaling::Factors(factors),
        })
    }

    /// Factor of cosines and sines.
    pub fn attention_factor(&self) -> f64 {
        match &self.scaling {
            RopeScaling::Yarn(yarn) => yarn.attention_factor,
            RopeScaling::Long(long) => long.attention_factor,
            _ => 1.0,
        }
    }

    /// Positions of a text beyond which its frequencies are others.
    pub fn short_context(&self) -> Option<usize> {
        match &self.scaling {
            RopeScaling::Long(long) => Some(long.original_max_position_embeddings as usize),
            _ => None,
        }
    }

    /// Cosines and sines of rows, (N, rotated/2) each, f32; times what rows grow by.
    pub fn angles(
        &self,
        part: &RotatedPart,
        rows: &[RowPosition],
        growth: Option<&PositionScale>,
        device: &Device,
    ) -> Result<Angles> {
        let inverse = [false, true].map(|is_long| self.frequencies(part.rotated, is_long));
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        for &RowPosition { position, is_long } in rows {
            let factor =
                self.attention_factor() * growth.map_or(1.0, |growth| growth.factor(position));
            for f in &inverse[usize::from(is_long)] {
                // The angle is rounded to f32 as the reference rounds it.
                let (s, c) = f64::from(position as f32 * f).sin_cos();
                cos.push((c * factor) as f32);
                sin.push((s * factor) as f32);
            }
        }
        let shape = (rows.len(), part.rotated / 2);
        Ok(Angles {
            cos: Tensor::from_vec(cos, shape, device)?,
            sin: Tensor::from_vec(sin, shape, device)?,
            size: part.size,
            pairs: part.pairs,
        })
    }
}

fn llama3(frequency: f64, factor: f64, low: f64, high: f64, context: f64) -> f64 {
    let wavelength = 2.0 * std::f64::consts::PI / frequency;
    if wavelength > context / low {
        frequency / factor
    } else if wavelength < context / high {
        frequency
    } else {
        let smooth = (context / wavelength - low) / (high - low);
        (1.0 - smooth) * frequency / factor + smooth * frequency
    }
}

impl Yarn {
    fn scale(&self, plain: &[f64], theta: f64, head_dim: usize) -> Vec<f64> {
        let dim = head_dim as f64;
        let mut low = self.dimension_of(self.beta_fast, theta, dim);
        let mut high = self.dimension_of(self.beta_slow, theta, dim);
        if self.truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        let (low, mut high) = (low.max(0.0), high.min(dim - 1.0));
        if low == high {
            high += 0.001;
        }
        plain
            .iter()
            .enumerate()
            .map(|(i, &f)| {
                let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                f / self.factor * ramp + f * (1.0 - ramp)
            })
            .collect()
    }

    /// The dimension, of `dim`, that turns this often over the original context.
    fn dimension_of(&self, turns: f64, theta: f64, dim: f64) -> f64 {
        dim * (self.original_max_position_embeddings / (turns * 2.0 * std::f64::consts::PI)).ln()
            / (2.0 * theta.ln())
    }
}

/// YaRN's attention factor where the configuration gives none.
pub(super) fn yarn_mscale(factor: f64, mscale: f64) -> f64 {
    if factor <= 1.0 {
        1.0
    } else {
        0.1 * mscale * factor.ln() + 1.0
    }
}
