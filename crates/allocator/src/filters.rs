//! What a framework declined, and until when it does not want to see it again.

use std::collections::BTreeMap;

use base::Time;
use resources::Resources;

use crate::agents::AgentIx;
use crate::tree::ClientIx;

/// One refusal.
#[derive(Clone, Debug)]
struct Filter {
    resources: Resources,
    until: Time,
    /// Tells refusals that end together apart.
    number: u64,
}

/// The refusals of a framework in a role, by agent.
#[derive(Clone, Default, Debug)]
pub(crate) struct Filters {
    by_agent: BTreeMap<AgentIx, Vec<Filter>>,
}

/// For one agent more refusals than these are not kept: the one that ends first gives way. A framework that launches
/// thousands of tasks on an agent, each time with a long refusal of the rest, would make the allocator slow otherwise.
const MAX_PER_AGENT: usize = 16;

/// When which refusal ends.
#[derive(Clone, Default, Debug)]
pub(crate) struct Expiries {
    ends: BTreeMap<(Time, u64), (ClientIx, AgentIx)>,
    numbers: u64,
}

impl Filters {
    /// Whether an offer of `resources` has been refused: no more than what was refused is no news.
    pub(crate) fn block(&self, agent: AgentIx, resources: &Resources) -> bool {
        self.by_agent.get(&agent).is_some_and(|all| all.iter().any(|f| f.resources.contains(resources)))
    }

    /// Until when something of the agent is refused.
    pub(crate) fn until(&self, agent: AgentIx) -> Option<Time> {
        self.by_agent.get(&agent)?.iter().map(|f| f.until).max()
    }

    /// What of the agent is refused, and until when.
    pub(crate) fn refusals(&self, agent: AgentIx) -> impl Iterator<Item = (&Resources, Time)> {
        self.by_agent.get(&agent).into_iter().flatten().map(|filter| (&filter.resources, filter.until))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_agent.values().map(Vec::len).sum()
    }
}

impl Expiries {
    pub(crate) fn add(
        &mut self,
        (client, filters): (ClientIx, &mut Filters),
        agent: AgentIx,
        resources: Resources,
        until: Time,
    ) {
        let all = filters.by_agent.entry(agent).or_default();
        // Whatever ends no later and covers no more has become pointless.
        let pointless = |f: &Filter| f.until <= until && resources.contains(&f.resources);
        all.retain(|filter| {
            let drop = pointless(filter);
            if drop {
                self.ends.remove(&(filter.until, filter.number));
            }
            !drop
        });
        if all.len() >= MAX_PER_AGENT
            && let Some(first) = (0..all.len()).min_by_key(|i| (all[*i].until, all[*i].number))
        {
            let gone = all.swap_remove(first);
            self.ends.remove(&(gone.until, gone.number));
        }
        self.numbers += 1;
        all.push(Filter { resources, until, number: self.numbers });
        self.ends.insert((until, self.numbers), (client, agent));
    }

    /// Forgets all refusals of a client.
    pub(crate) fn clear(&mut self, filters: &mut Filters) {
        for filter in std::mem::take(&mut filters.by_agent).into_values().flatten() {
            self.ends.remove(&(filter.until, filter.number));
        }
    }

    /// Forgets a client's refusals of one agent.
    pub(crate) fn clear_agent(&mut self, filters: &mut Filters, agent: AgentIx) {
        for filter in filters.by_agent.remove(&agent).unwrap_or_default() {
            self.ends.remove(&(filter.until, filter.number));
        }
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.ends.first_key_value().map(|((until, _), _)| *until)
    }

    /// Takes out the first refusal that has ended by `now`.
    pub(crate) fn pop_ended(&mut self, now: Time) -> Option<Ended> {
        let entry = self.ends.first_entry()?;
        let (until, number) = *entry.key();
        if until > now {
            return None;
        }
        let (client, agent) = entry.remove();
        Some(Ended { client, agent, number })
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// A refusal that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) client: ClientIx,
    pub(crate) agent: AgentIx,
    number: u64,
}

impl Filters {
    pub(crate) fn remove(&mut self, ended: Ended) {
        if let Some(all) = self.by_agent.get_mut(&ended.agent) {
            all.retain(|f| f.number != ended.number);
            if all.is_empty() {
                self.by_agent.remove(&ended.agent);
            }
        }
    }
}
