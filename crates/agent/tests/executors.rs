//! Custom executors: the test itself is the executor, over the HTTP API, while a process stands for it on the machine.

mod common;

use std::time::Duration;

use common::executor::{EXECUTOR_ID, executor_task, of, send, subscribed, update, uuid};
use common::{AGENT_ID, FRAMEWORK_ID, FakeMaster, PATIENCE, framework, http, options, states};
use proto::v1::executor::{Call, call, event};
use proto::{internal, v1};

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_runs_its_tasks() {
    for json in [true, false] {
        let work_dir = tempfile::tempdir().expect("a directory");
        let mut master = FakeMaster::start().await;
        let agent = master.agent(options(master.address, work_dir.path())).await;
        master.run(executor_task("t", "exec sleep 1000"));
        let mut stream = subscribed(agent.address(), json).await;
        let subscribed = stream.expect(event::Type::Subscribed).await.subscribed.expect("its part");
        assert_eq!(subscribed.executor_info.executor_id.value, EXECUTOR_ID);
        assert_eq!(subscribed.framework_info.name, "test");
        assert_eq!(subscribed.agent_info.id.map(|id| id.value).as_deref(), Some(AGENT_ID));
        assert!(subscribed.container_id.is_some());
        let launch = stream.expect(event::Type::Launch).await.launch.expect("its part");
        assert_eq!(launch.task.task_id.value, "t");

        assert_eq!(send(agent.address(), &update("t", v1::TaskState::TaskRunning, 1)).await.0, 202);
        let running = master.status().await;
        assert_eq!((running.state(), running.data()), (v1::TaskState::TaskRunning, &b"mine"[..]));
        assert!(running.container_status.is_some_and(|status| status.executor_pid.is_some()));
        let acknowledged = stream.expect(event::Type::Acknowledged).await.acknowledged.expect("its part");
        assert_eq!(acknowledged.uuid[..], uuid(1));

        let message =
            Call { message: Some(call::Message { data: b"up".to_vec().into() }), ..of(call::Type::Message) };
        assert_eq!(send(agent.address(), &message).await.0, 202);
        let up: internal::ExecutorToFrameworkMessage = master.expect().await;
        assert_eq!(up.data[..], b"up"[..]);
        master.say(&internal::FrameworkToExecutorMessage {
            slave_id: AGENT_ID.into(),
            framework_id: FRAMEWORK_ID.into(),
            executor_id: EXECUTOR_ID.into(),
            data: b"down".to_vec().into(),
        });
        let down = stream.expect(event::Type::Message).await.message.expect("its part");
        assert_eq!(down.data[..], b"down"[..]);

        master.say(&internal::KillTaskMessage {
            framework_id: FRAMEWORK_ID.into(),
            task_id: "t".into(),
            kill_policy: None,
        });
        stream.expect(event::Type::Kill).await;
        assert_eq!(send(agent.address(), &update("t", v1::TaskState::TaskKilled, 2)).await.0, 202);
        assert_eq!(master.status().await.state(), v1::TaskState::TaskKilled);
        stream.expect(event::Type::Acknowledged).await;
        assert_eq!(send(agent.address(), &of(call::Type::Heartbeat)).await.0, 202);

        master.say(&internal::ShutdownExecutorMessage {
            executor_id: Some(EXECUTOR_ID.into()),
            framework_id: Some(FRAMEWORK_ID.into()),
        });
        stream.expect(event::Type::Shutdown).await;
        agent.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_come_while_nothing_happens() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let settings = agent::AgentOptions {
        http_heartbeat_interval: Duration::from_millis(20),
        ..options(master.address, work_dir.path())
    };
    let agent = master.agent(settings).await;
    master.run(executor_task("t", "exec sleep 1000"));
    let mut stream = subscribed(agent.address(), true).await;
    stream.expect(event::Type::Subscribed).await;
    stream.expect(event::Type::Launch).await;
    stream.expect(event::Type::Heartbeat).await;
    stream.expect(event::Type::Heartbeat).await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_exits_takes_its_tasks_along() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    master.run(executor_task("t", "exit 1"));
    let exited: internal::ExitedExecutorMessage = master.expect().await;
    assert_eq!((exited.executor_id.value.as_str(), exited.status), (EXECUTOR_ID, 256));
    let status = master.status().await;
    assert_eq!(status.state(), v1::TaskState::TaskFailed);
    assert_eq!(status.reason(), v1::task_status::Reason::ExecutorTerminated);
    assert_eq!(status.source(), v1::task_status::Source::Agent);
    assert_eq!(status.message(), "Executor terminated");
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_never_subscribes_is_given_up() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let settings = agent::AgentOptions {
        executor_registration_timeout: Duration::from_millis(200),
        ..options(master.address, work_dir.path())
    };
    let agent = master.agent(settings).await;
    master.run(executor_task("t", "exec sleep 1000"));
    let exited: internal::ExitedExecutorMessage = master.expect().await;
    assert_eq!(exited.status, 9);
    let status = master.status().await;
    assert_eq!(status.state(), v1::TaskState::TaskFailed);
    assert_eq!(status.reason(), v1::task_status::Reason::ExecutorRegistrationTimeout);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_executor_leaves_others_alone() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    master.run(common::command_task("other", "exec sleep 1000"));
    assert_eq!(states(&[master.status().await, master.status().await]), ["TASK_STARTING", "TASK_RUNNING"]);
    master.run(executor_task("t", "kill -9 $$"));
    let exited: internal::ExitedExecutorMessage = master.expect().await;
    assert_eq!(exited.status, 9);
    assert_eq!(master.status().await.state(), v1::TaskState::TaskFailed);
    let tasks = common::call(agent.address(), r#"{"type":"GET_TASKS"}"#).await;
    let launched = tasks["get_tasks"]["launched_tasks"].as_array().expect("tasks");
    assert_eq!(launched.len(), 1);
    assert_eq!(launched[0]["task_id"]["value"], "other");
    assert_eq!(framework().user, "root");
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_calls_are_answered_as_in_mesos() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let unknown =
        r#"{"type":"SUBSCRIBE","framework_id":{"value":"f"},"executor_id":{"value":"e"},"subscribe":{}}"#;
    let missing = r#"{"type":"UPDATE","framework_id":{"value":"f"},"executor_id":{"value":"e"}}"#;
    let cases = [
        ("{", 400, "Failed to parse body into JSON: syntax error at line 1 near: "),
        (
            "{}",
            400,
            "Failed to convert JSON into Call protobuf: Missing required fields: executor_id, framework_id",
        ),
        (unknown, 400, "Framework cannot be found"),
        (missing, 400, "Failed to validate Executor::Call: Expecting 'update' to be present"),
    ];
    for (body, status, text) in cases {
        for path in ["/api/v1/executor", "/slave(1)/api/v1/executor", "/slave%281%29/api/v1/executor"] {
            let answer = http(agent.address(), "POST", path, Some(body)).await;
            assert_eq!((answer.0, answer.1.as_str()), (status, text), "{path} {body}");
        }
    }
    let get = http(agent.address(), "GET", "/api/v1/executor", None).await;
    assert_eq!(
        get,
        (405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.".to_owned())
    );
    let update = send(agent.address(), &update("t", v1::TaskState::TaskRunning, 1)).await;
    assert_eq!(update, (400, "Framework cannot be found".to_owned()));
    // The one who is known but has not subscribed.
    master.run(executor_task("t", "exec sleep 1000"));
    let mut answer = (400, String::new());
    let end = tokio::time::Instant::now() + PATIENCE;
    while answer.0 == 400 && tokio::time::Instant::now() < end {
        answer = send(agent.address(), &self::update("t", v1::TaskState::TaskRunning, 1)).await;
    }
    assert_eq!(answer, (403, "Executor is not subscribed".to_owned()));
    agent.shutdown().await;
}
