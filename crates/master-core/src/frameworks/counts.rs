//! What is counted of each framework. Counts are kept beside the frameworks, not in them: whoever counts must not have
//! readers' frameworks copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::FrameworkId;

use super::Frameworks;
use crate::output::{Output, SchedulerEvent};
use crate::types::TaskState;

/// What has been counted of a framework since this master knows it.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct FrameworkCounts {
    /// Its calls, by name, such as `ACCEPT`.
    pub calls: BTreeMap<&'static str, u64>,
    /// Events that it was sent, by name, such as `OFFERS`. Heartbeats are not among them: the core knows of none.
    pub events: BTreeMap<&'static str, u64>,
    /// What it did with offers, by kind, such as `LAUNCH`; each task that is launched on its own counts.
    pub operations: BTreeMap<&'static str, u64>,
    /// Its tasks that ended, by state.
    pub ended_tasks: BTreeMap<TaskState, u64>,
    /// Offers that it was sent.
    pub offers_sent: u64,
    /// Offers that it used.
    pub offers_accepted: u64,
    /// Offers that it declined.
    pub offers_declined: u64,
    /// Offers that were taken from it.
    pub offers_rescinded: u64,
}

impl FrameworkCounts {
    pub(crate) fn call(&mut self, name: &'static str) {
        *self.calls.entry(name).or_default() += 1;
    }

    pub(crate) fn operation(&mut self, kind: &'static str) {
        *self.operations.entry(kind).or_default() += 1;
    }

    pub(crate) fn event(&mut self, event: &SchedulerEvent) {
        *self.events.entry(event.name()).or_default() += 1;
        match event {
            SchedulerEvent::Offers(offers) => self.offers_sent += offers.len() as u64,
            SchedulerEvent::Rescind(_) => self.offers_rescinded += 1,
            _ => {}
        }
    }

    /// A task of its came to another state; only those that have ended are counted.
    pub(crate) fn task_is(&mut self, state: TaskState) {
        if state.is_terminal() {
            *self.ended_tasks.entry(state).or_default() += 1;
        }
    }
}

impl Frameworks {
    /// Counts something of a framework that is known.
    pub(crate) fn count(&mut self, id: &FrameworkId, count: impl FnOnce(&mut FrameworkCounts)) {
        if let Some(counts) = self.counts.get_mut(id) {
            count(Arc::make_mut(counts));
        }
    }

    /// Counts the events among outputs.
    pub(crate) fn count_events(&mut self, outputs: &[Output]) {
        for output in outputs {
            let Output::Event { connection, event } = output else { continue };
            let id = self.by_connection.get(connection);
            if let Some(counts) = id.and_then(|id| self.counts.get_mut(id)) {
                Arc::make_mut(counts).event(event);
            }
        }
    }
}
