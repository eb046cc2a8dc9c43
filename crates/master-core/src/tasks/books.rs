//! Who holds what: tasks and executors are entered and struck off here, and nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AgentId, ExecutorId, FrameworkId, TaskId};
use resources::Resources;

use crate::core::MasterCore;
use crate::output::{Observation, Output};
use crate::types::{Agent, ExecutorInfo, Framework, Task, TaskState};

/// Whether a task in this state holds its resources.
pub(crate) fn holds_resources(state: TaskState) -> bool {
    !state.is_terminal() && state != TaskState::Unreachable
}

/// Adds to what a framework uses on an agent.
pub(super) fn add_used(agent: &mut Agent, framework_id: &FrameworkId, resources: &Resources) {
    if !resources.is_empty() {
        *agent.used.entry(framework_id.clone()).or_default() += resources;
    }
}

/// Takes from what a framework uses on an agent.
pub(super) fn subtract_used(agent: &mut Agent, framework_id: &FrameworkId, resources: &Resources) {
    if let Some(used) = agent.used.get_mut(framework_id) {
        *used -= resources;
        if used.is_empty() {
            agent.used.remove(framework_id);
        }
    }
}

/// Enters a task that is launched. Its resources are already the framework's, out of an offer.
pub(super) fn add_task(core: &mut MasterCore, task: Task, out: &mut Vec<Output>) {
    core.allocation.transition_to_allocated(&task.framework_id, &task.agent_id, &task.resources);
    if let Some(agent) = core.agents.get_mut(&task.agent_id) {
        add_used(agent, &task.framework_id, &task.resources);
        agent.tasks.entry(task.framework_id.clone()).or_default().insert(task.task_id.clone());
    }
    let task = Arc::new(task);
    if let Some(framework) = core.frameworks.get_mut(&task.framework_id) {
        framework.tasks.insert(task.task_id.clone(), Arc::clone(&task));
    }
    core.observe(out, || Observation::TaskAdded(task));
}

/// Enters a task that an agent brings which is about to be entered itself.
pub(crate) fn recover_task(
    core: &mut MasterCore,
    agent: &mut Agent,
    mut task: Arc<Task>,
    out: &mut Vec<Output>,
) {
    let Some(framework) = core.frameworks.get_mut(&task.framework_id) else { return };
    // The master may have counted it as ended while the agent was away.
    framework.completed_tasks.remove(&task.task_id);
    if framework.unreachable_tasks.remove(&task.task_id).is_some() {
        framework.unreachable_order.retain(|kept| *kept != task.task_id);
    }
    let entered = Arc::make_mut(&mut task);
    entered.agent_id = agent.id.clone();
    entered.resources.allocate(&entered.role);
    if holds_resources(task.state) {
        add_used(agent, &task.framework_id, &task.resources);
    }
    agent.tasks.entry(task.framework_id.clone()).or_default().insert(task.task_id.clone());
    framework.tasks.insert(task.task_id.clone(), Arc::clone(&task));
    core.observe(out, || Observation::TaskAdded(task));
}

/// Strikes a task off. It stays among the completed tasks, or the unreachable ones if it may come back.
pub(crate) fn remove_task(
    core: &mut MasterCore,
    framework_id: &FrameworkId,
    task_id: &TaskId,
    unreachable: bool,
) {
    let kept = core.options.max_unreachable_tasks_per_framework;
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    let Some(task) = framework.tasks.remove(task_id) else { return };
    if let Some(agent) = core.agents.get_mut(&task.agent_id) {
        if let Some(of_framework) = agent.tasks.get_mut(framework_id) {
            of_framework.remove(task_id);
            if of_framework.is_empty() {
                agent.tasks.remove(framework_id);
            }
        }
        if !agent.killed_tasks.is_empty() {
            agent.killed_tasks.remove(&(framework_id.clone(), task_id.clone()));
        }
        if holds_resources(task.state) {
            subtract_used(agent, framework_id, &task.resources);
            core.allocation.recover(framework_id, &task.agent_id, &task.resources);
        }
    }
    if unreachable {
        keep_unreachable(framework, task, kept);
    } else {
        framework.completed_tasks.push(task);
    }
}

fn keep_unreachable(framework: &mut Framework, task: Arc<Task>, kept: usize) {
    framework.unreachable_order.push_back(task.task_id.clone());
    framework.unreachable_tasks.insert(task.task_id.clone(), task);
    while framework.unreachable_order.len() > kept {
        if let Some(oldest) = framework.unreachable_order.pop_front() {
            framework.unreachable_tasks.remove(&oldest);
        }
    }
}

/// Enters an executor that is launched with a task.
pub(super) fn add_executor(
    core: &mut MasterCore,
    agent_id: &AgentId,
    framework_id: &FrameworkId,
    executor: &Arc<ExecutorInfo>,
) {
    core.allocation.transition_to_allocated(framework_id, agent_id, &executor.resources);
    let Some(agent) = core.agents.get_mut(agent_id) else { return };
    add_used(agent, framework_id, &executor.resources);
    let of_framework: &mut BTreeMap<_, _> = agent.executors.entry(framework_id.clone()).or_default();
    of_framework.insert(executor.executor_id.clone(), Arc::clone(executor));
}

/// Enters an executor that an agent brings which is about to be entered itself. One that it names twice counts once, and
/// one whose resources are allocated to nobody cannot be counted for anybody.
pub(crate) fn recover_executor(agent: &mut Agent, framework_id: &FrameworkId, executor: Arc<ExecutorInfo>) {
    if executor.resources.iter().any(|resource| resource.allocation.is_none()) {
        return;
    }
    let of_framework = agent.executors.entry(framework_id.clone()).or_default();
    if !of_framework.contains_key(&executor.executor_id) {
        of_framework.insert(executor.executor_id.clone(), Arc::clone(&executor));
        add_used(agent, framework_id, &executor.resources);
    }
}

/// Strikes an executor off; returns whether it was there.
pub(crate) fn remove_executor(
    core: &mut MasterCore,
    agent_id: &AgentId,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
) -> bool {
    let Some(agent) = core.agents.get_mut(agent_id) else { return false };
    let Some(of_framework) = agent.executors.get_mut(framework_id) else { return false };
    let Some(executor) = of_framework.remove(executor_id) else { return false };
    if of_framework.is_empty() {
        agent.executors.remove(framework_id);
    }
    subtract_used(agent, framework_id, &executor.resources);
    core.allocation.recover(framework_id, agent_id, &executor.resources);
    true
}
