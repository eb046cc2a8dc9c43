//! ACKNOWLEDGE: the scheduler has taken note of a status; its agent need not send it again.
//!
//! An agent that is killed before it has written that down sends it again when it comes back. The master remembers what was
//! acknowledged last, and answers in the scheduler's place: whether a scheduler is told twice is no matter of luck.

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
    // Also where the agent cannot be told now.
    core.agents.acknowledged(&agent_id, id.clone(), uuid);
    if let Err(why) = check(core, id, &agent_id, &task_id) {
        core.metrics.invalid_status_update_acknowledgements += 1;
        core.drop("ACKNOWLEDGE", id, why, out);
        return;
    }
    core.metrics.valid_status_update_acknowledgements += 1;
    pass_on(core, now, id, agent_id, task_id, uuid, out);
}

/// The agent is told; a task whose end it is is over.
pub(super) fn pass_on(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    agent_id: AgentId,
    task_id: TaskId,
    uuid: Uuid,
    out: &mut Vec<Output>,
) {
    let task = core.frameworks.get(id).and_then(|f| f.tasks.get(&task_id)).filter(|t| t.agent_id == agent_id);
    let ended = task.is_some_and(|task| {
        task.status_update_uuid == Some(uuid) && task.status_update_state.is_some_and(TaskState::is_terminal)
    });
    if ended {
        remove_task(core, id, &task_id, false);
    }
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
