//! The agent's clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::Time;

/// Wall-clock time that never goes back, whatever is done to the system's clock while the agent runs.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    offset: Time,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), offset: Time::EPOCH + since_epoch }
    }

    pub(crate) fn now(&self) -> Time {
        self.offset + self.started.elapsed()
    }

    pub(crate) fn instant_of(&self, time: Time) -> Instant {
        // A time that no `Instant` can hold is as good as never; waking once a day then does no harm.
        let day = Duration::from_secs(86_400);
        self.started + time.since(self.offset).min(self.started.elapsed() + day)
    }
}
