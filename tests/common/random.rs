//! Random numbers for tests that simulate servers.

/// A sequence of numbers that is the same on every machine (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1, neither of which comes.
    pub(crate) fn share(&mut self) -> f64 {
        let bits = u32::try_from(self.bits() >> 32).expect("32 bits");
        (f64::from(bits) + 0.5) / 2.0_f64.powi(32)
    }

    /// Of the standard normal distribution, by Box and Muller's method.
    pub(crate) fn normal(&mut self) -> f64 {
        let distance = (-2.0 * self.share().ln()).sqrt();
        distance * (std::f64::consts::TAU * self.share()).cos()
    }
}
