//! A real agent that is killed and started again while its tasks run, with containers that outlive it.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use agent::{AgentOptions, AgentServer, LauncherKind, Recover};
use common::{AGENT_ID, FakeMaster, command_task, framework, is_alive, json, options, shell, states, until};
use proto::{internal, v1};

/// Containers outlive an agent only where they have control groups, which only root makes.
fn can() -> bool {
    let can = containerizer::LinuxLauncher::available();
    if !can {
        eprintln!("skipped: the Linux launcher is not to be had here");
    }
    can
}

/// The control groups of a test, removed with it.
struct Groups(String);

impl Groups {
    fn of(work_dir: &Path) -> Self {
        Self(Self::name(work_dir))
    }

    fn name(work_dir: &Path) -> String {
        format!("meseta-test{}", work_dir.file_name().unwrap_or_default().to_string_lossy())
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let root = Path::new("/sys/fs/cgroup");
        let hierarchies = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
        for hierarchy in hierarchies.chain([root.to_owned()]) {
            // Not there, or still in use by what a failed test has left.
            let _ = std::fs::remove_dir(hierarchy.join(&self.0));
        }
    }
}

/// Each test has control groups of its own.
fn linux(master: std::net::SocketAddr, work_dir: &Path) -> AgentOptions {
    let mut options = AgentOptions { launcher: LauncherKind::Linux, seed: None, ..options(master, work_dir) };
    options.linux.cgroups_root = Groups::name(work_dir);
    options
}

/// The body of the process that is killed; started by the tests below.
#[test]
#[ignore = "it is a process of another test"]
fn process() {
    let (Ok(master), Ok(work_dir)) = (std::env::var("TEST_MASTER"), std::env::var("TEST_WORK_DIR")) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let work_dir = Path::new(&work_dir);
        let options = linux(master.parse().expect("an address"), work_dir);
        let agent = AgentServer::start(options).await.expect("an agent");
        std::fs::write(work_dir.join("address"), agent.address().to_string()).expect("ours");
        std::future::pending::<()>().await;
    });
}

struct Process(std::process::Child);

impl Process {
    async fn start(master: &mut FakeMaster, work_dir: &Path) -> Self {
        let address = work_dir.join("address");
        let _ = std::fs::remove_file(&address);
        let child = std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["--ignored", "--exact", "process", "--nocapture"])
            .env("TEST_MASTER", master.address.to_string())
            .env("TEST_WORK_DIR", work_dir)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::inherit())
            .spawn()
            .expect("a process");
        let mut found = None;
        until(|| {
            found = std::fs::read_to_string(&address).ok().and_then(|text| text.parse().ok());
            found.is_some()
        })
        .await;
        master.point_to(found.expect("it listens"));
        Self(child)
    }

    fn kill(mut self) {
        self.0.kill().expect("SIGKILL");
        self.0.wait().expect("it is gone");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn register(master: &mut FakeMaster) {
    let _: internal::RegisterSlaveMessage = master.expect().await;
    master.say(&internal::SlaveRegisteredMessage { slave_id: AGENT_ID.into(), connection: None });
    let _: internal::UpdateSlaveMessage = master.expect().await;
}

/// The agent that came again is taken in; what it says.
async fn reregister(master: &mut FakeMaster) -> internal::ReregisterSlaveMessage {
    let message = loop {
        let heard = master.hear().await;
        if heard.name == "mesos.internal.ReregisterSlaveMessage" {
            break proto::decode(&heard.body).expect("it is what its name says");
        }
    };
    master.say(&internal::SlaveReregisteredMessage { slave_id: AGENT_ID.into(), ..Default::default() });
    while master.hear().await.name != "mesos.internal.UpdateSlaveMessage" {}
    message
}

fn run(master: &mut FakeMaster, checkpoint: bool, task: v1::TaskInfo) {
    master.say(&internal::RunTaskMessage {
        framework: v1::FrameworkInfo { checkpoint: Some(checkpoint), ..framework() },
        task,
        launch_executor: Some(true),
        pid: Some("@0.0.0.0:0".to_owned()),
        ..Default::default()
    });
}

async fn running(master: &mut FakeMaster) -> u32 {
    let statuses = [master.status().await, master.status().await];
    assert_eq!(states(&statuses), ["TASK_STARTING", "TASK_RUNNING"]);
    statuses[1].container_status.as_ref().expect("known").executor_pid.expect("a process")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_outlives_its_agent() {
    if !can() {
        return;
    }
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let process = Process::start(&mut master, work_dir.path()).await;
    register(&mut master).await;
    let line = "while ! test -e go; do sleep 0.01; done; echo here; exit 3";
    run(&mut master, true, command_task("t", line));
    let pid = running(&mut master).await;
    process.kill();
    assert!(is_alive(pid), "the task goes on");

    let process = Process::start(&mut master, work_dir.path()).await;
    let message = reregister(&mut master).await;
    assert_eq!((message.tasks.len(), message.tasks[0].state()), (1, v1::TaskState::TaskRunning));
    assert_eq!(message.frameworks.len(), 1);
    let sandbox = sandbox(work_dir.path());
    std::fs::write(sandbox.join("go"), "").expect("ours");
    let last = master.statuses().await.pop().expect("its end");
    assert_eq!((last.state(), last.message()), (v1::TaskState::TaskFailed, "Command exited with status 3"));
    assert_eq!(std::fs::read_to_string(sandbox.join("stdout")).expect("there"), "here\n");
    until(|| !is_alive(pid)).await;
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_task_while_its_agent_is_away_is_told_as_it_was() {
    if !can() {
        return;
    }
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let process = Process::start(&mut master, work_dir.path()).await;
    register(&mut master).await;
    run(&mut master, true, command_task("t", "while ! test -e go; do sleep 0.01; done; exit 7"));
    let pid = running(&mut master).await;
    process.kill();
    std::fs::write(sandbox(work_dir.path()).join("go"), "").expect("ours");
    until(|| !is_alive(pid)).await;
    let process = Process::start(&mut master, work_dir.path()).await;
    reregister(&mut master).await;
    let last = master.statuses().await.pop().expect("its end");
    assert_eq!((last.state(), last.message()), (v1::TaskState::TaskFailed, "Command exited with status 7"));
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_checkpoint_ends_with_the_agent() {
    if !can() {
        return;
    }
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let process = Process::start(&mut master, work_dir.path()).await;
    register(&mut master).await;
    run(&mut master, false, command_task("t", "sleep 600"));
    let pid = running(&mut master).await;
    process.kill();
    let process = Process::start(&mut master, work_dir.path()).await;
    assert_eq!(reregister(&mut master).await.tasks, []);
    until(|| !is_alive(pid)).await;
    process.kill();
}

/// Killed again and again while tasks start and end: each ends once and truly, and runs once.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_nothing_runs_twice_and_every_end_is_true() {
    if !can() {
        return;
    }
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let marks = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let mut process = Process::start(&mut master, work_dir.path()).await;
    register(&mut master).await;
    let mut ends: BTreeMap<String, Option<Vec<u8>>> = BTreeMap::new();
    for round in 0..10_u64 {
        for number in 0..3 {
            let id = format!("t{round}-{number}");
            let line = format!("echo x >> {}/{id}; sleep 0.0{number}; exit {number}", marks.path().display());
            run(&mut master, true, command_task(&id, &line));
        }
        tokio::time::sleep(std::time::Duration::from_millis(3 * round)).await;
        process.kill();
        process = Process::start(&mut master, work_dir.path()).await;
        let told = reregister(&mut master).await;
        let mut open: Vec<String> = told.tasks.iter().map(|task| task.task_id.value.clone()).collect();
        open.sort();
        // What never reached the agent is not there; what did ends.
        while !open.is_empty() {
            let heard = master.hear().await;
            if heard.name != "mesos.internal.StatusUpdateMessage" {
                continue;
            }
            let update: internal::StatusUpdateMessage = proto::decode(&heard.body).expect("an update");
            master.acknowledge(&update.update);
            let status = update.update.status;
            if common::is_terminal(status.state()) {
                open.retain(|id| *id != status.task_id.value);
                // An acknowledgement may have come too late; then it is the same end once more.
                let uuid = status.uuid.as_ref().map(|uuid| uuid.to_vec());
                let first = ends.entry(status.task_id.value.clone()).or_insert_with(|| uuid.clone());
                assert_eq!(*first, uuid, "{} ended twice", status.task_id.value);
                let number: u32 =
                    status.task_id.value.rsplit('-').next().and_then(|n| n.parse().ok()).expect("one");
                let ran =
                    std::fs::read_to_string(marks.path().join(&status.task_id.value)).unwrap_or_default();
                let expected = match (ran.as_str(), number) {
                    // It was lost between the decision and the launch.
                    ("", _) => v1::TaskState::TaskFailed,
                    ("x\n", 0) => v1::TaskState::TaskFinished,
                    ("x\n", _) => v1::TaskState::TaskFailed,
                    (twice, _) => panic!("{} ran twice: {twice}", status.task_id.value),
                };
                assert_eq!(status.state(), expected, "{}: {:?}", status.task_id.value, status.message);
            }
        }
    }
    let all = ends.len();
    assert!(all > 15, "only {all} of 30 tasks were there when the agent was killed");
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_outlives_its_agent() {
    if !can() {
        return;
    }
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let process = Process::start(&mut master, work_dir.path()).await;
    register(&mut master).await;
    let executor = v1::ExecutorInfo {
        r#type: Some(v1::executor_info::Type::Default.into()),
        executor_id: "pod".into(),
        framework_id: Some(common::FRAMEWORK_ID.into()),
        resources: vec![common::scalar("cpus", 0.1)],
        ..Default::default()
    };
    let line = "while ! test -e go; do sleep 0.01; done";
    let task = |id: &str| v1::TaskInfo { command: Some(shell(line)), ..common::task(id) };
    master.say(&internal::RunTaskGroupMessage {
        framework: v1::FrameworkInfo { checkpoint: Some(true), ..framework() },
        executor,
        task_group: v1::TaskGroupInfo { tasks: vec![task("a"), task("b")] },
        launch_executor: Some(true),
        ..Default::default()
    });
    let mut seen = Vec::new();
    while seen.iter().filter(|state| **state == v1::TaskState::TaskRunning).count() < 2 {
        seen.push(master.status().await.state());
    }
    process.kill();
    let process = Process::start(&mut master, work_dir.path()).await;
    let message = reregister(&mut master).await;
    assert_eq!((message.tasks.len(), message.executor_infos.len()), (2, 1), "{message:?}");
    let containers = sandbox(work_dir.path()).join("containers");
    for nested in std::fs::read_dir(containers).expect("two").flatten() {
        std::fs::write(nested.path().join("go"), "").expect("ours");
    }
    for _ in 0..2 {
        let last = master.statuses().await.pop().expect("its end");
        assert_eq!(last.state(), v1::TaskState::TaskFinished);
    }
    let exited: internal::ExitedExecutorMessage = master.expect().await;
    assert_eq!(exited.executor_id.value, "pod");
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_leaves_is_followed_by_the_next_and_cleanup_ends_all() {
    if !can() {
        return;
    }
    let work_dir = tempfile::tempdir().expect("a directory");
    let _groups = Groups::of(work_dir.path());
    let mut master = FakeMaster::start().await;
    let options = linux(master.address, work_dir.path());
    let agent = AgentServer::start(options.clone()).await.expect("an agent");
    master.register(&agent).await;
    run(&mut master, true, command_task("t", "sleep 600"));
    let pid = running(&mut master).await;
    agent.leave().await;
    assert!(is_alive(pid));

    let agent = AgentServer::start(options.clone()).await.expect("an agent");
    master.point_at(&agent);
    let message = reregister(&mut master).await;
    assert_eq!(message.tasks[0].state(), v1::TaskState::TaskRunning, "{message:?}");
    let state = json(agent.address(), "/state").await;
    assert_eq!(state["frameworks"][0]["executors"][0]["tasks"][0]["state"], "TASK_RUNNING");
    agent.leave().await;

    let cleanup = AgentOptions { recover: Recover::Cleanup, ..options.clone() };
    let agent = AgentServer::start(cleanup).await.expect("an agent");
    assert!(agent.terminated().await.reason.contains("--recover=cleanup"));
    agent.shutdown().await;
    assert!(!is_alive(pid));
    let agent = AgentServer::start(options).await.expect("an agent");
    master.point_at(&agent);
    let message: internal::RegisterSlaveMessage = loop {
        let heard = master.hear().await;
        if heard.name == "mesos.internal.RegisterSlaveMessage" {
            break proto::decode(&heard.body).expect("it is what its name says");
        }
    };
    assert_eq!(message.slave.id, None, "it is a new one");
    agent.shutdown().await;
}

/// The sandbox of the only executor.
fn sandbox(work_dir: &Path) -> std::path::PathBuf {
    let mut path = work_dir.canonicalize().expect("there");
    for name in ["slaves", AGENT_ID, "frameworks", common::FRAMEWORK_ID, "executors"] {
        path.push(name);
    }
    let executor = std::fs::read_dir(&path).expect("there").flatten().next().expect("one").path();
    executor.join("runs/latest").canonicalize().expect("it leads to the run")
}
