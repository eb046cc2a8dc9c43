//! Executors: their end, and the bytes that go to and from them.

use base::{AgentId, ExecutorId, FrameworkId, Payload};

use super::remove_executor;
use crate::core::{MasterCore, send, send_agent};
use crate::output::{Output, SchedulerEvent, ToAgent};

/// `ExitedExecutorMessage`. What became of its tasks, the agent tells in statuses.
pub(crate) fn exited_executor(
    core: &mut MasterCore,
    agent_id: AgentId,
    framework_id: &FrameworkId,
    executor_id: ExecutorId,
    status: i32,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_exited_executor += 1;
    let known = core.agents.get(&agent_id).is_some();
    if let Some(meanwhile) = core.registry.reregistering.get_mut(&agent_id).filter(|_| !known) {
        // What the agent told when it came back says that the executor runs; this came later. The oldest gives way.
        let _ = meanwhile.exits.push((framework_id.clone(), executor_id, status));
        return;
    }
    executor_ended(core, agent_id, framework_id, executor_id, status, out);
}

/// An executor of an agent that is registered has ended.
pub(crate) fn executor_ended(
    core: &mut MasterCore,
    agent_id: AgentId,
    framework_id: &FrameworkId,
    executor_id: ExecutorId,
    status: i32,
    out: &mut Vec<Output>,
) {
    if !remove_executor(core, &agent_id, framework_id, &executor_id) {
        let why = format!("executor {executor_id} of framework {framework_id} is unknown");
        core.drop("ExitedExecutorMessage", &agent_id, why, out);
        return;
    }
    if let Some(framework) = core.frameworks.get(framework_id) {
        let event =
            SchedulerEvent::Failure { agent_id, executor_id: Some(executor_id), status: Some(status) };
        send(framework, event, out);
    }
}

/// SHUTDOWN.
pub(crate) fn shutdown_executor(
    core: &mut MasterCore,
    id: &FrameworkId,
    executor_id: ExecutorId,
    agent_id: &AgentId,
    out: &mut Vec<Output>,
) {
    match core.agents.get(agent_id) {
        Some(agent) => {
            send_agent(agent, ToAgent::ShutdownExecutor { framework_id: id.clone(), executor_id }, out);
        }
        None => core.drop("SHUTDOWN", id, format!("agent {agent_id} is not registered"), out),
    }
}

/// MESSAGE.
pub(crate) fn message_to_executor(
    core: &mut MasterCore,
    id: &FrameworkId,
    agent_id: AgentId,
    executor_id: ExecutorId,
    data: Payload,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_framework_to_executor += 1;
    match core.agents.get(&agent_id).filter(|agent| agent.connected) {
        Some(agent) => {
            let framework_id = id.clone();
            send_agent(agent, ToAgent::Message { agent_id, framework_id, executor_id, data }, out);
            core.metrics.valid_framework_to_executor_messages += 1;
        }
        None => {
            core.metrics.invalid_framework_to_executor_messages += 1;
            core.drop("MESSAGE", id, format!("agent {agent_id} is not registered and connected"), out);
        }
    }
}

/// `ExecutorToFrameworkMessage`.
pub(crate) fn message_from_executor(
    core: &mut MasterCore,
    agent_id: AgentId,
    framework_id: &FrameworkId,
    executor_id: ExecutorId,
    data: Payload,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_executor_to_framework += 1;
    let why = if core.agents.get(&agent_id).is_none() {
        "its agent is not registered"
    } else {
        match core.frameworks.get(framework_id) {
            Some(framework) if framework.connected() => {
                send(framework, SchedulerEvent::Message { agent_id, executor_id, data }, out);
                core.metrics.valid_executor_to_framework_messages += 1;
                return;
            }
            Some(_) => "the framework is disconnected",
            None => "the framework is unknown",
        }
    };
    core.metrics.invalid_executor_to_framework_messages += 1;
    core.drop("ExecutorToFrameworkMessage", &agent_id, why, out);
}
