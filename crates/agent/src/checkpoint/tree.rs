//! Records of frameworks, executors and tasks, put together again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_core::{
    DrainRecord, ExecutorInfo, ExecutorKind, ExecutorRecord, ExecutorState, FrameworkInfo, HealthRecord,
    KillCause, KillOrder, KillRecord, Past, PastTask, Place, Progress, RecoveredExecutor, RecoveredFramework,
    Task, TaskRecord, TaskStatus,
};
use base::{ExecutorId, FrameworkId, Payload, TaskId, Time, Uuid};
use proto::{Message, v1};

use super::read::decode;
use super::{PAST, messages};
use crate::convert::{executor_from_proto, framework_from_proto, status_from_proto, task_from_proto};

/// Those of one executor.
type Tasks = Vec<(TaskRecord, Option<Progress>)>;

/// What was found, each with its key in the store.
#[derive(Debug, Default)]
pub(super) struct Tree {
    frameworks: BTreeMap<FrameworkId, (String, Arc<FrameworkInfo>, bool)>,
    executors: BTreeMap<(FrameworkId, ExecutorId), (String, ExecutorRecord)>,
    tasks: BTreeMap<(FrameworkId, TaskId), (String, TaskRecord)>,
    progress: BTreeMap<(FrameworkId, TaskId), (String, Progress)>,
}

impl Tree {
    pub(super) fn framework(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let record: messages::Framework = own(value)?;
        let info = framework_from_proto(&decode(&record.info)?)?;
        self.frameworks.insert(info.id.clone(), (key.to_owned(), Arc::new(info), record.terminating));
        Ok(())
    }

    pub(super) fn executor(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let found = executor(own(value)?)?;
        let id = (found.framework_id.clone(), found.info.executor_id.clone());
        self.executors.insert(id, (key.to_owned(), found));
        Ok(())
    }

    pub(super) fn task(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let record: messages::Task = own(value)?;
        let place = match record.place.ok_or("it is nowhere")? {
            messages::Place::Queued(queued) => Place::Queued { order: queued.order, group: queued.group },
            messages::Place::Sent(_) => Place::Sent,
            messages::Place::Run(run) => {
                Place::Run { container_id: run.container_id.as_str().into(), group: run.group }
            }
        };
        let info = task_from_proto(&decode::<v1::TaskInfo>(&record.info)?)?;
        let framework_id = FrameworkId::from(record.framework_id.as_str());
        let id = (framework_id.clone(), info.task_id.clone());
        let executor_id = record.executor_id.as_str().into();
        let found = TaskRecord { framework_id, executor_id, info: Arc::new(info), place };
        self.tasks.insert(id, (key.to_owned(), found));
        Ok(())
    }

    pub(super) fn progress(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let record: messages::Progress = own(value)?;
        let found = Progress {
            framework_id: record.framework_id.as_str().into(),
            task_id: record.task_id.as_str().into(),
            statuses: statuses(&record.statuses)?,
            pending: statuses(&record.pending)?,
            received: record.received.iter().filter_map(|uuid| Uuid::from_slice(uuid)).collect(),
            kill: record.kill.map(kill),
            completion: record.completion.map(Time::from_secs_f64),
            order: record.order.map(|order| KillOrder { grace: order.grace_nanos.map(Duration::from_nanos) }),
            health: record.health.map(|health| HealthRecord {
                since: Time::from_secs_f64(health.since),
                passed: health.passed,
                failures: health.failures,
            }),
        };
        let id = (found.framework_id.clone(), found.task_id.clone());
        self.progress.insert(id, (key.to_owned(), found));
        Ok(())
    }

    /// Everything in its place. What has none, because what it belongs to is missing, goes to `lost` with its key.
    pub(super) fn build(mut self, lost: &mut Vec<(String, String)>) -> Vec<RecoveredFramework> {
        let mut tasks: BTreeMap<(FrameworkId, ExecutorId), Tasks> = BTreeMap::new();
        for (id, (key, task)) in self.tasks {
            let executor = (id.0.clone(), task.executor_id.clone());
            if self.executors.contains_key(&executor) && self.frameworks.contains_key(&id.0) {
                let progress = self.progress.remove(&id).map(|(_, progress)| progress);
                tasks.entry(executor).or_default().push((task, progress));
            } else {
                lost.push((key, "its executor is not there".to_owned()));
            }
        }
        lost.extend(self.progress.into_values().map(|(key, _)| (key, "its task is not there".to_owned())));
        let mut frameworks: BTreeMap<FrameworkId, RecoveredFramework> = self
            .frameworks
            .into_iter()
            .map(|(id, (_, info, terminating))| {
                (id, RecoveredFramework { info, terminating, executors: Vec::new() })
            })
            .collect();
        for (id, (key, record)) in self.executors {
            let tasks = tasks.remove(&id).unwrap_or_default();
            match frameworks.get_mut(&id.0) {
                Some(framework) => framework.executors.push(RecoveredExecutor { record, tasks }),
                None => lost.push((key, "its framework is not there".to_owned())),
            }
        }
        frameworks.into_values().collect()
    }
}

fn statuses(statuses: &[Vec<u8>]) -> Result<Vec<Arc<TaskStatus>>, String> {
    statuses.iter().map(|status| Ok(Arc::new(status_from_proto(&decode(status)?)?))).collect()
}

fn executor(record: messages::Executor) -> Result<ExecutorRecord, String> {
    let state = match record.state() {
        messages::State::Registering => ExecutorState::Registering,
        messages::State::Running => ExecutorState::Running,
        messages::State::Terminating => ExecutorState::Terminating,
        messages::State::Terminated => ExecutorState::Terminated,
    };
    let info = if record.info.is_empty() {
        command_executor(&record.executor_id)
    } else {
        executor_from_proto(&decode(&record.info)?)?
    };
    Ok(ExecutorRecord {
        framework_id: record.framework_id.as_str().into(),
        container_id: record.container_id.as_str().into(),
        state,
        subscribed: record.subscribed,
        ever_sent_task: record.ever_sent_task,
        groups: record.groups,
        info: Arc::new(info),
    })
}

/// Something that is over, with its number.
pub(super) fn past(key: &str, value: &[u8]) -> Result<(u64, Past), String> {
    let number = key.strip_prefix(PAST).and_then(|number| number.parse().ok()).ok_or("it has no number")?;
    let record: messages::Past = own(value)?;
    let past = match record.over.ok_or("it is nothing that is known here")? {
        messages::Over::Task(record) => Past::Task(past_task(&record)?),
        messages::Over::Executor(record) => Past::Executor(Box::new(executor(record)?)),
        messages::Over::Framework(record) => {
            Past::Framework(Arc::new(framework_from_proto(&decode(&record.info)?)?))
        }
    };
    Ok((number, past))
}

fn past_task(record: &messages::PastTask) -> Result<PastTask, String> {
    let statuses = statuses(&record.statuses)?;
    let last = statuses.last().ok_or("it has not ended")?;
    let task = Task {
        info: Arc::new(task_from_proto(&decode::<v1::TaskInfo>(&record.info)?)?),
        framework_id: record.framework_id.as_str().into(),
        state: last.state,
        last_sent: Some((last.state, last.uuid)),
        statuses,
    };
    Ok(PastTask { container_id: record.container_id.as_str().into(), task: Arc::new(task) })
}

fn kill(record: messages::Kill) -> KillRecord {
    let cause = match (record.ran_too_long, record.unhealthy) {
        (true, _) => KillCause::MaxCompletion,
        (false, true) => KillCause::Unhealthy,
        (false, false) => KillCause::Requested,
    };
    KillRecord { cause, deadline: Time::from_secs_f64(record.deadline) }
}

pub(super) fn drain(value: &[u8]) -> Result<DrainRecord, String> {
    let record: messages::Drain = own(value)?;
    Ok(DrainRecord {
        max_grace: record.max_grace_nanos.map(Duration::from_nanos),
        mark_gone: record.mark_gone,
    })
}

fn own<M: Message + Default>(value: &[u8]) -> Result<M, String> {
    M::decode(value).map_err(|error| error.to_string())
}

/// The agent's own, for a command task; it is nothing but a name.
fn command_executor(id: &str) -> ExecutorInfo {
    ExecutorInfo {
        executor_id: id.into(),
        kind: ExecutorKind::Command,
        command: None,
        resources: resources::Resources::default(),
        shutdown_grace: None,
        unsupported: None,
        body: Payload::default(),
    }
}
