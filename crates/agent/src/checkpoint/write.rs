//! Writes of the core as records. Encoded by the thread that commits.

use std::sync::Arc;
use std::time::Duration;

use agent_core::{
    ExecutorRecord, ExecutorState, FrameworkInfo, KillCause, Past, PastTask, Place, Progress, TaskRecord,
    TaskStatus, Write,
};
use proto::{Message, internal};
use store::Batch;

use super::{
    AGENT_KEY, DRAIN_KEY, EXECUTORS, FORMAT, FORMAT_KEY, FRAMEWORKS, OPERATIONS, PROGRESS, RESOURCES_KEY,
    TASKS, VERSION_KEY, key, messages, past_key,
};
use crate::convert::{SelfDescription, operation_to_proto, status_to_proto};

/// Adds a write that forgets something; others need to know of the agent.
pub(crate) fn forget(write: &Write, batch: &mut Batch) {
    match write {
        Write::ForgetOperation(uuid) => batch.delete(key(OPERATIONS, &[&uuid.to_string()])),
        Write::ForgetFramework(id) => batch.delete(key(FRAMEWORKS, &[id.as_str()])),
        Write::ForgetExecutor(framework, id) => {
            batch.delete(key(EXECUTORS, &[framework.as_str(), id.as_str()]));
        }
        Write::ForgetTask(framework, id) => {
            let ids = [framework.as_str(), id.as_str()];
            batch.delete(key(TASKS, &ids));
            batch.delete(key(PROGRESS, &ids));
        }
        Write::ForgetPast(number) => batch.delete(past_key(*number)),
        _ => {}
    }
}

/// Adds a write of the core to a batch.
pub(crate) fn encode(write: Write, own: &SelfDescription, batch: &mut Batch) {
    match write {
        Write::Agent(Some(id)) => {
            batch.put(FORMAT_KEY, FORMAT.as_bytes().to_vec());
            batch.put(AGENT_KEY, proto::encode(&own.v0(Some(&id))));
        }
        Write::Agent(None) => batch.delete(AGENT_KEY),
        Write::Resources { checkpointed, version } => {
            let resources = wire::resources_to_proto(&checkpointed);
            let message = internal::CheckpointResourcesMessage { resources };
            batch.put(RESOURCES_KEY, proto::encode(&message));
            batch.put(VERSION_KEY, version.as_bytes().to_vec());
        }
        Write::Operation(operation) => {
            let uuid = operation.update.operation_uuid.to_string();
            batch.put(key(OPERATIONS, &[&uuid]), proto::encode(&operation_to_proto(&operation)));
        }
        Write::Framework { info, terminating } => {
            batch.put(key(FRAMEWORKS, &[info.id.as_str()]), framework(&info, terminating).encode_to_vec());
        }
        Write::Executor(record) => {
            let ids = [record.framework_id.as_str(), record.info.executor_id.as_str()];
            batch.put(key(EXECUTORS, &ids), executor(&record).encode_to_vec());
        }
        Write::Task(record) => {
            let ids = [record.framework_id.as_str(), record.info.task_id.as_str()];
            batch.put(key(TASKS, &ids), task(&record).encode_to_vec());
        }
        Write::Progress(record) => {
            let ids = [record.framework_id.as_str(), record.task_id.as_str()];
            batch.put(key(PROGRESS, &ids), progress(&record, own).encode_to_vec());
        }
        Write::ForgetOperation(_)
        | Write::ForgetFramework(_)
        | Write::ForgetExecutor(..)
        | Write::ForgetTask(..)
        | Write::ForgetPast(_) => forget(&write, batch),
        Write::Past(number, over) => batch.put(past_key(number), past(&over, own).encode_to_vec()),
        Write::Drain(Some(drain)) => {
            let max_grace_nanos = drain.max_grace.map(nanos);
            let record = messages::Drain { max_grace_nanos, mark_gone: drain.mark_gone };
            batch.put(DRAIN_KEY, record.encode_to_vec());
        }
        Write::Drain(None) => batch.delete(DRAIN_KEY),
    }
}

fn framework(info: &FrameworkInfo, terminating: bool) -> messages::Framework {
    messages::Framework { info: info.body.as_bytes().to_vec(), terminating }
}

fn executor(record: &ExecutorRecord) -> messages::Executor {
    let state = match record.state {
        ExecutorState::Registering => messages::State::Registering,
        ExecutorState::Running => messages::State::Running,
        ExecutorState::Terminating => messages::State::Terminating,
        ExecutorState::Terminated => messages::State::Terminated,
    };
    messages::Executor {
        framework_id: record.framework_id.to_string(),
        executor_id: record.info.executor_id.to_string(),
        info: record.info.body.as_bytes().to_vec(),
        container_id: record.container_id.to_string(),
        state: state.into(),
        subscribed: record.subscribed,
        ever_sent_task: record.ever_sent_task,
        groups: record.groups,
    }
}

fn task(record: &TaskRecord) -> messages::Task {
    let place = match &record.place {
        Place::Queued { order, group } => {
            messages::Place::Queued(messages::Queued { order: *order, group: *group })
        }
        Place::Sent => messages::Place::Sent(true),
        Place::Run { container_id, group } => {
            messages::Place::Run(messages::Run { container_id: container_id.to_string(), group: *group })
        }
    };
    messages::Task {
        framework_id: record.framework_id.to_string(),
        executor_id: record.executor_id.to_string(),
        info: record.info.body.as_bytes().to_vec(),
        place: Some(place),
    }
}

fn progress(record: &Progress, own: &SelfDescription) -> messages::Progress {
    messages::Progress {
        framework_id: record.framework_id.to_string(),
        task_id: record.task_id.to_string(),
        statuses: statuses(&record.statuses, own),
        pending: statuses(&record.pending, own),
        received: record.received.iter().map(|uuid| uuid.as_bytes().to_vec()).collect(),
        kill: record.kill.map(|kill| messages::Kill {
            deadline: kill.deadline.as_secs_f64(),
            ran_too_long: kill.cause == KillCause::MaxCompletion,
            unhealthy: kill.cause == KillCause::Unhealthy,
        }),
        completion: record.completion.map(base::Time::as_secs_f64),
        order: record.order.map(|order| messages::KillOrder { grace_nanos: order.grace.map(nanos) }),
        health: record.health.map(|health| messages::Health {
            since: health.since.as_secs_f64(),
            passed: health.passed,
            failures: health.failures,
        }),
    }
}

fn statuses(statuses: &[Arc<TaskStatus>], own: &SelfDescription) -> Vec<Vec<u8>> {
    statuses.iter().map(|status| proto::encode(&status_to_proto(status, own.ip))).collect()
}

fn past(past: &Past, own: &SelfDescription) -> messages::Past {
    let over = match past {
        Past::Task(PastTask { container_id, task }) => messages::Over::Task(messages::PastTask {
            framework_id: task.framework_id.to_string(),
            container_id: container_id.to_string(),
            info: task.info.body.as_bytes().to_vec(),
            statuses: statuses(&task.statuses, own),
        }),
        Past::Executor(record) => messages::Over::Executor(executor(record)),
        Past::Framework(info) => messages::Over::Framework(framework(info, false)),
    };
    messages::Past { over: Some(over) }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
