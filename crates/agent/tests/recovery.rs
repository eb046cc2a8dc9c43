//! A real agent that is killed and started again while its tasks run, with containers that outlive it.

mod common;
mod life;

use std::path::PathBuf;

use agent::{AgentOptions, AgentServer, Recover};
use common::pods::group;
use common::{AGENT_ID, FakeMaster, command_task, framework, is_alive, json, shell, states, until};
use life::failpoint::Failpoint;
use life::{Place, Process};
use proto::{internal, v1};

/// Waits for a file, and ends with a status.
fn waits(status: u8) -> String {
    format!("while ! test -e go; do sleep 0.01; done; echo here; exit {status}")
}

/// An agent that is registered.
struct Scene {
    process: Process,
    master: FakeMaster,
    // Last, since what is left there is looked at when the agent has gone.
    place: Place,
}

impl Scene {
    async fn start() -> Self {
        let (place, mut master) = (Place::new(), FakeMaster::start().await);
        master.point_to(place.agent());
        let process = place.start(master.address).await;
        master.take_in().await;
        Self { place, master, process }
    }

    async fn running(&mut self, checkpoint: bool, id: &str, line: &str) -> u32 {
        running(&mut self.master, checkpoint, id, line).await
    }

    /// Starts the agent that was killed; what it says.
    async fn again(&mut self) -> internal::ReregisterSlaveMessage {
        self.process = self.place.start(self.master.address).await;
        self.master.take_back().await.0
    }

    /// The sandbox of an executor.
    fn sandbox(&self, executor: &str) -> PathBuf {
        let mut path = self.place.work_dir();
        for name in ["slaves", AGENT_ID, "frameworks", common::FRAMEWORK_ID, "executors", executor] {
            path.push(name);
        }
        path.join("runs/latest").canonicalize().expect("it leads to the run")
    }

    fn go(&self, executor: &str) {
        std::fs::write(self.sandbox(executor).join("go"), "").expect("ours");
    }

    async fn recovery_errors(&self) -> f64 {
        let metrics = json(self.place.agent(), "/metrics/snapshot").await;
        metrics["slave/recovery_errors"].as_f64().expect("a number")
    }

    /// The end of the only task.
    async fn assert_ends(&mut self, state: v1::TaskState, message: &str) -> v1::TaskStatus {
        let last = self.master.statuses().await.pop().expect("its end");
        assert_eq!((last.state(), last.message()), (state, message));
        last
    }
}

/// Runs a command; its process.
async fn running(master: &mut FakeMaster, checkpoint: bool, id: &str, line: &str) -> u32 {
    master.run_for(checkpoint, command_task(id, line));
    let statuses = [master.status().await, master.status().await];
    assert_eq!(states(&statuses), ["TASK_STARTING", "TASK_RUNNING"]);
    statuses[1].container_status.as_ref().expect("known").executor_pid.expect("a process")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_outlives_its_agent() {
    let mut scene = Scene::start().await;
    let pid = scene.running(true, "t", &waits(3)).await;
    scene.process.kill();
    assert!(is_alive(pid), "the task goes on");
    let message = scene.again().await;
    assert_eq!((message.tasks.len(), message.tasks[0].state()), (1, v1::TaskState::TaskRunning));
    assert_eq!(message.frameworks.len(), 1);
    scene.go("t");
    scene.assert_ends(v1::TaskState::TaskFailed, "Command exited with status 3").await;
    assert_eq!(std::fs::read_to_string(scene.sandbox("t").join("stdout")).expect("there"), "here\n");
    until(|| !is_alive(pid)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_task_while_its_agent_is_away_is_told_as_it_was() {
    let mut scene = Scene::start().await;
    let pid = scene.running(true, "t", &waits(7)).await;
    scene.process.kill();
    scene.go("t");
    until(|| !is_alive(pid)).await;
    scene.again().await;
    let failed = "Executor terminated while the agent was away: exit status: 7";
    let last = scene.assert_ends(v1::TaskState::TaskFailed, failed).await;
    assert_eq!(last.reason(), v1::task_status::Reason::ExecutorTerminated);
    assert_eq!((last.source(), last.container_status), (v1::task_status::Source::Agent, None));
}

/// The acknowledgement of a status came, and the agent is killed before anything that follows from it is on the disk.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_at_the_last_moment_is_not_told_again() {
    let mut scene = Scene::start().await;
    scene.master.run_for(true, command_task("t", &waits(4)));
    assert_eq!(scene.master.status().await.state(), v1::TaskState::TaskStarting);
    let running = scene.master.expect::<internal::StatusUpdateMessage>().await.update;
    assert_eq!(running.status.state(), v1::TaskState::TaskRunning);
    let pid = running.status.container_status.as_ref().and_then(|status| status.executor_pid).expect("known");
    scene.place.arm(Failpoint::Before(1));
    scene.master.acknowledge(&running);
    life::until("the agent dies at that", || scene.process.is_dead()).await;
    scene.place.disarm();
    scene.go("t");
    until(|| !is_alive(pid)).await;
    let message = scene.again().await;
    // The master is told what is true, although the agent was asked within moments of its start.
    assert_eq!((message.tasks.len(), message.tasks[0].state()), (1, v1::TaskState::TaskFailed));
    assert_eq!(states(&scene.master.statuses().await), ["TASK_FAILED"]);
}

/// MESOS-7911: nothing of it goes on behind the back of its framework.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_checkpoint_ends_with_the_agent_mesos_7911() {
    let mut scene = Scene::start().await;
    let pid = scene.running(false, "t", "sleep 600").await;
    scene.process.kill();
    assert_eq!(scene.again().await.tasks, []);
    until(|| !is_alive(pid) && scene.place.leftovers().is_empty()).await;
}

/// What has run is not run again; the agent is the one that it was.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_start_of_the_machine_tasks_have_ended_and_the_agent_is_the_same() {
    let mut scene = Scene::start().await;
    let pid = scene.running(true, "t", "sleep 600").await;
    scene.process.kill();
    scene.place.kill_containers();
    until(|| !is_alive(pid)).await;
    scene.process = scene.place.start_after_reboot(scene.master.address).await;
    let message = scene.master.take_back().await.0;
    assert_eq!((message.slave.id, message.tasks.len()), (Some(AGENT_ID.into()), 1));
    let ended = "The container ended when the machine was started anew";
    scene.assert_ends(v1::TaskState::TaskFailed, ended).await;
    until(|| scene.place.leftovers().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_lost_without_a_start_of_the_machine_says_so() {
    let mut scene = Scene::start().await;
    let pid = scene.running(true, "t", "sleep 600").await;
    scene.process.kill();
    scene.place.kill_containers();
    until(|| !is_alive(pid)).await;
    std::fs::remove_dir_all(scene.place.work_dir().join("meta/runtime/containers")).expect("ours");
    scene.again().await;
    let ended = "The container ended together with the agent that had launched it";
    scene.assert_ends(v1::TaskState::TaskFailed, ended).await;
}

/// Its agent was still fetching for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_never_started_is_started_by_the_next_agent() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut scene = Scene::start().await;
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let value = format!("http://{}/file", server.local_addr().expect("bound"));
    let uri = v1::command_info::Uri { value, ..Default::default() };
    let command = v1::CommandInfo { uris: vec![uri], ..shell("cat file") };
    scene.master.run_for(true, v1::TaskInfo { command: Some(command), ..common::task("t") });
    let (unanswered, _) = server.accept().await.expect("it fetches");
    scene.process.kill();
    drop(unanswered);

    let message = scene.again().await;
    assert_eq!((message.tasks.len(), message.tasks[0].state()), (1, v1::TaskState::TaskStaging));
    let (mut asked, _) = server.accept().await.expect("it fetches again");
    let _ = asked.read(&mut [0; 1024]).await.expect("a request");
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nfetched";
    asked.write_all(answer).await.expect("answered");
    drop(asked);
    let statuses = [scene.master.status().await, scene.master.status().await, scene.master.status().await];
    assert_eq!(states(&statuses), ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"], "{statuses:?}");
    assert_eq!(std::fs::read_to_string(scene.sandbox("t").join("stdout")).expect("there"), "fetched");
}

/// The agent fetches for it when the power is lost, as far as the next one can tell; that one is killed as well, before it has
/// written down what has become of the task.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_run_before_the_machine_was_started_is_not_started_again() {
    let mut scene = Scene::start().await;
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let value = format!("http://{}/file", server.local_addr().expect("bound"));
    let uri = v1::command_info::Uri { value, ..Default::default() };
    let command = v1::CommandInfo { uris: vec![uri], ..shell("true") };
    scene.master.run_for(true, v1::TaskInfo { command: Some(command), ..common::task("t") });
    let (unanswered, _) = server.accept().await.expect("it fetches");
    scene.process.kill();
    drop(unanswered);

    scene.place.arm(Failpoint::After(1));
    let mut killed = scene.place.start_after_reboot(scene.master.address).await;
    until(|| killed.is_dead()).await;
    scene.place.disarm();
    scene.process = scene.place.start_after_reboot(scene.master.address).await;
    scene.master.take_back().await;
    let ended = "The container ended when the machine was started anew";
    scene.assert_ends(v1::TaskState::TaskFailed, ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_outlives_its_agent() {
    let mut scene = Scene::start().await;
    let task = |id: &str| command_task(id, &waits(0));
    scene.master.say(&internal::RunTaskGroupMessage {
        framework: v1::FrameworkInfo { checkpoint: Some(true), ..framework() },
        ..group(vec![task("a"), task("b")])
    });
    let mut seen = Vec::new();
    while seen.iter().filter(|state| **state == v1::TaskState::TaskRunning).count() < 2 {
        seen.push(scene.master.status().await.state());
    }
    scene.process.kill();
    let message = scene.again().await;
    assert_eq!((message.tasks.len(), message.executor_infos.len()), (2, 1), "{message:?}");
    for nested in std::fs::read_dir(scene.sandbox("pod").join("containers")).expect("two").flatten() {
        std::fs::write(nested.path().join("go"), "").expect("ours");
    }
    for _ in 0..2 {
        scene.assert_ends(v1::TaskState::TaskFinished, "Command exited with status 0").await;
    }
    let exited: internal::ExitedExecutorMessage = scene.master.expect().await;
    assert_eq!(exited.executor_id.value, "pod");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_over_is_shown_by_the_next_life() {
    let mut scene = Scene::start().await;
    scene.master.run_for(true, command_task("over", "exit 3"));
    assert_eq!(scene.master.statuses().await.len(), 3);
    scene.running(true, "t", "sleep 600").await;
    let state = json(scene.place.agent(), "/state").await;
    let before = state["frameworks"][0]["completed_executors"].clone();
    assert_eq!(before[0]["completed_tasks"][0]["state"], "TASK_FAILED");
    scene.process.kill();
    let message = scene.again().await;
    assert_eq!(message.tasks.len(), 1);
    let state = json(scene.place.agent(), "/state").await;
    assert_eq!(state["frameworks"][0]["completed_executors"], before);
    scene.place.kill_containers();
    assert_eq!(scene.master.statuses().await.pop().expect("its end").state(), v1::TaskState::TaskFailed);
}

/// Two tasks run; something is done to what the agent has written down, and it starts again. Which tasks it then knows.
async fn after_damage(damage: impl FnOnce(&std::path::Path)) -> (Scene, Vec<String>, [u32; 2]) {
    let mut scene = Scene::start().await;
    let pids = [scene.running(true, "a", &waits(0)).await, scene.running(true, "b", "sleep 600").await];
    scene.process.kill();
    damage(&scene.place.work_dir().join("meta/agent.redb"));
    let message = scene.again().await;
    let tasks = message.tasks.into_iter().map(|task| task.task_id.value).collect();
    (scene, tasks, pids)
}

fn put(store: &std::path::Path, key: &str, value: &[u8]) {
    let store::Opened { mut store, records, .. } = store::Embedded::open(store).expect("a store");
    assert!(records.iter().any(|(known, _)| known == key), "{key} is one of {records:?}");
    let mut batch = store::Batch::new();
    batch.put(key, value.to_vec());
    store::Backend::commit(&mut store, &batch).expect("it is written");
}

/// The most memory that a process has held so far, in bytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells");
    line.trim().strip_suffix(" kB").and_then(|number| number.parse::<u64>().ok()).expect("a number") << 10
}

/// MESOS-6285: agents that found too many tasks and executors when they recovered ran out of memory. Far more are written down
/// here than an agent leaves; it takes up what it keeps, forgets the others for good, and needs little memory for that.
#[tokio::test(flavor = "multi_thread")]
async fn too_much_history_does_not_exhaust_memory_mesos_6285() {
    const TASKS: u64 = 20_000;
    let mut scene = Scene::start().await;
    scene.running(true, "t", "sleep 600").await;
    scene.master.run_for(true, command_task("over", "exit 3"));
    assert_eq!(scene.master.statuses().await.len(), 3);
    scene.master.until_written().await;
    scene.process.kill();
    scene.again().await;
    let usual = peak(scene.process.id());
    scene.process.kill();
    let path = scene.place.work_dir().join("meta/agent.redb");
    let store::Opened { mut store, records, .. } = store::Embedded::open(&path).expect("a store");
    let past: Vec<_> = records.iter().filter(|(key, _)| key.starts_with("past/")).collect();
    assert_eq!(past.len(), 2, "a task and its executor");
    let mut batch = store::Batch::new();
    for number in 0..TASKS {
        batch.put(format!("past/{:020}", 1000 + number), past[usize::from(number % 2 == 1)].1.clone());
    }
    store::Backend::commit(&mut store, &batch).expect("it is written");
    drop(store);
    assert_eq!(scene.again().await.tasks.len(), 1);
    let more = peak(scene.process.id()).saturating_sub(usual);
    assert!(more < 96 << 20, "{} MB more for {TASKS} records", more >> 20);
    let state = json(scene.place.agent(), "/state").await;
    let shown = state["frameworks"][0]["completed_executors"].as_array().expect("a list").len();
    assert!(shown <= 150, "{shown}");
    // With what is over next all that is too much is forgotten.
    scene.master.run_for(true, command_task("next", "true"));
    assert_eq!(scene.master.statuses().await.len(), 3);
    scene.master.until_written().await;
    scene.process.kill();
    let store::Opened { records, .. } = store::Embedded::open(&path).expect("a store");
    let left = records.iter().filter(|(key, _)| key.starts_with("past/")).count();
    assert!(left <= 2_000, "{left} are still written down");
    println!("{} MB for {TASKS} records beyond {} MB", more >> 20, usual >> 20);
    scene.again().await;
    scene.place.kill_containers();
    assert_eq!(scene.master.statuses().await.pop().expect("its end").state(), v1::TaskState::TaskFailed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_record_costs_itself_only() {
    let (mut scene, tasks, [_, lost]) =
        after_damage(|store| put(store, "tasks/m-0000/b", b"\xff\xffnonsense")).await;
    assert_eq!(tasks, ["a"]);
    // With the task its progress makes no sense.
    assert_eq!(scene.recovery_errors().await, 2.0);
    until(|| !is_alive(lost)).await;
    scene.go("a");
    scene.assert_ends(v1::TaskState::TaskFinished, "Command exited with status 0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_a_later_version_are_used_as_far_as_they_are_known() {
    let (mut scene, tasks, pids) = after_damage(|store| put(store, "format", b"2")).await;
    assert_eq!(tasks, ["a", "b"]);
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    assert_eq!(scene.recovery_errors().await, 1.0);
    assert!(scene.place.work_dir().join("meta/agent.version-2").is_file(), "for those who know more of it");
    scene.go("a");
    scene.assert_ends(v1::TaskState::TaskFinished, "Command exited with status 0").await;
    scene.place.kill_containers();
}

/// The agent is another one then, and what ran goes: nobody could say whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_set_aside_and_what_ran_goes() {
    let mut scene = Scene::start().await;
    let pid = scene.running(true, "t", "sleep 600").await;
    scene.process.kill();
    std::fs::write(scene.place.work_dir().join("meta/agent.redb"), vec![7; 4096]).expect("ours");
    scene.process = scene.place.start(scene.master.address).await;
    assert_eq!(scene.master.take_in().await.slave.id, None);
    assert_eq!(scene.recovery_errors().await, 1.0);
    assert!(scene.place.work_dir().join("meta/agent.damaged-1").is_file());
    until(|| !is_alive(pid) && scene.place.leftovers().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_leaves_is_followed_by_the_next_and_cleanup_ends_all() {
    let (place, mut master) = (Place::new(), FakeMaster::start().await);
    let options = place.options(master.address);
    let start = async |options: &AgentOptions| AgentServer::start(options.clone()).await.expect("an agent");
    let agent = start(&options).await;
    master.register(&agent).await;
    let pid = running(&mut master, true, "t", "sleep 600").await;
    agent.leave().await;
    assert!(is_alive(pid));

    let agent = start(&options).await;
    let message = master.take_back().await.0;
    assert_eq!(message.tasks[0].state(), v1::TaskState::TaskRunning, "{message:?}");
    let state = json(agent.address(), "/state").await;
    assert_eq!(state["frameworks"][0]["executors"][0]["tasks"][0]["state"], "TASK_RUNNING");
    agent.leave().await;

    let agent = start(&AgentOptions { recover: Recover::Cleanup, ..options.clone() }).await;
    assert!(agent.terminated().await.reason.contains("--recover=cleanup"));
    agent.shutdown().await;
    assert!(!is_alive(pid));
    let agent = start(&options).await;
    assert_eq!(master.take_in().await.slave.id, None, "it is a new one");
    agent.shutdown().await;
}

/// Of 100 ms: the bounds are 100, 200, 400 ... ms, and no pause is shorter than half of its bound.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_does_not_answer_is_asked_less_and_less_often() {
    let factor = std::time::Duration::from_millis(100);
    let work_dir = tempfile::tempdir().expect("a directory");
    let mut master = FakeMaster::start().await;
    let options = AgentOptions {
        registration_backoff_factor: factor,
        ..common::options(master.address, work_dir.path())
    };
    let started = std::time::Instant::now();
    let agent = AgentServer::start(options).await.expect("an agent");
    let mut earliest = std::time::Duration::ZERO;
    for attempt in 0..6 {
        let _: internal::RegisterSlaveMessage = master.hear_of().await;
        assert!(started.elapsed() >= earliest, "attempt {attempt} after {:?}", started.elapsed());
        earliest += factor / 2 * 2_u32.pow(attempt);
    }
    agent.shutdown().await;
}
