//! Processes are cut off from each other: one from all others, or two groups; both ways or one way only.

use std::time::Duration;

use base::Rng;

use super::Fault;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::node::Node;

/// Cuts, and mends.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// Of each cut that lasts, the ways that it closes; the oldest first.
    cuts: Vec<Vec<(Node, Node)>>,
}

impl Fault for Partition {
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String> {
        let mut nodes = cluster.nodes();
        if !cluster.fabric.service.alone {
            nodes.push(Node::Service);
        }
        let one = rng.chance(1, 2).then(|| rng.index(nodes.len()));
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for (index, node) in nodes.iter().enumerate() {
            let apart = one.map_or_else(|| rng.chance(1, 2), |one| one == index);
            if apart { left.push(*node) } else { right.push(*node) }
        }
        let (there, back) = match rng.below(3) {
            0 => (true, false),
            1 => (false, true),
            _ => (true, true),
        };
        let mut ways = Vec::new();
        for from in &left {
            for to in &right {
                ways.extend(there.then_some((*from, *to)));
                ways.extend(back.then_some((*to, *from)));
            }
        }
        let fabric = &mut cluster.fabric;
        for (from, to) in &ways {
            fabric.net.block(*from, *to);
            fabric.note(*from, "does not reach", &to.to_string());
        }
        self.cuts.push(ways);
        Ok(())
    }

    fn lasts(&self, rng: &mut Rng) -> Option<Duration> {
        Some(rng.around(Duration::from_secs(40)))
    }

    fn over(&mut self, cluster: &mut Cluster) {
        if self.cuts.is_empty() {
            return;
        }
        let ways = self.cuts.remove(0);
        let fabric = &mut cluster.fabric;
        // Another cut may close the same way.
        let open: Vec<(Node, Node)> =
            ways.into_iter().filter(|way| !self.cuts.iter().any(|cut| cut.contains(way))).collect();
        for (from, to) in &open {
            fabric.note(*from, "reaches again", &to.to_string());
        }
        fabric.net.unblock(&mut fabric.queue, fabric.now, &open);
    }
}
