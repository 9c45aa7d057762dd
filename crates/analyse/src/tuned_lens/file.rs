//! Translators on disk: a safetensors file with `layer.N.weight` (E, E) and `layer.N.bias` (E)
//! in f32 for every layer N from 0, whose metadata records what they were trained on. Loading is
//! strict. Never here: training them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use candle_core::Device;
use model::tensor_file;
use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::Metadata};
use schema::disk::DiskError;

use super::{Translator, TunedLens};
use crate::error::AnalyseError;

/// The only entry of the metadata: a JSON object of texts.
const ABOUT: &str = "about";

/// Name of a layer's tensor.
fn name(layer: usize, part: &str) -> String {
    format!("layer.{layer}.{part}")
}

/// Writes the row-major (W, b) of each layer, whole.
pub(super) fn write(
    file: &Path,
    layers: &[(&[f32], &[f32])],
    about: BTreeMap<String, String>,
) -> Result<(), AnalyseError> {
    let mut tensors = Vec::with_capacity(2 * layers.len());
    for (layer, (weight, bias)) in layers.iter().enumerate() {
        tensors.push((name(layer, "weight"), vec![bias.len(), bias.len()], *weight));
        tensors.push((name(layer, "bias"), vec![bias.len()], *bias));
    }
    // As one entry: several would be in another order every time, and the file would have
    // other bytes.
    let about =
        serde_json::to_string(&about).map_err(|e| DiskError::at("write", file)(e.into()))?;
    Ok(tensor_file::write(
        file,
        &tensors,
        [(ABOUT.to_owned(), about)].into(),
    )?)
}

impl TunedLens {
    /// Opens a file that [`super::train`] wrote.
    ///
    /// # Errors
    /// The file cannot be read or is not a safetensors file; a tensor that is missing, of another
    /// shape or dtype, not finite, or no part of a tuned lens.
    pub fn open(file: &Path, device: &Device) -> Result<Self, AnalyseError> {
        let bytes = fs::read(file).map_err(DiskError::at("read", file))?;
        Self::parse(&bytes, device).map_err(|problem| match problem {
            ParseProblem::File(problem) => AnalyseError::file(file, problem),
            ParseProblem::Other(error) => error,
        })
    }

    fn parse(bytes: &[u8], device: &Device) -> Result<Self, ParseProblem> {
        let tensors = SafeTensors::deserialize(bytes)?;
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let layers = count_layers(&tensors.names())?;
        let first = name(0, "bias");
        let width = match tensors.tensor(&first)?.shape() {
            [width] => *width,
            shape => {
                return Err(ParseProblem::File(format!(
                    "tensor `{first}` has shape {shape:?}, not one size; train it again"
                )));
            }
        };
        let mut translators = Vec::with_capacity(layers);
        for layer in 0..layers {
            let weight = read_tensor(&tensors, &name(layer, "weight"), &[width, width])?;
            let bias = read_tensor(&tensors, &name(layer, "bias"), &[width])?;
            translators.push(Translator::new(&weight, &bias, device)?);
        }
        Ok(Self {
            translators,
            about: read_about(&header)?,
            width,
        })
    }
}

/// Why bytes are not a tuned lens.
enum ParseProblem {
    /// The file is broken: how.
    File(String),
    /// Anything else.
    Other(AnalyseError),
}

impl From<String> for ParseProblem {
    fn from(problem: String) -> Self {
        Self::File(problem)
    }
}

impl From<SafeTensorError> for ParseProblem {
    fn from(e: SafeTensorError) -> Self {
        Self::File(format!(
            "not a complete safetensors file ({e}); remove it and train it again"
        ))
    }
}

impl From<AnalyseError> for ParseProblem {
    fn from(error: AnalyseError) -> Self {
        Self::Other(error)
    }
}

fn read_about(header: &Metadata) -> Result<BTreeMap<String, String>, String> {
    let Some(about) = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(ABOUT))
    else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_str(about)
        .map_err(|e| format!("its `{ABOUT}` is not an object of texts ({e}); train it again"))
}

/// How many layers a file with these tensors has; each has both of its tensors, and there are
/// no others.
fn count_layers(names: &[&str]) -> Result<usize, String> {
    let mut layers = 0;
    for name in names {
        match layer_of(name) {
            Some(layer) => layers = layers.max(layer.saturating_add(1)),
            None => {
                return Err(format!(
                    "tensor `{name}` is not part of a tuned lens; remove it"
                ));
            }
        }
    }
    let names: BTreeSet<&str> = names.iter().copied().collect();
    let mut wanted = (0..layers).flat_map(|layer| [name(layer, "weight"), name(layer, "bias")]);
    match wanted.find(|name| !names.contains(name.as_str())) {
        Some(missing) => Err(format!("tensor `{missing}` is missing; train it again")),
        None if layers == 0 => Err("it has no layers; train it again".to_owned()),
        None => Ok(layers),
    }
}

/// The layer of a tensor of this name.
fn layer_of(found: &str) -> Option<usize> {
    let (layer, part) = found.strip_prefix("layer.")?.split_once('.')?;
    let layer = layer.parse().ok()?;
    (["weight", "bias"].contains(&part) && name(layer, part) == found).then_some(layer)
}

/// The values of a tensor of f32, row-major.
fn read_tensor(tensors: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
    let tensor = tensors
        .tensor(name)
        .map_err(|e| format!("tensor `{name}`: {e}; train it again"))?;
    if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
        let (dtype, found) = (tensor.dtype(), tensor.shape());
        return Err(format!(
            "tensor `{name}` is {dtype:?} {found:?}, not F32 {shape:?}; train it again"
        ));
    }
    let values: Vec<f32> = tensor
        .data()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(format!(
            "tensor `{name}`: value {at} is {}; train it again",
            values[at]
        )),
        None => Ok(values),
    }
}
