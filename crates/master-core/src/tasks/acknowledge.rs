//! ACKNOWLEDGE: the scheduler has taken note of a status; its agent need not send it again.

use base::{AgentId, FrameworkId, TaskId, Time, Uuid};

use super::remove_task;
use crate::agents;
use crate::core::{MasterCore, send_agent};
use crate::output::{Output, ToAgent};
use crate::types::TaskState;

pub(crate) fn acknowledge(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    agent_id: AgentId,
    task_id: TaskId,
    uuid: Uuid,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_status_update_acknowledgement += 1;
    if let Err(why) = check(core, id, &agent_id, &task_id) {
        core.metrics.invalid_status_update_acknowledgements += 1;
        core.drop("ACKNOWLEDGE", id, why, out);
        return;
    }
    let task = core.frameworks.get(id).and_then(|f| f.tasks.get(&task_id)).filter(|t| t.agent_id == agent_id);
    let ended = task.is_some_and(|task| {
        task.status_update_uuid == Some(uuid) && task.status_update_state.is_some_and(TaskState::is_terminal)
    });
    if ended {
        remove_task(core, id, &task_id, false);
    }
    core.metrics.valid_status_update_acknowledgements += 1;
    if let Some(agent) = core.agents.get(&agent_id) {
        let message =
            ToAgent::Acknowledge { agent_id: agent_id.clone(), framework_id: id.clone(), task_id, uuid };
        send_agent(agent, message, out);
    }
    if ended {
        agents::check_drained(core, now, &agent_id, out);
    }
}

/// Whether the acknowledgement can be sent on.
fn check(
    core: &MasterCore,
    id: &FrameworkId,
    agent_id: &AgentId,
    task_id: &TaskId,
) -> Result<(), &'static str> {
    let agent = core.agents.get(agent_id).ok_or("the agent is not registered")?;
    if !agent.connected {
        return Err("the agent is disconnected");
    }
    let task = core.frameworks.get(id).and_then(|f| f.tasks.get(task_id)).filter(|t| t.agent_id == *agent_id);
    // Another master sent that status; the agent sends it again, through this one.
    if task.is_some_and(|task| task.status_update_state.is_none()) {
        return Err("the status was not sent by this master");
    }
    Ok(())
}
