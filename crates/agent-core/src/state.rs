//! What the agent remembers of frameworks, executors and tasks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base::{ContainerId, ExecutorId, FrameworkId, Ring, TaskId};
use resources::Resources;

use crate::allowance::{self, Allowance};
use crate::checkpoint::{KillCause, KillOrder};
use crate::checks::Checked;
use crate::input::StreamId;
use crate::timers::TimerKey;
use crate::types::{
    ExecutorInfo, ExecutorKind, ExecutorState, ExecutorView, FrameworkInfo, StatusSource, Task, TaskInfo,
    TaskState, VolumeLink,
};

/// Completed tasks that are remembered for each executor.
const MAX_COMPLETED_TASKS: usize = 200;

/// A framework with something on this agent.
#[derive(Debug)]
pub(crate) struct Framework {
    pub(crate) info: Arc<FrameworkInfo>,
    /// It is being shut down: what its tasks do is of no interest to the master any more.
    pub(crate) terminating: bool,
    /// A master believes in a task of it that was not taken because it is ending: the agent tells what there is when it is gone.
    pub(crate) believed: bool,
    pub(crate) executors: BTreeMap<ExecutorId, Executor>,
    /// Which executor has a task, for every task that is queued or among [`Executor::tasks`].
    pub(crate) tasks: BTreeMap<TaskId, ExecutorId>,
    pub(crate) completed_executors: Ring<Arc<ExecutorView>>,
}

impl Framework {
    pub(crate) fn executor_of(&mut self, task: &TaskId) -> Option<&mut Executor> {
        self.executors.get_mut(self.tasks.get(task)?)
    }

    pub(crate) fn entry(&mut self, task: &TaskId) -> Option<&mut TaskEntry> {
        self.executor_of(task)?.tasks.get_mut(task)
    }
}

/// An executor, from the moment its container is ordered until everything it did is acknowledged.
#[derive(Debug)]
pub(crate) struct Executor {
    pub(crate) info: Arc<ExecutorInfo>,
    pub(crate) state: ExecutorState,
    pub(crate) container_id: ContainerId,
    pub(crate) directory: Arc<str>,
    /// Its container is up. For a command executor see its task's [`Run`].
    pub(crate) launched: bool,
    pub(crate) pid: Option<u32>,
    /// Its container has been ordered away.
    pub(crate) destroying: bool,
    /// A custom executor that was found by an agent that was started anew, and has not subscribed with it.
    pub(crate) orphaned: bool,
    /// Whether a custom executor has ever subscribed.
    pub(crate) subscribed: bool,
    /// Where a custom executor takes its events.
    pub(crate) stream: Option<StreamId>,
    /// Whether it ever got a task: one that never will is ended.
    pub(crate) ever_sent_task: bool,
    /// Why its container is being ended, if the agent knows better than the exit status.
    pub(crate) termination: Option<Termination>,
    /// Subscription, shutdown or lingering: an executor waits for one thing at a time.
    pub(crate) timer: Option<TimerKey>,
    /// What waits for it to come up, in order.
    pub(crate) queued: VecDeque<Queued>,
    /// What it was given, until the last update is acknowledged.
    pub(crate) tasks: BTreeMap<TaskId, TaskEntry>,
    /// What has waited for it so far.
    pub(crate) orders: u32,
    /// Groups that it was given so far.
    pub(crate) groups: u32,
    /// The volumes that are linked into the sandbox of a custom executor.
    pub(crate) volumes: Vec<VolumeLink>,
    /// What its container may use; unset where an earlier life of the agent has ordered it.
    pub(crate) allowed: Option<Allowance>,
    pub(crate) completed: Ring<Arc<Task>>,
}

impl Executor {
    pub(crate) fn new(info: Arc<ExecutorInfo>, container_id: ContainerId, directory: Arc<str>) -> Self {
        Self {
            info,
            state: ExecutorState::Registering,
            container_id,
            directory,
            launched: false,
            pid: None,
            destroying: false,
            orphaned: false,
            subscribed: false,
            stream: None,
            ever_sent_task: false,
            termination: None,
            timer: None,
            queued: VecDeque::new(),
            tasks: BTreeMap::new(),
            orders: 0,
            groups: 0,
            volumes: Vec::new(),
            allowed: None,
            completed: Ring::new(MAX_COMPLETED_TASKS),
        }
    }

    pub(crate) fn kind(&self) -> ExecutorKind {
        self.info.kind
    }

    /// What it and its unfinished tasks are given, those that wait included.
    pub(crate) fn given(&self) -> Resources {
        let mut given = self.info.resources.clone();
        for task in self.unfinished() {
            given += &task.resources;
        }
        given
    }

    /// That, and how far it may go beyond; `quota` as in [`allowance::limits`].
    pub(crate) fn allowance(&self, quota: bool) -> Allowance {
        let tasks = self.unfinished().map(|task| &**task);
        let limits = allowance::limits(&self.info.resources, tasks, quota);
        Allowance { resources: self.given(), limits }
    }

    /// Whether it has a task, or has told of one that it had.
    pub(crate) fn knows_a_task(&self) -> bool {
        let told = |task: &Arc<Task>| task.statuses.iter().any(|s| s.source == StatusSource::Executor);
        self.tasks.values().any(|entry| !entry.task.state.is_terminal() || told(&entry.task))
            || self.completed.iter().any(told)
    }

    /// The persistent volumes among that.
    pub(crate) fn given_volumes(&self) -> Resources {
        let all = self.info.resources.iter().chain(self.unfinished().flat_map(|task| task.resources.iter()));
        all.filter(|resource| resource.is_persistent_volume()).cloned().collect()
    }

    fn unfinished(&self) -> impl Iterator<Item = &Arc<TaskInfo>> {
        let given = self.tasks.values().filter(|entry| !entry.task.state.is_terminal());
        self.queued.iter().flat_map(|queued| &queued.tasks).chain(given.map(|entry| &entry.task.info))
    }

    /// Orders its own container away, once. It is then terminating.
    pub(crate) fn destroy(&mut self, out: &mut Vec<crate::Output>) {
        self.state = ExecutorState::Terminating;
        if !self.destroying {
            self.destroying = true;
            out.push(crate::Output::DestroyContainer(self.container_id.clone()));
        }
    }

    /// Whether a built-in executor has a task's container.
    pub(crate) fn has_runs(&self) -> bool {
        self.tasks.values().any(|entry| entry.run.is_some())
    }

    /// Whether nothing waits, runs or lacks an acknowledgement.
    pub(crate) fn is_through(&self) -> bool {
        self.queued.is_empty() && self.tasks.is_empty()
    }

    /// Whether a task waits or runs.
    pub(crate) fn has_active_task(&self) -> bool {
        !self.queued.is_empty() || self.tasks.values().any(|entry| !entry.task.state.is_terminal())
    }

    /// Starts the history of a task that is given to the executor, or that ends before.
    pub(crate) fn admit(&mut self, framework_id: &FrameworkId, info: Arc<TaskInfo>, run: Option<Run>) {
        let task = Task {
            framework_id: framework_id.clone(),
            state: TaskState::Staging,
            statuses: Vec::new(),
            last_sent: None,
            info,
        };
        self.tasks.insert(task.info.task_id.clone(), TaskEntry::new(task, run));
    }

    /// Gives every waiting task a history, because it will end without having been given to the executor.
    pub(crate) fn admit_all_queued(&mut self, framework_id: &FrameworkId) {
        for queued in std::mem::take(&mut self.queued) {
            for info in queued.tasks {
                self.admit(framework_id, info, None);
            }
        }
    }

    /// Lets tasks wait for it.
    pub(crate) fn enqueue(&mut self, queued: Queued) {
        self.queued.push_back(Queued { order: self.orders, ..queued });
        self.orders += 1;
    }

    /// Takes the waiting group (or the single task) that a task is in.
    pub(crate) fn take_queued(&mut self, task: &TaskId) -> Option<Queued> {
        let position = self.queued.iter().position(|q| q.tasks.iter().any(|t| t.task_id == *task))?;
        self.queued.remove(position)
    }
}

/// Tasks that wait together.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) tasks: Vec<Arc<TaskInfo>>,
    pub(crate) group: bool,
    /// Its place among all that ever waited for its executor.
    pub(crate) order: u32,
}

/// A task that was given to its executor.
#[derive(Debug)]
pub(crate) struct TaskEntry {
    pub(crate) task: Arc<Task>,
    /// Its container, while there is one and a built-in executor has it.
    pub(crate) run: Option<Run>,
    /// A kill that was asked of a custom executor. It stands until the task ends: the executor hears it whenever it
    /// subscribes, because nobody knows whether it arrived before.
    pub(crate) order: Option<KillOrder>,
}

impl TaskEntry {
    /// A task that has just been given.
    pub(crate) fn new(task: Task, run: Option<Run>) -> Self {
        Self { task: Arc::new(task), run, order: None }
    }
}

/// A task's own container in a built-in executor.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) container_id: ContainerId,
    pub(crate) launched: bool,
    pub(crate) pid: Option<u32>,
    /// Tasks with the same number live and die together.
    pub(crate) group: u32,
    pub(crate) kill: Option<Kill>,
    /// Ends it when it has run long enough.
    pub(crate) completion: Option<TimerKey>,
    /// What its checks have found.
    pub(crate) checked: Checked,
}

impl Run {
    pub(crate) fn new(container_id: ContainerId, group: u32) -> Self {
        Self {
            container_id,
            launched: false,
            pid: None,
            group,
            kill: None,
            completion: None,
            checked: Checked::default(),
        }
    }
}

/// A kill that has begun.
#[derive(Debug)]
pub(crate) struct Kill {
    pub(crate) cause: KillCause,
    /// Force follows then.
    pub(crate) deadline: base::Time,
    /// `None` when force has been used.
    pub(crate) escalation: Option<TimerKey>,
}

/// Why the agent ended an executor's container.
#[derive(Clone, Debug)]
pub(crate) struct Termination {
    /// `TASK_FAILED` if unset.
    pub(crate) state: Option<TaskState>,
    pub(crate) reason: crate::types::Reason,
    pub(crate) message: Arc<str>,
}

/// Whose a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) framework_id: FrameworkId,
    pub(crate) executor_id: ExecutorId,
    /// Set where a built-in executor runs a task in it.
    pub(crate) task_id: Option<TaskId>,
}
