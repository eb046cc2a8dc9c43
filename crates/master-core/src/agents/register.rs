//! Agents that come for the first time.

use std::collections::{BTreeMap, BTreeSet};

use base::{AgentId, Time};

use super::{lost, registry};
use crate::core::{MasterCore, send_agent};
use crate::output::{Output, ToAgent};
use crate::types::{Agent, Pid, RegisterAgent};

pub(crate) fn register(
    core: &mut MasterCore,
    now: Time,
    from: Pid,
    message: RegisterAgent,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_register_agent += 1;
    if let Some(id) = core.agents.by_pid.get(&from).cloned() {
        let Some(agent) = core.agents.get(&id) else { return };
        if agent.connected {
            // It asks again because our answer is late or lost.
            send_agent(agent, ToAgent::Registered(id), out);
            return;
        }
        core.metrics.agent_removals_registered += 1;
        lost::remove(core, now, &id, "a new agent registered at the same address", out);
    }
    let id = core.agents.new_id(&core.options);
    core.metrics.agent_registrations += 1;
    registry::add(core, now, new_agent(now, id.clone(), from, message), out);
    if let Some(agent) = core.agents.get(&id) {
        send_agent(agent, ToAgent::Registered(id), out);
    }
}

/// An agent on which nothing is.
pub(super) fn new_agent(now: Time, id: AgentId, pid: Pid, message: RegisterAgent) -> Agent {
    Agent {
        id,
        info: message.info,
        pid,
        version: message.version,
        capabilities: message.capabilities,
        capabilities_body: message.capabilities_body,
        resource_version: message.resource_version,
        confirmed: message.total.non_revocable(),
        total: message.total,
        connected: true,
        active: true,
        deactivated: false,
        drain: None,
        registered_time: now,
        reregistered_time: None,
        tasks: BTreeMap::new(),
        killed_tasks: BTreeSet::new(),
        executors: BTreeMap::new(),
        operations: BTreeMap::new(),
        unconfirmed: Vec::new(),
        offers: BTreeMap::new(),
        used: BTreeMap::new(),
    }
}
