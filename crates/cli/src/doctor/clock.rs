//! Clocks that differ from ours. Updates are ordered by them, leases and logs are read by them.

use sdk::operator::Probe;

use super::finding::{Finding, Severity};
use crate::view;

/// Seconds by which a clock may differ: answers tell full seconds, and take time.
const TOLERATED: f64 = 3.0;
/// Seconds from which on it is a problem.
const BAD: f64 = 30.0;

/// A clock, compared with ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clock {
    /// Seconds by which it is ahead of ours; less than 0 when it is behind.
    pub(super) ahead: f64,
}

impl Clock {
    /// The clock of whoever has just answered; none where the answer does not tell the time.
    pub(super) fn of(answer: &Probe) -> Option<Self> {
        let date = view::http_date(answer.date.as_deref()?)?;
        // It was told in the middle of the exchange, about, and cut off to the second.
        let asked = view::now() - answer.took.as_secs_f64() / 2.0;
        Some(Self { ahead: date + 0.5 - asked })
    }
}

/// Whether a clock is to be set right.
pub(super) fn skew(whose: &str, clock: &Clock) -> Option<Finding> {
    let off = clock.ahead.abs();
    if off < TOLERATED {
        return None;
    }
    let severity = if off < BAD { Severity::Warning } else { Severity::Problem };
    let direction = if clock.ahead > 0.0 { "ahead of" } else { "behind" };
    let what = format!("the clock of {whose} is {} {direction} the one of this machine", view::span(off));
    Some(
        Finding::new(severity, "clock", what)
            .advice("have both machines' clocks set by NTP (chrony, systemd-timesyncd)"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_are_told() {
        let severity = |ahead| skew("x", &Clock { ahead }).map(|finding| finding.severity);
        assert_eq!(
            [severity(-1.0), severity(5.0), severity(-60.0)],
            [None, Some(Severity::Warning), Some(Severity::Problem)]
        );
        assert!(skew("x", &Clock { ahead: -60.0 }).unwrap().what.contains("60s behind"));
    }
}
