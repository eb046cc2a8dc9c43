//! Draws from a generator, named after what they are used for.

use std::time::Duration;

use base::Rng;

/// Draws that read like what is wanted.
pub(crate) trait Dice {
    /// True `of` times in `among`.
    fn chance(&mut self, of: u64, among: u64) -> bool;
    /// A number from `low` to `high`, both included.
    fn between(&mut self, low: u64, high: u64) -> u64;
    /// A duration from `low` to `high`.
    fn duration(&mut self, low: Duration, high: Duration) -> Duration;
    /// A duration around `mean`, seldom much longer: exponential, cut at ten times the mean.
    fn around(&mut self, mean: Duration) -> Duration;
    /// An index below `len`, which is not 0.
    fn index(&mut self, len: usize) -> usize;
    /// One of the items.
    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T>;
}

impl Dice for Rng {
    fn chance(&mut self, of: u64, among: u64) -> bool {
        self.below(among) < of
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    fn duration(&mut self, low: Duration, high: Duration) -> Duration {
        let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.between(nanos(low), nanos(high)))
    }

    fn around(&mut self, mean: Duration) -> Duration {
        let factor = -(1.0 - self.unit()).ln();
        mean.mul_f64(factor.min(10.0))
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.index(items.len())) }
    }
}
