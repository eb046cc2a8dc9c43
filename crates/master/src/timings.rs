//! How long things take: the newest measurements, and what they say together.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_api::Histogram;

/// How many measurements are kept.
const KEPT: usize = 1000;

/// How long each is of interest.
const WINDOW: Duration = Duration::from_secs(3600);

/// Measurements of one kind. They are made by one thread and read by others.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    newest: Mutex<VecDeque<(Instant, f64)>>,
    all: Histogram,
}

impl Timings {
    /// Takes a measurement.
    pub(crate) fn add(&self, now: Instant, took: Duration) {
        let mut kept = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((now, took.as_secs_f64() * 1000.0));
        drop(kept);
        self.all.observe(took);
    }

    /// All measurements since the start.
    pub(crate) fn histogram(&self) -> &Histogram {
        &self.all
    }

    /// What the measurements say together.
    pub(crate) fn statistics(&self, now: Instant) -> Statistics {
        let mut kept = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW) {
            kept.pop_front();
        }
        let last = kept.back().map(|(_, took)| *took);
        let mut sorted: Vec<f64> = kept.iter().map(|(_, took)| *took).collect();
        drop(kept);
        sorted.sort_unstable_by(f64::total_cmp);
        Statistics { last, sorted }
    }
}

/// Measurements in milliseconds, as Mesos shows timers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statistics {
    last: Option<f64>,
    sorted: Vec<f64>,
}

/// Names of percentiles, and which they are.
const PERCENTILES: [(&str, f64); 6] =
    [("/p50", 0.5), ("/p90", 0.9), ("/p95", 0.95), ("/p99", 0.99), ("/p999", 0.999), ("/p9999", 0.9999)];

impl Statistics {
    /// Each figure, and what is appended to the timer's name for it; nothing where nothing was measured.
    pub(crate) fn named(&self) -> Vec<(&'static str, f64)> {
        let (Some(last), [least, .., most] | [least @ most]) = (self.last, &self.sorted[..]) else {
            return Vec::new();
        };
        let mut named =
            vec![("", last), ("/count", self.sorted.len() as f64), ("/min", *least), ("/max", *most)];
        named.extend(PERCENTILES.map(|(name, part)| (name, self.percentile(part))));
        named
    }

    /// Between the two nearest measurements, in proportion.
    fn percentile(&self, part: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        let position = part * last as f64;
        // Between 0 and the last index: it is not negative, and not too large.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index, as above")]
        let below = position.floor() as usize;
        let (low, high) = (self.sorted[below], self.sorted[(below + 1).min(last)]);
        low + (high - low) * position.fract()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_as_mesos_computes_them() {
        let timings = Timings::default();
        let start = Instant::now();
        assert!(timings.statistics(start).named().is_empty());
        for millis in [3, 1, 2] {
            timings.add(start, Duration::from_millis(millis));
        }
        let named = timings.statistics(start).named();
        let figure = |name: &str| named.iter().find(|(n, _)| *n == name).map(|(_, value)| *value).unwrap();
        for (name, value) in
            [("", 2.0), ("/count", 3.0), ("/min", 1.0), ("/max", 3.0), ("/p50", 2.0), ("/p90", 2.8)]
        {
            assert!((figure(name) - value).abs() < 1e-9, "{name}: {}", figure(name));
        }
    }

    #[test]
    fn old_ones_and_too_many_are_forgotten() {
        let timings = Timings::default();
        let start = Instant::now();
        for _ in 0..2 * KEPT {
            timings.add(start, Duration::from_millis(1));
        }
        timings.add(start + WINDOW, Duration::from_millis(5));
        assert_eq!(timings.statistics(start + WINDOW).sorted.len(), KEPT);
        assert_eq!(timings.statistics(start + WINDOW + Duration::from_secs(1)).sorted, [5.0]);
    }
}
