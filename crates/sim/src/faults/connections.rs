//! Links break, with some of what is under way.

use std::time::Duration;

use base::Rng;

use super::Fault;
use crate::cluster::Cluster;
use crate::dice::Dice;

/// Breaks one link, whichever.
#[derive(Debug)]
pub(super) struct Breaks;

impl Fault for Breaks {
    fn strike(&mut self, cluster: &mut Cluster, rng: &mut Rng) -> Result<(), String> {
        let fabric = &mut cluster.fabric;
        let links = fabric.net.open_links();
        let Some(link) = rng.pick(&links).copied() else { return Ok(()) };
        if let Some(found) = fabric.net.link(link) {
            let (from, to) = (found.from, found.to);
            fabric.note(from, "link breaks", &to.to_string());
        }
        let notice = rng.around(Duration::from_secs(1));
        fabric.net.break_link(&mut fabric.queue, fabric.now, link, notice);
        Ok(())
    }
}
