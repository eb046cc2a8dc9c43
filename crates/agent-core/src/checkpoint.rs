//! What the agent remembers over its own death.
//!
//! A [`Write`] among the outputs is durable before anything that follows it is carried out; that is the server's promise.
//! At the next start it hands back what there is as [`Recovered`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, ContainerId, ExecutorId, FrameworkId, TaskId, Time, Uuid};
use resources::Resources;

use crate::state::Executor;
use crate::types::{
    ExecutorInfo, ExecutorKind, ExecutorState, FrameworkInfo, Operation, ResourceLimits, Task, TaskInfo,
    TaskState, TaskStatus,
};
use crate::{Options, allowance, specs};

/// One change of what is remembered.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// The agent's id, together with how the server describes the agent. `None`: the next start is that of a new agent,
    /// and of everything else only the resources are of interest.
    Agent(Option<AgentId>),
    /// What operations made of the agent's resources.
    Resources {
        /// Dynamic reservations and persistent volumes.
        checkpointed: Resources,
        /// Names the present state of the resources.
        version: Uuid,
    },
    /// An operation as it stands now.
    Operation(Arc<Operation>),
    /// An operation of which nobody waits to hear any more.
    ForgetOperation(Uuid),
    /// A framework that checkpoints has an executor here, or is another than it was.
    Framework {
        /// As described.
        info: Arc<FrameworkInfo>,
        /// It is being shut down.
        terminating: bool,
    },
    /// It has nothing here any more.
    ForgetFramework(FrameworkId),
    /// An executor of such a framework.
    Executor(Box<ExecutorRecord>),
    /// It is through.
    ForgetExecutor(FrameworkId, ExecutorId),
    /// A task of such a framework.
    Task(Box<TaskRecord>),
    /// How far a task has come.
    Progress(Box<Progress>),
    /// A task whose end the framework knows; its progress goes with it.
    ForgetTask(FrameworkId, TaskId),
    /// The drain that the master has asked for; `None` when it is over.
    Drain(Option<DrainRecord>),
    /// Something is over; for those who look. Its number is greater than those before.
    Past(u64, Box<Past>),
    /// It is long over.
    ForgetPast(u64),
}

/// What is over, of frameworks that checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Past {
    /// A task whose end the framework knows.
    Task(PastTask),
    /// An executor with nothing left to acknowledge. Its tasks came before.
    Executor(Box<ExecutorRecord>),
    /// A framework that had nothing here any more. It may have come back.
    Framework(Arc<FrameworkInfo>),
}

/// A task that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct PastTask {
    /// The container of its executor.
    pub container_id: ContainerId,
    /// As it was at last.
    pub task: Arc<Task>,
}

/// An executor, as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorRecord {
    /// Whose.
    pub framework_id: FrameworkId,
    /// As described.
    pub info: Arc<ExecutorInfo>,
    /// Its container.
    pub container_id: ContainerId,
    /// Where it is in its life.
    pub state: ExecutorState,
    /// Whether a custom executor has ever subscribed.
    pub subscribed: bool,
    /// Whether it ever got a task.
    pub ever_sent_task: bool,
    /// Groups that it was given so far.
    pub groups: u32,
}

impl ExecutorRecord {
    pub(crate) fn of(framework_id: &FrameworkId, executor: &Executor) -> Self {
        Self {
            framework_id: framework_id.clone(),
            info: executor.info.clone(),
            container_id: executor.container_id.clone(),
            state: executor.state,
            subscribed: executor.subscribed,
            ever_sent_task: executor.ever_sent_task,
            groups: executor.groups,
        }
    }
}

/// A task, as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRecord {
    /// Whose.
    pub framework_id: FrameworkId,
    /// Who executes it.
    pub executor_id: ExecutorId,
    /// As described.
    pub info: Arc<TaskInfo>,
    /// How far it has got on its way.
    pub place: Place,
}

/// Where a task is on its way to its executor.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// It waits.
    Queued {
        /// Those that wait together have the same number; lower ones come first.
        order: u32,
        /// Whether they are a group.
        group: bool,
    },
    /// It was given to a custom executor.
    Sent,
    /// A built-in executor runs it.
    Run {
        /// In this container.
        container_id: ContainerId,
        /// Those that live and die together have the same number.
        group: u32,
    },
}

/// How far a task has come, and what of that the framework knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Whose.
    pub framework_id: FrameworkId,
    /// Which.
    pub task_id: TaskId,
    /// One status for each state it went through, oldest first.
    pub statuses: Vec<Arc<TaskStatus>>,
    /// Not yet acknowledged, oldest first.
    pub pending: Vec<Arc<TaskStatus>>,
    /// The last updates that came, so that a repeated one is known.
    pub received: Vec<Uuid>,
    /// It is being killed.
    pub kill: Option<KillRecord>,
    /// When it has run as long as it may.
    pub completion: Option<Time>,
    /// A kill that its custom executor was to hear.
    pub order: Option<KillOrder>,
    /// How its checks stand, while it runs and has any.
    pub health: Option<HealthRecord>,
}

/// A kill that was asked of a custom executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KillOrder {
    /// Overrides the task's own grace period.
    pub grace: Option<Duration>,
}

/// A kill that has begun, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KillRecord {
    /// Why.
    pub cause: KillCause,
    /// When force follows.
    pub deadline: Time,
}

/// Why a task is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillCause {
    /// Somebody wants it gone, or a task of its group has failed.
    Requested,
    /// It ran longer than it may.
    MaxCompletion,
    /// Its health checks failed too often, or those of a task of its group.
    Unhealthy,
}

/// How a task's checks stand, as it is remembered. What they found is in the last status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthRecord {
    /// When they began: with the task.
    pub since: Time,
    /// Whether it was healthy once.
    pub passed: bool,
    /// How often in a row it was not since.
    pub failures: u32,
}

/// A drain, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainRecord {
    /// No task gets a longer grace period.
    pub max_grace: Option<Duration>,
    /// The agent is marked gone afterwards.
    pub mark_gone: bool,
}

/// What an earlier life of the agent wrote.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The agent's id.
    pub agent_id: Option<AgentId>,
    /// It described itself as it does now.
    pub described: bool,
    /// What operations made of the resources, and the name of that state.
    pub resources: Option<(Resources, Uuid)>,
    /// Operations that have not ended, or whose end the master has not acknowledged. What one that is pending is to do is
    /// there as the server reads it, or why it cannot be read.
    pub operations: Vec<(Operation, Result<resources::Operation, String>)>,
    /// A drain that was not over.
    pub drain: Option<DrainRecord>,
    /// Frameworks that checkpoint.
    pub frameworks: Vec<RecoveredFramework>,
    /// What was over, by number, oldest first.
    pub past: Vec<(u64, Past)>,
    /// Updates whose acknowledgement came, whether what follows from it was written or not.
    pub acknowledged: BTreeSet<Uuid>,
    /// What has become of their containers, as asked by [`Recovered::containers`].
    pub found: BTreeMap<ContainerId, Found>,
}

/// A framework that was here.
#[derive(Clone, Debug)]
pub struct RecoveredFramework {
    /// As described.
    pub info: Arc<FrameworkInfo>,
    /// It was being shut down.
    pub terminating: bool,
    /// Its executors.
    pub executors: Vec<RecoveredExecutor>,
}

/// An executor that was here.
#[derive(Clone, Debug)]
pub struct RecoveredExecutor {
    /// As it is remembered.
    pub record: ExecutorRecord,
    /// Its tasks.
    pub tasks: Vec<(TaskRecord, Option<Progress>)>,
}

impl RecoveredExecutor {
    /// Whether its container is awaited, of which nothing is known but that it was ordered.
    fn is_awaited(&self) -> bool {
        let command = self.record.info.kind == ExecutorKind::Command;
        self.record.state == ExecutorState::Registering
            && !self.record.subscribed
            && (!command || self.tasks.iter().all(|(_, progress)| is_starting(progress.as_ref())))
    }

    /// Its tasks that had not ended as far as is known.
    fn unfinished(&self) -> impl Iterator<Item = &TaskRecord> {
        let ended = |progress: &Option<Progress>| {
            let last = progress.as_ref().and_then(|progress| progress.statuses.last());
            last.is_some_and(|status| status.state.is_terminal())
        };
        self.tasks.iter().filter(move |(_, progress)| !ended(progress)).map(|(task, _)| task)
    }
}

/// Whether nobody was told more of a task than that it starts, and nobody wants its end.
fn is_starting(progress: Option<&Progress>) -> bool {
    progress.is_none_or(|progress| {
        let told = progress.statuses.last().map_or(TaskState::Staging, |status| status.state);
        progress.kill.is_none() && matches!(told, TaskState::Staging | TaskState::Starting)
    })
}

/// A container that was ordered and may still be there.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownContainer {
    /// Which.
    pub container_id: ContainerId,
    /// The one that it is nested in.
    pub parent: Option<ContainerId>,
    /// Its sandbox.
    pub directory: Arc<str>,
    /// Whether it has no process of its own.
    pub group: bool,
    /// What is allocated to it.
    pub resources: Resources,
    /// How far it may go beyond.
    pub limits: ResourceLimits,
    /// Whether it is still to be started if it never was: nobody was told that it runs, and nobody wants its end.
    pub awaited: bool,
}

/// What has become of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It runs; its first process, if it has one.
    Running(Option<u32>),
    /// It ran and is gone: its end follows as an event.
    Ended,
    /// Nobody knows of it; its end follows as an event.
    Lost,
    /// It never started, for certain, and is awaited: it is ordered again.
    Unstarted,
}

impl Recovered {
    /// Takes out what makes no sense without what is missing: executors of unknown frameworks are the server's to leave
    /// out; here go command executors without their task, and frameworks without executors. What is to be forgotten.
    pub fn prune(&mut self) -> Vec<Write> {
        let mut writes = Vec::new();
        for framework in &mut self.frameworks {
            framework.executors.retain(|executor| {
                let record = &executor.record;
                let whole = record.info.kind != ExecutorKind::Command || executor.tasks.len() == 1;
                if !whole {
                    let (framework, id) = (record.framework_id.clone(), record.info.executor_id.clone());
                    writes.extend(
                        executor
                            .tasks
                            .iter()
                            .map(|(task, _)| Write::ForgetTask(framework.clone(), task.info.task_id.clone())),
                    );
                    writes.push(Write::ForgetExecutor(framework, id));
                }
                whole
            });
        }
        self.frameworks.retain(|framework| {
            let living = !framework.executors.is_empty();
            if !living {
                writes.push(Write::ForgetFramework(framework.info.id.clone()));
            }
            living
        });
        writes
    }

    /// What running tasks use that is not among all resources, if anything. What is on its way out does not count: the
    /// master has given to others what it takes, and they may be here already.
    pub(crate) fn missing(&self, total: &Resources) -> Option<String> {
        let mut free = total.clone();
        let staying = self.frameworks.iter().filter(|framework| !framework.terminating);
        for executor in staying.flat_map(|framework| &framework.executors) {
            if matches!(executor.record.state, ExecutorState::Terminating | ExecutorState::Terminated) {
                continue;
            }
            let killed = |task: &&TaskRecord| {
                let progress = executor.tasks.iter().find(|(of, _)| of.info.task_id == task.info.task_id);
                progress.and_then(|(_, progress)| progress.as_ref()).is_some_and(|known| known.kill.is_some())
            };
            let tasks = executor.unfinished().filter(|task| !killed(task));
            let tasks = tasks.flat_map(|task| task.info.resources.iter());
            for used in executor.record.info.resources.iter().chain(tasks) {
                let used = used.clone().unallocated();
                // A shared volume is used by several at once.
                let there = if used.is_shared() { total } else { &free };
                if !there.contains_one(&used) {
                    return Some(used.to_string());
                }
                if !used.is_shared() {
                    free.remove(&used);
                }
            }
        }
        None
    }

    /// The containers that may still be there; parents come before those nested in them.
    #[must_use]
    pub fn containers(&self, options: &Options) -> Vec<KnownContainer> {
        let Some(agent) = &self.agent_id else { return Vec::new() };
        let mut known = Vec::new();
        for (framework, executor) in self
            .frameworks
            .iter()
            .flat_map(|framework| framework.executors.iter().map(move |e| (framework, e)))
        {
            let record = &executor.record;
            if record.state == ExecutorState::Terminated {
                continue;
            }
            let id = &record.info.executor_id;
            let directory =
                specs::path(&options.work_dir, agent, &record.framework_id, id, &record.container_id);
            let mut resources = record.info.resources.clone();
            for task in executor.unfinished() {
                resources += &task.info.resources;
            }
            let tasks = executor.unfinished().map(|task| &*task.info);
            let limits = allowance::limits(&record.info.resources, tasks, options.cpus_are_limited);
            known.push(KnownContainer {
                container_id: record.container_id.clone(),
                parent: None,
                directory: directory.clone(),
                group: record.info.kind == ExecutorKind::Default,
                resources,
                limits,
                awaited: !framework.terminating && executor.is_awaited(),
            });
            let nested = executor.unfinished().filter_map(|task| match &task.place {
                Place::Run { container_id, .. } if *container_id != record.container_id => {
                    Some((task, container_id))
                }
                _ => None,
            });
            let staying = !framework.terminating && record.state != ExecutorState::Terminating;
            let starting = |task: &TaskRecord| {
                let id = &task.info.task_id;
                let progress = executor.tasks.iter().find(|(of, _)| of.info.task_id == *id);
                progress.is_some_and(|(_, progress)| is_starting(progress.as_ref()))
            };
            known.extend(nested.map(|(task, container_id)| KnownContainer {
                container_id: container_id.clone(),
                parent: Some(record.container_id.clone()),
                directory: specs::nested(&directory, container_id),
                group: false,
                resources: task.info.resources.clone(),
                limits: task.info.limits,
                awaited: staying && starting(task),
            }));
        }
        known
    }
}

/// Why the agent cannot go on where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveryError {
    /// The flags take resources away that operations have reserved or made volumes of.
    MissingResources {
        /// What is missing.
        missing: String,
        /// What was made of the resources.
        checkpointed: String,
    },
    /// The flags take resources away that tasks use.
    UsedResources {
        /// What is missing.
        missing: String,
    },
}

impl std::fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MissingResources { missing, checkpointed } => write!(
                f,
                "the agent's resources lack {missing}, of which reservations or volumes were made ({checkpointed}): \
                 give them back (--resources), or unreserve and destroy those first"
            ),
            Self::UsedResources { missing } => write!(
                f,
                "the agent's resources lack {missing} that running tasks use: give them back (--resources), or start once \
                 with --recover=cleanup, which ends the tasks"
            ),
        }
    }
}

impl std::error::Error for RecoveryError {}
