//! The service is out of order: it does not answer for a while, or slowly, or its disks are full and it answers but writes
//! nothing; or, where a master is alone, its disk is so. And
//! leaders make room for others, as when masters are restarted one by one.

use std::time::Duration;

use base::Rng;

use super::Fault;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::node::Node;

/// Spoils the service.
#[derive(Debug)]
pub(super) struct BadService;

impl Fault for BadService {
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String> {
        let fabric = &mut cluster.fabric;
        match rng.index(6) {
            0..=2 => {
                fabric.service.slowness = [1, 10, 100][rng.index(3)];
                fabric.note(Node::Service, "is another speed", "");
            }
            3 | 4 => {
                fabric.service.down_until = fabric.now + rng.around(Duration::from_secs(15));
                fabric.service.expire(fabric.now);
                fabric.note(Node::Service, "does not answer", "");
            }
            _ => {
                fabric.service.full_until = fabric.now + rng.around(Duration::from_secs(30));
                fabric.note(Node::Service, "has no space left", "");
            }
        }
        Ok(())
    }
}

/// Has the leader end its term.
#[derive(Debug)]
pub(super) struct LeaderChange;

impl Fault for LeaderChange {
    fn strike(&mut self, cluster: &mut Cluster, _: &mut Rng) -> Result<(), String> {
        let fabric = &mut cluster.fabric;
        if let Some(leader) = cluster.masters.iter_mut().find(|master| master.process.is_some()) {
            leader.step_down(fabric, "it makes room");
        }
        Ok(())
    }
}
