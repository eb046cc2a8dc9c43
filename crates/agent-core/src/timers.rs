//! The core's own timers behind the server's single one.

use std::collections::BTreeMap;

use base::{ContainerId, FrameworkId, TaskId, Time, Uuid};

use crate::Output;
use crate::checks::Kind;

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Register again.
    Register,
    /// The master has not pinged for too long.
    PingTimeout,
    /// Send a task's unacknowledged update again.
    UpdateRetry(FrameworkId, TaskId),
    /// Send an operation's unacknowledged status again.
    OperationRetry(Uuid),
    /// The executor in this container has not subscribed in time.
    ExecutorRegistration(ContainerId),
    /// The executor in this container has not ended in time.
    ExecutorShutdown(ContainerId),
    /// A task group's executor waits no longer for acknowledgements.
    ExecutorLinger(ContainerId),
    /// The task in this container was asked to end and has not.
    KillEscalation(ContainerId),
    /// The task in this container is to be checked.
    Check(ContainerId, Kind),
    /// The task in this container has run long enough.
    MaxCompletion(ContainerId),
}

/// Names a timer that was set, to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey(Time, u64);

impl TimerKey {
    /// When it goes off.
    pub(crate) fn time(self) -> Time {
        self.0
    }
}

/// All timers that are set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeMap<TimerKey, Timer>,
    next: u64,
    armed: Option<Time>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Time, timer: Timer) -> TimerKey {
        self.next += 1;
        let key = TimerKey(at, self.next);
        self.queue.insert(key, timer);
        key
    }

    /// Cancels what `key` names, if it is still set, and forgets the key.
    pub(crate) fn cancel(&mut self, key: &mut Option<TimerKey>) {
        if let Some(key) = key.take() {
            self.queue.remove(&key);
        }
    }

    pub(crate) fn is_set(&self, key: TimerKey) -> bool {
        self.queue.contains_key(&key)
    }

    /// The next timer whose time has come.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Timer> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// The server's timer went off (or will be set anew).
    pub(crate) fn disarm(&mut self) {
        self.armed = None;
    }

    /// Asks for the server's timer where it would come too late. One that comes too early is harmless, and cheaper
    /// than setting it again for each task.
    pub(crate) fn arm(&mut self, out: &mut Vec<Output>) {
        let Some((&TimerKey(at, _), _)) = self.queue.first_key_value() else { return };
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            out.push(Output::SetTimer(at));
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TimerKey, &Timer)> {
        self.queue.iter().map(|(key, timer)| (*key, timer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_timer_is_set_only_when_it_would_come_too_late() {
        let mut timers = Timers::default();
        let mut out = Vec::new();
        let mut late = Some(timers.set(Time::from_nanos(20), Timer::Register));
        timers.arm(&mut out);
        timers.set(Time::from_nanos(30), Timer::PingTimeout);
        timers.arm(&mut out);
        assert_eq!(out, [Output::SetTimer(Time::from_nanos(20))]);
        timers.set(Time::from_nanos(10), Timer::PingTimeout);
        timers.arm(&mut out);
        assert_eq!(out.pop(), Some(Output::SetTimer(Time::from_nanos(10))));

        timers.cancel(&mut late);
        assert_eq!(timers.pop_due(Time::from_nanos(25)), Some(Timer::PingTimeout));
        assert_eq!(timers.pop_due(Time::from_nanos(25)), None);
        timers.disarm();
        timers.arm(&mut out);
        assert_eq!(out.pop(), Some(Output::SetTimer(Time::from_nanos(30))));
    }
}
