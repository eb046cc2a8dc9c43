//! At most one leader acts: of the masters that are not stopped only one takes itself for the leader, and no registry is written
//! by another.

use super::Checker;
use crate::cluster::Cluster;
use crate::node::Node;

/// See above.
#[derive(Debug, Default)]
pub(super) struct Leaders;

impl Checker for Leaders {
    fn promise(&self) -> &'static str {
        "at most one leader acts"
    }

    fn look(&mut self, cluster: &Cluster, touched: Node) -> Result<(), String> {
        let Node::Master(_) = touched else { return Ok(()) };
        let acting: Vec<String> = cluster
            .masters
            .iter()
            .filter(|master| !cluster.is_paused(master.node()))
            .filter(|master| master.may_lead(cluster.fabric.now))
            .filter(|master| master.process.as_ref().is_some_and(|process| process.core.leads()))
            .map(|master| master.node().to_string())
            .collect();
        if acting.len() > 1 {
            return Err(format!("{} lead at once", acting.join(" and ")));
        }
        Ok(())
    }
}
