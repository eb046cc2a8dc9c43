//! The agents that the master knows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{AgentId, FrameworkId, Ring, TaskId, Time, Uuid};

use crate::core::MasterCore;
use crate::maintenance;
use crate::options::Options;
use crate::output::{Observation, Output};
use crate::types::{Agent, AgentInfo, Drain, Framework, Pid};

use super::ping::{self, Observer};

/// Tasks on a lost agent, by framework.
type LostTasks = BTreeMap<FrameworkId, Vec<TaskId>>;

/// Acknowledgements that are remembered of each agent: about as many as can be on their way when it is killed. With more a
/// scheduler hears some statuses twice; with 40,000 agents these are 80 MB.
const MAX_ACKNOWLEDGED: usize = 64;

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
    /// Those that the registry holds as admitted, and that have not come to this master yet.
    pub(crate) recovered: BTreeMap<AgentId, Arc<AgentInfo>>,
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
    /// The statuses of those that are registered or unreachable which schedulers acknowledged last, and operations that ended.
    pub(crate) acknowledged: BTreeMap<AgentId, Ring<(FrameworkId, Uuid)>>,
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

    /// Remembers that a framework has acknowledged a status, or the end of an operation by the operation's name: the agent
    /// may be killed before it knows.
    pub(crate) fn acknowledged(&mut self, id: &AgentId, framework: FrameworkId, uuid: Uuid) {
        if self.registered.contains_key(id) {
            let last = self.acknowledged.entry(id.clone()).or_insert_with(|| Ring::new(MAX_ACKNOWLEDGED));
            last.push((framework, uuid));
        }
    }

    /// Whether an agent has come back and tells of what its framework acknowledged before.
    pub(crate) fn has_acknowledged(&self, id: &AgentId, framework: &FrameworkId, uuid: Uuid) -> bool {
        self.get(id).is_some_and(|agent| agent.reregistered_time.is_some())
            && self
                .acknowledged
                .get(id)
                .is_some_and(|last| last.iter().any(|(of, known)| *known == uuid && of == framework))
    }

    /// Whether the master may answer for an agent: it is registered, awaited or lost, but not gone.
    pub(crate) fn is_known(&self, id: &AgentId) -> bool {
        self.registered.contains_key(id)
            || self.recovered.contains_key(id)
            || self.unreachable.contains_key(id)
    }

    /// An agent is to be treated like this from now on.
    pub(crate) fn treat(&mut self, id: &AgentId, drain: Option<Drain>, deactivated: bool) {
        match drain {
            Some(drain) => drop(self.draining.insert(id.clone(), drain)),
            None => drop(self.draining.remove(id)),
        }
        if deactivated {
            self.deactivated.insert(id.clone());
        } else {
            self.deactivated.remove(id);
        }
        self.show_drain(id);
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

    /// The state of an agent that is there has changed.
    pub(crate) fn changed(&mut self, now: Time, id: &AgentId) {
        if let Some(agent) = self.get_mut(id) {
            agent.state_time = now;
        }
    }

    /// The framework's tasks on lost agents are no longer of interest.
    pub(crate) fn forget_unreachable_of(&mut self, framework: &FrameworkId) {
        self.unreachable_tasks.retain(|_, tasks| {
            tasks.remove(framework);
            !tasks.is_empty()
        });
    }
}

/// An unreachable agent is forgotten, with what ran on it: that is unknown from now on.
pub(crate) fn forget_unreachable(core: &mut MasterCore, id: &AgentId) {
    if core.agents.unreachable.remove(id).is_none() {
        return;
    }
    core.agents.acknowledged.remove(id);
    for (framework_id, task_ids) in core.agents.unreachable_tasks.remove(id).unwrap_or_default() {
        if let Some(framework) = core.frameworks.get_mut(&framework_id) {
            for task_id in &task_ids {
                framework.unreachable_tasks.remove(task_id);
            }
            let Framework { unreachable_order, unreachable_tasks, .. } = framework;
            unreachable_order.retain(|kept| unreachable_tasks.contains_key(kept));
        }
    }
    core.agents.draining.remove(id);
    core.agents.deactivated.remove(id);
}

/// Takes an agent in, with what it brings.
pub(super) fn add(core: &mut MasterCore, now: Time, agent: Agent, out: &mut Vec<Output>) {
    let id = agent.id.clone();
    core.allocation.add_agent(&agent);
    core.agents.by_pid.insert(agent.pid.clone(), id.clone());
    out.push(Output::Link(agent.pid.clone()));
    core.agents.registered.insert(id.clone(), Arc::new(agent));
    core.agents.show_drain(&id);
    maintenance::agent_added(core, &id);
    if core.agents.deactivated.contains(&id) {
        if let Some(agent) = core.agents.get_mut(&id) {
            agent.active = false;
        }
        core.allocation.deactivate_agent(&id);
    }
    ping::observe(core, now, &id, out);
    core.allocation.agents_are(core.agents.registered.len());
    core.observe(out, || Observation::AgentAdded(Arc::clone(&core.agents.registered[&id])));
}
