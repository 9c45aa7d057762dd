//! The generator that draws what the statistics need. Never here: what is drawn.

/// SplitMix64 (Steele, Lea & Flood 2014): a whole generator in four lines, equal on every
/// machine.
#[derive(Clone)]
pub(crate) struct SplitMix64(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`; its bias is below bound / 2^64.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// The generator after so many numbers.
    pub(crate) fn after(&self, numbers: usize) -> Self {
        Self(self.0.wrapping_add(STEP.wrapping_mul(numbers as u64)))
    }

    /// In 0..1.
    #[cfg(test)]
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How often each of `count` things comes up in as many draws.
    pub(crate) fn resample(&mut self, count: usize) -> Vec<u32> {
        let mut counts = vec![0; count];
        for _ in 0..count {
            counts[self.below(count)] += 1;
        }
        counts
    }
}
