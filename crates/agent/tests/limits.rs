//! What containers may use follows their tasks, and outlives the agent. On real control groups, as root.

mod common;

use std::net::TcpListener;
use std::time::Duration;

use agent::{AgentOptions, AgentServer, Isolation};
use common::groups::{Groups, linux};
use common::pods::group;
use common::{AGENT_ID, FRAMEWORK_ID, FakeMaster, command_task, framework, scalar, shell, task, until};
use proto::{internal, v1};

const MEMORY: [&str; 2] = ["memory.limit_in_bytes", "memory.max"];
const SOFT_MEMORY: [&str; 2] = ["memory.soft_limit_in_bytes", "memory.low"];

fn with(mut options: AgentOptions, isolation: &str) -> AgentOptions {
    options.linux.isolation = Isolation::parse(isolation).expect("known isolators");
    options
}

/// A task of 64 MB that ends when somebody makes the file that is named after it in its executor's sandbox.
fn waiting(id: &str, limit: Option<f64>) -> v1::TaskInfo {
    let entry = |value| v1::task_info::LimitsEntry {
        key: Some("mem".to_owned()),
        value: Some(v1::value::Scalar { value }),
    };
    v1::TaskInfo {
        command: Some(shell(&format!("while ! test -e ../../{id}; do sleep 0.01; done"))),
        resources: vec![scalar("cpus", 0.1), scalar("mem", 64.0)],
        limits: limit.map(entry).into_iter().collect(),
        ..task(id)
    }
}

/// Waits until a task runs; its container.
async fn running(master: &mut FakeMaster) -> v1::ContainerId {
    loop {
        let status = master.status().await;
        if status.state() == v1::TaskState::TaskRunning {
            return status.container_status.and_then(|status| status.container_id).expect("it has one");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_group_may_use_follows_its_tasks() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let isolation = "cgroups/cpu,cgroups/mem,filesystem/linux,namespaces/pid";
    let agent = master.agent(with(linux(master.address, work_dir.path()), isolation)).await;
    master.say(&group(vec![waiting("a", None)]));
    let container = running(&mut master).await.parent.expect("it is nested").value;
    let megabytes = |names| {
        let bytes: u64 = groups.read(&container, names).expect("it has a group").parse().expect("a number");
        bytes >> 20
    };
    assert_eq!((megabytes(SOFT_MEMORY), megabytes(MEMORY)), (96, 96));

    let more = group(vec![waiting("b", Some(128.0))]);
    master.say(&internal::RunTaskGroupMessage { launch_executor: Some(false), ..more });
    running(&mut master).await;
    assert_eq!((megabytes(SOFT_MEMORY), megabytes(MEMORY)), (160, 224), "what it may go beyond counts");

    let sandbox = sandbox(work_dir.path(), &container);
    std::fs::write(sandbox.join("b"), "").expect("ours");
    let last = master.statuses().await.pop().expect("its end");
    assert_eq!(last.state(), v1::TaskState::TaskFinished);
    // Told after the limits were set. What is in use is never taken away.
    assert_eq!((megabytes(SOFT_MEMORY), megabytes(MEMORY)), (96, 224));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_holds_too_much_ends_as_one_and_says_why() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let mut options = with(linux(master.address, work_dir.path()), "disk/du,filesystem/linux,namespaces/pid");
    options.linux.disk_interval = Duration::from_millis(20);
    options.linux.enforce_disk = true;
    let agent = master.agent(options).await;
    let line = "head -c 4194304 /dev/urandom > big; sync big; sleep 600";
    let mut writer = v1::TaskInfo { command: Some(shell(line)), ..task("writer") };
    writer.resources.push(scalar("disk", 2.0));
    master.say(&group(vec![waiting("idle", None), writer]));
    for end in master.ends(2).await {
        assert_eq!(end.state(), v1::TaskState::TaskFailed, "{end:?}");
        assert_eq!(end.reason(), v1::task_status::Reason::ContainerLimitationDisk, "{end:?}");
        assert!(end.message().contains("exceeds quota (2MB)"), "{end:?}");
        assert_eq!(beyond(&end), [scalar("disk", 2.0)]);
    }
    agent.shutdown().await;
}

/// Its executor hears of it from the agent and tells it, as Mesos' does; a command task has none that would be left.
#[tokio::test(flavor = "multi_thread")]
async fn a_memory_hog_is_ended_and_named_in_its_status() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let isolation = "cgroups/cpu,cgroups/mem,filesystem/linux,namespaces/pid";
    let agent = master.agent(with(linux(master.address, work_dir.path()), isolation)).await;
    // The hog is not the first process of its container.
    let hog = |id: &str| v1::TaskInfo {
        resources: vec![scalar("cpus", 0.1), scalar("mem", 64.0)],
        ..command_task(id, "python3 -c 'x = bytearray(200 << 20)'; sleep 600")
    };
    master.run(hog("alone"));
    let alone = master.statuses().await.pop().expect("its end");
    master.say(&group(vec![hog("grouped")]));
    let grouped = master.statuses().await.pop().expect("its end");
    // Those of a group share what it has, its executor's part included.
    for (end, limit) in [(&alone, 64.0), (&grouped, 96.0)] {
        assert_eq!(end.state(), v1::TaskState::TaskFailed, "{end:?}");
        assert_eq!(end.reason(), v1::task_status::Reason::ContainerLimitationMemory, "{end:?}");
        let message = end.message();
        assert!(message.contains(&format!("exceeded: Requested: {limit}MB Maximum Used: ")), "{message}");
        assert!(message.contains("biggest process: ") && message.contains("(python3) with "), "{message}");
        assert!(message.contains("\n\nMEMORY STATISTICS: \n"), "{message}");
        let [beyond] = beyond(end).try_into().expect("of one resource");
        assert_eq!(beyond.name, "mem");
        let peak = beyond.scalar.expect("an amount").value;
        assert!((limit - 4.0..=limit + 1.0).contains(&peak), "{peak}");
    }
    assert_eq!(alone.source(), v1::task_status::Source::Agent, "{alone:?}");
    assert_eq!(grouped.source(), v1::task_status::Source::Executor, "{grouped:?}");
    assert!(grouped.message().starts_with("Command terminated with signal Killed: Memory"), "{grouped:?}");
    assert!(grouped.container_status.is_some(), "{grouped:?}");
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_stops_at_its_limit_and_its_status_says_so() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let mut options =
        with(linux(master.address, work_dir.path()), "cgroups/pids,filesystem/linux,namespaces/pid");
    options.linux.pids_limit = Some(50);
    let agent = master.agent(options).await;
    let mut command =
        v1::CommandInfo { shell: Some(false), value: Some("python3".to_owned()), ..Default::default() };
    command.arguments = ["python3", "-c", FORKS].map(str::to_owned).to_vec();
    master.run(v1::TaskInfo { command: Some(command), ..task("t") });
    let last = master.statuses().await.pop().expect("its end");
    assert_eq!(last.state(), v1::TaskState::TaskFailed, "{last:?}");
    assert_eq!(last.reason(), v1::task_status::Reason::ContainerLimitation, "{last:?}");
    assert!(last.message().starts_with("Process limit exceeded: at its limit of 50 "), "{last:?}");
    agent.shutdown().await;
}

/// What a task that was ended for it went beyond.
fn beyond(end: &v1::TaskStatus) -> Vec<v1::Resource> {
    end.limitation.clone().expect("it says what it went beyond").resources
}

fn sandbox(work_dir: &std::path::Path, container: &str) -> std::path::PathBuf {
    let executor = format!("slaves/{AGENT_ID}/frameworks/{FRAMEWORK_ID}/executors/pod/runs/{container}");
    work_dir.join(executor)
}

/// Forks until that is refused.
const FORKS: &str = "
import os, time
while True:
    try:
        if os.fork() == 0: time.sleep(600)
    except OSError: os._exit(5)";

/// Listens on the port that the file `port` names, once it is there.
const LISTENS: &str = "
import os, socket, time
def listen(name):
    while not os.path.exists(name): time.sleep(0.01)
    s = socket.socket()
    s.bind(('127.0.0.1', int(open(name).read())))
    s.listen()
    open(name + '.up', 'w').close()
    return s
held = [listen('own'), listen('foreign')]
time.sleep(600)";

#[tokio::test(flavor = "multi_thread")]
async fn a_recovered_container_keeps_its_limits() {
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let mut options =
        with(linux(master.address, work_dir.path()), "network/ports,filesystem/linux,namespaces/pid");
    options.linux.ports_interval = Duration::from_millis(20);
    options.linux.enforce_ports = true;
    options.resources = Some("cpus:8;mem:8192;ports:[1024-65535]".to_owned());
    let agent = master.agent(options.clone()).await;
    let free = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("it has one").port()
    };
    let (own, foreign) = (free(), free());
    let mut command =
        v1::CommandInfo { shell: Some(false), value: Some("python3".to_owned()), ..Default::default() };
    command.arguments = ["python3", "-c", LISTENS].map(str::to_owned).to_vec();
    master.say(&internal::RunTaskMessage {
        framework: v1::FrameworkInfo { checkpoint: Some(true), ..framework() },
        task: v1::TaskInfo {
            command: Some(command),
            resources: vec![scalar("cpus", 0.1), scalar("mem", 64.0), port(own)],
            ..task("t")
        },
        launch_executor: Some(true),
        pid: Some("@0.0.0.0:0".to_owned()),
        ..Default::default()
    });
    let container = running(&mut master).await.value;
    let sandbox = sandbox(work_dir.path(), &container);
    let sandbox = std::path::PathBuf::from(sandbox.display().to_string().replace("/pod/", "/t/"));
    std::fs::write(sandbox.join("own"), own.to_string()).expect("ours");
    until(|| sandbox.join("own.up").exists()).await;
    agent.leave().await;

    let agent = AgentServer::start(options).await.expect("an agent");
    master.point_at(&agent);
    while master.hear().await.name != "mesos.internal.ReregisterSlaveMessage" {}
    master.say(&internal::SlaveReregisteredMessage { slave_id: AGENT_ID.into(), ..Default::default() });
    while master.hear().await.name != "mesos.internal.UpdateSlaveMessage" {}
    // Its own port is none to end it for; one that it has not got is, and that alone is what it is told.
    std::fs::write(sandbox.join("foreign"), foreign.to_string()).expect("ours");
    let last = master.statuses().await.pop().expect("its end");
    assert_eq!(last.state(), v1::TaskState::TaskFailed);
    assert_eq!(last.reason(), v1::task_status::Reason::ContainerLimitation);
    assert!(
        last.message().contains(&format!("unallocated port(s): [{foreign}-{foreign}]")),
        "{}",
        last.message()
    );
    assert_eq!(beyond(&last), [v1::Resource { allocation_info: None, ..port(foreign) }]);
    agent.shutdown().await;
}

fn port(number: u16) -> v1::Resource {
    let range = v1::value::Range { begin: number.into(), end: number.into() };
    v1::Resource {
        name: "ports".to_owned(),
        r#type: v1::value::Type::Ranges.into(),
        ranges: Some(v1::value::Ranges { range: vec![range] }),
        scalar: None,
        ..scalar("ports", 0.0)
    }
}
