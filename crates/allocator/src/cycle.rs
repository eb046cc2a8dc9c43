//! An allocation: agents with something new, one after the other, each to those who are due.

use base::Time;
use resources::{Quantities, Resources, Value};

use crate::agents::AgentIx;
use crate::tree::{ClientIx, RoleIx, Sign};
use crate::walk::Walk;
use crate::{Allocator, Capabilities, Obstacle, Offerable};

/// What an agent has for the frameworks of a role that can understand the same things. Found once, used for all of
/// them until something is offered.
pub(crate) struct Portion {
    role: RoleIx,
    capabilities: Capabilities,
    pub(crate) resources: Resources,
    /// Limits of the role held something back.
    pub(crate) cut: bool,
}

impl Allocator {
    /// Offers what is available to whom it is due. Looks only at agents with something new since the last call, at all
    /// of them where a framework has something new. What is returned counts as used by the framework from now on.
    pub fn allocate(&mut self, now: Time) -> Vec<Offerable> {
        self.expire_filters(now);
        let mut agents = self.take_dirty();
        if agents.is_empty() {
            return Vec::new();
        }
        self.tree.refresh();
        self.options.rng.shuffle(&mut agents);
        let mut offers = Vec::new();
        for agent in agents {
            if self.tree.roles[self.tree.root()].wanting == 0 {
                break;
            }
            self.offer_agent(agent, &mut offers);
        }
        offers
    }

    /// As [`Allocator::allocate`], over all agents.
    pub fn allocate_all(&mut self, now: Time) -> Vec<Offerable> {
        self.mark_all();
        self.allocate(now)
    }

    fn expire_filters(&mut self, now: Time) {
        while let Some(ended) = self.expiries.pop_ended(now) {
            self.tree.clients[ended.client].filters.remove(ended);
            self.mark(ended.agent);
        }
    }

    /// The agents to look at. If nobody wants offers they are dropped: whoever comes to want some marks all.
    fn take_dirty(&mut self) -> Vec<AgentIx> {
        let marked = std::mem::take(&mut self.dirty);
        let mut agents = if std::mem::take(&mut self.all_dirty) {
            self.agents.iter().map(|(at, _)| at).collect()
        } else {
            marked.clone()
        };
        for at in marked {
            self.agents[at].dirty = false;
        }
        agents.retain(|at| {
            let agent = &self.agents[*at];
            agent.active && agent.whitelisted && !agent.available.is_empty()
        });
        agents
    }

    fn offer_agent(&mut self, at: AgentIx, offers: &mut Vec<Offerable>) {
        let mut walk = Walk::new(&self.tree);
        let mut served: Vec<ClientIx> = Vec::new();
        let mut portion: Option<Portion> = None;
        while let Some(client) = walk.next(&self.tree) {
            if served.contains(&client) {
                continue;
            }
            let (role, framework) = (self.tree.clients[client].role, self.tree.clients[client].framework);
            let capabilities = self.frameworks[framework].capabilities;
            if self.can_have(at, client).is_err() {
                continue;
            }
            if !portion.as_ref().is_some_and(|p| p.role == role && p.capabilities == capabilities) {
                portion = self.portion(at, role, capabilities);
                if portion.as_ref().is_some_and(|p| p.cut) {
                    self.remember_held_back(role);
                }
            }
            let Some(found) = &portion else {
                walk.skip_role();
                continue;
            };
            if !self.is_worth_offering(client, &found.resources)
                || self.tree.clients[client].filters.block(at, &found.resources)
            {
                continue;
            }
            if let Some(portion) = portion.take() {
                offers.push(self.offer(at, client, portion.resources));
            }
            if self.agents[at].available.is_empty() {
                return;
            }
            served.push(client);
        }
    }

    /// Whether something of an agent may be offered at all to a client.
    pub(crate) fn can_have(&self, at: AgentIx, client: ClientIx) -> Result<(), Obstacle> {
        let (agent, client) = (&self.agents[at], &self.tree.clients[client]);
        let capabilities = self.frameworks[client.framework].capabilities;
        if self.options.filter_gpu_agents && agent.has_gpus && !capabilities.gpu_resources {
            return Err(Obstacle::KeptForGpus);
        }
        if agent.remote && !capabilities.region_aware {
            return Err(Obstacle::OtherRegion);
        }
        if client.constraints.as_ref().is_some_and(|c| !c.permits(&agent.traits)) {
            return Err(Obstacle::Constrained);
        }
        Ok(())
    }

    /// What an agent has for those of a role who understand `capabilities`; `None` if it has nothing for the role.
    pub(crate) fn portion(&self, at: AgentIx, role: RoleIx, capabilities: Capabilities) -> Option<Portion> {
        let name = &self.tree.roles[role].role;
        let available = &self.agents[at].available;
        if !available.iter().any(|r| r.is_allocatable_to(name)) {
            return None;
        }
        let understood = available.filter(|r| {
            r.is_allocatable_to(name)
                && (capabilities.shared_resources || !r.is_shared())
                && (capabilities.revocable_resources || !r.is_revocable())
                && (capabilities.reservation_refinement || !r.has_refined_reservations())
        });
        let (resources, cut) = self.within_limits(role, understood);
        Some(Portion { role, capabilities, resources, cut })
    }

    pub(crate) fn is_worth_offering(&self, client: ClientIx, resources: &Resources) -> bool {
        let least =
            self.tree.clients[client].min_allocatable.as_ref().unwrap_or(&self.options.min_allocatable);
        !resources.is_empty() && (least.is_empty() || least.iter().any(|least| has(resources, least)))
    }

    fn offer(&mut self, at: AgentIx, client: ClientIx, resources: Resources) -> Offerable {
        let (role, by) = (self.tree.clients[client].role, self.tree.clients[client].framework);
        let role = self.tree.roles[role].role.clone();
        let agent = &mut self.agents[at];
        agent.available -= &resources;
        let resources = resources.allocated_to(&role);
        agent.held.entry(by).or_default().offered += &resources;
        let id = agent.id.clone();
        self.tree.track(client, &resources, Sign::Plus, true);
        self.tree.track_offered(client, &resources, Sign::Plus);
        Offerable { framework: self.frameworks[by].id.clone(), role, agent: id, resources }
    }
}

/// Whether there is as much as `least` of everything; of ranges and sets the elements are counted.
pub(crate) fn has(resources: &Resources, least: &Quantities) -> bool {
    least.iter().all(|(name, wanted)| {
        let have: i128 = resources
            .iter()
            .filter(|r| r.name == *name)
            .map(|r| match &r.value {
                Value::Scalar(amount) => i128::from(amount.thousandths()),
                Value::Ranges(ranges) => i128::from(ranges.count()) * 1000,
                Value::Set(set) => i128::try_from(set.iter().len()).unwrap_or(i128::MAX / 1000) * 1000,
            })
            .sum();
        have >= i128::from(wanted.thousandths())
    })
}
