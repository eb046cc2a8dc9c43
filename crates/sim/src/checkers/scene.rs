//! What the checkers' tests look at: a cluster in which nothing goes wrong, until a test does something that must not be.

use std::time::Duration;

use base::{AgentId, FrameworkId, OfferId, TaskId, Uuid};

use super::Checker;
use crate::cluster::Cluster;
use crate::happening::Happening;
use crate::node::Node;
use crate::options::Options;
use crate::trace::Lines;

/// A cluster of one agent without any scheduler, fault or operator. Nobody runs yet.
pub(super) fn cluster(masters: usize) -> Cluster {
    let options = Options {
        masters,
        schedulers: 0,
        agent_resources: vec!["cpus:4;mem:2048".to_owned()],
        clock_jump: Duration::ZERO,
        operators: None,
        faults: Vec::new(),
        habits: Vec::new(),
        ..Options::draw(1)
    };
    Cluster::new(options, Lines::None)
}

/// The same with these processes, once something is so.
pub(super) fn running(masters: usize, nodes: &[Node], done: impl Fn(&Cluster) -> bool) -> Cluster {
    let mut cluster = cluster(masters);
    for node in nodes {
        cluster.start(*node).expect("it starts");
    }
    for _ in 0..10_000 {
        if done(&cluster) {
            return cluster;
        }
        cluster.step().expect("nothing goes wrong");
    }
    panic!("it does not come to that: {:?}", cluster.nodes());
}

/// A cluster with a master that leads, and an agent that is registered.
pub(super) fn with_agent() -> Cluster {
    let nodes = [Node::Master(0), Node::Agent(0)];
    running(1, &nodes, |cluster| {
        let settled = cluster.masters[0].process.as_ref().is_some_and(|process| process.writes_nothing());
        settled && cluster.agents[0].id().is_some()
    })
}

/// The session in which the master of a cluster with one leads.
pub(super) fn session(cluster: &Cluster) -> Option<u64> {
    cluster.fabric.service.leader().map(|(session, _)| session)
}

/// Tells a checker what happened; what it finds is the last one's fault.
pub(super) fn tell(checker: &mut dyn Checker, happened: &[Happening]) -> Result<(), String> {
    let (last, before) = happened.split_last().expect("something happened");
    for happening in before {
        assert_eq!(checker.notice(happening), Ok(()), "{happening:?}");
    }
    checker.notice(last)
}

/// Whether something was found, and what is said of it contains this.
#[track_caller]
pub(super) fn finds(found: Result<(), String>, what: &str) {
    let said = found.expect_err(what);
    assert!(said.contains(what), "{said}");
}

pub(super) fn framework() -> FrameworkId {
    "F".into()
}

pub(super) fn task(id: &str) -> TaskId {
    id.into()
}

pub(super) fn agent(id: &str) -> AgentId {
    id.into()
}

pub(super) fn offer(id: &str) -> OfferId {
    id.into()
}

pub(super) fn uuid(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}
