//! How often something took how long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, in microseconds; what takes longer is in one bucket more.
const BOUNDS: [u64; 17] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    10_000_000,
    30_000_000,
    120_000_000,
];

/// Durations, counted by how long they were. Many threads may add to it at the same time, and none waits for another.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    /// In nanoseconds: enough for five hundred years.
    sum: AtomicU64,
}

/// What a histogram says at one moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The upper bound of each bucket in seconds, and how many took no longer.
    pub(super) buckets: Vec<(String, u64)>,
    /// All together, in seconds.
    pub(super) sum: f64,
    /// How many there were.
    pub(super) count: u64,
}

impl Histogram {
    /// Something took so long.
    pub fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
        let at = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let bounds = BOUNDS.iter().map(|micros| (*micros as f64 / 1e6).to_string());
        let mut count = 0;
        let buckets = bounds.chain(["+Inf".to_owned()]).zip(&self.buckets).map(|(bound, bucket)| {
            count += bucket.load(Ordering::Relaxed);
            (bound, count)
        });
        let buckets = buckets.collect();
        Snapshot { buckets, sum: self.sum.load(Ordering::Relaxed) as f64 / 1e9, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_its_bucket_and_all_above() {
        let histogram = Histogram::default();
        for micros in [100, 101, 9_000_000, 121_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let Snapshot { buckets, sum, count } = histogram.snapshot();
        let counted: Vec<u64> = buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!((counted[0], counted[1], counted[13], counted[14], counted[17]), (1, 2, 2, 3, 4));
        assert_eq!((buckets[0].0.as_str(), buckets[17].0.as_str(), count), ("0.0001", "+Inf", 4));
        assert!((sum - 130.000_201).abs() < 1e-9, "{sum}");
    }
}
