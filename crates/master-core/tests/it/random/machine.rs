//! A machine with an agent on it, as the agent itself sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AgentId, FrameworkId, TaskId};
use master_core::{ExecutorInfo, Task, TaskBody, TaskInfo, TaskState};

/// A machine with an agent on it, as the agent itself sees it.
#[derive(Default)]
pub(super) struct Machine {
    pub(super) id: Option<AgentId>,
    pub(super) tasks: BTreeMap<(FrameworkId, TaskId), Task>,
    pub(super) executors: BTreeMap<FrameworkId, Vec<Arc<ExecutorInfo>>>,
}

impl Machine {
    pub(super) fn launch(
        &mut self,
        framework: &FrameworkId,
        info: &TaskInfo,
        executor: Option<Arc<ExecutorInfo>>,
    ) {
        let Some(agent_id) = self.id.clone() else { return };
        if let Some(executor) = executor {
            self.executors.entry(framework.clone()).or_default().push(executor);
        }
        let role = info.resources.iter().find_map(|r| r.allocation.clone()).expect("resources are allocated");
        let task = Task {
            task_id: info.task_id.clone(),
            framework_id: framework.clone(),
            agent_id,
            executor_id: info.executor.as_ref().map(|executor| executor.executor_id.clone()),
            name: info.name.clone(),
            role,
            resources: info.resources.clone(),
            state: TaskState::Staging,
            status_update_state: None,
            status_update_uuid: None,
            statuses: Vec::new(),
            body: TaskBody::Recovered(info.body.clone()),
        };
        self.tasks.insert((framework.clone(), info.task_id.clone()), task);
    }
}
