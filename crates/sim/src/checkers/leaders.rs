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

#[cfg(test)]
mod tests {
    use super::super::scene::{finds, running};
    use super::*;

    /// A cluster of two, of which this one is alone and leads.
    fn led_by(index: usize) -> Cluster {
        running(2, &[Node::Master(index)], |cluster| {
            cluster.masters[index].process.as_ref().is_some_and(|process| process.core.leads())
        })
    }

    #[test]
    fn two_that_lead_at_once_are_found() {
        let (mut cluster, mut other) = (led_by(0), led_by(1));
        assert_eq!(Leaders.look(&cluster, Node::Master(0)), Ok(()));
        assert_eq!(Leaders.look(&other, Node::Master(1)), Ok(()));

        let now = cluster.fabric.now.max(other.fabric.now);
        cluster.masters[1] = other.masters.remove(1);
        cluster.fabric.net.born(Node::Master(1), cluster.masters[1].life);
        cluster.fabric.now = now;
        finds(Leaders.look(&cluster, Node::Master(1)), "master-0 and master-1 lead at once");
        assert_eq!(Leaders.look(&cluster, Node::Agent(0)), Ok(()), "no master has done anything");

        // By their own clocks their sessions are over: they do not act.
        cluster.fabric.now = now + cluster.fabric.options.session * 2;
        assert_eq!(Leaders.look(&cluster, Node::Master(1)), Ok(()));

        // One that stands still does nothing.
        cluster.fabric.now = now;
        cluster.pause(Node::Master(1), std::time::Duration::from_secs(3_600));
        assert_eq!(Leaders.look(&cluster, Node::Master(0)), Ok(()));
    }
}
