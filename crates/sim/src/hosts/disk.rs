//! The disk of an agent's machine, as far as the agent writes down what it must not forget.
//!
//! A commit is whole or not at all. It takes its time; while the disk hangs it takes until that is over. A full disk takes none:
//! the commit fails and is tried again, as the agent's thread does that commits, and what waits for it waits on. What was not
//! committed when the process died may be there or not; what was is there for ever.

use std::time::Duration;

use agent_core::{Output, Write};
use base::{Rng, Time};
use store::Gate;
use testkit::agent::Memory;

use crate::dice::Dice;

/// Pause before a commit that failed is tried again; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What outlives the process.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) memory: Memory,
    /// Until then nothing can be committed.
    pub(crate) stuck_until: Time,
    /// Until then it is full.
    pub(crate) full_until: Time,
    /// How much longer than usual a commit takes.
    pub(crate) slowness: u32,
    rng: Rng,
    latency: Duration,
}

impl Disk {
    pub(crate) fn new(rng: Rng, latency: Duration) -> Self {
        Self {
            memory: Memory::default(),
            stuck_until: Time::EPOCH,
            full_until: Time::EPOCH,
            slowness: 1,
            rng,
            latency,
        }
    }

    /// Nothing is wrong with it any more.
    pub(crate) fn mend(&mut self) {
        self.slowness = 1;
        self.stuck_until = Time::EPOCH;
        self.full_until = Time::EPOCH;
    }

    /// An agent starts: another one than was here before has nothing to do with what that one ran.
    pub(crate) fn open(&mut self) {
        if self.memory.agent_id.is_none() {
            let (resources, descriptions) = (self.memory.resources.take(), self.memory.descriptions);
            self.memory = Memory { resources, descriptions, ..Memory::default() };
        }
    }

    /// Whether there is no space left.
    pub(crate) fn is_full(&self, now: Time) -> bool {
        now < self.full_until
    }

    /// When a commit that begins now is done.
    pub(crate) fn commit_at(&mut self, now: Time) -> Time {
        let takes = self.rng.around(self.latency).saturating_mul(self.slowness);
        now.max(self.stuck_until) + takes
    }

    /// The process died while this was being committed. A commit that failed may have been made all the same, as long as there
    /// was space.
    pub(crate) fn torn(&mut self, now: Time, under_way: Vec<Write>) {
        if !self.is_full(now) && self.rng.chance(1, 2) {
            self.write(under_way);
        }
    }

    /// What is on it, for the trace.
    pub(crate) fn shown(&self) -> String {
        use std::fmt::Write as _;
        let memory = &self.memory;
        let mut text = "remembers".to_owned();
        // Writing to a string cannot fail.
        for (id, (_, terminating)) in &memory.frameworks {
            let _ = write!(text, " {id}{}", if *terminating { " (ends)" } else { "" });
        }
        for ((_, id), executor) in &memory.executors {
            let _ = write!(text, "; {id} {:?} {}", executor.state, executor.info.resources);
        }
        for (key, task) in &memory.tasks {
            let state = memory.progress.get(key).map(|progress| {
                (progress.statuses.last().map(|status| status.state), progress.kill.is_some())
            });
            let _ = write!(text, "; {} in {}: {state:?} {}", key.1, task.executor_id, task.info.resources);
        }
        let total = memory.resources.as_ref().map(|(total, _)| total.to_string());
        let _ = write!(text, "; {}", total.unwrap_or_default());
        text
    }

    /// Writes are on the disk.
    pub(crate) fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            self.memory.apply(write);
        }
    }
}

/// What waits for the disk, in the process.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) gate: Gate<Write, Output>,
    pub(crate) committing: Option<Vec<Write>>,
    /// How often that has failed.
    failures: u32,
}

impl Pending {
    /// The commit failed; when it is to be tried again.
    pub(crate) fn failed(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures += 1;
        pause
    }

    /// The commit succeeded: what was written.
    pub(crate) fn succeeded(&mut self) -> Option<Vec<Write>> {
        self.failures = 0;
        self.committing.take()
    }
}
