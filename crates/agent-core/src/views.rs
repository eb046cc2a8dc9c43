//! Pictures of the state for readers: shared where they can be, so that a large answer stops nobody.

use std::sync::Arc;

use crate::core::AgentCore;
use crate::state::{Executor, Framework};
use crate::types::{ContainerView, ExecutorView, FrameworkView, Snapshot, TaskState};

impl AgentCore {
    /// The agent as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            agent_id: self.registration.agent_id.clone(),
            master: self.registration.master.clone().filter(|_| self.registration.registered),
            registered_at: self.registration.registered_at,
            total: self.total.clone(),
            frameworks: self.frameworks.values().map(|f| Arc::new(framework(f))).collect(),
            completed_frameworks: self.completed_frameworks.iter().cloned().collect(),
            operations: self.operations.all(),
            drain: self.drain,
            counts: self.counts,
        }
    }
}

pub(crate) fn framework(framework: &Framework) -> FrameworkView {
    FrameworkView {
        info: framework.info.clone(),
        executors: framework.executors.values().map(|e| Arc::new(executor(e))).collect(),
        completed_executors: framework.completed_executors.iter().cloned().collect(),
    }
}

pub(crate) fn executor(executor: &Executor) -> ExecutorView {
    let mut view = ExecutorView {
        info: executor.info.clone(),
        kind: executor.kind(),
        state: executor.state,
        container_id: executor.container_id.clone(),
        directory: executor.directory.clone(),
        queued: executor.queued.iter().flat_map(|queued| queued.tasks.iter().cloned()).collect(),
        launched: Vec::new(),
        terminated: Vec::new(),
        completed: executor.completed.iter().cloned().collect(),
        containers: containers(executor),
        resources: executor.info.resources.clone(),
    };
    for task in executor.tasks.values().map(|entry| &entry.task) {
        match task.state {
            state if state.is_terminal() => view.terminated.push(task.clone()),
            // A custom executor has it already; a built-in one waits for the container.
            TaskState::Staging if executor.stream.is_none() => view.queued.push(task.info.clone()),
            _ => view.launched.push(task.clone()),
        }
    }
    for task in view.queued.iter().chain(view.launched.iter().map(|task| &task.info)) {
        view.resources += &task.resources;
    }
    view
}

fn containers(executor: &Executor) -> Vec<ContainerView> {
    let mut containers = Vec::new();
    if executor.state != crate::ExecutorState::Terminated {
        containers.push(ContainerView {
            container_id: executor.container_id.clone(),
            task_id: None,
            pid: executor.pid,
        });
    }
    for (task, entry) in &executor.tasks {
        let Some(run) = &entry.run else { continue };
        if run.container_id == executor.container_id {
            containers[0].task_id = Some(task.clone());
            continue;
        }
        containers.push(ContainerView {
            container_id: run.container_id.clone(),
            task_id: Some(task.clone()),
            pid: run.pid,
        });
    }
    containers
}
