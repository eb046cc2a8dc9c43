//! What somebody knows who only saw what the allocator was told and what it offered: enough to say whether nothing was lost
//! or given twice, and whether each offer was allowed. Kept as simply as possible, so that it can be wrong only in ways
//! the allocator is not.

use std::collections::{BTreeMap, BTreeSet};

use allocator::{Allocator, FrameworkSpec, Offerable, Quota};
use base::{AgentId, FrameworkId, Time};
use resources::{Name, Quantities, Resource, Resources, Role, Scalar};

/// An agent as it was announced.
pub(crate) struct Agent {
    pub(crate) total: Resources,
    pub(crate) active: bool,
}

/// A framework as it was announced.
pub(crate) struct Framework {
    pub(crate) spec: FrameworkSpec,
    pub(crate) active: bool,
}

/// What a framework refused of an agent in a role.
struct Refusal {
    framework: FrameworkId,
    role: Role,
    agent: AgentId,
    resources: Resources,
    until: Time,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) agents: BTreeMap<AgentId, Agent>,
    pub(crate) frameworks: BTreeMap<FrameworkId, Framework>,
    pub(crate) quotas: BTreeMap<Role, Quota>,
    pub(crate) whitelist: Option<BTreeSet<String>>,
    /// Offers that were not answered.
    pub(crate) offers: Vec<Offerable>,
    /// What is used, in the same shape.
    pub(crate) tasks: Vec<Offerable>,
    refusals: Vec<Refusal>,
}

/// Neither reserved nor revocable: what quotas count when it is used.
fn is_free_for_all(resource: &Resource) -> bool {
    !resource.is_reserved() && !resource.is_revocable()
}

fn within(role: &Role, above: &Role) -> bool {
    role == above || role.is_strict_subrole_of(above)
}

/// More refusals of one agent than these are not all kept.
const FEW: usize = 12;

impl Books {
    pub(crate) fn held(&self) -> impl Iterator<Item = &Offerable> {
        self.offers.iter().chain(&self.tasks)
    }

    /// Whether offers to a framework have some of this.
    pub(crate) fn is_offered(&self, framework: &FrameworkId, agent: &AgentId, resource: &Resource) -> bool {
        let mut offers = self.offers.iter().filter(|o| o.framework == *framework && o.agent == *agent);
        offers.any(|o| o.resources.iter().any(|r| r.same_kind(resource)))
    }

    pub(crate) fn forget_agent(&mut self, id: &AgentId) {
        self.agents.remove(id);
        self.offers.retain(|o| o.agent != *id);
        self.tasks.retain(|o| o.agent != *id);
        self.refusals.retain(|r| r.agent != *id);
    }

    pub(crate) fn refuse(&mut self, offer: &Offerable, rest: &Resources, until: Time) {
        if !self
            .frameworks
            .get(&offer.framework)
            .is_some_and(|f| f.active && f.spec.roles.contains(&offer.role))
        {
            return;
        }
        let Offerable { framework, role, agent, .. } = offer.clone();
        self.refusals.push(Refusal { framework, role, agent, resources: rest.clone().unallocated(), until });
    }

    /// A framework wants to see again what it refused, in one role or in all.
    pub(crate) fn forget_refusals(&mut self, id: &FrameworkId, role: Option<&Role>) {
        self.refusals.retain(|r| r.framework != *id || role.is_some_and(|role| r.role != *role));
    }

    pub(crate) fn set_spec(&mut self, id: &FrameworkId, spec: FrameworkSpec) {
        let old = self.frameworks.get(id).map(|f| f.spec.clone()).unwrap_or_default();
        for role in old.roles.union(&spec.roles) {
            let revived = old.suppressed.contains(role) && !spec.suppressed.contains(role);
            if revived || !spec.roles.contains(role) {
                self.forget_refusals(id, Some(role));
            }
        }
        if let Some(framework) = self.frameworks.get_mut(id) {
            framework.spec = spec;
        }
    }

    /// For each agent and each kind of resource, free + offered + used = total. More may be used than there is only after the
    /// agent shrank. Shared resources are there once, however often they are used.
    pub(crate) fn conserved(&self, allocator: &Allocator) {
        for (id, agent) in &self.agents {
            let free = allocator.available(id).expect("it is known");
            let exclusive = free.filter(|r| !r.is_shared());
            let (mut sum, mut held) = (exclusive.clone(), Resources::new());
            for holding in self.held().filter(|h| h.agent == *id) {
                let mine = holding.resources.filter(|r| !r.is_shared()).unallocated();
                sum += &mine;
                held += mine;
            }
            let total = agent.total.filter(|r| !r.is_shared());
            assert!(total.contains(&exclusive), "{id} offers {free} of {total}");
            if total.contains(&held) {
                assert_eq!(sum, total, "{id} has {free} free and {held} out");
            }
            assert_eq!(allocator.total(id), Some(&agent.total), "{id}");
            assert_eq!(free.filter(Resource::is_shared), agent.total.filter(Resource::is_shared), "{id}");
        }
    }

    /// What is offered and used is what each framework holds, offered and used apart.
    pub(crate) fn told_alike(&self, allocator: &Allocator) {
        let mut sums: BTreeMap<(&FrameworkId, &AgentId), (Resources, Resources)> = BTreeMap::new();
        for offer in &self.offers {
            let sum = sums.entry((&offer.framework, &offer.agent)).or_default();
            sum.0 += &offer.resources;
            sum.1 += &offer.resources;
        }
        for task in &self.tasks {
            sums.entry((&task.framework, &task.agent)).or_default().1 += &task.resources;
        }
        for ((framework, agent), (offered, all)) in sums {
            assert_eq!(allocator.used(framework, agent), Some(all), "{framework} on {agent}");
            assert_eq!(allocator.offered(framework, agent), Some(&offered), "{framework} on {agent}");
        }
    }

    /// What a role and those below consume: reservations, used or not, and what is used unreserved.
    fn consumed(&self, role: &Role) -> Quantities {
        let mut sum = Quantities::new();
        for agent in self.agents.values() {
            for (reserved_for, reserved) in agent.total.reservations() {
                if within(&reserved_for, role) {
                    sum += &reserved.filter(|r| !r.is_revocable()).quantities();
                }
            }
        }
        for holding in self.held().filter(|h| within(&h.role, role)) {
            sum += &holding.resources.filter(is_free_for_all).quantities();
        }
        sum
    }

    /// What guarantees still lack of something, all roles together. A role's guarantee covers those below.
    fn lacking(&self, name: &Name) -> Scalar {
        fn below(books: &Books, above: Option<&Role>, roles: &BTreeSet<Role>, name: &Name) -> Scalar {
            // The highest of those below `above` that have a guarantee; whatever is below them is theirs.
            let inside = |role: &&Role| above.is_none_or(|above| role.is_strict_subrole_of(above));
            let highest = roles
                .iter()
                .filter(inside)
                .filter(|role| !roles.iter().filter(inside).any(|other| role.is_strict_subrole_of(other)));
            highest
                .map(|role| {
                    let guarantee = books.quotas[role].guarantees.get(name).copied().unwrap_or_default();
                    let own = guarantee.saturating_sub(books.consumed(role).get(name));
                    own.max(below(books, Some(role), roles, name))
                })
                .sum()
        }
        let guaranteed = self.quotas.iter().filter(|(_, quota)| quota.guarantees.contains_key(name));
        below(self, None, &guaranteed.map(|(role, _)| role.clone()).collect(), name)
    }

    /// What of something could be offered for a guarantee now.
    fn free(&self, allocator: &Allocator, name: &Name) -> Scalar {
        let offerable = self.agents.iter().filter(|(id, agent)| agent.active && self.is_listed(id));
        let free = offerable.filter_map(|(id, _)| allocator.available(id));
        free.map(|free| free.filter(is_free_for_all).quantities().get(name)).sum()
    }

    fn is_listed(&self, id: &AgentId) -> bool {
        self.whitelist.as_ref().is_none_or(|names| names.contains(id.as_str()))
    }

    /// Whether these offers may be made now, and if so enters them.
    pub(crate) fn offered(&mut self, allocator: &Allocator, offers: &[Offerable], now: Time) {
        self.refusals.retain(|r| r.until > now);
        let names = [Name::Cpus, Name::Mem, Name::Disk];
        let lacking = names.clone().map(|name| self.lacking(&name));
        for offer in offers {
            self.allowed(offer);
        }
        self.offers.extend_from_slice(offers);
        for (name, lacked) in names.iter().zip(lacking) {
            let given: Scalar =
                offers.iter().map(|o| o.resources.filter(is_free_for_all).quantities().get(name)).sum();
            let lacks = self.lacking(name);
            let free = self.free(allocator, name);
            let kept = free >= lacks || given <= lacked.saturating_sub(lacks);
            assert!(
                kept,
                "{given} {name} were offered, {free} are free, guarantees lack {lacks}: {offers:?}"
            );
        }
        for (role, quota) in &self.quotas {
            let consumed = self.consumed(role);
            for (name, limit) in &quota.limits {
                let mut given = offers
                    .iter()
                    .filter(|o| within(&o.role, role))
                    .map(|o| o.resources.filter(is_free_for_all).quantities().get(name));
                let over = consumed.get(name) > *limit && given.any(Scalar::is_positive);
                assert!(!over, "{role} consumes {consumed} and may {limit} {name}: {offers:?}");
            }
        }
    }

    fn allowed(&self, offer: &Offerable) {
        let Offerable { framework: id, role, agent: at, resources } = offer;
        let (framework, agent) = (&self.frameworks[id], &self.agents[at]);
        assert!(framework.active && agent.active && self.is_listed(at), "{offer:?}");
        assert!(
            framework.spec.roles.contains(role) && !framework.spec.suppressed.contains(role),
            "{offer:?}"
        );
        let capabilities = framework.spec.capabilities;
        let gpus = agent.total.gpus().is_some_and(Scalar::is_positive);
        assert!(capabilities.gpu_resources || !gpus, "{offer:?}");
        for resource in resources.iter() {
            assert_eq!(resource.allocation.as_ref(), Some(role), "{offer:?}");
            assert!(resource.is_allocatable_to(role), "{offer:?}");
            assert!(capabilities.shared_resources || !resource.is_shared(), "{offer:?}");
            assert!(capabilities.revocable_resources || !resource.is_revocable(), "{offer:?}");
            assert!(capabilities.reservation_refinement || !resource.has_refined_reservations(), "{offer:?}");
        }
        let amounts = resources.quantities();
        let enough = amounts.get(&Name::Cpus) >= Scalar::from_thousandths(10)
            || amounts.get(&Name::Mem) >= Scalar::whole(32);
        assert!(enough, "{offer:?}");
        let mine = |r: &&Refusal| r.framework == *id && r.role == *role && r.agent == *at;
        if self.refusals.iter().filter(mine).count() <= FEW {
            let refused = resources.clone().unallocated();
            let found = self.refusals.iter().filter(mine).find(|r| r.resources.contains(&refused));
            assert!(found.is_none(), "{offer:?} was refused until {:?}", found.map(|r| r.until));
        }
    }
}
