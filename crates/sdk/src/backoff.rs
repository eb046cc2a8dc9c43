//! Waiting longer each time, by a random part, so that a crowd that lost its master does not come back at once.

use std::time::Duration;

/// Delays that double up to a limit; each is drawn evenly from nothing to the current bound.
#[derive(Clone, Debug)]
pub struct Backoff {
    initial: Duration,
    limit: Duration,
    bound: Duration,
}

impl Backoff {
    /// The first delay is at most `initial`; none is longer than `limit`.
    #[must_use]
    pub fn new(initial: Duration, limit: Duration) -> Self {
        Self { initial, limit, bound: initial.min(limit) }
    }

    /// The next delay.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.bound.mul_f64(crate::random::unit());
        self.bound = (self.bound * 2).min(self.limit);
        delay
    }

    /// Starts anew: the last attempt succeeded.
    pub fn reset(&mut self) {
        self.bound = self.initial.min(self.limit);
    }

    /// Waits for the next delay.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_delay()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_below_a_bound_that_doubles() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(350));
        for bound in [100, 200, 350, 350] {
            assert_eq!(backoff.bound, ms(bound));
            assert!(backoff.next_delay() <= ms(bound));
        }
        backoff.reset();
        assert_eq!(backoff.bound, ms(100));
    }

    #[test]
    fn delays_differ() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(1));
        let delays: Vec<_> = (0..8).map(|_| backoff.next_delay()).collect();
        assert!(delays.iter().any(|d| *d != delays[0]));
    }
}
