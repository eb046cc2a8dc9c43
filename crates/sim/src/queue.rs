//! What is going to happen, by time.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use base::{ContainerId, Time};

use crate::net::LinkId;
use crate::node::Node;
use crate::service::{Answer, Ask};

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// What a link carries next arrives.
    Arrive(LinkId),
    /// A link on which nothing was acknowledged for too long is given up, if that is still so.
    GiveUp(LinkId),
    /// A process learns that a link is lost.
    Lost {
        /// Which process, and which life of it.
        node: Node,
        life: u64,
        link: LinkId,
    },
    /// A master's timer fires.
    MasterTimer { master: usize, life: u64, timer: Box<master_core::Timer> },
    /// A master renews its session.
    MasterTick { master: usize, life: u64 },
    /// A master hears that another one leads.
    MasterNews { master: usize, life: u64 },
    /// A master's session may be over, by its own clock.
    LeaseEnds { master: usize, life: u64 },
    /// A master's question comes to the service.
    Asks { master: usize, life: u64, asked: Time, ask: Box<Ask> },
    /// An answer of the service comes to a master.
    Answers { master: usize, life: u64, asked: Time, answer: Box<Answer> },
    /// The service looks whose session is over.
    Expires,
    /// A process looks who leads.
    Looks { node: Node, life: u64 },
    /// An agent's one timer fires, if it is still set to that.
    AgentTimer { agent: usize, life: u64, at: Time },
    /// An agent's commit is on the disk.
    Committed { agent: usize, life: u64 },
    /// Volumes are made and removed.
    Volumes { agent: usize, life: u64, operation: base::Uuid, result: Result<(), String> },
    /// Something is due about a container; `started` tells the machine's lives apart.
    Container { agent: usize, boot: u64, container: ContainerId, due: Due },
    /// An agent is told of one of its containers.
    Told { agent: usize, life: u64, container: ContainerId, event: Box<agent_core::ContainerEvent> },
    /// A check of a task is done.
    Checked { agent: usize, life: u64, check: agent_core::CheckId, outcome: Box<agent_core::CheckOutcome> },
    /// An executor's stream brings something.
    Hears {
        agent: usize,
        boot: u64,
        container: ContainerId,
        stream: u64,
        event: Box<agent_core::ExecutorEvent>,
    },
    /// A scheduler's turn has come.
    Scheduler { scheduler: usize, life: u64 },
    /// A dead process starts again.
    Start(Node),
    /// A process that was stopped goes on.
    Resume(Node),
    /// A fault strikes.
    Strike(usize),
    /// A fault that lasts is over.
    Over(usize),
}

/// What is due about a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// Its sandbox is ready.
    Prepared,
    /// Its process ends by itself.
    Ends(i32),
    /// Its process ends because it was asked to, or had to.
    Dies(i32),
    /// Its executor subscribes.
    Subscribes,
    /// A task of its executor ends.
    TaskEnds(base::TaskId, bool),
}

#[derive(Debug)]
struct Entry {
    at: Time,
    number: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Events by time; those of one time in the order in which they were put.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    next: u64,
}

impl Queue {
    pub(crate) fn put(&mut self, at: Time, event: Event) {
        self.next += 1;
        self.heap.push(Reverse(Entry { at, number: self.next, event }));
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, Event)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_together_keeps_its_order() {
        let mut queue = Queue::default();
        for (at, fault) in [(5, 1), (3, 2), (5, 3), (3, 4)] {
            queue.put(Time::from_nanos(at), Event::Strike(fault));
        }
        let mut order = Vec::new();
        while let Some((_, Event::Strike(fault))) = queue.pop() {
            order.push(fault);
        }
        assert_eq!(order, [2, 4, 1, 3]);
    }
}
