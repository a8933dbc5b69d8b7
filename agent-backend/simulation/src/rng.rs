//! Chance that repeats itself.

/// SplitMix64: small, and every seed is as good as another.
#[derive(Debug, Clone, Copy)]
pub struct Rng(u64);

impl Rng {
    /// Chance that follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.any() % end
    }

    /// A place in a list of this length; none in an empty one.
    pub fn place(&mut self, length: usize) -> Option<usize> {
        let end = u64::try_from(length).ok().filter(|end| *end > 0)?;
        usize::try_from(self.below(end)).ok()
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}
