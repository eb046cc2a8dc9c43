//! Agents that come for the first time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{AgentId, Time};

use super::lost;
use super::registry::add;
use crate::core::{MasterCore, send_agent};
use crate::maintenance;
use crate::output::{Output, ToAgent};
use crate::registry::{self, Effect};
use crate::types::{Agent, AgentRecord, MachineId, Pid, RegisterAgent, RegistryOperation};

pub(crate) fn register(core: &mut MasterCore, from: Pid, message: Box<RegisterAgent>, out: &mut Vec<Output>) {
    core.metrics.messages_register_agent += 1;
    if let Some(newest) = core.registry.registering.get_mut(&from) {
        // It asks again while the registry is written; the answer comes then. It may have been started anew in between.
        *newest = Some(message);
        return;
    }
    if refuse_down(core, &from, &message, out) {
        return;
    }
    let mut operations = Vec::new();
    if let Some(id) = core.agents.by_pid.get(&from).cloned() {
        let Some(agent) = core.agents.get(&id) else { return };
        if let Some(leaving) = core.registry.leaving.get(&id) {
            core.drop("RegisterSlaveMessage", &from, leaving.as_str(), out);
            return;
        }
        if agent.connected {
            // It asks again because our answer is late or lost.
            send_agent(agent, ToAgent::Registered(id), out);
            return;
        }
        operations.extend(lost::displace(core, &id));
    }
    let id = core.agents.new_id(&core.options);
    let record = AgentRecord::admitted(Arc::clone(&message.info));
    operations.push(RegistryOperation::Agent(id.clone(), Some(record)));
    core.registry.registering.insert(from.clone(), None);
    registry::write(core, operations, Effect::Admit { from, id, message }, out);
}

/// An agent of a machine that is down is told to end.
pub(super) fn refuse_down(
    core: &MasterCore,
    from: &Pid,
    message: &RegisterAgent,
    out: &mut Vec<Output>,
) -> bool {
    let down = maintenance::is_down(core, || MachineId::of_agent(from, &message.info));
    if down {
        let message = ToAgent::Shutdown("Machine is `DOWN`".to_owned());
        out.push(Output::ToAgent { to: from.clone(), message });
    }
    down
}

/// The registry holds it: it belongs to the cluster.
pub(crate) fn admitted(
    core: &mut MasterCore,
    now: Time,
    from: Pid,
    id: AgentId,
    message: Box<RegisterAgent>,
    out: &mut Vec<Output>,
) {
    let message = match core.registry.registering.get_mut(&from).and_then(Option::take) {
        Some(newest) if newest.info != message.info => {
            let record = AgentRecord::admitted(Arc::clone(&newest.info));
            let operations = vec![RegistryOperation::Agent(id.clone(), Some(record))];
            registry::write(core, operations, Effect::Admit { from, id, message: newest }, out);
            return;
        }
        Some(newest) => newest,
        None => message,
    };
    if let Some(operations) = lost::must_go_first(core, &from, &id) {
        registry::write(core, operations, Effect::Admit { from, id, message }, out);
        return;
    }
    lost::clear_address(core, now, &from, &id, out);
    core.registry.registering.remove(&from);
    core.metrics.agent_registrations += 1;
    add(core, now, new_agent(now, id.clone(), from, *message), out);
    if let Some(agent) = core.agents.get(&id) {
        send_agent(agent, ToAgent::Registered(id.clone()), out);
    }
    maintenance::leave_if_down(core, &id, out);
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
        outdated: false,
        confirmed: message.total.non_revocable(),
        total: message.total,
        connected: true,
        active: true,
        deactivated: false,
        drain: None,
        drain_start: None,
        registered_time: now,
        reregistered_time: None,
        state_time: now,
        tasks: BTreeMap::new(),
        killed_tasks: BTreeSet::new(),
        executors: BTreeMap::new(),
        operations: BTreeMap::new(),
        unconfirmed: Vec::new(),
        offers: BTreeMap::new(),
        used: BTreeMap::new(),
    }
}
