//! How the frameworks of each role stand, for metrics.

use std::collections::BTreeMap;

use resources::Role;

use super::types::RoleCounts;
use crate::Allocator;

impl Allocator {
    /// How the frameworks of each role stand. Costs as much as there are frameworks and roles; no agent is looked at.
    #[must_use]
    pub fn role_counts(&self) -> BTreeMap<Role, RoleCounts> {
        let mut all = BTreeMap::new();
        for (at, node) in self.tree.roles.iter().filter(|(_, node)| node.parent.is_some()) {
            let mut counts = RoleCounts::default();
            for client in node.clients.iter().map(|client| &self.tree.clients[*client]) {
                if !client.subscribed {
                    continue;
                }
                counts.frameworks += 1;
                counts.inactive += usize::from(!self.frameworks[client.framework].active);
                counts.suppressed += usize::from(client.suppressed);
                counts.refusing += usize::from(client.refusals > 0);
                counts.refusals += client.refusals;
                counts.constrained += usize::from(client.choice.is_some());
            }
            for above in self.tree.path(at) {
                let reached =
                    above.quota.limits.iter().filter(|(name, limit)| self.consumed(above, name) >= **limit);
                counts.limits_reached += reached.count();
            }
            let guarantees = &node.quota.guarantees;
            let open = guarantees.iter().filter(|(name, wanted)| self.consumed(node, name) < **wanted);
            counts.guarantees_open = open.count();
            all.insert(node.role.clone(), counts);
        }
        all
    }
}
