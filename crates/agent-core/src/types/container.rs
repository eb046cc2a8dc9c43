//! Containers, as the core orders them.

use std::sync::Arc;

use base::{ContainerId, ExecutorId, FrameworkId, TaskId};
use resources::Resources;

use super::{CommandInfo, ExecutorInfo, ResourceLimits, TaskInfo, VolumeLink};

/// What happens inside a container.
#[derive(Clone, Debug, PartialEq)]
pub enum ContainerKind {
    /// A process runs in it.
    Process(CommandInfo),
    /// It holds a sandbox and other containers, and no process of its own: a task group's parent.
    Group,
}

/// A container to launch.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerSpec {
    /// Its id, written `parent.child` if nested.
    pub container_id: ContainerId,
    /// The container it is nested in.
    pub parent: Option<ContainerId>,
    /// What runs.
    pub kind: ContainerKind,
    /// The framework.
    pub framework_id: FrameworkId,
    /// The executor.
    pub executor_id: ExecutorId,
    /// The task, for a container that runs one.
    pub task_id: Option<TaskId>,
    /// The sandbox: an absolute path, to be created, owned by `user`.
    pub directory: Arc<str>,
    /// The whole environment in order, later entries win; `PATH` is in it. Nothing of the agent's own is inherited.
    pub environment: Vec<(Arc<str>, Arc<str>)>,
    /// Whom to run as.
    pub user: Arc<str>,
    /// What it may use, the executor's share included where the container is an executor's.
    pub resources: Resources,
    /// How far it may go beyond.
    pub limits: ResourceLimits,
    /// Whether it goes on when the agent dies, for the next one to find.
    pub survives: bool,
    /// The persistent volumes among them.
    pub volumes: Vec<VolumeLink>,
    /// The executor as described.
    pub executor: Arc<ExecutorInfo>,
    /// The task as described, for a container that runs one.
    pub task: Option<Arc<TaskInfo>>,
}
