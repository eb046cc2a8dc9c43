//! Looking at all agents for the frameworks in question, and putting together what was found.

use std::collections::{BTreeMap, BTreeSet};

use base::{FrameworkId, Time};
use resources::{Quantities, Role};

use super::help::effort;
use super::order::ratio;
use super::probe::{Obstacles, Probe};
use super::types::{
    Change, ClientState, Detail, Finding, GuaranteeOpen, LimitReached, Obstacle, Refusal, WhyClient,
    WhyFramework, WhyRole,
};
use crate::Allocator;
use crate::agents::AgentIx;
use crate::constraints::Condition;
use crate::shares::DEFAULT_WEIGHT_MILLIONTHS;
use crate::tree::ClientIx;

/// What was found at the agents for one client.
#[derive(Default)]
struct Tally<'a> {
    unhindered: usize,
    /// Agents with the same obstacles, and the same number of conditions to drop.
    groups: BTreeMap<(Obstacles, usize), Group<'a>>,
    capabilities: BTreeSet<&'static str>,
    /// How many agents each condition leaves out, in the order of the groups.
    conditions: Vec<usize>,
    reserved: BTreeSet<Role>,
    /// Of those where too little is free, the one with the most.
    most_free: Option<(f64, Quantities)>,
    limits: Vec<LimitReached>,
    guarantees: Vec<GuaranteeOpen>,
    first_refusal: Option<Refusal>,
    last_refusal_ends: Time,
}

/// Agents that are alike.
struct Group<'a> {
    agents: usize,
    first: AgentIx,
    probe: Probe<'a>,
}

impl WhyFramework {
    /// For so many roles of a framework it is told, those first in which it wants offers: each of them is a look at all
    /// agents, while everything else waits.
    pub const MOST: usize = 20;
}

impl WhyRole {
    /// For so many frameworks of a role it is told; for the rest only that they are there.
    pub const MOST: usize = 20;
}

impl Allocator {
    /// Why a framework gets no offers now, in each of its roles; `None` if it is not known. Looks at each agent. Of very
    /// many roles, only some are told of.
    #[must_use]
    pub fn why(&self, framework: &FrameworkId, now: Time) -> Option<WhyFramework> {
        let at = *self.framework_index.get(framework)?;
        let of = self.frameworks.get(at).filter(|framework| framework.present)?;
        let role = |client: &ClientIx| &self.tree.roles[self.tree.clients[*client].role].role;
        let mut clients: Vec<ClientIx> =
            of.clients.iter().copied().filter(|client| self.tree.clients[*client].subscribed).collect();
        clients.sort_by(|a, b| (!self.wants(*a), role(a)).cmp(&(!self.wants(*b), role(b))));
        let more = clients.len().saturating_sub(WhyFramework::MOST);
        clients.truncate(WhyFramework::MOST);
        let mut roles: Vec<WhyClient> =
            clients.iter().flat_map(|client| self.why_clients(&[*client], now)).collect();
        roles.sort_unstable_by(|a, b| a.role.cmp(&b.role));
        Some(WhyFramework { framework: framework.clone(), now, roles, more })
    }

    /// Why the frameworks of a role get no offers now; `None` if nothing is known of the role. Looks at each agent.
    #[must_use]
    pub fn why_role(&self, role: &Role, now: Time) -> Option<WhyRole> {
        let at = self.tree.find(role)?;
        let node = &self.tree.roles[at];
        let mut clients: Vec<ClientIx> =
            node.clients.iter().copied().filter(|client| self.tree.clients[*client].subscribed).collect();
        // Those who want something first: if not all can be told of, they are who is asked about.
        clients.sort_by_key(|client| !self.wants(*client));
        let more = clients.len().saturating_sub(WhyRole::MOST);
        clients.truncate(WhyRole::MOST);
        let mut frameworks = self.why_clients(&clients, now);
        frameworks.sort_unstable_by(|a, b| a.framework.cmp(&b.framework));
        let below = self.tree.roles.iter().map(|(_, below)| below);
        let mut below: Vec<Role> = below
            .filter(|below| {
                resources::is_strict_subrole(below.role.as_str(), role.as_str()) && !below.clients.is_empty()
            })
            .map(|below| below.role.clone())
            .collect();
        below.sort_unstable();
        let mut consumed = self.tree.names.quantities(&node.reserved);
        consumed += &self.tree.names.quantities(&node.unreserved_used);
        let help = frameworks.iter().map(|why| &why.help).min_by_key(|help| total_effort(help));
        Some(WhyRole {
            role: role.clone(),
            now,
            weight: ratio(node.weight_millionths, DEFAULT_WEIGHT_MILLIONTHS),
            share: self.dominant_share(&node.subtree.amounts),
            consumed,
            guarantees: node.quota.guarantees.clone(),
            limits: node.quota.limits.clone(),
            help: help.cloned().unwrap_or_default(),
            frameworks,
            more,
            below,
        })
    }

    /// Looks at each agent once for all these clients, who are of one role.
    fn why_clients(&self, clients: &[ClientIx], now: Time) -> Vec<WhyClient> {
        let mut tallies: Vec<Tally<'_>> = clients.iter().map(|_| Tally::default()).collect();
        for (at, _) in self.agents.iter() {
            // Most frameworks of a role understand the same and ask for the same, so that one look is good for many.
            let mut probes: Vec<(ClientIx, Probe<'_>)> = Vec::new();
            for (client, tally) in clients.iter().zip(&mut tallies) {
                let known = probes.iter().position(|(other, _)| self.see_the_same(*other, *client));
                let probe = known.unwrap_or_else(|| {
                    probes.push((*client, self.probe(*client, at)));
                    probes.len() - 1
                });
                self.tally(tally, (*client, at), &probes[probe].1, now);
            }
        }
        clients.iter().zip(tallies).map(|(client, tally)| self.why_client(*client, tally, now)).collect()
    }

    /// All conditions that a client makes, each once.
    fn conditions(&self, client: ClientIx) -> Vec<&Condition> {
        let mut conditions: Vec<&Condition> = Vec::new();
        for condition in self.tree.clients[client]
            .choice
            .iter()
            .flat_map(|choice| choice.constraints().any_of.iter().flatten())
        {
            if !conditions.contains(&condition) {
                conditions.push(condition);
            }
        }
        conditions
    }

    fn see_the_same(&self, a: ClientIx, b: ClientIx) -> bool {
        let (a, b) = (&self.tree.clients[a], &self.tree.clients[b]);
        self.capabilities(a) == self.capabilities(b) && self.least(a) == self.least(b)
    }

    fn tally<'a>(
        &self,
        tally: &mut Tally<'a>,
        (client, at): (ClientIx, AgentIx),
        probe: &Probe<'a>,
        now: Time,
    ) {
        let obstacles = self.probe_client(probe, (client, at), now);
        if obstacles.is_empty() {
            tally.unhindered += 1;
            return;
        }
        let c = &self.tree.clients[client];
        let mut to_drop = 0;
        if obstacles.has(Obstacle::Constrained) {
            to_drop = self.fewest_failing(client, at).len();
            let conditions = self.conditions(client);
            tally.conditions.resize(conditions.len(), 0);
            for (condition, count) in conditions.iter().zip(&mut tally.conditions) {
                *count += usize::from(!condition.holds(&self.agents[at].traits));
            }
        }
        if obstacles.has(Obstacle::ReservedForOthers) {
            tally.reserved.extend(self.reserved_roles(at).cloned());
        }
        if obstacles.has(Obstacle::NotUnderstood) {
            tally.capabilities.extend(self.missing_capabilities(client, &probe.base));
        }
        if obstacles.has(Obstacle::TooLittle) {
            let (part, free) = (nearest(&probe.base.quantities(), self.least(c)), probe.base.quantities());
            if tally.most_free.as_ref().is_none_or(|(most, _)| part > *most) {
                tally.most_free = Some((part, free));
            }
        }
        if obstacles.has(Obstacle::AtLimit) {
            for reached in self.limits_in_the_way(c.role, &probe.base) {
                if !tally.limits.contains(&reached) {
                    tally.limits.push(reached);
                }
            }
        }
        if obstacles.has(Obstacle::HeldBack) {
            for open in self.guarantees_in_the_way(c.role, at, &probe.base) {
                if !tally.guarantees.contains(&open) {
                    tally.guarantees.push(open);
                }
            }
        }
        if obstacles.has(Obstacle::Refused) {
            for refusal in self.refusals(client, at).filter(|refusal| refusal.until > now) {
                let (resources, until) = (refusal.resources.as_ref(), refusal.until);
                tally.last_refusal_ends = tally.last_refusal_ends.max(until);
                if tally.first_refusal.as_ref().is_none_or(|first| until < first.until) {
                    let (agent, resources) = (self.agents[at].id.clone(), resources.clone());
                    tally.first_refusal = Some(Refusal { agent, resources, until });
                }
            }
        }
        tally
            .groups
            .entry((obstacles, to_drop))
            .and_modify(|group| group.agents += 1)
            .or_insert_with(|| Group { agents: 1, first: at, probe: probe.clone() });
    }

    fn why_client(&self, at: ClientIx, tally: Tally<'_>, now: Time) -> WhyClient {
        let client = &self.tree.clients[at];
        let framework = &self.frameworks[client.framework];
        let role = self.tree.roles[client.role].role.clone();
        let state = match (framework.active, client.suppressed) {
            (false, _) => ClientState::Inactive,
            (true, true) => ClientState::Suppressed,
            (true, false) => ClientState::Wanting,
        };
        let mut help = match state {
            ClientState::Inactive => vec![Change::Subscribe],
            ClientState::Suppressed => vec![Change::Revive { role: role.clone(), or_wait_until: None }],
            ClientState::Wanting if tally.unhindered > 0 => vec![Change::Wait],
            ClientState::Wanting => Vec::new(),
        };
        if tally.unhindered == 0 {
            let mut changes = self.smallest_change(at, &tally, now);
            // Reviving forgets the refusals, too, and one who subscribes has none.
            changes
                .retain(|change| state == ClientState::Wanting || !matches!(change, Change::Revive { .. }));
            help.extend(changes);
        }
        WhyClient {
            framework: framework.id.clone(),
            role,
            state,
            agents: self.agents.len(),
            unhindered: tally.unhindered,
            order: if state == ClientState::Wanting { self.order_of(at) } else { Vec::new() },
            holds: self.tree.names.quantities(&client.usage.amounts),
            offered: self.tree.names.quantities(&framework.offered),
            help,
            findings: self.findings(at, tally),
        }
    }

    /// What helps at the agent where the least is to be done.
    fn smallest_change(&self, client: ClientIx, tally: &Tally<'_>, now: Time) -> Vec<Change> {
        let best = tally.groups.iter().min_by_key(|((obstacles, to_drop), group)| {
            let effort: u32 = obstacles.iter().map(effort).sum();
            (effort, *to_drop, std::cmp::Reverse(group.agents))
        });
        match best {
            Some(((obstacles, _), group)) => {
                self.changes((client, group.first), (*obstacles, &group.probe), now)
            }
            None => vec![Change::MoreResources],
        }
    }

    fn findings(&self, client: ClientIx, tally: Tally<'_>) -> Vec<Finding> {
        let mut agents: BTreeMap<Obstacle, usize> = BTreeMap::new();
        for ((obstacles, _), group) in &tally.groups {
            for obstacle in obstacles.iter() {
                *agents.entry(obstacle).or_default() += group.agents;
            }
        }
        let least = self.least(&self.tree.clients[client]).to_vec();
        let conditions = self.conditions(client).into_iter().map(ToString::to_string).zip(tally.conditions);
        let conditions = conditions.filter(|(_, agents)| *agents > 0).collect();
        let mut details: BTreeMap<Obstacle, Detail> = BTreeMap::from([
            (Obstacle::KeptForGpus, Detail::Capabilities(["GPU_RESOURCES"].into())),
            (Obstacle::OtherRegion, Detail::Capabilities(["REGION_AWARE"].into())),
            (Obstacle::NotUnderstood, Detail::Capabilities(tally.capabilities)),
            (Obstacle::Constrained, Detail::Conditions(conditions)),
            (Obstacle::ReservedForOthers, Detail::Reserved(tally.reserved)),
            (Obstacle::AtLimit, Detail::Limits(tally.limits)),
            (Obstacle::HeldBack, Detail::Guarantees(tally.guarantees)),
        ]);
        if let Some((_, most_free)) = tally.most_free {
            details.insert(Obstacle::TooLittle, Detail::Minimum { least, most_free });
        }
        if let Some(first) = tally.first_refusal {
            let last_ends = tally.last_refusal_ends;
            details.insert(Obstacle::Refused, Detail::Refusals { first, last_ends });
        }
        if let Some(most) = self.options.max_offered_share {
            let framework = &self.frameworks[self.tree.clients[client].framework];
            let share = self.dominant_share(&framework.offered);
            details.insert(Obstacle::OfferedEnough, Detail::Offered { share, most });
        }
        let mut findings: Vec<Finding> = agents
            .into_iter()
            .map(|(obstacle, agents)| Finding {
                obstacle,
                agents,
                detail: details.remove(&obstacle).unwrap_or(Detail::None),
            })
            .collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.agents));
        findings
    }
}

/// How near so much comes to one of `least`: 1 is there.
#[expect(clippy::cast_precision_loss, reason = "to compare only")]
fn nearest(free: &Quantities, least: &[Quantities]) -> f64 {
    let part = |name, wanted: resources::Scalar| {
        free.get(name).thousandths() as f64 / wanted.thousandths().max(1) as f64
    };
    let parts =
        least.iter().map(|least| least.iter().map(|(name, wanted)| part(name, wanted)).fold(1.0, f64::min));
    parts.fold(0.0, f64::max)
}

/// To find who of several is helped with the least.
fn total_effort(changes: &[Change]) -> u32 {
    let effort = |change: &Change| match change {
        Change::Wait => 0,
        Change::Revive { .. } | Change::AnswerOffers => 1,
        Change::Subscribe => 2,
        Change::AddCapability(_) | Change::DropCondition { .. } => 3,
        Change::LowerMinimum { .. } => 5,
        Change::JoinRole(_) => 6,
        Change::RaiseLimit { .. } | Change::LowerGuarantee { .. } => 8,
        Change::ActivateAgent(_) | Change::UpgradeAgent(_) | Change::Whitelist(_) => 10,
        Change::MoreResources => 20,
    };
    changes.iter().map(effort).sum()
}
