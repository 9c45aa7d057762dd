//! f32 tensors to a safetensors file, written whole: adapters, checkpoints and captures.

use std::{collections::HashMap, path::Path};

use safetensors::{Dtype, SafeTensorError, tensor::TensorView};
use schema::disk::write_whole;

use crate::error::{ModelError, Result};

/// Name, shape and row-major values of a tensor.
pub type Named<'a> = (String, Vec<usize>, &'a [f32]);

/// Writes `tensors` with `metadata` to `file`.
pub fn write(file: &Path, tensors: &[Named<'_>], metadata: HashMap<String, String>) -> Result<()> {
    let refuse = |e: SafeTensorError| ModelError::Weights {
        file: file.to_owned(),
        problem: e.to_string(),
    };
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), raw)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), raw)?)))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(refuse)?;
    Ok(write_whole(
        file,
        &safetensors::serialize(views, Some(metadata)).map_err(refuse)?,
    )?)
}
