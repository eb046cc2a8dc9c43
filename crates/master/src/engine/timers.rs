//! Timers that the core has set.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use base::Time;
use master_core::Timer;

/// Timers by the time at which they fire; those for the same time in the order in which they were set.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Time, u64, Timer)>>,
    set: u64,
    /// How many were left when outdated ones were last forgotten.
    kept: usize,
}

impl Timers {
    /// Sets a timer.
    pub(crate) fn set(&mut self, at: Time, timer: Timer) {
        self.set += 1;
        self.heap.push(Reverse((at, self.set, timer)));
    }

    /// Whether it is time to forget outdated ones: there are twice as many as were left the last time, and some.
    pub(crate) fn are_many(&self) -> bool {
        const SOME: usize = 1024;
        self.heap.len() > SOME + 2 * self.kept
    }

    /// Forgets all timers of which nothing will come.
    pub(crate) fn retain(&mut self, awaited: impl Fn(&Timer) -> bool) {
        self.heap.retain(|Reverse((_, _, timer))| awaited(timer));
        self.kept = self.heap.len();
    }

    /// When the next one fires.
    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Takes one that is due.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, _, timer))| timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_fire_in_order_and_not_early() {
        let at = Time::from_nanos;
        let mut timers = Timers::default();
        timers.set(at(2), Timer::Allocation);
        timers.set(at(1), Timer::Offer("f".into(), "o".into()));
        timers.set(at(2), Timer::AllocationInterval);
        assert_eq!(timers.pop_due(at(0)), None);
        assert_eq!(timers.pop_due(at(2)), Some(Timer::Offer("f".into(), "o".into())));
        assert_eq!(timers.pop_due(at(2)), Some(Timer::Allocation));
        assert_eq!(timers.pop_due(at(2)), Some(Timer::AllocationInterval));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn outdated_ones_do_not_pile_up() {
        let mut timers = Timers::default();
        timers.set(Time::from_nanos(5), Timer::Allocation);
        let mut most = 0;
        for number in 0..10_000 {
            timers.set(Time::from_nanos(9), Timer::Offer("f".into(), format!("o{number}").into()));
            if timers.are_many() {
                timers.retain(|timer| *timer == Timer::Allocation);
            }
            most = most.max(timers.heap.len());
        }
        assert!(most < 1100, "{most}");
        assert_eq!(timers.pop_due(Time::from_nanos(5)), Some(Timer::Allocation));
    }
}
