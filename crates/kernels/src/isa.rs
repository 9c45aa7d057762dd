//! Which instruction set the kernels use: chosen once by what the processor has, or forced for
//! tests and comparisons.

use std::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
};

use crate::error::KernelError;

/// Sets of kernels, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum InstructionSet {
    /// Plain loops; what every other processor takes.
    Portable = 1,
    /// NEON, of every 64-bit ARM.
    Neon = 2,
    /// AVX2 and FMA.
    Avx2 = 3,
    /// AVX-512F, VL, BW and DQ: every processor with AVX-512 since 2017.
    Avx512 = 4,
    /// As [`InstructionSet::Avx512`], and products with bf16 and quantised weights, forward and
    /// backward, by dot instructions on rows and gradients of rows rounded to bf16.
    Avx512Bf16 = 5,
}

impl InstructionSet {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Portable,
        Self::Neon,
        Self::Avx2,
        Self::Avx512,
        Self::Avx512Bf16,
    ];

    /// `portable`, `neon`, `avx2`, `avx512` or `avx512bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512bf16",
        }
    }

    /// Whether products with bf16 and quantised weights see rows, and gradients of rows, rounded
    /// to bf16.
    pub fn rounds_rows(self) -> bool {
        self == Self::Avx512Bf16
    }

    /// By its name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// Whether this processor can run it.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        let available = match self {
            Self::Portable => true,
            Self::Neon => false,
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
            }
            Self::Avx512Bf16 => {
                Self::Avx512.is_available() && is_x86_feature_detected!("avx512bf16")
            }
        };
        #[cfg(not(target_arch = "x86_64"))]
        let available =
            self == Self::Portable || (self == Self::Neon && cfg!(target_arch = "aarch64"));
        available
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// 0: not chosen yet.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The set in use.
#[inline]
pub fn instruction_set() -> InstructionSet {
    match CHOSEN.load(Ordering::Relaxed) {
        1 => InstructionSet::Portable,
        2 => InstructionSet::Neon,
        3 => InstructionSet::Avx2,
        4 => InstructionSet::Avx512,
        5 => InstructionSet::Avx512Bf16,
        _ => {
            let best = best();
            CHOSEN.store(best as u8, Ordering::Relaxed);
            best
        }
    }
}

/// Uses `set` from now on, in the whole process.
pub fn force_instruction_set(set: InstructionSet) -> Result<(), KernelError> {
    if !set.is_available() {
        return Err(KernelError::NoInstructionSet(set.name()));
    }
    CHOSEN.store(set as u8, Ordering::Relaxed);
    Ok(())
}

fn best() -> InstructionSet {
    InstructionSet::ALL
        .into_iter()
        .rev()
        .find(|&set| set.is_available() && is_fast(set))
        .unwrap_or(InstructionSet::Portable)
}

fn is_fast(set: InstructionSet) -> bool {
    set != InstructionSet::Avx512Bf16 || dot_instructions_are_fast()
}

/// AMD issues a 512-bit bf16 dot every cycle, twice the work of its f32 product-and-sum. Intel
/// issues one every second cycle, and two f32 ones every cycle: there, widening the weights is
/// twice as fast and avoids the rounding (measured on Sapphire Rapids: 85 against
/// 165 GFLOP/s a core).
fn dot_instructions_are_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let vendor = std::arch::x86_64::__cpuid(0);
        (
            vendor.ebx.to_le_bytes(),
            vendor.edx.to_le_bytes(),
            vendor.ecx.to_le_bytes(),
        ) == (*b"Auth", *b"enti", *b"cAMD")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_round_and_what_is_missing_is_refused() {
        for set in InstructionSet::ALL {
            assert_eq!(InstructionSet::by_name(set.name()), Some(set));
        }
        assert_eq!(InstructionSet::by_name("sse9"), None);
        assert!(InstructionSet::Portable.is_available() && instruction_set().is_available());
        if let Some(missing) = InstructionSet::ALL
            .into_iter()
            .find(|set| !set.is_available())
        {
            let error = force_instruction_set(missing)
                .expect_err("not there")
                .to_string();
            assert!(error.contains(missing.name()), "{error}");
        }
    }
}
