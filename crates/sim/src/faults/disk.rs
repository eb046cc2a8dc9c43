//! Disks become slow, hang, or are full. On a full one every write fails, again and again, until there is room: the agent's
//! memory, the sandboxes of new containers, volumes; and no agent starts on it.

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
        match rng.index(4) {
            0 | 1 => {
                agent.disk.slowness = [1, 10, 100][rng.index(3)];
                fabric.note(Node::Agent(index), "disk is another speed", "");
            }
            2 => {
                agent.disk.stuck_until = fabric.now + rng.around(Duration::from_secs(15));
                fabric.note(Node::Agent(index), "disk hangs", "");
            }
            _ => {
                agent.disk.full_until = fabric.now + rng.around(Duration::from_secs(30));
                fabric.note(Node::Agent(index), "disk is full", "");
            }
        }
        Ok(())
    }
}
