//! What goes wrong: each fault is a small object in a file of its own. A run draws some of them, and how often each strikes.

mod connections;
mod crash;
mod delay;
mod disk;
mod duplication;
mod executor;
mod loss;
mod partition;
mod pause;
mod service;

use std::fmt;
use std::time::Duration;

use base::{Rng, Time};

use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::node::Node;
use crate::workloads::Operator;

/// What a rule says about a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Nothing.
    Pass,
    /// It takes so much longer.
    Delay(Duration),
    /// The link breaks and takes it along.
    Break,
    /// It comes twice, if that can be.
    Double,
}

/// Is asked about every packet.
pub(crate) trait Rule: fmt::Debug {
    /// What becomes of a packet.
    fn judge(&mut self, rng: &mut Rng, now: Time, from: Node, to: Node) -> Verdict;
}

/// Strikes from time to time.
pub(crate) trait Fault: fmt::Debug {
    /// It strikes.
    ///
    /// # Errors
    /// What was broken by that, if something that must hold no longer does.
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String>;

    /// How long what it does lasts; [`Fault::over`] is called then.
    fn lasts(&self, _: &mut Rng) -> Option<Duration> {
        None
    }

    /// What began with a strike is over.
    fn over(&mut self, _: &mut Cluster) {}
}

/// The kinds of faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FaultKind {
    /// Links break.
    Breaks,
    /// Packets are late.
    Delay,
    /// Packets are lost together with their link.
    Loss,
    /// Packets come twice.
    Duplication,
    /// Processes are cut off from each other.
    Partition,
    /// Agents die and come again.
    AgentCrash,
    /// Agents' machines lose their power.
    PowerLoss,
    /// Masters die and come again.
    MasterCrash,
    /// Schedulers die and come again.
    SchedulerCrash,
    /// Processes stop for a while.
    Pause,
    /// Disks are slow, or take nothing for a while.
    Disk,
    /// Executors die, or lose their stream.
    Executor,
    /// Operators do what operators do.
    Operator,
    /// The service that outlives masters is slow, or takes nothing for a while.
    Service,
    /// Leaders make room for others.
    LeaderChange,
}

impl FaultKind {
    const ALL: [Self; 15] = [
        Self::Breaks,
        Self::Delay,
        Self::Loss,
        Self::Partition,
        Self::AgentCrash,
        Self::PowerLoss,
        Self::MasterCrash,
        Self::SchedulerCrash,
        Self::Pause,
        Self::Disk,
        Self::Executor,
        Self::Operator,
        Self::Service,
        Self::LeaderChange,
        Self::Duplication,
    ];

    /// Draws the faults of a run, and about how often each strikes. One run in twelve has none.
    pub(crate) fn draw(rng: &mut Rng) -> Vec<(Self, Duration)> {
        let mut rng = rng.child("faults");
        if rng.chance(1, 12) {
            return Vec::new();
        }
        let drawn = Self::ALL.into_iter().filter_map(|kind| {
            let every = rng.duration(Duration::from_secs(3), Duration::from_secs(120));
            rng.chance(1, 3).then_some((kind, every))
        });
        drawn.collect()
    }

    /// The rule for the network that it is, if it is one.
    pub(crate) fn rule(self, every: Duration) -> Option<Box<dyn Rule>> {
        match self {
            Self::Delay => Some(Box::new(delay::Delay::new(every))),
            Self::Loss => Some(Box::new(loss::Loss::new(every))),
            Self::Duplication => Some(Box::new(duplication::Duplication::new(every))),
            _ => None,
        }
    }

    /// The fault that it is otherwise.
    pub(crate) fn fault(self) -> Option<Box<dyn Fault>> {
        match self {
            Self::Delay | Self::Loss | Self::Duplication => None,
            Self::Breaks => Some(Box::new(connections::Breaks)),
            Self::Partition => Some(Box::new(partition::Partition::default())),
            Self::AgentCrash => Some(Box::new(crash::Crash::agents(false))),
            Self::PowerLoss => Some(Box::new(crash::Crash::agents(true))),
            Self::MasterCrash => Some(Box::new(crash::Crash::masters())),
            Self::SchedulerCrash => Some(Box::new(crash::Crash::schedulers())),
            Self::Pause => Some(Box::new(pause::Pause)),
            Self::Disk => Some(Box::new(disk::BadDisk)),
            Self::Executor => Some(Box::new(executor::BadExecutor)),
            Self::Operator => Some(Box::new(Operator)),
            Self::Service => Some(Box::new(service::BadService)),
            Self::LeaderChange => Some(Box::new(service::LeaderChange)),
        }
    }
}
