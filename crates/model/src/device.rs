//! Where tensors live: `auto`, `cpu`, `cuda[:N]`, `metal[:N]`.

pub use candle_core::Device;

use crate::error::{ModelError, Result};

/// Opens the device of this name. `auto` takes the first accelerator that this build supports
/// and finds, else the CPU.
pub fn open(name: &str) -> Result<Device> {
    let refuse = |problem: String| ModelError::Device {
        name: name.to_owned(),
        problem,
    };
    let (kind, number) = name.split_once(':').unwrap_or((name, "0"));
    let number: usize = number
        .parse()
        .map_err(|_| refuse("write it as cpu, cuda, cuda:1 or auto".into()))?;
    match kind {
        "cpu" => Ok(Device::Cpu),
        "auto" if candle_core::utils::cuda_is_available() => {
            Device::new_cuda(0).map_err(|e| refuse(e.to_string()))
        }
        "auto" if candle_core::utils::metal_is_available() => {
            Device::new_metal(0).map_err(|e| refuse(e.to_string()))
        }
        "auto" => Ok(Device::Cpu),
        "cuda" if !candle_core::utils::cuda_is_available() => Err(refuse(
            "this program was built without `--features cuda`".into(),
        )),
        "cuda" => Device::new_cuda(number).map_err(|e| refuse(e.to_string())),
        "metal" if !candle_core::utils::metal_is_available() => Err(refuse(
            "this program was built without `--features metal`".into(),
        )),
        "metal" => Device::new_metal(number).map_err(|e| refuse(e.to_string())),
        _ => Err(refuse("is none of auto, cpu, cuda[:N], metal[:N]".into())),
    }
}

/// `cpu`, `cuda` or `metal`.
pub fn name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}
