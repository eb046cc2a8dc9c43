//! Agents tell of changes: resources that may be taken back, the version of their resources.

use resources::Resources;

use crate::core::MasterCore;
use crate::offers;
use crate::output::Output;
use crate::types::UpdateAgent;

pub(crate) fn update(core: &mut MasterCore, message: UpdateAgent, out: &mut Vec<Output>) {
    core.metrics.messages_update_agent += 1;
    let id = message.agent_id;
    let Some(agent) = core.agents.get_mut(&id) else {
        core.drop("UpdateSlaveMessage", &id, "the agent is not registered", out);
        return;
    };
    if message.resource_version.is_some() {
        agent.resource_version = message.resource_version;
    }
    let Some(oversubscribed) = message.oversubscribed else { return };
    let mut total: Resources = agent.total.non_revocable();
    total += &oversubscribed;
    if total == agent.total {
        return;
    }
    agent.total = total;
    let agent = agent.clone();
    core.allocation.update_agent(&agent);
    // What was offered may not be there any more.
    offers::rescind_revocable(core, &id, out);
}
