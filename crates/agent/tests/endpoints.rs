//! What operators read: the endpoints' fields and types, files, and refusals.

mod common;

use common::{AGENT_ID, FRAMEWORK_ID, FakeMaster, call, command_task, http, http_bytes, json, options};
use proto::{internal, v1};
use serde_json::Value;

/// A running and a finished task.
async fn fixture(work_dir: &std::path::Path) -> (FakeMaster, agent::AgentServer, String) {
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir)).await;
    master.run(command_task("running", "echo 'hällo'; exec sleep 1000"));
    master.status().await;
    master.status().await;
    master.run(command_task("finished", "true"));
    master.statuses().await;
    let debug = json(agent.address(), "/files/debug").await;
    let short = format!("/frameworks/{FRAMEWORK_ID}/executors/running/runs/latest");
    let directory = debug[&short].as_str().expect("attached").to_owned();
    let stdout = std::path::PathBuf::from(&directory).join("stdout");
    common::until(|| std::fs::read_to_string(&stdout).is_ok_and(|text| text.ends_with('\n'))).await;
    (master, agent, directory)
}

fn has(value: &Value, fields: &[(&str, &str)]) {
    for (path, kind) in fields {
        let found = value.pointer(path).unwrap_or(&Value::Null);
        let is = match found {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        assert_eq!(&is, kind, "{path} of {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_endpoints_have_their_fields() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let (_master, agent, directory) = fixture(work_dir.path()).await;
    let address = agent.address();
    let state = json(address, "/state").await;
    assert_eq!(state, json(address, "/slave(1)/state").await);
    has(&state, &[("/version", "string"), ("/start_time", "number"), ("/resources/ports", "string")]);
    has(&state, &[("/unreserved_resources_full/0/role", "string"), ("/flags/work_dir", "string")]);
    has(&state, &[("/frameworks/0/failover_timeout", "number"), ("/master_hostname", "string")]);
    let executor = &state["frameworks"][0]["executors"][0];
    assert_eq!(executor["directory"], directory.as_str());
    assert_eq!(executor["name"], "Command Executor (Task: running) (Command: sh -c 'echo 'hällo'...')");
    has(executor, &[("/tasks/0/statuses/1/container_status/container_id/value", "string")]);
    has(executor, &[("/tasks/0/resources/cpus", "number"), ("/container", "string"), ("/role", "string")]);
    assert_eq!(
        state["frameworks"][0]["completed_executors"][0]["completed_tasks"][0]["state"],
        "TASK_FINISHED"
    );
    let containers = json(address, "/containers").await;
    has(&containers[0], &[("/statistics/cpus_user_time_secs", "number"), ("/status/executor_pid", "number")]);
    has(&containers[0], &[("/statistics/mem_rss_bytes", "number"), ("/statistics/processes", "number")]);
    has(
        &json(address, "/monitor/statistics").await[0],
        &[("/source", "string"), ("/statistics/timestamp", "number")],
    );
    let metrics = json(address, "/metrics/snapshot").await;
    for (name, value) in [
        ("slave/tasks_running", 1.0),
        ("slave/tasks_finished", 1.0),
        ("slave/registered", 1.0),
        ("slave/valid_status_updates", 5.0),
        ("slave/cpus_total", 8.0),
    ] {
        assert_eq!(metrics[name], value, "{name}");
    }
    assert_eq!(json(address, "/flags").await["flags"]["attributes"], "rack:r1;zone:a");
    assert_eq!(json(address, "/version").await["version"], "1.12.0");
    has(
        &json(address, "/system/stats.json").await,
        &[("/avg_load_1min", "number"), ("/mem_total_bytes", "number")],
    );
    let read = format!("/files/read?path={directory}/stdout&offset=0");
    let browse = format!("/files/browse?path={directory}");
    for path in [
        "/containers?",
        "/files/debug?",
        "/flags?",
        "/metrics/snapshot?",
        "/monitor/statistics?",
        "/state?",
        "/slave(1)/state.json?",
        "/system/stats.json?",
        "/version?",
        &format!("{read}&"),
        &format!("{browse}&"),
    ] {
        let script = http(address, "GET", &format!("{path}jsonp=cb"), None).await.1;
        assert!(script.starts_with("cb(") && script.ends_with(");"), "{path}: {script}");
    }
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_api_answers() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let (_master, agent, directory) = fixture(work_dir.path()).await;
    let address = agent.address();
    assert_eq!(call(address, r#"{"type":"GET_HEALTH"}"#).await["get_health"]["healthy"], true);
    let version = call(address, r#"{"type":"GET_VERSION"}"#).await;
    assert_eq!(version["get_version"]["version_info"]["version"], "1.12.0");
    let of = |kind: &str| format!(r#"{{"type":"{kind}"}}"#);
    let info = call(address, &of("GET_AGENT")).await;
    assert_eq!(info["get_agent"]["agent_info"]["id"]["value"], AGENT_ID);
    let state = call(address, &of("GET_STATE")).await;
    has(&state["get_state"], &[("/get_tasks/launched_tasks/0/statuses/1/uuid", "string")]);
    has(&state["get_state"], &[("/get_executors/executors/0/executor_info/command/value", "string")]);
    has(&state["get_state"], &[("/get_frameworks/frameworks/0/framework_info/id/value", "string")]);
    // Empty lists are there, too.
    has(&state["get_state"], &[("/get_tasks/pending_tasks", "array"), ("/get_tasks/queued_tasks", "array")]);
    has(&state["get_state"], &[("/get_frameworks/completed_frameworks", "array")]);
    let tasks = call(address, &of("GET_TASKS")).await;
    has(&tasks["get_tasks"], &[("/pending_tasks", "array"), ("/terminated_tasks", "array")]);
    for kind in ["GET_TASKS", "GET_EXECUTORS", "GET_FRAMEWORKS", "GET_FLAGS", "GET_OPERATIONS"] {
        assert_eq!(call(address, &of(kind)).await["type"], kind);
    }
    assert_eq!(call(address, &of("GET_RESOURCE_PROVIDERS")).await["type"], "GET_RESOURCE_PROVIDERS");
    let metrics = r#"{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":5000000000}}}"#;
    assert!(call(address, metrics).await["get_metrics"]["metrics"].as_array().expect("metrics").len() > 60);
    let set = r#"{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":1,"duration":{"nanoseconds":60000000000}}}"#;
    assert_eq!(http(address, "POST", "/api/v1", Some(set)).await.0, 200);
    assert_eq!(call(address, &of("GET_LOGGING_LEVEL")).await["get_logging_level"]["level"], 1);
    let containers =
        call(address, r#"{"type":"GET_CONTAINERS","get_containers":{"show_nested":true}}"#).await;
    has(&containers["get_containers"]["containers"][0], &[("/resource_statistics/mem_rss_bytes", "number")]);
    let read = format!(
        r#"{{"type":"READ_FILE","read_file":{{"path":"{directory}/stdout","offset":1,"length":2}}}}"#
    );
    let read = call(address, &read).await;
    assert_eq!((&read["read_file"]["size"], &read["read_file"]["data"]), (&7.into(), &"w6Q=".into()));
    let list =
        call(address, &format!(r#"{{"type":"LIST_FILES","list_files":{{"path":"{directory}"}}}}"#)).await;
    let infos = list["list_files"]["file_infos"].as_array().expect("files");
    let paths: Vec<&str> = infos.iter().filter_map(|info| info["path"].as_str()).collect();
    assert_eq!(paths, [format!("{directory}/stderr"), format!("{directory}/stdout")]);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_as_in_mesos() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let (_master, agent, directory) = fixture(work_dir.path()).await;
    let address = agent.address();
    let named = |kind: &str, field: &str| {
        format!(r#"{{"type":"{kind}","{field}":{{"container_id":{{"value":"nope"}}}}}}"#)
    };
    let nested = r#"{"type":"LAUNCH_NESTED_CONTAINER","launch_nested_container":{"container_id":{"value":"c","parent":{"value":"nope"}},"command":{"value":"true"}}}"#;
    let read = r#"{"type":"READ_FILE","read_file":{"path":"/etc/passwd","offset":0}}"#;
    let cases = [
        ("{".to_owned(), 400, "Failed to parse body into JSON: syntax error at line 1 near: "),
        (
            r#"{"type":"FOO"}"#.to_owned(),
            400,
            "Failed to validate agent::Call: Expecting 'type' to be present",
        ),
        (
            r#"{"type":"READ_FILE"}"#.to_owned(),
            400,
            "Failed to validate agent::Call: Expecting 'read_file' to be present",
        ),
        (named("WAIT_CONTAINER", "wait_container"), 404, "Container nope cannot be found"),
        (
            named("KILL_CONTAINER", "kill_container"),
            404,
            "Container 'nope' cannot be found (or is already killed)",
        ),
        (named("ATTACH_CONTAINER_OUTPUT", "attach_container_output"), 404, "Container nope cannot be found"),
        (nested.to_owned(), 400, "Parent container nope does not exist"),
        (read.to_owned(), 404, ""),
    ];
    for (body, status, text) in cases {
        assert_eq!(http(address, "POST", "/api/v1", Some(&body)).await, (status, text.to_owned()), "{body}");
    }
    let gets = [
        ("/nothing".to_owned(), 404, "404 Not Found."),
        ("/files/read".to_owned(), 400, "Expecting 'path=value' in query.\n"),
        ("/files/read?path=/nope".to_owned(), 404, ""),
        (
            format!("/files/read?path={directory}/stdout&offset=x"),
            400,
            "Failed to parse offset: Failed to convert 'x' to number.\n",
        ),
        (format!("/files/read?path={directory}"), 400, "Cannot read a directory.\n"),
        ("/files/read?path=/etc/passwd".to_owned(), 404, ""),
        ("/files/browse?path=/nope".to_owned(), 404, ""),
        ("/files/download?path=/nope".to_owned(), 404, "404 Not Found."),
    ];
    for (path, status, text) in gets {
        assert_eq!(http(address, "GET", &path, None).await, (status, text.to_owned()), "{path}");
    }
    for path in ["/health", "/state", "/slave(1)/flags", "/metrics/snapshot", "/files/debug.json"] {
        for method in ["POST", "PUT"] {
            assert_eq!(http(address, method, path, None).await.0, 200, "{method} {path}");
        }
    }
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_browsed_and_downloaded() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let (_master, agent, directory) = fixture(work_dir.path()).await;
    let address = agent.address();
    let size = json(address, &format!("/files/read?path={directory}/stdout&offset=-1")).await;
    assert_eq!((&size["offset"], &size["data"]), (&7.into(), &"".into()));
    let all = json(address, &format!("/files/read.json?path={directory}/stdout&offset=0&length=100")).await;
    assert_eq!((&all["offset"], &all["data"]), (&0.into(), &"hällo\n".into()));
    let browse = json(address, &format!("/files/browse?path={directory}")).await;
    assert_eq!(browse[1]["path"], format!("{directory}/stdout"));
    assert_eq!((&browse[1]["mode"], &browse[1]["size"]), (&"-rw-r--r--".into(), &7.into()));
    let big = vec![7_u8; 300_000];
    std::fs::write(std::path::Path::new(&directory).join("big"), &big).expect("ours");
    let (status, bytes) =
        http_bytes(address, "GET", &format!("/files/download?path={directory}/big"), None).await;
    assert_eq!((status, bytes.len(), bytes == big), (200, big.len(), true));
    let part = json(address, &format!("/files/read?path={directory}/big&offset=0")).await;
    assert_eq!(part["data"].as_str().expect("text").len(), 65_536);
    agent.shutdown().await;
}

/// After Mesos' `ContainersEndpointNoExecutor`, `ContainersEndpoint`, `StatisticsEndpointNoExecutor` and
/// `StatisticsEndpointRunningExecutor`.
#[tokio::test(flavor = "multi_thread")]
async fn containers_are_found_by_what_they_belong_to() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let address = agent.address();
    for endpoint in ["/containers", "/monitor/statistics", "/containers?framework_id=nobody"] {
        assert_eq!(http(address, "GET", endpoint, None).await, (200, "[]".to_owned()), "{endpoint}");
    }
    for task in ["a", "b"] {
        master.run(command_task(task, "exec sleep 1000"));
        master.status().await;
        master.status().await;
    }
    let shown = |query: String| async move {
        let list = json(address, &format!("/containers{query}")).await;
        let ids = list.as_array().expect("a list").iter();
        ids.map(|shown| shown["executor_id"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let all = json(address, "/containers").await;
    let b =
        all.as_array().expect("a list").iter().find(|shown| shown["executor_id"] == "b").expect("it runs");
    let container = b["container_id"].as_str().expect("an id").to_owned();
    assert_eq!(b["status"]["container_id"]["value"], container.as_str());
    assert_eq!(shown(String::new()).await, ["a", "b"]);
    assert_eq!(shown(format!("?container_id={container}")).await, ["b"]);
    assert_eq!(shown(format!("?framework_id={FRAMEWORK_ID}")).await, ["a", "b"]);
    assert_eq!(shown(format!("?framework_id={FRAMEWORK_ID}&executor_id=a")).await, ["a"]);
    for nobody in ["?container_id=nope", "?framework_id=nope", "?framework_id=nope&executor_id=a"] {
        assert_eq!(shown(nobody.to_owned()).await, Vec::<String>::new(), "{nobody}");
    }
    let wrong = "Supported query parameters are container_id only, framework_id only, or executor_id and framework_id only";
    for query in [
        "executor_id=a".to_owned(),
        format!("executor_id=a&container_id={container}"),
        format!("framework_id={FRAMEWORK_ID}&container_id={container}"),
        format!("framework_id={FRAMEWORK_ID}&executor_id=a&container_id={container}"),
    ] {
        let answer = http(address, "GET", &format!("/containers?{query}"), None).await;
        assert_eq!(answer, (400, wrong.to_owned()), "{query}");
    }
    let statistics = json(address, "/monitor/statistics").await;
    assert_eq!(statistics[0]["statistics"]["mem_limit_bytes"], 32 << 20);
    assert!(http(address, "GET", "/monitor/statistics?jsonp=f", None).await.1.starts_with("f(["));
    agent.shutdown().await;
}

/// After Mesos' `DrainAgentKillsRunningTask`.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_shown_until_its_last_update_is_acknowledged() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let address = agent.address();
    let get_agent = r#"{"type":"GET_AGENT"}"#;
    assert!(json(address, "/state").await.get("drain_config").is_none());
    assert!(call(address, get_agent).await["get_agent"].get("drain_config").is_none());
    master.run(command_task("t", "exec sleep 1000"));
    master.status().await;
    master.status().await;
    let grace = v1::DurationInfo { nanoseconds: 0 };
    let config = v1::DrainConfig { max_grace_period: Some(grace), mark_gone: Some(false) };
    master.say(&internal::DrainSlaveMessage { config });
    let killed = master.expect::<internal::StatusUpdateMessage>().await.update;
    assert_eq!(killed.status.state(), v1::TaskState::TaskKilled);
    assert_eq!(killed.status.reason(), v1::task_status::Reason::AgentDraining);
    let config = serde_json::json!({ "max_grace_period": { "nanoseconds": 0 }, "mark_gone": false });
    let state = json(address, "/state").await;
    assert_eq!(state["drain_config"], config);
    assert!(state["estimated_drain_start_time_seconds"].as_i64().is_some_and(|at| at > 1_600_000_000));
    let shown = &call(address, get_agent).await["get_agent"];
    assert_eq!(shown["drain_config"], config);
    has(shown, &[("/estimated_drain_start_time/nanoseconds", "number")]);
    master.acknowledge(&killed);
    while json(address, "/state").await.get("drain_config").is_some() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    agent.shutdown().await;
}

/// After Mesos' `MetricsSlaveLaunchErrors` and `ROOT_RunTaskWithCommandInfoWithInvalidUser`.
#[tokio::test(flavor = "multi_thread")]
async fn launches_that_fail_are_counted_and_say_why() {
    use v1::task_status::Reason;
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let address = agent.address();
    assert_eq!(json(address, "/metrics/snapshot").await["slave/container_launch_errors"], 0.0);
    let mut task = command_task("t", "true");
    task.command.as_mut().expect("it has one").user = Some("nobody-of-that-name".to_owned());
    master.run(task);
    let statuses = master.statuses().await;
    assert_eq!(statuses.len(), 1);
    // It would be dropped if its framework were aware of partitions.
    assert_eq!(
        (statuses[0].state(), statuses[0].reason()),
        (v1::TaskState::TaskLost, Reason::ExecutorTerminated)
    );
    assert!(statuses[0].message().contains("nobody-of-that-name"), "{}", statuses[0].message());
    // There was no container to be launched.
    assert_eq!(json(address, "/metrics/snapshot").await["slave/container_launch_errors"], 0.0);
    let mut task = command_task("u", "true");
    let uri = v1::command_info::Uri { value: "file:///nosuch/file".to_owned(), ..Default::default() };
    task.command.as_mut().expect("it has one").uris = vec![uri];
    master.run(task);
    let status = master.status().await;
    assert_eq!((status.state(), status.reason()), (v1::TaskState::TaskFailed, Reason::ContainerLaunchFailed));
    let metrics = json(address, "/metrics/snapshot").await;
    assert_eq!(metrics["slave/container_launch_errors"], 1.0);
    assert!(metrics["slave/recovery_time_secs"].as_f64().is_some_and(|secs| secs > 0.0));
    // So is what would need what no containerizer here can do.
    let image = r#"{"type":"DOCKER","docker":{"image":"busybox"}}"#;
    let container = Some(proto::json::from_slice(image.as_bytes()).expect("a container"));
    master.run(v1::TaskInfo { container, ..command_task("of an image", "true") });
    let status = master.status().await;
    assert_eq!((status.state(), status.reason()), (v1::TaskState::TaskFailed, Reason::ContainerLaunchFailed));
    assert_eq!(json(address, "/metrics/snapshot").await["slave/container_launch_errors"], 2.0);
    agent.shutdown().await;
}
