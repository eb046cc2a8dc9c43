//! Custom executors misbehave: they die with tasks in their hands, or lose their stream.

use base::Rng;

use super::Fault;
use crate::cluster::Cluster;
use crate::dice::Dice;

/// Disturbs one executor, whichever.
#[derive(Debug)]
pub(super) struct BadExecutor;

impl Fault for BadExecutor {
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String> {
        let index = rng.index(cluster.agents.len());
        if let Some(agent) = cluster.agents.get_mut(index) {
            agent.disturb_executor(&mut cluster.fabric, rng.chance(1, 2));
        }
        Ok(())
    }
}
