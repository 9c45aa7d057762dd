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

    pub(super) fn dtype(self) -> Dtype {
        match self {
            Self::Bf16 => Dtype::BF16,
            Self::F16 => Dtype::F16,
            Self::F32 => Dtype::F32,
        }
    }
}
