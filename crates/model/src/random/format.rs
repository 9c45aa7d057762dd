//! How a weight file stores floats. Never here: which values.

use safetensors::Dtype;

schema::words! {
    /// How a weight file stores floats.
    FloatFormat {
        /// bfloat16.
        Bf16 "bf16",
        /// IEEE's 16 bits.
        F16 "f16",
        /// 32 bits.
        F32 "f32",
    }
}

impl FloatFormat {
    /// Bytes of a value.
    pub fn bytes(self) -> usize {
        match self {
            Self::Bf16 | Self::F16 => 2,
            Self::F32 => 4,
        }
    }

    /// As `config.json` writes it.
    pub fn config_name(self) -> &'static str {
        match self {
            Self::Bf16 => "bfloat16",
            Self::F16 => "float16",
            Self::F32 => "float32",
        }
    }

    /// By what `config.json` writes, with or without `torch.` before it.
    pub fn by_config_name(name: &str) -> Option<Self> {
        let name = name.strip_prefix("torch.").unwrap_or(name);
        let mut all = Self::ALL.iter().copied();
        all.find(|format| format.config_name() == name)
    }

    /// Of a safetensors file's tensor; `None` where it holds no such floats.
    pub(crate) fn of(dtype: Dtype) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|format| Dtype::from(*format) == dtype)
    }
}

impl From<FloatFormat> for Dtype {
    fn from(format: FloatFormat) -> Self {
        match format {
            FloatFormat::Bf16 => Self::BF16,
            FloatFormat::F16 => Self::F16,
            FloatFormat::F32 => Self::F32,
        }
    }
}
