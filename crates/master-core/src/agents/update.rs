//! Agents tell of changes: resources that may be taken back, the version of their resources, their operations.

use base::{AgentId, Time};
use resources::Resources;

use super::drain::check_drained;
use super::ping;
use crate::core::MasterCore;
use crate::output::Output;
use crate::types::UpdateAgent;
use crate::{offers, operations};

pub(crate) fn update(core: &mut MasterCore, now: Time, message: UpdateAgent, out: &mut Vec<Output>) {
    core.metrics.messages_update_agent += 1;
    let id = message.agent_id;
    let Some(agent) = core.agents.get_mut(&id) else {
        core.drop("UpdateSlaveMessage", &id, "the agent is not registered", out);
        return;
    };
    // Each attempt of ours to reregister has another version, each process of a Mesos agent has one. So this one was told by an
    // attempt that was lost with its link, and the agent took the answer to an earlier attempt for the answer to it. What that
    // attempt told of tasks, executors and resources is not known here. Mesos believes the version, and launches upon it.
    let unheard = message.resource_version.filter(|told| agent.resource_version.is_some_and(|v| v != *told));
    if unheard.is_some() {
        core.drop("UpdateSlaveMessage", &id, "it follows a registration that was not heard", out);
        ping::ask_to_reregister(core, &id, out);
        return;
    }
    if message.resource_version.is_some() {
        agent.resource_version = message.resource_version;
    }
    if let Some(told) = message.operations {
        operations::reported(core, &id, told, out);
    }
    if let Some(oversubscribed) = message.oversubscribed {
        oversubscribe(core, &id, &oversubscribed, out);
    }
    check_drained(core, now, &id, out);
}

fn oversubscribe(core: &mut MasterCore, id: &AgentId, oversubscribed: &Resources, out: &mut Vec<Output>) {
    let Some(agent) = core.agents.get_mut(id) else { return };
    let mut total: Resources = agent.total.non_revocable();
    // What may not be taken back is not lent.
    total += oversubscribed.revocable();
    if total == agent.total {
        return;
    }
    agent.total = total;
    let agent = agent.clone();
    core.allocation.update_agent(&agent);
    // What was offered may not be there any more.
    offers::rescind_revocable(core, id, out);
}
