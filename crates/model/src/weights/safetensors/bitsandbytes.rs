//! 4-bit weights as bitsandbytes leaves them in a safetensors file: the codes under the
//! weight's own name, and beside it tensors that say how to read them. Each is taken with its
//! weight. Never here: decoding.

use std::collections::BTreeMap;

use kernels::quantised::{BlockFormat, Blocks, CodeTable, NestedScales};
use serde::Deserialize;

use super::Shards;
use crate::{
    error::{ModelError, Result},
    weights::Floats,
};

/// How a weight's description ends: a tensor of bytes that are JSON.
const KINDS: [(&str, BlockFormat); 2] = [
    (".quant_state.bitsandbytes__nf4", BlockFormat::Nf4),
    (".quant_state.bitsandbytes__fp4", BlockFormat::Fp4),
];

/// What the JSON says; it repeats the kind and names dtypes too.
#[derive(Deserialize)]
struct QuantState {
    blocksize: usize,
    shape: Vec<usize>,
    nested_blocksize: Option<usize>,
    nested_offset: Option<f64>,
}

/// A weight stored in 4 bits.
pub(super) struct FourBit {
    format: BlockFormat,
    /// (out, in)
    pub(super) shape: Vec<usize>,
    block: usize,
    /// Block and offset of scales that are quantised too.
    nested: Option<(usize, f32)>,
    /// Names of the tensors beside it.
    pub(super) beside: Vec<String>,
}

/// All weights stored in 4 bits, by name. Each has all its tensors.
pub(super) fn find(shards: &Shards) -> Result<BTreeMap<String, FourBit>> {
    let mut found = BTreeMap::new();
    for name in shards.names() {
        let kind = KINDS
            .iter()
            .find_map(|(end, format)| Some((name.strip_suffix(end)?, *format)));
        let Some((weight, format)) = kind else {
            continue;
        };
        let refuse = |problem: String| ModelError::Weights {
            file: shards.file_of(&name),
            problem,
        };
        let state: QuantState = serde_json::from_slice(shards.bytes(&name)?).map_err(|e| {
            refuse(format!(
                "tensor `{name}` does not describe a 4-bit weight ({e})"
            ))
        })?;
        let nested = match (state.nested_blocksize, state.nested_offset) {
            (Some(block), Some(offset)) => Some((block, offset as f32)),
            (None, None) => None,
            _ => {
                return Err(refuse(format!(
                    "tensor `{name}`: nested_blocksize and nested_offset come together"
                )));
            }
        };
        let parts: &[&str] = match nested {
            Some(_) => &["absmax", "quant_map", "nested_absmax", "nested_quant_map"],
            None => &["absmax", "quant_map"],
        };
        let mut beside: Vec<String> = parts
            .iter()
            .map(|part| format!("{weight}.{part}"))
            .collect();
        if let Some(lost) = std::iter::once(weight)
            .chain(beside.iter().map(String::as_str))
            .find(|n| !shards.holds(n))
        {
            return Err(refuse(format!(
                "tensor `{lost}` is missing, which `{name}` speaks of"
            )));
        }
        beside.push(name.clone());
        let four_bit = FourBit {
            format,
            shape: state.shape,
            block: state.blocksize,
            nested,
            beside,
        };
        if found.insert(weight.to_owned(), four_bit).is_some() {
            return Err(refuse(format!(
                "tensor `{weight}` is described twice, as nf4 and as fp4"
            )));
        }
    }
    Ok(found)
}

impl FourBit {
    /// The weight `name`, its codes left in the file.
    pub(super) fn read(&self, shards: &Shards, name: &str) -> Result<Blocks> {
        let refuse = |problem: String| ModelError::Weights {
            file: shards.file_of(name),
            problem: format!("tensor `{name}`: {problem}"),
        };
        let &[out, inner] = self.shape.as_slice() else {
            return Err(refuse(format!(
                "shape {:?} is none of a matrix in 4 bits",
                self.shape
            )));
        };
        let floats = |part: &str| {
            shards
                .plain(&format!("{name}.{part}"))
                .map(Floats::into_f32)
        };
        let absmax = match self.nested {
            None => floats("absmax")?,
            Some((block, offset)) => {
                let (values, absmax) = (floats("nested_quant_map")?, floats("nested_absmax")?);
                let codes = shards.bytes(&format!("{name}.absmax"))?;
                NestedScales {
                    values,
                    block,
                    absmax,
                    offset,
                }
                .decode(codes)
                .map_err(|error| refuse(error.to_string()))?
            }
        };
        let map = floats("quant_map")?;
        let values = <[f32; 16]>::try_from(map.as_slice())
            .map_err(|_| refuse(format!("its quant_map has {} values, not 16", map.len())))?;
        let table = CodeTable {
            values,
            block: self.block,
            absmax,
        };
        Blocks::from_table(self.format, shards.mapped(name)?, (out, inner), table)
            .map_err(|error| refuse(error.to_string()))
    }
}
