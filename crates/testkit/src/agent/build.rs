//! What schedulers describe, as short as a scenario needs it.

use std::sync::Arc;

use agent_core::{CommandInfo, ExecutorInfo, ExecutorKind, FrameworkInfo, Options, ResourceLimits, TaskInfo};
use base::Payload;
use resources::Resources;

/// Settings of an agent with eight cpus at `127.0.0.1:5051`.
///
/// # Panics
/// Never: the resources are well formed.
#[must_use]
pub fn options(seed: u64) -> Options {
    let resources = Resources::parse("cpus:8;mem:8192;disk:20480;ports:[31000-32000]").expect("well formed");
    Options::new(seed, "slave(1)@127.0.0.1:5051".into(), "/var/lib/agent", resources)
}

/// A framework without capabilities.
#[must_use]
pub fn framework(id: &str) -> FrameworkInfo {
    FrameworkInfo {
        id: id.into(),
        user: "root".into(),
        checkpoint: false,
        task_killing: false,
        partition_aware: false,
        body: Payload::default(),
    }
}

/// A task that runs a shell command.
///
/// # Panics
/// Never: the resources are well formed.
#[must_use]
pub fn command_task(id: &str, command: &str) -> TaskInfo {
    TaskInfo {
        task_id: id.into(),
        name: id.into(),
        resources: Resources::parse("cpus:0.1;mem:32").expect("well formed"),
        limits: ResourceLimits::default(),
        executor: None,
        command: Some(CommandInfo { value: Some(command.into()), shell: true, ..CommandInfo::default() }),
        kill_grace: None,
        max_completion_time: None,
        check: None,
        health_check: None,
        unsupported: None,
        body: Payload::default(),
    }
}

/// The task-group executor of the agent.
///
/// # Panics
/// Never: the resources are well formed.
#[must_use]
pub fn default_executor(id: &str) -> Arc<ExecutorInfo> {
    Arc::new(ExecutorInfo {
        executor_id: id.into(),
        kind: ExecutorKind::Default,
        command: None,
        resources: Resources::parse("cpus:0.1;mem:32;disk:16").expect("well formed"),
        shutdown_grace: None,
        unsupported: None,
        body: Payload::default(),
    })
}

/// An executor of a framework's own.
#[must_use]
pub fn custom_executor(id: &str) -> Arc<ExecutorInfo> {
    let command = CommandInfo { value: Some("./executor".into()), shell: true, ..CommandInfo::default() };
    Arc::new(ExecutorInfo {
        kind: ExecutorKind::Custom,
        command: Some(command),
        ..Arc::unwrap_or_clone(default_executor(id))
    })
}

/// The executor, described with something that the agent does not support: images.
#[must_use]
pub fn with_image(executor: Arc<ExecutorInfo>) -> Arc<ExecutorInfo> {
    Arc::new(ExecutorInfo { unsupported: Some("no images".into()), ..Arc::unwrap_or_clone(executor) })
}

/// A task of a group.
#[must_use]
pub fn group_task(id: &str, executor: &Arc<ExecutorInfo>) -> TaskInfo {
    TaskInfo { executor: Some(executor.clone()), ..command_task(id, "sleep 60") }
}

/// A task for a custom executor, which knows what to do.
#[must_use]
pub fn custom_task(id: &str, executor: &Arc<ExecutorInfo>) -> TaskInfo {
    TaskInfo { command: None, ..group_task(id, executor) }
}
