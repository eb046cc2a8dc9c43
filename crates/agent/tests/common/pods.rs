//! Groups of tasks.

use proto::{internal, v1};

use super::{FRAMEWORK_ID, FakeMaster, framework, is_terminal, scalar};

/// The executor of groups.
pub fn pod() -> v1::ExecutorInfo {
    v1::ExecutorInfo {
        r#type: Some(v1::executor_info::Type::Default.into()),
        executor_id: "pod".into(),
        framework_id: Some(FRAMEWORK_ID.into()),
        resources: vec![scalar("cpus", 0.1), scalar("mem", 32.0)],
        ..Default::default()
    }
}

/// Tasks that start together, the first of their executor.
pub fn group(tasks: Vec<v1::TaskInfo>) -> internal::RunTaskGroupMessage {
    internal::RunTaskGroupMessage {
        framework: framework(),
        executor: pod(),
        task_group: v1::TaskGroupInfo { tasks },
        launch_executor: Some(true),
        ..Default::default()
    }
}

impl FakeMaster {
    /// The ends of so many tasks, by their names; every status is acknowledged.
    pub async fn ends(&mut self, count: usize) -> Vec<v1::TaskStatus> {
        let mut ends = Vec::new();
        while ends.len() < count {
            let status = self.status().await;
            if is_terminal(status.state()) {
                ends.push(status);
            }
        }
        ends.sort_by(|a, b| a.task_id.value.cmp(&b.task_id.value));
        ends
    }
}
