//! What the core has said. What is taken is off the record, and what must not be there can be asked for.

use std::sync::Arc;

use master_core::{Pid, SchedulerEvent, TaskState, TaskStatus, ToAgent};

use super::{Master, Scheduler};

impl Master {
    /// The next event on a scheduler's stream.
    pub fn next_event(&mut self, scheduler: &Scheduler) -> Option<SchedulerEvent> {
        self.events.get_mut(&scheduler.connection)?.pop_front()
    }

    /// All events on a scheduler's stream.
    pub fn events_of(&mut self, scheduler: &Scheduler) -> Vec<SchedulerEvent> {
        self.events.remove(&scheduler.connection).unwrap_or_default().into()
    }

    /// All messages to an agent.
    pub fn messages_to(&mut self, pid: &Pid) -> Vec<ToAgent> {
        self.messages.remove(pid).unwrap_or_default().into()
    }

    /// Whether a scheduler's stream was ended.
    #[must_use]
    pub fn is_closed(&self, scheduler: &Scheduler) -> bool {
        self.closed.contains(&scheduler.connection)
    }

    /// The next event, which is a status in `state`.
    ///
    /// # Panics
    /// If it is not.
    pub fn expect_status(&mut self, scheduler: &Scheduler, state: TaskState) -> Arc<TaskStatus> {
        match self.next_event(scheduler) {
            Some(SchedulerEvent::Update(status)) if status.state == state => status,
            other => panic!("no status {state} but {other:?}"),
        }
    }

    /// The next event, which is an error.
    ///
    /// # Panics
    /// If it is not.
    pub fn expect_error(&mut self, scheduler: &Scheduler) -> String {
        match self.next_event(scheduler) {
            Some(SchedulerEvent::Error(message)) => message,
            other => panic!("no error but {other:?}"),
        }
    }

    /// Says that a scheduler has got nothing else.
    ///
    /// # Panics
    /// If it has.
    pub fn expect_silence(&mut self, scheduler: &Scheduler) {
        let events = self.events_of(scheduler);
        assert!(events.is_empty(), "unexpected {events:?}");
    }
}
