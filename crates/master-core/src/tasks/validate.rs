//! Whether a task can be launched here and now. What its description alone tells is checked before it gets here.

use base::{ExecutorId, FrameworkId};
use resources::Resources;

use crate::types::{Agent, ExecutorInfo, Framework, TaskInfo};

/// Where tasks shall be launched.
pub(super) struct Place<'a> {
    pub(super) framework: &'a Framework,
    pub(super) agent: &'a Agent,
    /// What is left of the accepted offers.
    pub(super) available: &'a Resources,
}

impl Place<'_> {
    fn executor(&self, id: &ExecutorId) -> Option<&ExecutorInfo> {
        self.agent.executors.get(&self.framework.id)?.get(id).map(std::convert::AsRef::as_ref)
    }

    /// Whether the executor has to be started.
    pub(super) fn launches(&self, executor: &ExecutorInfo) -> bool {
        self.executor(&executor.executor_id).is_none()
    }

    /// What is looked at for each task, be it in a group or not.
    fn check_one(&self, task: &TaskInfo) -> Result<(), String> {
        self.check_ids(task)?;
        if task.limited && !self.agent.capabilities.task_resource_limits {
            return Err("Agent is not capable of handling task resource limits".to_owned());
        }
        Ok(())
    }

    fn check_ids(&self, task: &TaskInfo) -> Result<(), String> {
        if self.framework.tasks.contains_key(&task.task_id) {
            return Err(format!("Task has duplicate ID: {}", task.task_id));
        }
        if self.framework.unreachable_tasks.contains_key(&task.task_id) {
            return Err(format!("Task reuses the ID of an unreachable task: {}", task.task_id));
        }
        if task.agent_id != self.agent.id {
            return Err(format!(
                "Task uses invalid agent {} while agent {} is expected",
                task.agent_id, self.agent.id
            ));
        }
        Ok(())
    }

    fn check_executor(&self, executor: &ExecutorInfo) -> Result<(), String> {
        check_framework_id(executor, &self.framework.id)?;
        match self.executor(&executor.executor_id) {
            Some(running) if !running.is_compatible(executor) => Err(format!(
                "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID '{}'",
                executor.executor_id
            )),
            _ => Ok(()),
        }
    }

    /// Whether a task of its own can be launched.
    pub(super) fn check_task(&self, task: &TaskInfo) -> Result<(), String> {
        self.check_one(task)?;
        let executor = match &task.executor {
            Some(executor) => {
                self.check_executor(executor)?;
                Some(&executor.resources).filter(|_| self.launches(executor))
            }
            None => None,
        };
        let Some(executor) = executor else {
            if self.available.contains(&task.resources) {
                return Ok(());
            }
            return Err(too_much(&task.resources, self.available));
        };
        let mut total = task.resources.clone();
        total += executor;
        if !self.available.contains(&total) {
            return Err(too_much(&total, self.available));
        }
        if !all_fit(self.available, [&task.resources, executor]) {
            return Err(format!(
                "There are overlapping resources in the task resources {} and executor resources {executor}",
                task.resources
            ));
        }
        Ok(())
    }

    /// Whether a group of tasks can be launched in an executor. Returns what it takes in all.
    pub(super) fn check_group<'t>(
        &self,
        executor: &ExecutorInfo,
        tasks: impl Iterator<Item = &'t TaskInfo> + Clone,
    ) -> Result<Resources, String> {
        let mut seen = std::collections::BTreeSet::new();
        let mut total = Resources::new();
        for task in tasks.clone() {
            let unique = if seen.insert(&task.task_id) {
                Ok(())
            } else {
                Err(format!("Task has duplicate ID: {}", task.task_id))
            };
            unique
                .and_then(|()| self.check_one(task))
                .map_err(|error| format!("Task '{}' is invalid: {error}", task.task_id))?;
            total += &task.resources;
        }
        self.check_executor(executor)?;
        let executor = Some(&executor.resources).filter(|_| self.launches(executor));
        if let Some(executor) = executor {
            total += executor;
        }
        if !self.available.contains(&total) {
            return Err(format!(
                "Total resources {total} required by task group and its executor are more than available {}",
                self.available
            ));
        }
        if !all_fit(self.available, tasks.map(|task| &task.resources).chain(executor)) {
            return Err(
                "There are overlapping resources in the task group's task resources and/or executor \
                        resources"
                    .to_owned(),
            );
        }
        Ok(total)
    }
}

fn too_much(total: &Resources, available: &Resources) -> String {
    format!("Total resources {total} required by task and its executor is more than available {available}")
}

/// Whether the parts can all be had at the same time. Their sum may fit where they do not: of ranges and sets, it has
/// once what several of them want.
fn all_fit<'r>(available: &Resources, parts: impl IntoIterator<Item = &'r Resources>) -> bool {
    let mut left = available.clone();
    parts.into_iter().all(|part| left.subtract(part).is_ok())
}

fn check_framework_id(executor: &ExecutorInfo, expected: &FrameworkId) -> Result<(), String> {
    match &executor.framework_id {
        None => Err("'ExecutorInfo.framework_id' must be set".to_owned()),
        Some(id) if id != expected => {
            Err(format!("ExecutorInfo has an invalid FrameworkID (Actual: {id} vs Expected: {expected})"))
        }
        Some(_) => Ok(()),
    }
}
