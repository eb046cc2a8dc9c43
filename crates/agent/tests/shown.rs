//! What operators see of tasks that are limited or wait, of the log, and of calls that there are for nothing here.

mod common;

use common::executor::executor_task;
use common::{FakeMaster, call, command_task, http, json, options};
use proto::v1;
use serde_json::{Value, json};

fn limited(task: v1::TaskInfo) -> v1::TaskInfo {
    let limit = |name: &str, value: f64| v1::task_info::LimitsEntry {
        key: Some(name.to_owned()),
        value: Some(v1::value::Scalar { value }),
    };
    v1::TaskInfo { limits: vec![limit("cpus", 0.5), limit("mem", f64::INFINITY)], ..task }
}

/// Asks until the state of the agent has what is wanted.
async fn find(agent: &agent::AgentServer, wanted: impl Fn(&Value) -> Option<Value>) -> Value {
    let look = async {
        loop {
            let state = json(agent.address(), "/state").await;
            if let Some(found) = wanted(&state["frameworks"][0]["executors"][0]) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(common::PATIENCE, look).await.expect("it is shown in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_shown_with_their_limits() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    master.run(limited(command_task("t", "exec sleep 1000")));
    let task = find(&agent, |executor| executor["tasks"].get(0).cloned()).await;
    assert_eq!((&task["id"], &task["limits"]), (&json!("t"), &json!({ "cpus": 0.5, "mem": "Infinity" })));
    master.status().await;
    assert_eq!(master.status().await.state(), v1::TaskState::TaskRunning);
    assert_eq!(json(agent.address(), "/containerizer/debug").await, json!({ "pending": [] }));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_waits_is_shown_with_what_it_is_to_run() {
    // Whoever fetches from here waits.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("it has one");
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let mut task = limited(command_task("t", "exec sleep 1000"));
    let uri = v1::command_info::Uri {
        value: format!("http://{address}/x"),
        executable: Some(true),
        ..Default::default()
    };
    let variable =
        v1::environment::Variable { name: "A".into(), value: Some("b".into()), ..Default::default() };
    let command = task.command.as_mut().expect("a command task");
    command.uris = vec![uri];
    command.environment = Some(v1::Environment { variables: vec![variable] });
    master.run(task);
    let task = find(&agent, |executor| executor["queued_tasks"].get(0).cloned()).await;
    assert_eq!((&task["id"], &task["state"]), (&json!("t"), &json!("TASK_STAGING")));
    let command = &task["command"];
    assert_eq!((&command["shell"], &command["value"]), (&json!(true), &json!("exec sleep 1000")));
    assert_eq!(command["argv"], json!([]));
    assert_eq!(command["uris"], json!([{ "value": format!("http://{address}/x"), "executable": true }]));
    assert_eq!(command["environment"]["variables"][0]["value"], "b");
    assert_eq!(task["limits"]["cpus"], 0.5);
    // What it waits for.
    let executor = json(agent.address(), "/state").await["frameworks"][0]["executors"][0].clone();
    let fetching =
        json!({ "operation": "containerizer::prepare", "args": { "containerId": executor["container"] } });
    for path in ["/containerizer/debug", "/slave(1)/containerizer/debug"] {
        assert_eq!(json(agent.address(), path).await, json!({ "pending": [fetching] }), "{path}");
    }
    agent.shutdown().await;
}

/// Which command its executor has is said of the executor.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_waits_for_its_executor_has_no_command() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    master.run(executor_task("t", "exec sleep 1000"));
    let task = find(&agent, |executor| executor["queued_tasks"].get(0).cloned()).await;
    assert_eq!((&task["id"], task.get("command"), task.get("limits")), (&json!("t"), None, None));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_do_nothing_here_are_answered_as_in_mesos() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let answer = |body: &'static str| http(agent.address(), "POST", "/api/v1", Some(body));
    let unknown = answer(r#"{"type":"UNKNOWN"}"#).await;
    assert_eq!((unknown.0, unknown.1.lines().count()), (501, 1), "{unknown:?}");
    assert_eq!(answer("{}").await.0, 400);
    assert_eq!(answer(r#"{"type":"PRUNE_IMAGES"}"#).await, (202, String::new()));
    let excluded = r#"{"type":"PRUNE_IMAGES","prune_images":{"excluded_images":[]}}"#;
    assert_eq!(answer(excluded).await.0, 202);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_by_either_api() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let log = work_dir.path().join("log");
    std::fs::write(&log, "0123456789").expect("ours");
    let mut master = FakeMaster::start().await;
    let mut settings = options(master.address, work_dir.path());
    settings.log_files.external = Some(log.clone());
    let agent = master.agent(settings).await;
    let address = agent.address();
    let read = r#"{"type":"READ_FILE","read_file":{"path":"/slave/log","offset":2,"length":3}}"#;
    assert_eq!(call(address, read).await["read_file"], json!({ "size": 10, "data": "MjM0" }));
    let read = json(address, "/files/read?path=/slave/log&offset=8&length=5").await;
    assert_eq!(read, json!({ "offset": 8, "data": "89" }));
    assert_eq!(json(address, "/files/debug").await["/slave/log"], log.display().to_string());
    assert_eq!(http(address, "GET", "/files/read?path=/slave/log/..", None).await.0, 400);
    agent.shutdown().await;
}
