//! What the C++ allocator needs, measured on two cores, and how figures are printed beside it.

use std::time::Duration;

use super::Size;
use crate::report::{figure, millis};

/// A figure of which the C++ one is known for some sizes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    AddAgents,
    UpdateAgents,
    /// One cycle of DeclineOffers.
    Decline,
}

const KNOWN: [(Figure, usize, usize, u64); 6] = [
    (Figure::AddAgents, 20_000, 1000, 3500),
    (Figure::UpdateAgents, 20_000, 1000, 2300),
    (Figure::AddAgents, 20_000, 3000, 5200),
    (Figure::UpdateAgents, 20_000, 3000, 3800),
    (Figure::Decline, 10_000, 1000, 1300),
    (Figure::Decline, 1000, 1000, 150),
];

fn cpp(which: Figure, size: Size) -> Option<Duration> {
    KNOWN
        .iter()
        .find(|known| (known.0, known.1, known.2) == (which, size.agents, size.frameworks))
        .map(|known| Duration::from_millis(known.3))
}

/// Prints a time, and how often it goes into the C++ one's where that is known.
pub(super) fn compared(which: Figure, size: Size, name: &str, took: Duration, remark: &str) {
    let ratio = cpp(which, size).map_or_else(String::new, |theirs| {
        let times = theirs.as_secs_f64() / took.as_secs_f64();
        format!("; C++ {}, {times:.0} times as long", millis(theirs))
    });
    figure(name, format!("{}{remark}{ratio}", millis(took)));
}

/// Prints a time with a remark.
pub(super) fn timed(name: &str, took: Duration, remark: &str) {
    figure(name, format!("{}{remark}", millis(took)));
}

/// Prints the time of a cycle, what came of it, and what it took to get back what was offered before.
pub(super) fn cycle(took: Duration, offers: usize, recovered: Duration) {
    let before = if recovered < Duration::from_micros(1) {
        String::new()
    } else {
        format!("; {} to take back those before", millis(recovered))
    };
    timed("a cycle", took, &format!(" for {offers} offers{before}"));
}
