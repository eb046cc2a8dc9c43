//! What an agent has written down, as its next life finds it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_core::{
    DrainRecord, ExecutorRecord, FrameworkInfo, Operation, Past, Progress, Recovered, RecoveredExecutor,
    RecoveredFramework, TaskRecord, Write,
};
use base::{AgentId, ExecutorId, FrameworkId, TaskId, Uuid};
use resources::Resources;

/// Everything that writes have left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The agent's id.
    pub agent_id: Option<AgentId>,
    /// How often the agent has written down how it describes itself.
    pub descriptions: u64,
    /// What operations made of the resources, and the name of that state.
    pub resources: Option<(Resources, Uuid)>,
    /// Operations.
    pub operations: BTreeMap<Uuid, Arc<Operation>>,
    /// The drain that is on.
    pub drain: Option<DrainRecord>,
    /// Frameworks, and whether they are being shut down.
    pub frameworks: BTreeMap<FrameworkId, (Arc<FrameworkInfo>, bool)>,
    /// Executors.
    pub executors: BTreeMap<(FrameworkId, ExecutorId), ExecutorRecord>,
    /// Tasks.
    pub tasks: BTreeMap<(FrameworkId, TaskId), TaskRecord>,
    /// How far they have come.
    pub progress: BTreeMap<(FrameworkId, TaskId), Progress>,
    /// What is over.
    pub past: BTreeMap<u64, Past>,
    /// Updates whose acknowledgement came, beside what was written.
    pub acknowledged: BTreeSet<Uuid>,
}

impl Memory {
    /// Takes a write in.
    pub fn apply(&mut self, write: Write) {
        match write {
            Write::Agent(id) => {
                self.descriptions += u64::from(id.is_some());
                self.agent_id = id;
            }
            Write::Resources { checkpointed, version } => self.resources = Some((checkpointed, version)),
            Write::Operation(operation) => {
                self.operations.insert(operation.update.operation_uuid, operation);
            }
            Write::ForgetOperation(uuid) => {
                self.operations.remove(&uuid);
            }
            Write::Drain(drain) => self.drain = drain,
            Write::Framework { info, terminating } => {
                self.frameworks.insert(info.id.clone(), (info, terminating));
            }
            Write::ForgetFramework(id) => {
                self.frameworks.remove(&id);
            }
            Write::Executor(record) => {
                let key = (record.framework_id.clone(), record.info.executor_id.clone());
                self.executors.insert(key, *record);
            }
            Write::ForgetExecutor(framework, executor) => {
                self.executors.remove(&(framework, executor));
            }
            Write::Task(record) => {
                self.tasks.insert((record.framework_id.clone(), record.info.task_id.clone()), *record);
            }
            Write::Progress(progress) => {
                self.progress.insert((progress.framework_id.clone(), progress.task_id.clone()), *progress);
            }
            Write::ForgetTask(framework, task) => {
                let key = (framework, task);
                self.tasks.remove(&key);
                self.progress.remove(&key);
            }
            Write::Past(number, past) => {
                self.past.insert(number, *past);
            }
            Write::ForgetPast(number) => {
                self.past.remove(&number);
            }
        }
    }

    /// What the next life is given, if it describes itself as this one did, but for what was found of containers. `read` makes an
    /// operation of its body, as the server does.
    ///
    /// # Panics
    /// If something was left behind of what is gone.
    pub fn recovered(&self, read: impl Fn(&Operation) -> Result<resources::Operation, String>) -> Recovered {
        for (framework, executor) in self.executors.keys() {
            assert!(self.frameworks.contains_key(framework), "{executor} has no framework");
        }
        for ((framework, id), task) in &self.tasks {
            let key = (framework.clone(), task.executor_id.clone());
            assert!(self.executors.contains_key(&key), "{id} has no executor");
        }
        for key in self.progress.keys() {
            assert!(self.tasks.contains_key(key), "{key:?} is no task");
        }
        let tasks = |executor: &ExecutorRecord| {
            let of = |task: &&TaskRecord| {
                task.framework_id == executor.framework_id && task.executor_id == executor.info.executor_id
            };
            let progress = |task: &TaskRecord| {
                self.progress.get(&(task.framework_id.clone(), task.info.task_id.clone())).cloned()
            };
            self.tasks.values().filter(of).map(|task| (task.clone(), progress(task))).collect()
        };
        let executors = |id: &FrameworkId| {
            let of = self.executors.values().filter(|executor| executor.framework_id == *id);
            of.map(|record| RecoveredExecutor { tasks: tasks(record), record: record.clone() }).collect()
        };
        Recovered {
            agent_id: self.agent_id.clone(),
            described: self.agent_id.is_some(),
            resources: self.resources.clone(),
            operations: self
                .operations
                .values()
                .map(|operation| ((**operation).clone(), read(operation)))
                .collect(),
            drain: self.drain,
            frameworks: self
                .frameworks
                .iter()
                .map(|(id, (info, terminating))| RecoveredFramework {
                    info: info.clone(),
                    terminating: *terminating,
                    executors: executors(id),
                })
                .collect(),
            past: self.past.iter().map(|(number, past)| (*number, past.clone())).collect(),
            acknowledged: self.acknowledged.clone(),
            found: BTreeMap::new(),
        }
    }
}
