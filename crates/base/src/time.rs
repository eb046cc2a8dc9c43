//! Time as a number that is passed in.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time: nanoseconds since the Unix epoch. Cores get it as `now` and never ask a clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From seconds since the epoch; what is negative or not a number is the epoch.
    #[must_use]
    pub fn from_secs_f64(secs: f64) -> Self {
        Self::EPOCH + Duration::try_from_secs_f64(secs).unwrap_or_default()
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the epoch, as timestamps are written on the wire.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        Duration::from_nanos(self.0).as_secs_f64()
    }

    /// How long after `earlier`; zero if it was not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;
    /// Saturates: what lies beyond the year 2554 is as good as never.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Time {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// A duration as Mesos writes it: in the coarsest unit that needs no fraction, such as `5secs`, `15mins`, `1500ms`.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    const UNITS: [(u128, &str); 8] = [
        (7 * 24 * 3_600_000_000_000, "weeks"),
        (24 * 3_600_000_000_000, "days"),
        (3_600_000_000_000, "hrs"),
        (60_000_000_000, "mins"),
        (1_000_000_000, "secs"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let nanos = duration.as_nanos();
    let whole = UNITS.iter().find(|(unit, _)| nanos != 0 && nanos.is_multiple_of(*unit));
    whole.map_or_else(|| "0ns".to_owned(), |(unit, name)| format!("{}{name}", nanos / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_mesos_writes_them() {
        for (millis, text) in
            [(15_000, "15secs"), (600_000, "10mins"), (1_209_600_000, "2weeks"), (1500, "1500ms"), (0, "0ns")]
        {
            assert_eq!(duration_text(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Time::EPOCH.since(Time::from_nanos(5)), Duration::ZERO);
        assert_eq!(Time::from_nanos(5) + Duration::MAX, Time::from_nanos(u64::MAX));
        assert_eq!(Time::from_secs_f64(-1.0), Time::EPOCH);
        assert_eq!(Time::from_secs_f64(1.5).as_secs_f64(), 1.5);
    }
}
