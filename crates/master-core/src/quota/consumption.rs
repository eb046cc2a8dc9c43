//! How much roles take, with all roles below them.

use std::collections::BTreeMap;

use resources::{Quantities, Resource, Resources, Role, Value};

use crate::core::MasterCore;

/// Whether `role` is `top` or below it.
pub(super) fn is_in(role: &Role, top: &Role) -> bool {
    role == top || role.is_strict_subrole_of(top)
}

/// What counts against quotas: all that tasks and executors use, and all that is reserved beside. By the role to which it
/// counts, those below it apart.
pub(super) struct Consumption<'a>(BTreeMap<&'a Role, Quantities>);

impl<'a> Consumption<'a> {
    /// Looks at every agent once, for however many roles that will be asked.
    pub(super) fn of(core: &'a MasterCore) -> Self {
        let mut all = Self(BTreeMap::new());
        for agent in core.agents.registered.values() {
            let used = || agent.used.values().flat_map(Resources::iter);
            let mut unused: BTreeMap<&Role, Quantities> = BTreeMap::new();
            for (role, resource) in reserved(agent.total.iter()) {
                add(unused.entry(role).or_default(), resource);
            }
            if !unused.is_empty() {
                for (role, resource) in reserved(used()) {
                    let Some(unused) = unused.get_mut(role) else { continue };
                    let mut taken = Quantities::new();
                    add(&mut taken, resource);
                    *unused -= &taken;
                }
            }
            for (role, amounts) in &unused {
                *all.0.entry(role).or_default() += amounts;
            }
            for resource in used() {
                if let Some(role) = &resource.allocation {
                    add(all.0.entry(role).or_default(), resource);
                }
            }
        }
        all
    }

    /// How much a role and those below it take.
    pub(super) fn in_all(&self, role: &Role) -> Quantities {
        self.0.iter().filter(|(of, _)| is_in(of, role)).fold(Quantities::new(), |mut sum, (_, amounts)| {
            sum += amounts;
            sum
        })
    }
}

fn reserved<'r>(
    resources: impl Iterator<Item = &'r Resource>,
) -> impl Iterator<Item = (&'r Role, &'r Resource)> {
    resources.filter_map(|resource| Some((resource.reservation_role()?, resource)))
}

fn add(sum: &mut Quantities, resource: &Resource) {
    if let Value::Scalar(amount) = resource.value {
        sum.add(resource.name.clone(), amount);
    }
}
