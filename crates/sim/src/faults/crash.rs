//! Processes die at any point and come again, with what they had written down and nothing else. When they come, the machine's
//! clock may be another.

use std::time::Duration;

use base::Rng;

use super::Fault;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::node::Node;
use crate::queue::Event;

/// Whom it kills.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Victims {
    Agents { power: bool },
    Masters,
    Schedulers,
}

/// Kills one process, whichever.
#[derive(Debug)]
pub(super) struct Crash {
    victims: Victims,
}

impl Crash {
    pub(super) fn agents(power: bool) -> Self {
        Self { victims: Victims::Agents { power } }
    }

    pub(super) fn masters() -> Self {
        Self { victims: Victims::Masters }
    }

    pub(super) fn schedulers() -> Self {
        Self { victims: Victims::Schedulers }
    }
}

impl Fault for Crash {
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String> {
        let fits = |node: &Node| match self.victims {
            Victims::Agents { .. } => matches!(node, Node::Agent(_)),
            Victims::Masters => matches!(node, Node::Master(_)),
            Victims::Schedulers => matches!(node, Node::Scheduler(_)),
        };
        let victims: Vec<Node> = cluster.nodes().into_iter().filter(fits).collect();
        let Some(victim) = rng.pick(&victims).copied() else { return Ok(()) };
        let fabric = &mut cluster.fabric;
        if fabric.net.life(victim).is_none() {
            return Ok(());
        }
        match (victim, self.victims) {
            (Node::Agent(index), Victims::Agents { power }) => cluster.agents[index].kill(fabric, power),
            (Node::Master(index), _) => cluster.masters[index].kill(fabric, rng.chance(1, 4)),
            (Node::Scheduler(index), _) => cluster.schedulers[index].kill(fabric, rng.chance(1, 4)),
            _ => {}
        }
        // Most come again soon; some when they are given up already.
        let mean = if rng.chance(1, 5) { Duration::from_secs(200) } else { Duration::from_secs(4) };
        let pause = rng.around(mean);
        fabric.after(pause, Event::Start(victim));
        Ok(())
    }
}
