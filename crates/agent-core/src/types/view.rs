//! What readers see: shared, immutable pictures of the agent's entities.

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, ContainerId, ExecutorId, FrameworkId, TaskId, Time};
use resources::Resources;

use super::{ExecutorInfo, ExecutorKind, FrameworkInfo, Operation, Task, TaskInfo};

/// Where an executor is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutorState {
    /// Its container is being launched, or it has not yet subscribed.
    Registering,
    /// It takes tasks.
    Running,
    /// It has been told to end.
    Terminating,
    /// Its container is gone; updates may still wait for their acknowledgement.
    Terminated,
}

/// A container of an executor that lives now.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerView {
    /// Its id, `parent.child` if nested.
    pub container_id: ContainerId,
    /// The task that it runs, if it runs one.
    pub task_id: Option<TaskId>,
    /// Its first process, once launched.
    pub pid: Option<u32>,
}

/// An executor, living or completed.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorView {
    /// As described.
    pub info: Arc<ExecutorInfo>,
    /// Who executes.
    pub kind: ExecutorKind,
    /// Where it is in its life.
    pub state: ExecutorState,
    /// Its container.
    pub container_id: ContainerId,
    /// Its sandbox, an absolute path.
    pub directory: Arc<str>,
    /// Tasks that it has not been given yet.
    pub queued: Vec<Arc<TaskInfo>>,
    /// Tasks that it was given and that have not ended.
    pub launched: Vec<Arc<Task>>,
    /// Tasks that have ended and whose last update is not yet acknowledged.
    pub terminated: Vec<Arc<Task>>,
    /// Tasks that have ended, with everything acknowledged; the newest 200.
    pub completed: Vec<Arc<Task>>,
    /// The containers that live now: its own and, for a task group, the nested ones.
    pub containers: Vec<ContainerView>,
    /// What it and its unfinished tasks use.
    pub resources: Resources,
}

/// A framework, living or completed.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameworkView {
    /// As described.
    pub info: Arc<FrameworkInfo>,
    /// Executors that live or wait for acknowledgements, by id.
    pub executors: Vec<Arc<ExecutorView>>,
    /// Executors that are through, oldest first; the newest 150.
    pub completed_executors: Vec<Arc<ExecutorView>>,
}

/// A drain that the master has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// No task gets a longer grace period.
    pub max_grace: Option<Duration>,
    /// The agent is marked gone afterwards.
    pub mark_gone: bool,
    /// When it began; of one that an earlier life began, when this life took it up.
    pub since: Time,
}

/// What this life of the agent has counted, where nothing else shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages between frameworks and executors that were passed on.
    pub valid_framework_messages: u64,
    /// Those that were dropped: nobody was there to take them.
    pub invalid_framework_messages: u64,
    /// Statuses that were dropped: of frameworks that are ending, of states that no executor may tell, of others' tasks.
    pub invalid_status_updates: u64,
    /// Launches that were refused because their containers would need what is not supported.
    pub unsupported_launches: u64,
}

/// The agent at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Given by the master at the first registration.
    pub agent_id: Option<AgentId>,
    /// The master it is registered with (`None` while it is not).
    pub master: Option<crate::Pid>,
    /// When it was registered last.
    pub registered_at: Option<Time>,
    /// All its resources, with what operations made of them.
    pub total: Resources,
    /// Frameworks with something on this agent, by id.
    pub frameworks: Vec<Arc<FrameworkView>>,
    /// Frameworks that are through, oldest first; the newest 50.
    pub completed_frameworks: Vec<Arc<FrameworkView>>,
    /// Operations that have not ended, or whose end the master has not acknowledged.
    pub operations: Vec<Arc<Operation>>,
    /// The drain that holds now.
    pub drain: Option<Drain>,
    /// What was counted so far.
    pub counts: Counts,
}

impl Snapshot {
    /// A framework's view, living or completed.
    #[must_use]
    pub fn framework(&self, id: &FrameworkId) -> Option<&Arc<FrameworkView>> {
        self.frameworks.iter().chain(self.completed_frameworks.iter().rev()).find(|f| f.info.id == *id)
    }

    /// A living executor's view.
    #[must_use]
    pub fn executor(&self, framework: &FrameworkId, executor: &ExecutorId) -> Option<&Arc<ExecutorView>> {
        self.framework(framework)?.executors.iter().find(|e| e.info.executor_id == *executor)
    }
}
