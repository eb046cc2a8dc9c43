//! KILL: the agent is told to end the task, now or when it is back.

use base::{AgentId, FrameworkId, Payload, TaskId, Time};

use crate::core::{MasterCore, send_agent};
use crate::output::{Output, ToAgent};
use crate::reconciliation;

pub(crate) fn kill(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    task_id: TaskId,
    agent_id: Option<AgentId>,
    kill_policy: Option<Payload>,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_kill_task += 1;
    let Some(task) = core.frameworks.get(id).and_then(|framework| framework.tasks.get(&task_id)) else {
        // The scheduler believes in a task that is not there: it is told how that task stands.
        reconciliation::reconcile(core, now, id, vec![(task_id, agent_id)], out);
        return;
    };
    let on = task.agent_id.clone();
    if agent_id.is_some_and(|agent_id| agent_id != on) {
        core.drop("KILL", id, format!("task {task_id} is on agent {on}"), out);
        return;
    }
    let Some(agent) = core.agents.get_mut(&on) else { return };
    // The message may be lost with the connection: it is repeated when the agent reregisters.
    agent.killed_tasks.insert((id.clone(), task_id.clone()));
    if agent.connected {
        send_agent(agent, ToAgent::KillTask { framework_id: id.clone(), task_id, kill_policy }, out);
    }
}
