//! The user's commands on a real local cluster.

mod support;

use rustix::process::Signal;
use sdk::build::{Framework, Quantities, Task, group_executor};
use sdk::proto::v1::TaskState;
use sdk::scheduler::Event;
use sdk::{Masters, Scheduler};
use serde_json::Value;
use support::{Cluster, Process, text, wait_until};

fn id_of(cluster: &Cluster, name: &str) -> String {
    let tasks = cluster.json(&["tasks", "--all", "-o", "json"]);
    let found = tasks.as_array().unwrap().iter().find(|task| task["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name} in {tasks}"))["id"].as_str().unwrap().to_owned()
}

fn start(cluster: &Cluster, name: &str, command: &str) -> Process {
    let mut run = Process::start(&mut cluster.command(&["run", "--name", name, command]));
    assert_eq!(run.line(), "ready");
    run
}

#[test]
fn tasks_agents_and_frameworks_are_listed() {
    let cluster = Cluster::start(&["--agents", "2", "--resources", "cpus:4;mem:512;disk:100;gpus:0"]);
    let run = start(&cluster, "sleeper", "echo ready; exec sleep 1000");

    let agents = cluster.json(&["agents", "-o", "json"]);
    assert_eq!(agents.as_array().unwrap().len(), 2);
    assert!(agents.as_array().unwrap().iter().all(|a| a["state"] == "active" && a["total"]["cpus"] == 4.0));
    let used: f64 = agents.as_array().unwrap().iter().map(|a| a["used"]["cpus"].as_f64().unwrap()).sum();
    assert!((used - 0.1).abs() < 1e-9, "{agents}");

    let tasks = cluster.json(&["tasks", "-o", "json"]);
    assert_eq!(tasks.as_array().unwrap().len(), 1);
    assert_eq!((&tasks[0]["state"], &tasks[0]["mem"]), (&Value::from("RUNNING"), &Value::from(64.0)));

    let frameworks = cluster.json(&["frameworks", "-o", "json"]);
    let framework = &frameworks[0];
    assert_eq!(
        (&framework["name"], &framework["tasks"]),
        (&Value::from("meseta run sleeper"), &Value::from(1))
    );
    assert_eq!(tasks[0]["framework_id"], framework["id"]);
    let none = cluster.json(&["tasks", "-o", "json", "--framework", "another"]);
    assert_eq!(none, Value::Array(Vec::new()));

    for (words, parts) in [
        (["tasks"], ["ID", "sleeper-", "RUNNING", "64 MB"]),
        (["agents"], ["ID", "active", "0.1 / 4", "512 MB"]),
        (["frameworks"], ["ID", "meseta run sleeper", "active", "*"]),
    ] {
        let output = text(&cluster.meseta(&words).stdout);
        assert!(parts.iter().all(|part| output.contains(part)), "{output}");
        assert!(!output.contains('\x1b'), "colours are for terminals");
    }
    run.signal(Signal::INT);
    assert_eq!(run.end().0.code(), Some(130));
    assert!(text(&cluster.meseta(&["tasks"]).stderr).contains("--all"));
    assert_eq!(cluster.json(&["tasks", "--all", "-o", "json"])[0]["state"], "KILLED");
    assert_eq!(cluster.json(&["frameworks", "--all", "-o", "json"])[0]["state"], "completed");
}

#[test]
fn logs_are_shown_and_followed() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let go = tempfile::tempdir().unwrap();
    let flag = go.path().join("go");
    let command = format!(
        "echo ready; echo wrong >&2; while ! [ -e {} ]; do sleep 0.02; done; echo end",
        flag.display()
    );
    let run = start(&cluster, "talker", &command);
    let id = id_of(&cluster, "talker");
    assert_eq!(text(&cluster.meseta(&["logs", &id]).stdout), "ready\n");
    assert_eq!(text(&cluster.meseta(&["logs", "talk", "--stderr"]).stdout), "wrong\n");
    let mut follow = Process::start(&mut cluster.command(&["logs", "-f", &id]));
    assert_eq!(follow.line(), "ready");
    std::fs::write(&flag, "").unwrap();
    let (status, out, err) = follow.end();
    assert!(status.success(), "{err}");
    assert_eq!(out, "end\n", "it ends with the task");
    assert_eq!(run.end().0.code(), Some(0));
    assert_eq!(text(&cluster.meseta(&["logs", &id, "--tail", "4"]).stdout), "end\n");

    let output = cluster.meseta(&["logs", "nope"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no task has the id `nope`"), "{}", text(&output.stderr));
}

#[test]
fn logs_are_followed_over_a_rotation() {
    let cluster = Cluster::start(&["--agents", "1"]);
    // 18,894 bytes, so that there is a `stdout.4` at the end.
    let command = "echo ready; for i in $(seq 1 4000); do echo $i; done";
    let size = "CONTAINER_LOGGER_MAX_STDOUT_SIZE=4KB";
    let run = Process::start(&mut cluster.command(&["run", "--name", "counter", "--env", size, command]));
    // It reads like any other reader, and is told everything.
    let (status, out, err) = run.end();
    assert!(status.success(), "{err}");
    let expected: String = (1..=4000).map(|number| format!("{number}\n")).collect();
    assert!(out == format!("ready\n{expected}"), "{} of {} bytes", out.len(), expected.len() + 6);
    let id = cluster.json(&["tasks", "--all", "-o", "json"])[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(text(&cluster.meseta(&["logs", &id]).stdout), out);
    let tail = text(&cluster.meseta(&["logs", &id, "--tail", "9000"]).stdout);
    assert_eq!((tail.len(), out.ends_with(&tail)), (9000, true));
}

/// Runs a group of two tasks to their ends, over the SDK.
async fn run_group(master: &str) {
    let framework = Framework::new("pod").build();
    let mut scheduler =
        Scheduler::builder(framework).masters(Masters::parse(master).unwrap()).start().unwrap();
    let calls = scheduler.calls();
    let share = Quantities { cpus: 0.1, mem: 32.0, ..Quantities::default() };
    let mut launched = false;
    let mut ended = 0;
    while ended < 2 {
        match scheduler.next_event().await.unwrap() {
            Event::Offers(offers) if !launched => {
                launched = true;
                let executor = group_executor("pod", calls.framework_id().unwrap(), share);
                let disk = Quantities { disk: 32.0, ..share };
                let executor = sdk::proto::v1::ExecutorInfo { resources: disk.to_resources(), ..executor };
                let task = |id: &str| {
                    Task::new(id).command(format!("echo I am {id}")).quantities(share).on(&offers[0])
                };
                let tasks = vec![task("left"), task("right")];
                calls.launch_group(&offers[..1], executor, tasks, Some(600.0)).await.unwrap();
            }
            Event::Update(status) => match status.state() {
                TaskState::TaskFinished => ended += 1,
                TaskState::TaskStarting | TaskState::TaskRunning => {}
                state => panic!("{state:?}: {status:?}"),
            },
            Event::Error(message) => panic!("{message}"),
            _ => {}
        }
    }
    scheduler.teardown().await.unwrap();
}

#[test]
fn tasks_of_a_group_have_logs_of_their_own() {
    let cluster = Cluster::start(&["--agents", "1"]);
    tokio::runtime::Runtime::new().unwrap().block_on(run_group(&cluster.master()));
    for id in ["left", "right"] {
        let output = cluster.meseta(&["logs", id]);
        assert_eq!(text(&output.stdout), format!("I am {id}\n"), "{}", text(&output.stderr));
    }
}

/// A framework that declines whatever it is offered, until it is dropped.
async fn declining(master: &str) -> Scheduler {
    let framework = Framework::new("picky").roles(["ads"]).build();
    let mut scheduler =
        Scheduler::builder(framework).masters(Masters::parse(master).unwrap()).start().unwrap();
    let calls = scheduler.calls();
    loop {
        match scheduler.next_event().await.unwrap() {
            Event::Offers(offers) => {
                let ids = offers.iter().map(|offer| offer.id.clone()).collect();
                calls.decline(ids, Some(600.0)).await.unwrap();
                calls.flush().await;
                return scheduler;
            }
            Event::Error(message) => panic!("{message}"),
            _ => {}
        }
    }
}

#[test]
fn why_there_are_no_offers_is_explained() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scheduler = runtime.block_on(declining(&cluster.master()));
    let id = scheduler.calls().framework_id().unwrap().value;
    let end = id.rsplit('-').next().unwrap();
    for words in
        [["explain", "framework", "picky"], ["explain", "framework", end], ["explain", "role", "ads"]]
    {
        let mut said = String::new();
        wait_until("the refusal is known", || {
            let output = cluster.meseta(&words);
            assert!(output.status.success(), "{}", text(&output.stderr));
            said = text(&output.stdout);
            said.contains("declined")
        });
        assert!(said.contains(&format!("Framework {id} in role ads wants offers and gets none.")), "{said}");
        let help = "The smallest change that would help:\n    Have the scheduler revive role ads, or wait ";
        assert!(said.contains(help), "{said}");
    }
    let why = cluster.json(&["explain", "framework", &id, "--output", "json"]);
    assert_eq!(why["roles"][0]["help"][0]["change"], "revive");
    let output = cluster.meseta(&["explain", "role", "nobodys"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("No framework has the role 'nobodys'"), "{}", text(&output.stderr));
    runtime.block_on(scheduler.teardown()).unwrap();
    let output = cluster.meseta(&["explain", "framework", &id]);
    assert!(text(&output.stderr).contains("has ended"), "{}", text(&output.stderr));
}

#[test]
fn tasks_are_killed() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let first = start(&cluster, "twin", "echo ready; exec sleep 1000");
    let second = start(&cluster, "twin", "echo ready; exec sleep 1000");
    let output = cluster.meseta(&["kill", "twin"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("any of 2 tasks"), "{}", text(&output.stderr));

    let id = id_of(&cluster, "twin");
    let output = cluster.meseta(&["kill", &id]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), format!("{id} is KILLED\n"));
    let output = cluster.meseta(&["kill", &id]);
    assert!(text(&output.stderr).contains("has ended already: it is KILLED"), "{}", text(&output.stderr));

    // Its run has ended, the other goes on.
    let (mut first, mut second) = (first, second);
    let mut ended = Vec::new();
    wait_until("one run has ended", || {
        ended = vec![first.child.try_wait().unwrap(), second.child.try_wait().unwrap()];
        ended.iter().any(Option::is_some)
    });
    let codes: Vec<_> = ended.iter().flatten().map(|status| status.code().unwrap()).collect();
    assert_eq!(codes, [143]);
    assert_eq!(cluster.json(&["tasks", "-o", "json"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_cluster_that_is_not_there_is_told_with_what_to_do() {
    for words in [
        &["tasks"][..],
        &["agents"],
        &["frameworks"],
        &["logs", "x"],
        &["kill", "x"],
        &["explain", "role", "x"],
        &["demo"],
    ] {
        let output = support::meseta().args(words).args(["--master", "127.0.0.1:1"]).output().unwrap();
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {err}");
        assert!(err.contains("cannot connect to 127.0.0.1:1: Connection refused"), "{words:?}: {err}");
        assert!(err.contains("hint: start a cluster on this machine with `meseta up`"), "{words:?}: {err}");
    }
}
