//! Disks become slow, or full: then nothing is committed until there is room again.

use std::time::Duration;

use base::Rng;

use super::Fault;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::node::Node;

/// Spoils one agent's disk, whichever.
#[derive(Debug)]
pub(super) struct BadDisk;

impl Fault for BadDisk {
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String> {
        let index = rng.index(cluster.agents.len());
        let Some(agent) = cluster.agents.get_mut(index) else { return Ok(()) };
        let fabric = &mut cluster.fabric;
        if rng.chance(1, 2) {
            agent.disk.slowness = [1, 10, 100][rng.index(3)];
            fabric.note(Node::Agent(index), "disk is another speed", "");
        } else {
            agent.disk.stuck_until = fabric.now + rng.around(Duration::from_secs(15));
            fabric.note(Node::Agent(index), "disk is full", "");
        }
        Ok(())
    }
}
