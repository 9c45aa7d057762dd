//! Where an adapter begins: DoRA's magnitudes (arXiv 2402.09353, section 4.1), and PiSSA's factors
//! (arXiv 2404.02948, section 3). Never here: training.

use candle_core::{Device, Tensor};

use super::Decoder;
use crate::{
    adapter::{Adapter, LoraWeights},
    error::Result,
    principal::{self, Principal},
};

impl Decoder {
    /// Sets the adapter's magnitudes to the lengths that the rows of each weight with its update
    /// have, so that they change nothing.
    ///
    /// # Errors
    /// The adapter does not fit.
    pub fn start_magnitudes(&mut self, adapter: &mut Adapter) -> Result<()> {
        adapter.check(&self.config)?;
        for linear in self.blocks.iter_mut().flat_map(|block| block.projections()) {
            if let Some(update) = adapter.weights.get_mut(&linear.place()) {
                let lengths = linear.row_lengths(&update.to_device(&self.device)?)?;
                update.magnitude = Some(Tensor::new(lengths, &Device::Cpu)?);
            }
        }
        Ok(())
    }

    /// Starts every update in the first directions of its weight, as PiSSA does. PiSSA takes
    /// what it starts from out of the frozen weight; here the weight stays, and the update of
    /// twice the rank takes it out: its second half is minus the start, and frozen. The sums are
    /// the same, and the adapter is one of the base as it is, which PEFT too makes of its own
    /// when it saves one for such a base. `draw` gives random numbers about 0.
    ///
    /// # Errors
    /// The adapter does not fit, or a weight has fewer directions than the rank.
    pub fn start_in_weights(
        &mut self,
        adapter: &mut Adapter,
        mut draw: impl FnMut(usize) -> Vec<f32>,
    ) -> Result<()> {
        adapter.check(&self.config)?;
        for linear in self.blocks.iter_mut().flat_map(|block| block.projections()) {
            if let Some(update) = adapter.weights.get_mut(&linear.place()) {
                let rank = update.a.dims2()?.0;
                let found = principal::find(linear.weight(), &self.device, rank, &mut draw)?;
                *update = double(&found, update.scale)?;
            }
        }
        let scale = adapter.config.scale(adapter.config.rank);
        adapter.config.rank *= 2;
        adapter.config.alpha *= scale / adapter.config.scale(adapter.config.rank);
        Ok(())
    }
}

/// [A; A] and [B, -B] with scale · B A the weight's part in these directions.
fn double(found: &Principal, scale: f64) -> Result<LoraWeights> {
    let rank = found.values.len();
    let roots: Vec<f64> = found.values.iter().map(|v| (v / scale).sqrt()).collect();
    let scaled = |rows: &[Vec<f64>]| -> Vec<f32> {
        let pairs = rows.iter().zip(&roots);
        pairs
            .flat_map(|(row, root)| row.iter().map(move |v| (v * root) as f32))
            .collect()
    };
    let tensor = |rows: &[Vec<f64>]| -> Result<Tensor> {
        let width = rows.first().map_or(0, Vec::len);
        Ok(Tensor::from_vec(scaled(rows), (rank, width), &Device::Cpu)?)
    };
    let (a, b) = (
        tensor(&found.right)?,
        tensor(&found.left)?.t()?.contiguous()?,
    );
    Ok(LoraWeights {
        a: Tensor::cat(&[&a, &a], 0)?,
        b: Tensor::cat(&[&b, &b.neg()?], 1)?.contiguous()?,
        scale,
        magnitude: None,
        frozen: rank,
    })
}
