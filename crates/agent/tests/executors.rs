//! Custom executors: the test itself is the executor, over the HTTP API, while a process stands for it on the machine.

mod common;

use std::time::Duration;

use common::executor::{EXECUTOR_ID, executor_task, of, send, subscribed, update, uuid};
use common::{AGENT_ID, FRAMEWORK_ID, FakeMaster, PATIENCE, framework, http, json, options, states};
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
        // Long enough for its process to be there.
        executor_registration_timeout: Duration::from_secs(3),
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
    const NEW: &str = r#"{"type":"UNKNOWN","framework_id":{"value":"f"},"executor_id":{"value":"e"}}"#;
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
        (NEW, 400, "Framework cannot be found"),
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
    // One that makes a call of a type that is not known here.
    let of = |executor: &str| {
        let known =
            format!(r#""framework_id":{{"value":"{FRAMEWORK_ID}"}},"executor_id":{{"value":"{executor}"}}"#);
        format!(r#"{{"type":"UNKNOWN",{known}}}"#)
    };
    for (executor, status, text) in
        [("another", 400, "Executor cannot be found"), (EXECUTOR_ID, 403, "Executor is not subscribed")]
    {
        let answer = http(agent.address(), "POST", "/api/v1/executor", Some(&of(executor))).await;
        assert_eq!((answer.0, answer.1.as_str()), (status, text), "{executor}");
    }
    let _stream = subscribed(agent.address(), true).await;
    let answer = http(agent.address(), "POST", "/api/v1/executor", Some(&of(EXECUTOR_ID))).await;
    assert_eq!((answer.0, answer.1.as_str()), (501, "UNKNOWN is not supported"));
    agent.shutdown().await;
}

fn labels(all: [(&str, &str); 3]) -> v1::Labels {
    let label = |(key, value): (&str, &str)| v1::Label { key: key.to_owned(), value: Some(value.to_owned()) };
    v1::Labels { labels: all.map(label).to_vec() }
}

/// After Mesos' `DiscoveryInfoAndPorts`, `ExecutorLabels`, `TaskLabels`, `TaskStatusLabels` and `TaskStatusContainerStatus`.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_executors_tasks_and_statuses_is_shown() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let port = |number, rule: &str| v1::Port {
        number,
        labels: Some(labels([("ACTION", rule), ("a", "b"), ("a", "c")])),
        ..Default::default()
    };
    let mut discovery = v1::DiscoveryInfo {
        name: Some("test_discovery".to_owned()),
        ports: Some(v1::Ports { ports: vec![port(80, "port:7987 DENY"), port(8081, "port:7789 PERMIT")] }),
        ..Default::default()
    };
    discovery.set_visibility(v1::discovery_info::Visibility::Cluster);
    let mut task = executor_task("t", "exec sleep 1000");
    task.discovery = Some(discovery.clone());
    task.labels = Some(labels([("foo", "bar"), ("bar", "baz"), ("bar", "qux")]));
    let executor = task.executor.as_mut().expect("it has one");
    executor.labels = Some(labels([("key1", "value1"), ("key2", "value2"), ("key1", "value3")]));
    master.run(task);
    let _stream = subscribed(agent.address(), true).await;
    let mut running = update("t", v1::TaskState::TaskRunning, 1);
    let status = &mut running.update.as_mut().expect("its part").status;
    status.labels = Some(labels([("up", "1"), ("up", "2"), ("down", "3")]));
    assert_eq!(send(agent.address(), &running).await.0, 202);
    let told = master.status().await;
    let own = agent.address().ip().to_string();
    let container = told.container_status.expect("the agent adds it");
    assert_eq!(container.network_infos[0].ip_addresses[0].ip_address(), own);

    let state = json(agent.address(), "/state").await;
    let executor = &state["frameworks"][0]["executors"][0];
    let pairs = |shown: &serde_json::Value| {
        let pairs = shown.as_array().expect("labels").iter().map(|label| {
            format!("{}:{}", label["key"].as_str().unwrap_or("-"), label["value"].as_str().unwrap_or("-"))
        });
        pairs.collect::<Vec<_>>()
    };
    assert_eq!(pairs(&executor["labels"]), ["key1:value1", "key2:value2", "key1:value3"]);
    let task = &executor["tasks"][0];
    assert_eq!(pairs(&task["labels"]), ["foo:bar", "bar:baz", "bar:qux"]);
    let expected: serde_json::Value =
        serde_json::from_str(&proto::json::to_string(&discovery)).expect("a document");
    assert_eq!(task["discovery"], expected);
    assert_eq!(task["discovery"]["ports"]["ports"][1]["labels"]["labels"][0]["value"], "port:7789 PERMIT");
    let status = &task["statuses"][0];
    assert_eq!(pairs(&status["labels"]), ["up:1", "up:2", "down:3"]);
    assert_eq!(status["container_status"]["network_infos"][0]["ip_addresses"][0]["ip_address"], own.as_str());
    agent.shutdown().await;
}

/// After Mesos' `GetStateTaskGroupPending` (MESOS-7871).
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_waits_for_its_executor_is_shown() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let tasks = ["a", "b"].map(|id| executor_task(id, "exec sleep 1000"));
    master.say(&internal::RunTaskGroupMessage {
        framework: framework(),
        executor: tasks[0].executor.clone().expect("it has one"),
        task_group: v1::TaskGroupInfo { tasks: tasks.to_vec() },
        launch_executor: Some(true),
        ..Default::default()
    });
    let waiting = loop {
        let state = json(agent.address(), "/state").await;
        match &state["frameworks"][0]["executors"][0] {
            serde_json::Value::Null => tokio::time::sleep(Duration::from_millis(5)).await,
            executor => break executor.clone(),
        }
    };
    let ids: Vec<_> = waiting["queued_tasks"].as_array().expect("a list").iter().map(|t| &t["id"]).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(waiting["queued_tasks"][0]["state"], "TASK_STAGING");
    let tasks = common::call(agent.address(), r#"{"type":"GET_TASKS"}"#).await;
    assert_eq!(tasks["get_tasks"]["queued_tasks"].as_array().map(Vec::len), Some(2));
    let metrics = json(agent.address(), "/metrics/snapshot").await;
    assert_eq!(
        (&metrics["slave/tasks_staging"], &metrics["slave/executors_registering"]),
        (&2.0.into(), &1.0.into())
    );
    agent.shutdown().await;
}
