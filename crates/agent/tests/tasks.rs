//! An agent with real processes, under a master written by hand: registration, command tasks, groups, kills, losses.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::pods::{group, pod};
use common::{
    AGENT_ID, FRAMEWORK_ID, FakeMaster, command_task, http, is_alive, json, options, shell, states, task,
    until,
};
use proto::{internal, v1};

const RAN: [&str; 3] = ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"];
const FAILED: [&str; 3] = ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"];

/// What the agent of Mesos 1.11 and of 1.12 says that it can, in this order.
const CAPABILITIES: [&str; 8] = [
    "MULTI_ROLE",
    "HIERARCHICAL_ROLE",
    "RESERVATION_REFINEMENT",
    "RESOURCE_PROVIDER",
    "RESIZE_VOLUME",
    "AGENT_OPERATION_FEEDBACK",
    "AGENT_DRAINING",
    "TASK_RESOURCE_LIMITS",
];

#[tokio::test(flavor = "multi_thread")]
async fn it_registers_and_answers_pings() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let domain = agent::FaultDomain { region: "r".to_owned(), zone: "z".to_owned() };
    let options = agent::AgentOptions { domain: Some(domain), ..options(master.address, work_dir.path()) };
    let agent = agent::AgentServer::start(options).await.expect("an agent");
    let register = master.register(&agent).await;
    assert_eq!(register.version.as_deref(), Some("1.12.0"));
    let capabilities = register.agent_capabilities.iter().map(|capability| capability.r#type().as_str_name());
    assert_eq!(capabilities.collect::<Vec<_>>(), CAPABILITIES);
    assert_eq!(register.slave.port, Some(i32::from(agent.address().port())));
    assert_eq!(register.slave.attributes.len(), 2);
    let domain = register.slave.domain.and_then(|domain| domain.fault_domain).expect("it has a domain");
    assert_eq!((domain.region.name.as_str(), domain.zone.name.as_str()), ("r", "z"));
    master.say_raw("slave-observer(1)", "mesos.internal.PingSlaveMessage", vec![8, 1]);
    let pong = master.hear().await;
    assert_eq!(
        (pong.to.as_str(), pong.name.as_str()),
        ("slave-observer(1)", "mesos.internal.PongSlaveMessage")
    );
    let state = json(agent.address(), "/state").await;
    assert_eq!((&state["id"], &state["attributes"]["rack"]), (&AGENT_ID.into(), &"r1".into()));
    assert_eq!(state["domain"]["fault_domain"]["region"]["name"], "r");
    let flags = json(agent.address(), "/flags").await;
    let domain = r#"{"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}"#;
    assert_eq!(flags["flags"]["domain"], domain);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_registers_where_the_master_says_that_it_is() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let front = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = front.local_addr().expect("bound");
    let info = serde_json::json!({ "pid": format!("master@{}", master.address) });
    let answer = serde_json::json!({ "type": "GET_MASTER", "get_master": { "master_info": info } });
    let answering = tokio::spawn(async move {
        while let Ok((mut stream, _)) = front.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{answer}").as_bytes()).await;
        }
    });
    let agent = agent::AgentServer::start(options(address, work_dir.path())).await.expect("an agent");
    master.register(&agent).await;
    answering.abort();
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn command_tasks_end_as_their_commands_do() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let exec = v1::CommandInfo {
        value: Some("/nosuch/binary".to_owned()),
        shell: Some(false),
        arguments: vec!["x".to_owned()],
        ..Default::default()
    };
    let cases = [
        (command_task("finish", "true"), RAN, "Command exited with status 0"),
        (command_task("fail", "exit 3"), FAILED, "Command exited with status 3"),
        (command_task("signal", "kill -9 $$"), FAILED, "Command terminated with signal Killed"),
        (command_task("not-found-shell", "nosuchcommand"), FAILED, "Command exited with status 127"),
        (v1::TaskInfo { command: Some(exec), ..task("not-found") }, FAILED, "Command exited with status 1"),
    ];
    for (task, expected, message) in cases {
        let id = task.task_id.value.clone();
        master.run(task);
        let statuses = master.statuses().await;
        assert_eq!(states(&statuses), expected, "{id}");
        let last = statuses.last().expect("three");
        assert_eq!(last.message(), message, "{id}");
        assert_eq!(last.source(), v1::task_status::Source::Executor);
        let container = last.container_status.as_ref().expect("the agent adds it");
        assert!(container.executor_pid.is_some());
        assert_eq!(container.network_infos[0].ip_addresses[0].ip_address(), "127.0.0.1");
    }
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_and_environment_are_in_the_sandbox() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    master.run(command_task("t", "env | sort; ls -a; id -un"));
    assert_eq!(states(&master.statuses().await), RAN);
    let state = json(agent.address(), "/state").await;
    let all = |parent: &serde_json::Value, kinds: [&str; 2]| {
        kinds.iter().filter_map(|kind| parent[*kind].as_array().cloned()).flatten().collect::<Vec<_>>()
    };
    let framework = all(&state, ["frameworks", "completed_frameworks"]).remove(0);
    let executor = all(&framework, ["executors", "completed_executors"]).remove(0);
    let directory = executor["directory"].as_str().expect("a path").to_owned();
    let read = json(agent.address(), &format!("/files/read?path={directory}/stdout&offset=0")).await;
    let lines: Vec<&str> = read["data"].as_str().expect("text").lines().collect();
    let endpoint = agent.address();
    let work = work_dir.path().canonicalize().expect("there");
    assert!(directory.starts_with(work.to_str().expect("a path")));
    let expected = [
        "LIBPROCESS_IP=127.0.0.1".to_owned(),
        "LIBPROCESS_PORT=0".to_owned(),
        format!("MESOS_AGENT_ENDPOINT={endpoint}"),
        "MESOS_ALLOCATION_ROLE=*".to_owned(),
        "MESOS_CHECKPOINT=0".to_owned(),
        format!("MESOS_DIRECTORY={directory}"),
        "MESOS_EXECUTOR_ID=t".to_owned(),
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=5secs".to_owned(),
        format!("MESOS_FRAMEWORK_ID={FRAMEWORK_ID}"),
        "MESOS_HTTP_COMMAND_EXECUTOR=0".to_owned(),
        format!("MESOS_SANDBOX={directory}"),
        format!("MESOS_SLAVE_ID={AGENT_ID}"),
        format!("MESOS_SLAVE_PID=slave(1)@{endpoint}"),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        format!("PWD={directory}"),
    ];
    assert_eq!(&lines[..expected.len()], expected);
    assert_eq!(&lines[expected.len()..expected.len() + 4], [".", "..", "stderr", "stdout"]);
    let latest = format!("/frameworks/{FRAMEWORK_ID}/executors/t/runs/latest/stdout");
    let size = json(agent.address(), &format!("/files/read?path={latest}")).await;
    assert_eq!(size["offset"], read["data"].as_str().expect("text").len());
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_is_polite_and_then_is_not() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let kill = |id: &str| internal::KillTaskMessage {
        framework_id: FRAMEWORK_ID.into(),
        task_id: id.into(),
        kill_policy: None,
    };
    master.run(command_task("polite", "sleep 1000"));
    assert_eq!(states(&[master.status().await, master.status().await]), &RAN[..2]);
    master.say(&kill("polite"));
    let killed = master.status().await;
    assert_eq!(
        (killed.state(), killed.message()),
        (v1::TaskState::TaskKilled, "Command terminated with signal Terminated")
    );

    // A tree that does not listen, with a daemon that has left session and parents.
    let script = r#"trap "" TERM; (setsid sh -c '(trap "" TERM; echo $PPID; while true; do sleep 1; done) & exit' &)
        while true; do sleep 1; done"#;
    let grace = v1::DurationInfo { nanoseconds: 100_000_000 };
    let policy = v1::KillPolicy { grace_period: Some(grace) };
    master.run(v1::TaskInfo { kill_policy: Some(policy), ..command_task("deaf", script) });
    master.status().await;
    let running = master.status().await;
    let pid = running.container_status.and_then(|status| status.executor_pid).expect("it runs");
    let sandbox = std::fs::read_link(format!("/proc/{pid}/cwd")).expect("it runs");
    until(|| std::fs::read_to_string(sandbox.join("stdout")).is_ok_and(|text| text.ends_with('\n'))).await;
    assert!(processes_in(&sandbox) >= 2, "the daemon runs");
    master.say(&kill("deaf"));
    let killed = master.status().await;
    assert_eq!(killed.state(), v1::TaskState::TaskKilled);
    assert!(!is_alive(pid));
    assert_eq!(processes_in(&sandbox), 0);
    agent.shutdown().await;
}

fn processes_in(sandbox: &std::path::Path) -> usize {
    let cookie = format!("MESOS_SANDBOX={}", sandbox.display());
    let environments = std::fs::read_dir("/proc").expect("proc").flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        is_alive(pid).then(|| std::fs::read(entry.path().join("environ")).ok()).flatten()
    });
    environments.filter(|text| text.split(|byte| *byte == 0).any(|v| v == cookie.as_bytes())).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_fails_the_task() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let uri = |value: &str| v1::command_info::Uri { value: value.to_owned(), ..Default::default() };
    let with = |id: &str, line: &str, value: &str| v1::TaskInfo {
        command: Some(v1::CommandInfo { uris: vec![uri(value)], ..shell(line) }),
        ..task(id)
    };
    master.run(with("bad", "true", "file:///nosuch/file"));
    let statuses = master.statuses().await;
    assert_eq!(states(&statuses), ["TASK_FAILED"]);
    assert_eq!(statuses[0].reason(), v1::task_status::Reason::ContainerLaunchFailed);
    assert_eq!(statuses[0].source(), v1::task_status::Source::Agent);
    let message = statuses[0].message();
    assert!(
        message.starts_with("Failed to launch container: Failed to fetch all URIs for container '"),
        "{message}"
    );
    assert!(message.contains("/nosuch/file"), "{message}");
    let source = work_dir.path().join("source");
    std::fs::write(&source, "fetched").expect("ours");
    master.run(with("good", "grep -q fetched source", &source.display().to_string()));
    assert_eq!(states(&master.statuses().await), RAN);
    agent.shutdown().await;
}

/// After `DefaultExecutorTest.TaskWithFileURI`.
#[tokio::test(flavor = "multi_thread")]
async fn the_tasks_of_a_group_find_what_was_fetched_for_each() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let member = |id: &str| {
        let source = work_dir.path().join(format!("source-{id}"));
        std::fs::write(&source, id).expect("ours");
        let uri = v1::command_info::Uri { value: source.display().to_string(), ..Default::default() };
        let line = format!("test \"$(cat source-{id})\" = {id} && test $(ls -d source-* | wc -l) = 1");
        v1::TaskInfo { command: Some(v1::CommandInfo { uris: vec![uri], ..shell(&line) }), ..task(id) }
    };
    master.say(&group(vec![member("a"), member("b")]));
    for end in master.ends(2).await {
        assert_eq!(end.state(), v1::TaskState::TaskFinished, "{end:?}");
    }
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_starts_together_and_fails_together() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    // As masters send it: each task names its executor.
    let member = |id: &str, line: &str| v1::TaskInfo { executor: Some(pod()), ..command_task(id, line) };
    master.say(&group(vec![member("a", "exit 1"), member("b", "sleep 1000")]));
    let ends = master.ends(2).await;
    let ends: Vec<_> = ends.iter().map(|end| (end.task_id.value.as_str(), end.state())).collect();
    assert_eq!(ends, [("a", v1::TaskState::TaskFailed), ("b", v1::TaskState::TaskKilled)]);
    let exited: internal::ExitedExecutorMessage = master.expect().await;
    assert_eq!(exited.executor_id.value, "pod");
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_master_is_found_again_with_all_tasks() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    master.run(command_task("t", "sleep 1000"));
    master.status().await;
    let running = master.status().await;
    let pid = running.container_status.and_then(|status| status.executor_pid).expect("it runs");
    // Its port is taken over by another one, which knows nothing.
    let address = master.stop().await;
    let mut master = FakeMaster::start_at(address).await;
    master.point_at(&agent);
    let again: internal::ReregisterSlaveMessage = loop {
        let heard = master.hear().await;
        if heard.name == "mesos.internal.ReregisterSlaveMessage" {
            break proto::decode(&heard.body).expect("it decodes");
        }
    };
    assert_eq!(again.slave.id.as_ref().map(|id| id.value.as_str()), Some(AGENT_ID));
    assert_eq!(again.tasks.len(), 1);
    assert_eq!(again.tasks[0].state(), v1::TaskState::TaskRunning);
    assert_eq!(again.frameworks.len(), 1);
    assert!(is_alive(pid));
    agent.shutdown().await;
    assert!(!is_alive(pid), "what runs ends with the agent");
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_are_sent_again_until_they_are_acknowledged() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    master.run(command_task("t", "true"));
    let first: internal::StatusUpdateMessage = master.expect().await;
    let again: internal::StatusUpdateMessage = master.expect().await;
    assert_eq!(first.update.uuid, again.update.uuid);
    assert_eq!(again.update.latest_state(), v1::TaskState::TaskFinished);
    master.acknowledge(&first.update);
    assert_eq!(states(&[master.status().await, master.status().await]), &RAN[1..]);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_goes_for_good_says_so() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    agent.unregister("maintenance").await;
    assert_eq!(agent.terminated().await.reason, "maintenance");
    let gone: internal::UnregisterSlaveMessage = master.expect().await;
    assert_eq!(gone.slave_id.value, AGENT_ID);
    agent.shutdown().await;
}

/// As a task may, whoever it runs as: the directory can be opened by everybody.
#[tokio::test(flavor = "multi_thread")]
async fn who_locks_the_work_directory_does_not_keep_an_agent_out() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let opened = std::fs::File::open(work_dir.path()).expect("a directory");
    opened.try_lock().expect("nobody has it");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    agent.shutdown().await;
}

/// A store with a fault of its own.
struct Panicking {
    store: store::Embedded,
    panics: Arc<AtomicBool>,
}

impl store::Backend for Panicking {
    fn commit(&mut self, batch: &store::Batch) -> Result<(), store::StoreError> {
        assert!(!self.panics.load(Ordering::Relaxed), "as ordered");
        self.store.commit(batch)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_can_never_write_again_ends() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let panics = Arc::new(AtomicBool::new(false));
    let ordered = Arc::clone(&panics);
    let wrap: agent::WrapStore = Box::new(move |store| Box::new(Panicking { store, panics: ordered }));
    let options = options(master.address, work_dir.path());
    let agent = agent::AgentServer::start_with_store(options, wrap).await.expect("an agent");
    master.point_at(&agent);
    let _: internal::RegisterSlaveMessage = master.hear_of().await;
    panics.store(true, Ordering::Relaxed);
    master.say(&internal::SlaveRegisteredMessage { slave_id: AGENT_ID.into(), connection: None });
    let ended = tokio::time::timeout(common::PATIENCE, agent.terminated()).await.expect("it ends in time");
    assert_eq!(ended.reason, "the thread that writes down what the agent does has panicked");
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_do_not_share_a_work_directory() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let second = agent::AgentServer::start(options(master.address, work_dir.path()));
    let error = second.await.expect_err("it is taken");
    assert!(matches!(error, agent::StartError::WorkDir { .. }), "{error:?}");
    agent.shutdown().await;
    let again = agent::AgentServer::start(options(master.address, work_dir.path()));
    let agent = again.await.expect("it is free again");
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_does_not_want_it_ends_it() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    master.run(command_task("t", "sleep 1000"));
    master.status().await;
    let running = master.status().await;
    let pid = running.container_status.and_then(|status| status.executor_pid).expect("it runs");
    master.say(&internal::ShutdownMessage { message: Some("Agent has been marked gone".to_owned()) });
    let ended = tokio::time::timeout(common::PATIENCE, agent.terminated()).await.expect("in time");
    assert!(ended.reason.contains("Agent has been marked gone"), "{}", ended.reason);
    assert!(!is_alive(pid));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sandboxes_are_deleted_in_their_time() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let settings =
        agent::AgentOptions { gc_delay: Duration::ZERO, ..options(master.address, work_dir.path()) };
    let agent = master.agent(settings).await;
    master.run(command_task("t", "pwd > /dev/null"));
    assert_eq!(states(&master.statuses().await), RAN);
    let runs = work_dir.path().join(format!("slaves/{AGENT_ID}/frameworks/{FRAMEWORK_ID}/executors/t/runs"));
    let left = || std::fs::read_dir(&runs).is_ok_and(|runs| runs.flatten().any(|run| run.path().is_dir()));
    // It was there: the task has run in it.
    until(|| !left()).await;
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_make_no_sense_disturb_nobody() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    master.say_raw("master", "mesos.internal.RunTaskMessage", b"nonsense".to_vec());
    master.say_raw("master", "mesos.internal.NoSuchMessage", Vec::new());
    master.say_raw("stranger", "mesos.internal.ShutdownMessage", Vec::new());
    master.run(command_task("t", "true"));
    assert_eq!(states(&master.statuses().await), RAN);
    assert_eq!(http(agent.address(), "GET", "/health", None).await.0, 200);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_given_fails_and_does_not_run() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let agent = master.agent(options(master.address, work_dir.path())).await;
    let ran = work_dir.path().join("ran");
    let docker: v1::ContainerInfo =
        proto::json::from_slice(br#"{"type":"DOCKER","docker":{"image":"busybox"}}"#).expect("a container");
    let line = format!("touch {}", ran.display());
    master.run(v1::TaskInfo { container: Some(docker), ..command_task("t", &line) });
    let statuses = master.statuses().await;
    assert_eq!(states(&statuses), ["TASK_FAILED"]);
    assert_eq!(statuses[0].reason(), v1::task_status::Reason::ContainerLaunchFailed);
    assert_eq!(statuses[0].source(), v1::task_status::Source::Agent);
    let why = "Failed to launch container: this agent does not support containers of type DOCKER yet";
    assert_eq!(statuses[0].message(), why);
    let exited: internal::ExitedExecutorMessage = master.expect().await;
    assert_eq!(exited.executor_id.value, "t");

    let plain: v1::ContainerInfo = proto::json::from_slice(br#"{"type":"MESOS"}"#).expect("a container");
    assert!(!ran.exists());
    master.run(v1::TaskInfo { container: Some(plain), ..command_task("u", &line) });
    assert_eq!(states(&master.statuses().await), RAN);
    assert!(ran.exists());
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_is_there_but_does_not_ping_is_left_for_the_leader() {
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let work_dir = tempfile::tempdir().expect("a directory");
    let (mut old, mut new) = (FakeMaster::start().await, FakeMaster::start().await);
    let front = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = front.local_addr().expect("bound");
    let leader = Arc::new(Mutex::new(old.address));
    let says = Arc::clone(&leader);
    let answering = tokio::spawn(async move {
        while let Ok((mut stream, _)) = front.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let info = serde_json::json!({ "pid": format!("master@{}", says.lock().expect("not poisoned")) });
            let answer = serde_json::json!({ "type": "GET_MASTER", "get_master": { "master_info": info } });
            let _ = stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{answer}").as_bytes()).await;
        }
    });
    let agent = agent::AgentServer::start(options(address, work_dir.path())).await.expect("an agent");
    old.point_at(&agent);
    let _: internal::RegisterSlaveMessage = old.expect().await;
    *leader.lock().expect("not poisoned") = new.address;
    old.say(&internal::SlaveRegisteredMessage {
        slave_id: AGENT_ID.into(),
        connection: Some(internal::MasterSlaveConnection { total_ping_timeout_seconds: Some(0.1) }),
    });
    let reregister: internal::ReregisterSlaveMessage = new.expect().await;
    assert_eq!(reregister.slave.id.map(|id| id.value).as_deref(), Some(AGENT_ID));
    answering.abort();
    agent.shutdown().await;
}
