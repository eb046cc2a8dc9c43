//! Tasks and executors are ended, and asked about.

use base::{AgentId, TaskId};
use master_core::SchedulerCall;

use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::scheduler::Scheduler;

fn some_task(scheduler: &mut Scheduler) -> Option<(TaskId, AgentId)> {
    let tasks: Vec<(TaskId, AgentId)> = scheduler
        .tasks
        .iter()
        .filter(|(_, task)| !task.is_over())
        .map(|(id, task)| (id.clone(), task.agent_id.clone()))
        .collect();
    scheduler.rng.pick(&tasks).cloned()
}

/// Kills a task.
pub(super) fn task(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let Some((task_id, agent_id)) = some_task(scheduler) else { return };
    let agent_id = scheduler.rng.chance(1, 2).then_some(agent_id);
    scheduler.call(fabric, SchedulerCall::Kill { task_id, agent_id, kill_policy: None });
}

/// Ends an executor.
pub(super) fn executor(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let executors: Vec<_> = scheduler.executors.keys().cloned().collect();
    let Some((agent_id, executor_id)) = scheduler.rng.pick(&executors).cloned() else { return };
    scheduler.call(fabric, SchedulerCall::Shutdown { executor_id, agent_id });
}

/// Asks about one task, or about all.
pub(super) fn reconcile(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let tasks = if scheduler.rng.chance(1, 2) {
        Vec::new()
    } else {
        some_task(scheduler).map(|(task, agent)| (task, Some(agent))).into_iter().collect()
    };
    scheduler.call(fabric, SchedulerCall::Reconcile(tasks));
}
