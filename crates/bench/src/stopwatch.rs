//! Time as it counts here: what the calling thread has computed.
//!
//! What is measured with it is one thread that waits for nothing, so on a machine with nothing else to do this is the time on
//! the wall; with other programs beside it, the wall would measure those.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Runs while it is held.
pub(crate) struct Stopwatch {
    started: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { started: computed() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        computed().saturating_sub(self.started)
    }
}

fn computed() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
