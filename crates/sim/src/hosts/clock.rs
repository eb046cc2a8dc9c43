//! What a process takes for the time.

use std::time::Duration;

use base::Time;

/// A process' clock: it goes as the true time does, but may be ahead. A process reads the machine's clock once, at its start;
/// whatever is done to that clock later it notices at its next start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    ahead: Duration,
}

impl Clock {
    pub(crate) fn new(ahead: Duration) -> Self {
        Self { ahead }
    }

    /// What it shows at a true time.
    pub(crate) fn shows(self, now: Time) -> Time {
        now + self.ahead
    }

    /// When it shows that.
    pub(crate) fn when(self, shown: Time) -> Time {
        Time::EPOCH + shown.since(Time::EPOCH + self.ahead)
    }
}
