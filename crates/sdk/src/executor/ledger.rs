//! What the agent has not confirmed: updates without an acknowledgement, and the tasks that they are about.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::v1::executor::call;
use proto::v1::{TaskInfo, TaskStatus};
use tokio::sync::watch;

/// When an update that was not acknowledged is sent again, at first and at most.
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LAST_RETRY: Duration = Duration::from_secs(160);

#[derive(Debug)]
struct Pending {
    status: TaskStatus,
    sent: Instant,
    wait: Duration,
}

/// The updates in the order in which they were reported, and the tasks launched.
#[derive(Debug)]
pub(crate) struct Ledger {
    pending: Vec<Pending>,
    /// Tasks of which the agent has acknowledged nothing yet.
    fresh: BTreeMap<String, TaskInfo>,
    owed: watch::Sender<usize>,
}

impl Ledger {
    pub(crate) fn new(owed: watch::Sender<usize>) -> Self {
        Self { pending: Vec::new(), fresh: BTreeMap::new(), owed }
    }

    pub(crate) fn launched(&mut self, task: TaskInfo) {
        self.fresh.insert(task.task_id.value.clone(), task);
    }

    pub(crate) fn report(&mut self, status: TaskStatus) {
        self.pending.push(Pending { status, sent: Instant::now(), wait: FIRST_RETRY });
        self.owed.send_replace(self.pending.len());
    }

    pub(crate) fn acknowledged(&mut self, task_id: &str, uuid: &Bytes) {
        self.pending.retain(|p| p.status.uuid.as_ref() != Some(uuid));
        self.fresh.remove(task_id);
        self.owed.send_replace(self.pending.len());
    }

    /// What a subscription tells the agent.
    pub(crate) fn subscribe(&mut self) -> call::Subscribe {
        let now = Instant::now();
        for pending in &mut self.pending {
            pending.sent = now;
        }
        call::Subscribe {
            unacknowledged_tasks: self.fresh.values().cloned().collect(),
            unacknowledged_updates: self
                .pending
                .iter()
                .map(|p| call::Update { status: p.status.clone() })
                .collect(),
        }
    }

    /// The updates that are to be sent again at `now`.
    pub(crate) fn overdue(&mut self, now: Instant) -> Vec<TaskStatus> {
        let overdue = self.pending.iter_mut().filter(|p| now.saturating_duration_since(p.sent) >= p.wait);
        overdue
            .map(|p| {
                p.sent = now;
                p.wait = (p.wait * 2).min(LAST_RETRY);
                p.status.clone()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::v1::TaskId;

    fn status(task: &str, uuid: &'static [u8]) -> TaskStatus {
        TaskStatus {
            task_id: TaskId { value: task.into() },
            uuid: Some(Bytes::from_static(uuid)),
            ..TaskStatus::default()
        }
    }

    #[test]
    fn what_is_not_acknowledged_is_told_again() {
        let (owed, seen) = watch::channel(0);
        let mut ledger = Ledger::new(owed);
        ledger.launched(TaskInfo { task_id: TaskId { value: "a".into() }, ..TaskInfo::default() });
        ledger.report(status("a", b"1"));
        ledger.report(status("a", b"2"));
        assert_eq!(*seen.borrow(), 2);
        let subscribe = ledger.subscribe();
        assert_eq!((subscribe.unacknowledged_tasks.len(), subscribe.unacknowledged_updates.len()), (1, 2));

        ledger.acknowledged("a", &Bytes::from_static(b"1"));
        ledger.acknowledged("a", &Bytes::from_static(b"unknown"));
        let subscribe = ledger.subscribe();
        assert_eq!((subscribe.unacknowledged_tasks.len(), subscribe.unacknowledged_updates.len()), (0, 1));
        assert_eq!(*seen.borrow(), 1);
    }

    #[test]
    fn retries_are_further_and_further_apart() {
        let (owed, _seen) = watch::channel(0);
        let mut ledger = Ledger::new(owed);
        ledger.report(status("a", b"1"));
        let start = Instant::now();
        let mut sent = Vec::new();
        for second in 0..80 {
            if !ledger.overdue(start + Duration::from_secs(second)).is_empty() {
                sent.push(second);
            }
        }
        assert_eq!(sent.len(), 3, "{sent:?}");
        assert!(sent[1] - sent[0] >= 20 && sent[2] - sent[1] >= 40, "{sent:?}");
    }
}
