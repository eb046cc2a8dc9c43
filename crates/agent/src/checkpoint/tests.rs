//! Records, there and back, whole and damaged.

use std::sync::Arc;
use std::time::Duration;

use agent_core::{
    DrainRecord, ExecutorInfo, ExecutorKind, ExecutorRecord, ExecutorState, HealthRecord, KillCause,
    KillOrder, KillRecord, Operation, OperationState, OperationUpdate, Past, PastTask, Place, Progress, Task,
    TaskRecord, Write,
};
use base::{Payload, Time, Uuid};
use proto::v1;
use resources::{Reservation, Resources, Role};
use store::{Batch, Record};

use super::*;
use crate::convert::{
    SelfDescription, executor_from_proto, framework_from_proto, status_from_proto, task_from_proto,
};

fn own() -> SelfDescription {
    SelfDescription {
        process: "slave(1)".into(),
        pid: "slave(1)@127.0.0.1:5051".into(),
        hostname: "host".to_owned(),
        ip: "127.0.0.1".parse().expect("an address"),
        port: 5051,
        resources: Resources::parse("cpus:1;disk:100").expect("well formed"),
        attributes: Vec::new(),
        domain: None,
    }
}

fn records(writes: Vec<Write>) -> Vec<Record> {
    let mut batch = Batch::new();
    for write in writes {
        encode(write, &own(), &mut batch);
    }
    batch.iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_vec()))).collect()
}

fn operation() -> Operation {
    let reserve = v1::offer::Operation {
        r#type: Some(v1::offer::operation::Type::Reserve.into()),
        id: Some("op".into()),
        reserve: Some(v1::offer::operation::Reserve::default()),
        ..Default::default()
    };
    Operation {
        update: OperationUpdate {
            framework_id: Some("f".into()),
            agent_id: "S0".into(),
            operation_id: Some("op".into()),
            operation_uuid: Uuid::from_bytes([1; 16]),
            state: OperationState::Failed,
            message: Some("why".into()),
            status_uuid: Some(Uuid::from_bytes([2; 16])),
        },
        body: Payload::from(proto::encode(&reserve)),
    }
}

fn all() -> (Resources, Vec<Record>) {
    let checkpointed = Resources::parse("disk:10")
        .expect("well formed")
        .map(|disk| disk.clone().reserved_by(Reservation::dynamic(Role::from("r"), None)));
    let writes = vec![
        Write::Agent(Some("S0".into())),
        Write::Resources { checkpointed: checkpointed.clone(), version: Uuid::from_bytes([3; 16]) },
        Write::Operation(Arc::new(operation())),
    ];
    (checkpointed, records(writes))
}

#[test]
fn what_is_written_is_read() {
    let (checkpointed, records) = all();
    let Memory { recovered, info, unreadable, .. } = read(records);
    assert_eq!(unreadable, []);
    assert_eq!(recovered.agent_id, Some("S0".into()));
    assert_eq!(info.map(|info| info.hostname), Some("host".to_owned()));
    assert_eq!(recovered.resources, Some((checkpointed, Uuid::from_bytes([3; 16]))));
    let [(found, Ok(resources::Operation::Reserve { .. }))] = &recovered.operations[..] else {
        panic!("{:?}", recovered.operations)
    };
    assert_eq!(*found, operation());
}

/// A framework with a running command task and a custom executor for which a task waits.
fn frameworks() -> Vec<Write> {
    let info = v1::FrameworkInfo { id: Some("a/b%".into()), checkpoint: Some(true), ..Default::default() };
    let framework = Arc::new(framework_from_proto(&info).expect("valid"));
    let framework_id = framework.id.clone();
    let executor = v1::ExecutorInfo {
        executor_id: "e".into(),
        command: Some(v1::CommandInfo::default()),
        ..Default::default()
    };
    let executor = Arc::new(executor_from_proto(&executor).expect("valid"));
    let task = |id: &str| {
        let info = v1::TaskInfo { task_id: id.into(), agent_id: "S0".into(), ..Default::default() };
        Arc::new(task_from_proto(&info).expect("valid"))
    };
    let command = ExecutorInfo {
        executor_id: "t/1".into(),
        kind: ExecutorKind::Command,
        command: None,
        shutdown_grace: None,
        unsupported: None,
        resources: Resources::default(),
        body: Payload::default(),
    };
    let record = |info: Arc<ExecutorInfo>, container: &str| ExecutorRecord {
        framework_id: framework_id.clone(),
        info,
        container_id: container.into(),
        state: ExecutorState::Running,
        subscribed: true,
        ever_sent_task: true,
        groups: 3,
    };
    let placed = |id: &str, executor: &str, place: Place| TaskRecord {
        framework_id: framework_id.clone(),
        executor_id: executor.into(),
        info: task(id),
        place,
    };
    let status = v1::TaskStatus {
        task_id: "t/1".into(),
        state: v1::TaskState::TaskRunning.into(),
        agent_id: Some("S0".into()),
        uuid: Some(vec![9; 16].into()),
        timestamp: Some(12.5),
        source: Some(v1::task_status::Source::Executor.into()),
        ..Default::default()
    };
    let status = Arc::new(status_from_proto(&status).expect("valid"));
    vec![
        Write::Framework { info: framework, terminating: false },
        Write::Executor(Box::new(record(Arc::new(command), "c1"))),
        Write::Executor(Box::new(record(executor, "c2"))),
        Write::Task(Box::new(placed("t/1", "t/1", Place::Run { container_id: "c1".into(), group: 0 }))),
        Write::Task(Box::new(placed("t2", "e", Place::Queued { order: 7, group: true }))),
        Write::Progress(Box::new(Progress {
            framework_id: framework_id.clone(),
            task_id: "t/1".into(),
            statuses: vec![status.clone()],
            pending: vec![status],
            received: vec![Uuid::from_bytes([9; 16])],
            kill: Some(KillRecord { cause: KillCause::MaxCompletion, deadline: Time::from_secs_f64(20.5) }),
            completion: Some(Time::from_secs_f64(30.25)),
            order: Some(KillOrder { grace: Some(Duration::from_secs(2)) }),
            health: Some(HealthRecord { since: Time::from_secs_f64(10.5), passed: true, failures: 2 }),
        })),
        Write::Drain(Some(DrainRecord { max_grace: Some(Duration::from_secs(5)), mark_gone: true })),
    ]
}

#[test]
fn frameworks_are_put_together_again() {
    let Memory { recovered, unreadable, .. } = read(records(frameworks()));
    assert_eq!(unreadable, []);
    let mut again = Vec::new();
    for framework in recovered.frameworks {
        again.push(Write::Framework { info: framework.info, terminating: framework.terminating });
        let (executors, tasks): (Vec<_>, Vec<_>) =
            framework.executors.into_iter().map(|executor| (executor.record, executor.tasks)).unzip();
        again.extend(executors.into_iter().rev().map(|record| Write::Executor(Box::new(record))));
        for (task, progress) in tasks.into_iter().rev().flatten() {
            again.push(Write::Task(Box::new(task)));
            again.extend(progress.map(|progress| Write::Progress(Box::new(progress))));
        }
    }
    again.extend(recovered.drain.map(|drain| Write::Drain(Some(drain))));
    let sorted = |writes: Vec<Write>| {
        let mut texts: Vec<String> = writes.iter().map(|write| format!("{write:?}")).collect();
        texts.sort();
        texts
    };
    assert_eq!(sorted(again), sorted(frameworks()));
}

/// Whichever record is missing, what belongs to it is left out, and the rest is whole.
#[test]
fn what_belongs_to_nothing_is_left_out() {
    let all = records(frameworks());
    for missing in 0..all.len() {
        let mut some = all.clone();
        let (key, _) = some.remove(missing);
        let Memory { mut recovered, unreadable, .. } = read(some);
        recovered.prune();
        let whole = |executor: &agent_core::RecoveredExecutor| {
            executor.record.info.kind != ExecutorKind::Command || executor.tasks.len() == 1
        };
        assert!(recovered.frameworks.iter().flat_map(|f| &f.executors).all(whole), "without {key}");
        let lost = match key.split('/').next() {
            Some("frameworks") => 5,
            Some("executors") if key.ends_with("/e") => 1,
            Some("executors") => 2,
            Some("tasks") if key.ends_with("/t2") => 0,
            Some("tasks") => 1,
            _ => 0,
        };
        assert_eq!(unreadable.len(), lost, "without {key}: {unreadable:?}");
    }
}

/// Whatever a record has become, it costs itself and no more.
#[test]
fn a_record_that_makes_no_sense_costs_itself_only() {
    let (_, records) = all();
    for damaged in 0..records.len() {
        let mut records = records.clone();
        let key = records[damaged].0.clone();
        if key == FORMAT_KEY {
            continue;
        }
        records[damaged].1 = b"\xff\xff\xffnonsense".to_vec();
        records.push(("operations/nonsense".to_owned(), Vec::new()));
        records.push(("unknown".to_owned(), Vec::new()));
        let Memory { recovered, unreadable, .. } = read(records);
        let keys: Vec<&str> = unreadable.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, [key.as_str(), "operations/nonsense", "unknown"]);
        let kept =
            [recovered.agent_id.is_some(), recovered.resources.is_some(), !recovered.operations.is_empty()];
        // Only the name of the resources' state is no loss: another is given to it.
        let lost = usize::from(key != VERSION_KEY);
        assert_eq!(kept.iter().filter(|kept| !**kept).count(), lost, "{key}");
    }
}

#[test]
fn of_a_later_version_everything_is_read_that_is_known_here() {
    let (checkpointed, mut records) = all();
    for (key, value) in &mut records {
        if key == FORMAT_KEY {
            *value = b"9".to_vec();
        }
    }
    records.push(("inventions/1".to_owned(), b"?".to_vec()));
    let memory = read(records);
    assert_eq!(memory.other_format.as_deref(), Some("9"));
    assert_eq!(memory.recovered.agent_id, Some("S0".into()));
    assert_eq!(memory.recovered.resources.map(|(resources, _)| resources), Some(checkpointed));
    let unknown: Vec<&str> = memory.unreadable.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(unknown, ["inventions/1"]);
}

#[test]
fn what_is_over_is_read_in_its_order() {
    let past: Vec<Past> = frameworks()
        .into_iter()
        .filter_map(|write| match write {
            Write::Framework { info, .. } => Some(Past::Framework(info)),
            Write::Executor(record) => Some(Past::Executor(record)),
            Write::Progress(progress) => {
                let info =
                    v1::TaskInfo { task_id: "t/1".into(), agent_id: "S0".into(), ..Default::default() };
                let last = progress.statuses.last().expect("one");
                let task = Task {
                    info: Arc::new(task_from_proto(&info).expect("valid")),
                    framework_id: progress.framework_id.clone(),
                    state: last.state,
                    last_sent: Some((last.state, last.uuid)),
                    statuses: progress.statuses.clone(),
                };
                Some(Past::Task(PastTask { container_id: "c1".into(), task: Arc::new(task) }))
            }
            _ => None,
        })
        .collect();
    let numbered: Vec<(u64, Past)> = [9, 10, 99, 100].into_iter().zip(past).collect();
    assert_eq!(numbered.len(), 4);
    let writes = numbered.iter().map(|(number, past)| Write::Past(*number, Box::new(past.clone()))).collect();
    let Memory { recovered, unreadable, .. } = read(records(writes));
    assert_eq!((recovered.past, unreadable), (numbered, Vec::new()));
}

#[test]
fn a_new_agent_forgets_the_old_ones_name() {
    let found = records(vec![Write::Agent(Some("S0".into())), Write::Agent(None)]);
    assert_eq!(read(found).recovered.agent_id, None);
}
