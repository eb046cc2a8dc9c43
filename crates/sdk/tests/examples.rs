//! The examples, run against a master and an agent in this process.

mod cluster;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cluster::{Cluster, within};
use proto::v1::TaskState;
use sdk::build::{Framework, Quantities, Task, executor};
use sdk::scheduler::{Event, Scheduler};
use sdk::{Encoding, Masters};
use tokio::process::Command;

/// The built example, which is built first where only this test was asked for.
fn example(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let profile = this.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(name);
    if !path.is_file() {
        let mut build = std::process::Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "-p", "sdk", "--example", name]);
        build.arg("--target-dir").arg(profile.parent().unwrap());
        assert!(build.status().unwrap().success());
    }
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheduler_runs_its_tasks_and_tries_again_what_fails() {
    let cluster = Cluster::start().await;
    let program = example("scheduler");
    let scheduler = |tasks: &str, command: &str| {
        let mut scheduler = Command::new(&program);
        scheduler.args(["--tasks", tasks, "--parallel", "8", command]);
        scheduler.env("MESETA_MASTER", cluster.masters().to_string()).kill_on_drop(true);
        scheduler
    };
    let output = within(scheduler("30", "test -n \"$TASK_NUMBER\"").output()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().filter(|line| line.contains("TASK_FINISHED")).count(), 30, "{text}");
    assert!(text.ends_with("30 of 30 tasks have succeeded\n"), "{text}");

    // Odd numbers fail each time.
    let output = within(scheduler("4", "exit $((TASK_NUMBER % 2))").output()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success());
    assert_eq!(text.lines().filter(|line| line.contains("exited with status 1")).count(), 6, "{text}");
    assert!(text.ends_with("2 of 4 tasks have succeeded\n"), "{text}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_executor_runs_tasks_in_its_process() {
    let cluster = Cluster::start().await;
    let program = example("executor").display().to_string();
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        within(squares(cluster.masters(), &program, encoding)).await;
    }
    cluster.stop().await;
}

/// Launches tasks 3, 4, `x` and a long one that is killed; looks at messages and states.
async fn squares(masters: Masters, program: &str, encoding: Encoding) {
    let mut scheduler = Scheduler::builder(Framework::new("squares").build())
        .masters(masters)
        .encoding(encoding)
        .start()
        .unwrap();
    let calls = scheduler.calls();
    let mut launched = false;
    let mut states = BTreeMap::new();
    let mut messages = Vec::new();
    while states.len() < 4 || messages.len() < 2 {
        match scheduler.next_event().await.unwrap() {
            Event::Offers(offers) if !launched => {
                launched = true;
                let share = Quantities { cpus: 0.1, mem: 32.0, ..Quantities::default() };
                let executor = executor("e", calls.framework_id().unwrap(), program, share);
                let task = |data: &str| {
                    let task = Task::new(format!("t-{data}")).data(data.to_owned()).cpus(0.1).mem(16.0);
                    task.executor(executor.clone()).on(&offers[0])
                };
                let tasks = ["3", "4", "x", "100000"].map(task).to_vec();
                calls.launch(&offers[..1], tasks, Some(600.0)).await.unwrap();
            }
            Event::Update(status) => match status.state() {
                TaskState::TaskStarting => {}
                TaskState::TaskRunning if status.task_id.value == "t-100000" => {
                    calls.kill(status.task_id, None, None).await.unwrap();
                }
                TaskState::TaskRunning => {}
                state => {
                    states.insert(status.task_id.value, (state, status.message.unwrap_or_default()));
                }
            },
            Event::Message(message) => messages.push(String::from_utf8(message.data.to_vec()).unwrap()),
            Event::Error(message) => panic!("{message}"),
            _ => {}
        }
    }
    messages.sort();
    assert_eq!(messages, ["t-3 9", "t-4 16"]);
    let end = |id: &str| (states[id].0, states[id].1.as_str());
    assert_eq!(end("t-3").0, TaskState::TaskFinished);
    assert_eq!(end("t-4").0, TaskState::TaskFinished);
    assert_eq!(end("t-x"), (TaskState::TaskFailed, "`x` is no number"));
    assert_eq!(end("t-100000"), (TaskState::TaskKilled, "killed as asked"));
    scheduler.teardown().await.unwrap();
}
