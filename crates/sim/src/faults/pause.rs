//! Processes stop for a while and go on as if nothing had been: a signal, a machine without memory, a migration.

use std::time::Duration;

use base::Rng;

use super::Fault;
use crate::cluster::Cluster;
use crate::dice::Dice;

/// Stops one process, whichever.
#[derive(Debug)]
pub(super) struct Pause;

impl Fault for Pause {
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String> {
        let nodes = cluster.nodes();
        let Some(node) = rng.pick(&nodes).copied() else { return Ok(()) };
        let pause = rng.around(Duration::from_secs(20));
        cluster.pause(node, pause);
        Ok(())
    }
}
