//! The executor client against a scripted agent.

mod support;

use std::time::{Duration, Instant};

use proto::v1::executor::{Call, Event as WireEvent, call, event};
use proto::v1::{ExecutorId, FrameworkId, TaskId, TaskInfo, TaskState, task_status};
use sdk::Encoding;
use sdk::executor::{Environment, Event, Executor};
use support::{Reply, Request, Server, accepted};
use tokio::sync::mpsc;

type Stream = mpsc::UnboundedSender<Vec<u8>>;

fn of(kind: event::Type) -> WireEvent {
    WireEvent { r#type: Some(kind.into()), ..WireEvent::default() }
}

fn launch(id: &str) -> Vec<u8> {
    let task = TaskInfo { task_id: TaskId { value: id.into() }, ..TaskInfo::default() };
    proto::encode(&WireEvent { launch: Some(event::Launch { task }), ..of(event::Type::Launch) })
}

/// An agent that subscribes executors and hands their streams to the test.
async fn agent() -> (Server, mpsc::UnboundedReceiver<Stream>) {
    let (streams_to, streams) = mpsc::unbounded_channel();
    let server = Server::start(move |request: &Request| {
        if request.message::<Call>().r#type() != call::Type::Subscribe {
            return accepted();
        }
        let (stream, records) = mpsc::unbounded_channel();
        let subscribed = event::Subscribed::default();
        let event = WireEvent { subscribed: Some(subscribed), ..of(event::Type::Subscribed) };
        stream.send(proto::encode(&event)).unwrap();
        streams_to.send(stream).unwrap();
        Reply::Stream(records)
    })
    .await;
    (server, streams)
}

fn environment(server: &Server, checkpoint: bool) -> Environment {
    Environment {
        agent: server.address.parse().unwrap(),
        framework_id: FrameworkId { value: "f".into() },
        executor_id: ExecutorId { value: "e".into() },
        sandbox: None,
        checkpoint,
        recovery_timeout: Duration::from_secs(60),
        subscription_backoff_max: Duration::from_millis(20),
        shutdown_grace_period: Duration::from_secs(5),
        token: Some("secret".into()),
    }
}

async fn next(executor: &mut Executor) -> Event {
    tokio::time::timeout(Duration::from_secs(60), executor.next_event())
        .await
        .expect("an event in time")
        .unwrap()
}

#[tokio::test]
async fn a_task_is_run_and_its_updates_are_acknowledged() {
    let (mut server, mut streams) = agent().await;
    let mut executor = Executor::start(environment(&server, false), Encoding::Protobuf);
    let subscribe = server.request().await;
    assert_eq!(subscribe.path, "/api/v1/executor");
    assert_eq!(subscribe.header("authorization"), Some("Bearer secret"));
    assert_eq!(subscribe.message::<Call>().executor_id.value, "e");
    assert!(matches!(next(&mut executor).await, Event::Subscribed(_)));

    let stream = streams.recv().await.unwrap();
    stream.send(launch("t")).unwrap();
    let Event::Launch(task) = next(&mut executor).await else { panic!("a launch is expected") };
    executor.update(&task.task_id, TaskState::TaskFinished, Some("done"));
    assert!(!executor.updates().acknowledged(Duration::from_millis(1)).await);

    let update = server.request().await;
    assert_eq!(update.header("authorization"), Some("Bearer secret"));
    let status = update.message::<Call>().update.unwrap().status;
    assert_eq!((status.state(), status.source()), (TaskState::TaskFinished, task_status::Source::Executor));
    assert!(status.timestamp.is_some());
    let uuid = status.uuid.unwrap();
    assert_eq!(uuid.len(), 16);
    let acknowledged = event::Acknowledged { task_id: status.task_id, uuid };
    let event = WireEvent { acknowledged: Some(acknowledged), ..of(event::Type::Acknowledged) };
    stream.send(proto::encode(&event)).unwrap();
    assert!(executor.finish(Duration::from_secs(10)).await);
}

#[tokio::test]
async fn a_new_subscription_tells_what_was_not_acknowledged() {
    let (mut server, mut streams) = agent().await;
    let mut executor = Executor::start(environment(&server, true), Encoding::Protobuf);
    next(&mut executor).await;
    let stream = streams.recv().await.unwrap();
    stream.send(launch("t")).unwrap();
    let Event::Launch(task) = next(&mut executor).await else { panic!("a launch is expected") };
    executor.update(&task.task_id, TaskState::TaskRunning, None);
    server.request().await;
    let uuid = server.request().await.message::<Call>().update.unwrap().status.uuid;

    drop(stream);
    assert!(matches!(next(&mut executor).await, Event::Disconnected { .. }));
    assert!(matches!(next(&mut executor).await, Event::Subscribed(_)));
    let again = server.request().await.message::<Call>().subscribe.unwrap();
    assert_eq!(again.unacknowledged_tasks[0].task_id.value, "t");
    assert_eq!(again.unacknowledged_updates[0].status.uuid, uuid);
}

#[tokio::test]
async fn without_checkpoints_the_loss_of_the_agent_is_the_end() {
    let (server, mut streams) = agent().await;
    let mut executor = Executor::start(environment(&server, false), Encoding::Protobuf);
    next(&mut executor).await;
    drop(streams.recv().await.unwrap());
    assert!(matches!(next(&mut executor).await, Event::Disconnected { .. }));
    assert!(matches!(next(&mut executor).await, Event::Shutdown));
    assert!(executor.next_event().await.is_none());
}

/// After `SlaveRecoveryTest.RecoveryTimeout`: with checkpoints an executor outlives its agent, but not for ever.
#[tokio::test]
async fn an_agent_that_stays_away_beyond_the_recovery_timeout_is_the_end() {
    let (server, mut streams) = agent().await;
    let limit = Duration::from_millis(400);
    let environment = Environment { recovery_timeout: limit, ..environment(&server, true) };
    let mut executor = Executor::start(environment, Encoding::Protobuf);
    next(&mut executor).await;
    let stream = streams.recv().await.unwrap();
    let lost = Instant::now();
    drop((server, stream));
    assert!(matches!(next(&mut executor).await, Event::Disconnected { .. }));
    assert!(matches!(next(&mut executor).await, Event::Shutdown));
    assert!(lost.elapsed() >= limit, "it gave up after {:?}", lost.elapsed());
    assert!(executor.next_event().await.is_none());
}

#[tokio::test]
async fn other_events_are_handed_on() {
    let (server, mut streams) = agent().await;
    let mut executor = Executor::start(environment(&server, false), Encoding::Protobuf);
    next(&mut executor).await;
    let stream = streams.recv().await.unwrap();
    let kill = event::Kill { task_id: TaskId { value: "t".into() }, kill_policy: None };
    let message = event::Message { data: bytes::Bytes::from_static(b"hello") };
    for event in [
        of(event::Type::Heartbeat),
        WireEvent { kill: Some(kill), ..of(event::Type::Kill) },
        WireEvent { message: Some(message), ..of(event::Type::Message) },
        of(event::Type::Shutdown),
    ] {
        stream.send(proto::encode(&event)).unwrap();
    }
    assert!(matches!(next(&mut executor).await, Event::Kill { task_id, .. } if task_id.value == "t"));
    assert!(matches!(next(&mut executor).await, Event::Message(data) if &data[..] == b"hello"));
    assert!(matches!(next(&mut executor).await, Event::Shutdown));
    assert!(executor.next_event().await.is_none());
}

#[tokio::test]
async fn a_refusal_is_the_end() {
    let server = Server::start(|_| Reply::Answer(400, "", "Framework cannot be found".into())).await;
    let mut executor = Executor::start(environment(&server, true), Encoding::Protobuf);
    let Event::Error(message) = next(&mut executor).await else { panic!("an error is expected") };
    assert!(message.contains("Framework cannot be found"), "{message}");
}
