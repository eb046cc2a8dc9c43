//! The end of a framework: all its tasks are killed, and it is remembered among the completed ones.

use std::sync::Arc;

use base::{AgentId, ExecutorId, FrameworkId, TaskId, Time};

use crate::core::{MasterCore, send_agent};
use crate::output::{Directory, Observation, Output, ToAgent};
use crate::types::{Reason, Task, TaskState, TaskStatus};
use crate::{agents, maintenance, offers, operations, tasks};

/// TEARDOWN, by the scheduler or an operator.
pub(crate) fn teardown(core: &mut MasterCore, now: Time, id: &FrameworkId, out: &mut Vec<Output>) {
    core.metrics.messages_unregister_framework += 1;
    remove(core, now, id, out);
}

/// Ends a framework. Its tasks count as killed from now on: what their agents still report of them reaches nobody.
pub(super) fn remove(core: &mut MasterCore, now: Time, id: &FrameworkId, out: &mut Vec<Output>) {
    if core.frameworks.get(id).is_none() {
        return;
    }
    core.allocation.deactivate_framework(id);
    offers::discard_of_framework(core, id);
    for agent in core.agents.registered.values() {
        send_agent(agent, ToAgent::ShutdownFramework(id.clone()), out);
    }
    end_tasks(core, now, id, out);
    end_executors(core, id);
    agents::check_drained_of(core, now, out);

    let Some(mut framework) = core.frameworks.registered.remove(id) else { return };
    core.frameworks.away.remove(id);
    core.allocation.remove_framework(id);
    maintenance::forget(core, id);
    if let Some((connection, _)) = framework.connection {
        core.frameworks.by_connection.remove(&connection);
        out.push(Output::Close(connection));
    }
    let ended = Arc::make_mut(&mut framework);
    ended.connection = None;
    ended.active = false;
    ended.recovered = false;
    ended.unregistered_time = Some(now);
    operations::disown(ended);
    if let Some(forgotten) = core.frameworks.completed.push(Arc::clone(&framework)) {
        core.frameworks.counts.remove(&forgotten.id);
    }
    out.push(Output::Directory(Directory::Removed(id.clone())));
    core.observe(out, || Observation::FrameworkRemoved(framework));
}

fn end_tasks(core: &mut MasterCore, now: Time, id: &FrameworkId, out: &mut Vec<Output>) {
    let Some(framework) = core.frameworks.get(id) else { return };
    let active: Vec<TaskId> = framework.tasks.keys().cloned().collect();
    for task_id in active {
        let Some(status) =
            core.frameworks.get(id).and_then(|f| f.tasks.get(&task_id)).map(|t| killed(t, now))
        else {
            continue;
        };
        tasks::update_task(core, id, &task_id, &status, None, out);
        tasks::remove_task(core, id, &task_id, false);
    }
    // The tasks on agents that do not answer hold no resources any more.
    let Some(framework) = core.frameworks.get_mut(id) else { return };
    framework.unreachable_order.clear();
    let unreachable = std::mem::take(&mut framework.unreachable_tasks);
    let count = unreachable.len();
    for (_, mut task) in unreachable {
        let status = killed(&task, now);
        let task_mut = Arc::make_mut(&mut task);
        task_mut.state = TaskState::Killed;
        task_mut.statuses.push(status);
        framework.completed_tasks.push(task);
    }
    core.frameworks.count(id, |counts| (0..count).for_each(|_| counts.task_is(TaskState::Killed)));
    core.agents.forget_unreachable_of(id);
}

fn killed(task: &Task, now: Time) -> Arc<TaskStatus> {
    let message = format!("Framework {} removed", task.framework_id);
    Arc::new(tasks::master_status(task, now, TaskState::Killed, message, Reason::FRAMEWORK_REMOVED))
}

fn end_executors(core: &mut MasterCore, id: &FrameworkId) {
    let executors: Vec<(AgentId, ExecutorId)> = core
        .agents
        .registered
        .values()
        .filter_map(|agent| Some((agent, agent.executors.get(id)?)))
        .flat_map(|(agent, executors)| executors.keys().map(|executor| (agent.id.clone(), executor.clone())))
        .collect();
    for (agent_id, executor_id) in executors {
        tasks::remove_executor(core, &agent_id, id, &executor_id);
    }
}
