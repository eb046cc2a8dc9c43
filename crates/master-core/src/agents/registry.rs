//! The agents that the master knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{AgentId, FrameworkId, TaskId, Time};

use crate::core::MasterCore;
use crate::options::Options;
use crate::output::{Observation, Output};
use crate::types::{Agent, Drain, Pid};

use super::ping::{self, Observer};

/// How many lost agents, and how many declared gone, are remembered (Mesos' `registry_max_agent_count`).
const MAX_REMEMBERED: usize = 102_400;

/// Tasks on a lost agent, by framework.
type LostTasks = BTreeMap<FrameworkId, Vec<TaskId>>;

/// The agents that the master knows.
#[derive(Default, Debug)]
pub(crate) struct Agents {
    /// Those that are registered, connected or not.
    pub(crate) registered: BTreeMap<AgentId, Arc<Agent>>,
    /// Which of them has an address.
    pub(crate) by_pid: BTreeMap<Pid, AgentId>,
    /// Whether they answer.
    pub(crate) observers: BTreeMap<AgentId, Observer>,
    /// The timer of those whose connection broke.
    pub(crate) reregistration: BTreeMap<AgentId, u64>,
    /// Those that do not answer any more, and since when.
    pub(crate) unreachable: BTreeMap<AgentId, Time>,
    /// What ran on those.
    pub(crate) unreachable_tasks: BTreeMap<AgentId, LostTasks>,
    /// Those that an operator declared gone, and when.
    pub(crate) gone: BTreeMap<AgentId, Time>,
    /// Those that are being drained; lost ones stay here and go on when they come back.
    pub(crate) draining: BTreeMap<AgentId, Drain>,
    /// Those that shall not be offered; lost ones stay here too.
    pub(crate) deactivated: BTreeSet<AgentId>,
    next: u64,
    next_generation: u64,
}

impl Agents {
    pub(crate) fn get(&self, id: &AgentId) -> Option<&Arc<Agent>> {
        self.registered.get(id)
    }

    /// The agent, to be changed; readers keep what they have.
    pub(crate) fn get_mut(&mut self, id: &AgentId) -> Option<&mut Agent> {
        self.registered.get_mut(id).map(Arc::make_mut)
    }

    pub(crate) fn new_id(&mut self, options: &Options) -> AgentId {
        let id = AgentId::from(format!("{}-S{}", options.master_id, self.next));
        self.next += 1;
        id
    }

    /// A number for the next series of timers.
    pub(crate) fn next_generation(&mut self) -> u64 {
        self.next_generation += 1;
        self.next_generation
    }

    /// Whether the master may answer for an agent: it is registered or lost, but not gone.
    pub(crate) fn is_known(&self, id: &AgentId) -> bool {
        self.registered.contains_key(id) || self.unreachable.contains_key(id)
    }

    /// The agent's draining and deactivation, as the operator wants them, are shown by the agent itself too.
    pub(crate) fn show_drain(&mut self, id: &AgentId) {
        let drain = self.draining.get(id).copied();
        let deactivated = self.deactivated.contains(id);
        if let Some(agent) = self.get_mut(id) {
            agent.drain = drain;
            agent.deactivated = deactivated;
        }
    }

    pub(crate) fn remember_unreachable(&mut self, id: &AgentId, since: Time) {
        if let Some(forgotten) = remember(&mut self.unreachable, id, since, MAX_REMEMBERED) {
            self.unreachable_tasks.remove(&forgotten);
            self.draining.remove(&forgotten);
            self.deactivated.remove(&forgotten);
        }
    }

    pub(crate) fn remember_gone(&mut self, id: &AgentId, since: Time) {
        remember(&mut self.gone, id, since, MAX_REMEMBERED);
    }

    /// The framework's tasks on lost agents are no longer of interest.
    pub(crate) fn forget_unreachable_of(&mut self, framework: &FrameworkId) {
        self.unreachable_tasks.retain(|_, tasks| {
            tasks.remove(framework);
            !tasks.is_empty()
        });
    }
}

/// Adds an entry; the oldest one gives way, and is returned, when there are more than `limit`.
fn remember(map: &mut BTreeMap<AgentId, Time>, id: &AgentId, since: Time, limit: usize) -> Option<AgentId> {
    map.insert(id.clone(), since);
    if map.len() <= limit {
        return None;
    }
    let oldest = map.iter().min_by_key(|(_, since)| **since).map(|(id, _)| id.clone())?;
    map.remove(&oldest);
    Some(oldest)
}

/// Takes an agent in, with what it brings.
pub(super) fn add(core: &mut MasterCore, now: Time, agent: Agent, out: &mut Vec<Output>) {
    let id = agent.id.clone();
    core.allocation.add_agent(&agent);
    core.agents.by_pid.insert(agent.pid.clone(), id.clone());
    out.push(Output::Link(agent.pid.clone()));
    core.agents.registered.insert(id.clone(), Arc::new(agent));
    core.agents.show_drain(&id);
    if core.agents.deactivated.contains(&id) {
        if let Some(agent) = core.agents.get_mut(&id) {
            agent.active = false;
        }
        core.allocation.deactivate_agent(&id);
    }
    ping::observe(core, now, &id, out);
    core.observe(out, || Observation::AgentAdded(Arc::clone(&core.agents.registered[&id])));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_an_agent_that_gives_way() {
        let mut agents = Agents::default();
        let oldest = AgentId::from("oldest");
        agents.remember_unreachable(&oldest, Time::from_nanos(1));
        agents.unreachable_tasks.insert(oldest.clone(), LostTasks::default());
        agents.deactivated.insert(oldest.clone());
        for number in 1..MAX_REMEMBERED {
            agents.unreachable.insert(AgentId::from(format!("a{number}")), Time::from_nanos(2));
        }
        assert!(agents.is_known(&oldest));
        agents.remember_unreachable(&AgentId::from("new"), Time::from_nanos(3));
        assert_eq!(agents.unreachable.len(), MAX_REMEMBERED);
        assert!(!agents.is_known(&oldest));
        assert!(agents.unreachable_tasks.is_empty() && agents.deactivated.is_empty());
    }
}
