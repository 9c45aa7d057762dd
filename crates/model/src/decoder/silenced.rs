//! A decoder with some neurons of its mlps switched off (arXiv 2402.16438). Never here: which.

use candle_core::Tensor;

use super::{Decoder, ForwardPass, KvCache};
use crate::{
    error::{ModelError, Result},
    rows::Rows,
};

/// Neurons that are off: what they would add to the residual stream is 0.
pub struct SilencedNeurons {
    /// Of each block: each neuron's factor (F), 0 or 1; `None`: all are on.
    factors: Vec<Option<Tensor>>,
}

impl SilencedNeurons {
    /// Factors of the block at this index, from 0.
    pub(super) fn factors(&self, block: usize) -> Option<&Tensor> {
        self.factors.get(block)?.as_ref()
    }
}

/// A decoder that is run with some neurons off. Caches made by it are right for it alone.
pub struct SilencedDecoder<'a> {
    decoder: &'a Decoder,
    neurons: SilencedNeurons,
}

impl Decoder {
    /// This decoder with `neurons` off, each a block from 1 and an index from 0. Without any it
    /// computes what the decoder itself does, to the bit.
    ///
    /// # Errors
    /// A block or an index that the model does not have.
    pub fn silence(&self, neurons: &[(usize, u32)]) -> Result<SilencedDecoder<'_>> {
        let (layers, width) = (self.blocks.len(), self.config.intermediate_size);
        let mut switches = vec![None; layers];
        for &(layer, index) in neurons {
            if layer == 0 || layer > layers || index as usize >= width {
                let problem = format!(
                    "neuron {index} of block {layer}: there are {width} in each of blocks 1 to {layers}"
                );
                return Err(ModelError::Input(problem));
            }
            switches[layer - 1].get_or_insert_with(|| vec![1.0_f32; width])[index as usize] = 0.0;
        }
        let factors = switches
            .into_iter()
            .map(|values| {
                values
                    .map(|values| Tensor::new(values, &self.device))
                    .transpose()
            })
            .collect::<candle_core::Result<_>>()?;
        Ok(SilencedDecoder {
            decoder: self,
            neurons: SilencedNeurons { factors },
        })
    }
}

impl<'a> SilencedDecoder<'a> {
    /// The decoder with all neurons on.
    pub fn decoder(&self) -> &'a Decoder {
        self.decoder
    }

    fn pass<'b>(&'b self, prefix: Option<&'b KvCache>) -> ForwardPass<'b> {
        ForwardPass {
            silenced: Some(&self.neurons),
            ..ForwardPass::after(prefix)
        }
    }

    /// As [`Decoder::hidden`].
    pub fn hidden(
        &self,
        input_ids: &[u32],
        rows: &Rows,
        prefix: Option<&KvCache>,
    ) -> Result<Tensor> {
        self.decoder.unvisited(input_ids, rows, self.pass(prefix))
    }

    /// As [`Decoder::hidden_at`].
    pub fn hidden_at(
        &self,
        input_ids: &[u32],
        rows: &Rows,
        prefix: Option<&KvCache>,
        wanted: &[u32],
    ) -> Result<Tensor> {
        let pass = ForwardPass {
            wanted: Some(wanted),
            ..self.pass(prefix)
        };
        self.decoder.unvisited(input_ids, rows, pass)
    }

    /// As [`Decoder::prefill`].
    pub fn prefill(
        &self,
        input_ids: &[u32],
        before: Option<&KvCache>,
    ) -> Result<(KvCache, Tensor)> {
        self.decoder
            .prefill_pass(input_ids, self.pass(before), &mut |_| Ok(None))
    }
}
