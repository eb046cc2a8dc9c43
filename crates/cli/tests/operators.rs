//! The commands of operators, each on a real local cluster: what they show and change, as text and as JSON, what they say
//! of mistakes, and their exit codes.

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Output, Stdio};

use rustix::process::Signal;
use sdk::build::Framework;
use sdk::{Masters, Scheduler};
use serde_json::Value;
use support::{Cluster, Process, meseta, text, wait_until};

/// Runs a command that must do what it is for; what it says on standard error.
fn done(cluster: &Cluster, words: &[&str]) -> String {
    let output = cluster.meseta(words);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {err}");
    err
}

/// Runs a command that must fail with this exit code, and say this.
fn refused(cluster: &Cluster, words: &[&str], code: i32, part: &str) {
    let output = cluster.meseta(words);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {err}");
    assert!(err.contains(part), "{words:?}: {err}");
    assert_eq!(text(&output.stdout), "", "{words:?}");
}

/// What a command shows.
fn shown(cluster: &Cluster, words: &[&str]) -> String {
    let output = cluster.meseta(words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn start(cluster: &Cluster, name: &str, command: &str) -> Process {
    let mut run = Process::start(&mut cluster.command(&["run", "--name", name, command]));
    assert_eq!(run.line(), "ready");
    run
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn only(list: &Value) -> &Value {
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    &list[0]
}

#[test]
fn the_cluster_is_shown_on_one_screen_and_is_well() {
    let cluster = Cluster::start(&["--agents", "2", "--resources", "cpus:4;mem:512;disk:100"]);
    let _run = start(&cluster, "sleeper", "echo ready; exec sleep 1000");

    let status = cluster.json(&["status", "-o", "json"]);
    assert_eq!(status["leader"]["address"], Value::from(cluster.master()));
    assert_eq!(
        (&status["agents"]["active"], &status["tasks"]["running"]),
        (&2.into(), &1.0.into()),
        "{status}"
    );
    assert_eq!(status["resources"]["total"]["cpus"], 8.0);
    assert_eq!(
        (&status["roles"][0]["name"], &status["findings"]),
        (&"*".into(), &Value::Array(vec![])),
        "{status}"
    );
    let told = shown(&cluster, &["status"]);
    for part in [
        "Agents       2 active\n",
        "Frameworks   1 active\n",
        "Tasks        1 running\n",
        "Nothing is wrong.",
    ] {
        assert!(told.contains(part), "{part:?} in\n{told}");
    }
    assert!(shown(&cluster, &["status", "-o", "wide"]).contains("GUARANTEES"));

    let output = cluster.meseta(&["doctor", "-o", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["masters"], &report["agents"]), (&1.into(), &2.into()), "{report}");
    // Where tests run, the machine may have much to do and a disk that is full.
    let of_machine =
        |finding: &&Value| ["overloaded", "disk", "not_isolated"].iter().any(|kind| finding["kind"] == *kind);
    let others: Vec<&Value> =
        report["findings"].as_array().unwrap().iter().filter(|finding| !of_machine(finding)).collect();
    assert!(others.is_empty(), "{report}");
    let told = shown(&cluster, &["doctor", "--no-agents"]);
    assert_eq!(told, "1 master and 0 agents asked: nothing is wrong.\n");

    let frame = cluster.json(&["top", "--interval", "200ms", "-o", "json"]);
    let row = only(&frame["rows"]);
    assert!(string(&row["id"]).starts_with("sleeper-") && row["containers"] == 1, "{frame}");
    for (by, id) in [("agent", "-S"), ("framework", "-0")] {
        let frame = cluster.json(&["top", "--by", by, "--interval", "100ms", "-o", "json"]);
        assert!(string(&only(&frame["rows"])["id"]).contains(id), "{frame}");
    }
    let told = shown(&cluster, &["top", "--interval", "100ms", "--framework", "meseta run sleeper"]);
    assert!(told.contains("BUSY CPUS") && told.contains("sleeper-") && !told.contains('\x1b'), "{told}");
    let frame = cluster.json(&["top", "--interval", "100ms", "--framework", "another", "-o", "json"]);
    assert_eq!(frame["rows"], Value::Array(vec![]));

    let metrics = cluster.json(&["metrics", "master/tasks_r*", "-o", "json"]);
    assert_eq!(metrics, serde_json::json!({ "master/tasks_running": 1.0 }));
    assert!(shown(&cluster, &["metrics", "--agent", "S0", "uptime"]).starts_with("slave/uptime_secs  "));
    refused(&cluster, &["metrics", "nothing-like-it"], 1, "no metric is called like nothing-like-it");
}

#[test]
fn tasks_are_looked_after() {
    let cluster = Cluster::start(&["--agents", "2"]);
    let run = start(&cluster, "web", "echo ready; mkdir deep; echo hello > deep/file; exec sleep 1000");
    let _other = start(&cluster, "db", "echo ready; exec sleep 1000");

    let tasks = cluster.json(&["task", "list", "--search", "WEB", "-o", "json"]);
    let task = only(&tasks);
    let id = string(&task["id"]);
    assert_eq!(
        (&task["state"], &task["name"], &task["role"]),
        (&"RUNNING".into(), &"web".into(), &"*".into())
    );
    let agent = string(&task["agent_id"]);
    let framework = string(&task["framework_id"]);
    for (filter, value, count) in [
        ("--framework", framework.as_str(), 1),
        ("--framework", "meseta run web", 1),
        ("--framework", "another", 0),
        ("--role", "*", 2),
        ("--role", "ads", 0),
        ("--state", "running", 2),
        ("--state", "failed", 0),
        ("--limit", "1", 1),
        ("--search", "", 2),
    ] {
        let found = cluster.json(&["task", "list", filter, value, "-o", "json"]);
        assert_eq!(found.as_array().unwrap().len(), count, "{filter} {value}: {found}");
    }
    let here = cluster.json(&["task", "list", "--agent", &agent, "-o", "json"]);
    assert!(
        here.as_array().unwrap().iter().all(|task| task["agent_id"] == *agent) && here[0]["id"].is_string()
    );
    assert!(done(&cluster, &["task", "list", "--limit", "1"]).contains("only 1 are shown, there are more"));
    assert!(shown(&cluster, &["task", "list", "-o", "wide"]).contains(&framework));
    refused(
        &cluster,
        &["task", "list", "--agent", "nowhere"],
        1,
        "no agent has the id or the name `nowhere`",
    );
    refused(&cluster, &["task", "list", "--limit", "0"], 2, "--limit 0 would show nothing");

    let task = cluster.json(&["task", "show", &id, "-o", "json"]);
    let history: Vec<&Value> =
        task["history"].as_array().unwrap().iter().map(|moment| &moment["state"]).collect();
    assert_eq!(history, ["STARTING", "RUNNING"], "{task}");
    assert!(shown(&cluster, &["task", "show", "web"]).contains("State      RUNNING\n"));
    let why = cluster.json(&["task", "explain", &id, "-o", "json"]);
    assert_eq!((&why["because"], &why["agent_state"]), (&"It runs.".into(), &"active".into()), "{why}");

    assert_eq!(shown(&cluster, &["task", "logs", &id]), "ready\n");
    wait_until("the file is there", || {
        cluster.meseta(&["task", "logs", &id, "--file", "deep/file"]).stdout == b"hello\n"
    });
    let files = cluster.json(&["task", "files", &id, "-o", "json"]);
    let paths: Vec<&str> =
        files.as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert!(["deep", "stderr", "stdout"].iter().all(|path| paths.contains(path)), "{files}");
    let files = cluster.json(&["task", "files", &id, "deep", "-o", "json"]);
    assert_eq!((&only(&files)["path"], &files[0]["size"]), (&"deep/file".into(), &6.into()));
    assert!(shown(&cluster, &["task", "files", &id]).contains("deep/\n"));
    refused(&cluster, &["task", "files", &id, "nothing"], 1, "no listing of /nothing of the sandbox");

    done(&cluster, &["task", "kill", &id]);
    assert_eq!(run.end().0.code(), Some(143));
    let told = shown(&cluster, &["task", "explain", &id]);
    assert!(told.contains("is KILLED since ") && told.contains("because somebody asked for it"), "{told}");
    let failed = cluster.meseta(&["run", "--name", "broken", "exit 7"]);
    assert_eq!(failed.status.code(), Some(7));
    let told = shown(&cluster, &["task", "explain", "broken"]);
    assert!(
        told.contains("Command exited with status 7") && told.contains("What helps  Look into stdout"),
        "{told}"
    );
    for words in
        [["task", "show", "x"], ["task", "explain", "x"], ["task", "files", "x"], ["task", "kill", "x"]]
    {
        refused(&cluster, &words, 1, "no task has the id `x`");
    }
}

#[test]
fn agents_are_drained_and_come_back_or_are_gone() {
    let cluster = Cluster::start(&["--agents", "2"]);
    let run = start(&cluster, "sleeper", "echo ready; exec sleep 1000");
    let task = cluster.json(&["task", "list", "-o", "json"]);
    let id = string(&only(&task)["agent_id"]);
    let end = id.rsplit('-').next().unwrap().to_owned();

    let agent = cluster.json(&["agent", "show", &end, "-o", "json"]);
    assert_eq!(
        (&agent["id"], &agent["reachable"], &agent["state"]),
        (&id.as_str().into(), &true.into(), &"active".into())
    );
    assert_eq!(only(&agent["tasks"])["state"], "RUNNING");
    let told = shown(&cluster, &["agent", "show", &string(&agent["address"])]);
    assert!(told.contains("Work dir") && told.contains("sleeper-"), "{told}");
    refused(&cluster, &["agent", "show", "S77"], 1, "`meseta agent list` lists them");
    assert!(shown(&cluster, &["agent", "list", "-o", "wide"]).contains("VERSION"));

    assert!(done(&cluster, &["agent", "drain", &end, "--wait", "--grace", "1s"]).contains("is drained"));
    assert_eq!(run.end().0.code(), Some(143));
    let drained = cluster.json(&["agent", "list", "--state", "drained", "-o", "json"]);
    assert_eq!(only(&drained)["id"], *id);
    let told = shown(&cluster, &["status"]);
    assert!(told.contains("1 active, 1 drained") && told.contains("NOTE     drained agents: 1"), "{told}");
    done(&cluster, &["agent", "activate", &end]);
    assert_eq!(
        cluster.json(&["agent", "list", "--state", "active", "-o", "json"]).as_array().unwrap().len(),
        2
    );
    done(&cluster, &["agent", "deactivate", &id]);
    assert_eq!(only(&cluster.json(&["agent", "list", "--state", "deactivated", "-o", "json"]))["id"], *id);

    refused(&cluster, &["agent", "gone", &end], 2, "Nobody is here to be asked: say --yes");
    refused(&cluster, &["agent", "drain", &end, "--mark-gone"], 2, "say --yes");
    done(&cluster, &["agent", "gone", &end, "--yes"]);
    assert_eq!(cluster.json(&["agent", "list", "-o", "json"]).as_array().unwrap().len(), 1);
    refused(&cluster, &["agent", "activate", &id], 1, "refused REACTIVATE_AGENT with 4");
    refused(&cluster, &["agent", "activate", &end], 1, "no agent has the id");
}

/// A framework that does nothing, until it is dropped.
async fn idle(master: &str, role: &str) -> Scheduler {
    let framework = Framework::new("idle").roles([role]).build();
    let mut scheduler =
        Scheduler::builder(framework).masters(Masters::parse(master).unwrap()).start().unwrap();
    while scheduler.calls().framework_id().is_none() {
        scheduler.next_event().await.unwrap();
    }
    scheduler
}

#[test]
fn frameworks_and_roles_are_looked_after() {
    let cluster = Cluster::start(&["--agents", "1", "--resources", "cpus:4;mem:512;disk:100"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scheduler = runtime.block_on(idle(&cluster.master(), "ads"));

    let listed = cluster.json(&["framework", "list", "--role", "ads", "--search", "IDLE", "-o", "json"]);
    let id = string(&only(&listed)["id"]);
    assert_eq!(
        cluster.json(&["framework", "list", "--state", "inactive", "-o", "json"]),
        Value::Array(vec![])
    );
    let framework = cluster.json(&["framework", "show", "idle", "-o", "json"]);
    assert_eq!((&framework["id"], &framework["state"]), (&id.as_str().into(), &"active".into()));
    assert!(shown(&cluster, &["framework", "show", &id]).contains("None of its tasks run."));
    assert!(shown(&cluster, &["framework", "explain", "idle"]).contains(&id));
    refused(&cluster, &["framework", "show", "nobody"], 1, "no framework has the id or the name `nobody`");

    let role = cluster.json(&["role", "show", "ads", "-o", "json"]);
    assert_eq!((&role["weight"], &role["frameworks"][0]), (&1.0.into(), &id.as_str().into()), "{role}");
    assert!(shown(&cluster, &["role", "explain", "ads"]).contains("ads"));
    refused(&cluster, &["role", "show", "nobodys"], 1, "there is no role `nobodys`");

    done(&cluster, &["weight", "set", "ads=2.5", "batch=3"]);
    let weights = cluster.json(&["weight", "list", "-o", "json"]);
    assert!(
        weights.as_array().unwrap().contains(&serde_json::json!({ "role": "ads", "weight": 2.5 })),
        "{weights}"
    );
    assert!(shown(&cluster, &["role", "list", "-o", "wide"]).contains("2.5"));

    done(&cluster, &["quota", "set", "ads", "--guarantee", "cpus:1", "--limit", "cpus:2;mem:256"]);
    let quota = cluster.json(&["quota", "list", "-o", "json"]);
    assert_eq!(only(&quota)["limits"], serde_json::json!({ "cpus": 2.0, "mem": 256.0 }), "{quota}");
    assert!(shown(&cluster, &["quota", "list"]).contains("cpus:1"));
    refused(&cluster, &["quota", "set", "ads", "--guarantee", "cpus:100"], 1, "refused UPDATE_QUOTA with 4");
    refused(&cluster, &["quota", "set", "ads"], 2, "give --guarantee, --limit or both");
    done(&cluster, &["quota", "set", "ads", "--guarantee", "cpus:100", "--force"]);
    let status = cluster.meseta(&["status"]);
    assert_eq!(status.status.code(), Some(3), "{}", text(&status.stdout));
    assert!(
        text(&status.stdout).contains("WARNING  roles are guaranteed 100 of cpus, and the cluster has 4")
    );
    assert_eq!(cluster.meseta(&["doctor", "-o", "json"]).status.code(), Some(3));
    done(&cluster, &["quota", "remove", "ads"]);
    refused(&cluster, &["quota", "remove", "ads"], 1, "the role `ads` has no quota");

    refused(&cluster, &["framework", "teardown", "idle"], 2, "will be ended, with 0 tasks. Nobody is here");
    assert!(done(&cluster, &["framework", "teardown", "idle", "--yes"]).contains("has been torn down"));
    refused(&cluster, &["framework", "teardown", &id, "--yes"], 1, "has ended already");
    assert_eq!(only(&cluster.json(&["framework", "list", "--all", "-o", "json"]))["state"], "completed");
    drop(scheduler);
}

#[test]
fn resources_are_reserved_and_made_volumes() {
    let cluster = Cluster::start(&["--agents", "1", "--resources", "cpus:4;mem:512;disk:1000"]);
    done(
        &cluster,
        &["reserve", "S0", "cpus:1;disk:500", "--role", "ads", "--principal", "ops", "--label", "team=a"],
    );
    let reserved = cluster.json(&["agent", "list", "--role", "ads", "-o", "json"]);
    assert_eq!(only(&reserved)["reserved"]["ads"]["cpus"], 1.0, "{reserved}");
    refused(
        &cluster,
        &["reserve", "S0", "cpus:100", "--role", "ads"],
        1,
        "refused RESERVE_RESOURCES with 409",
    );
    refused(&cluster, &["reserve", "S0", "cpus", "--role", "ads"], 2, "`cpus` is no list of resources");
    refused(&cluster, &["unreserve", "S0", "cpus:1", "--role", "web"], 1, "refused UNRESERVE_RESOURCES");
    done(
        &cluster,
        &["unreserve", "S0", "cpus:1", "--role", "ads", "--principal", "ops", "--label", "team=a"],
    );

    let flags = ["--role", "ads", "--principal", "ops", "--label", "team=a"];
    let create = ["volume", "create", "S0", "data", "--size", "100"];
    done(&cluster, &[&create[..], &flags[..]].concat());
    done(&cluster, &["volume", "grow", "S0", "data", "--by", "50"]);
    assert!(done(&cluster, &["volume", "shrink", "S0", "data", "--by", "25"]).contains("has 125 MB"));
    let volumes = cluster.json(&["volume", "list", "--agent", "S0", "-o", "json"]);
    let volume = only(&volumes);
    assert_eq!(
        (&volume["id"], &volume["size"], &volume["role"]),
        (&"data".into(), &125.0.into(), &"ads".into())
    );
    assert!(shown(&cluster, &["volume", "list"]).contains("125 MB"));
    assert!(shown(&cluster, &["agent", "show", "S0"]).contains("[data:data]:125"));
    refused(&cluster, &["volume", "shrink", "S0", "data", "--by", "1000"], 1, "refused SHRINK_VOLUME");
    refused(&cluster, &["volume", "grow", "S0", "other", "--by", "1"], 1, "has no volume `other`");
    refused(&cluster, &["volume", "grow", "S0", "data", "--by", "0"], 2, "is no amount of disk");
    refused(&cluster, &["volume", "destroy", "S0", "data"], 2, "say --yes");
    done(&cluster, &["volume", "destroy", "S0", "data", "--yes"]);
    assert_eq!(cluster.json(&["volume", "list", "-o", "json"]), Value::Array(vec![]));
}

#[test]
fn machines_are_maintained() {
    let cluster = Cluster::start(&["--agents", "1"]);
    done(
        &cluster,
        &["maintenance", "schedule", "S0", "other/10.0.0.9", "--start", "+1hrs", "--duration", "2hrs"],
    );
    let schedule = cluster.json(&["maintenance", "schedule", "-o", "json"]);
    let window = only(&schedule);
    assert_eq!(
        (&window["duration"], &window["machines"][1]["ip"]),
        (&7200.0.into(), &"10.0.0.9".into()),
        "{schedule}"
    );
    assert!(shown(&cluster, &["maintenance", "schedule"]).contains("other/10.0.0.9"));
    let status = cluster.json(&["maintenance", "status", "-o", "json"]);
    assert!(status.as_array().unwrap().iter().all(|machine| machine["state"] == "draining"), "{status}");

    done(&cluster, &["maintenance", "start", "10.0.0.9"]);
    assert!(shown(&cluster, &["maintenance", "status"]).contains("down"));
    refused(&cluster, &["maintenance", "start", "unheard.of"], 1, "refused START_MAINTENANCE with 4");
    refused(&cluster, &["maintenance", "schedule", "S0"], 2, "when does it begin?");
    done(&cluster, &["maintenance", "stop", "other"]);
    done(&cluster, &["maintenance", "schedule", "S0", "--remove"]);
    assert_eq!(cluster.json(&["maintenance", "schedule", "-o", "json"]), Value::Array(vec![]));

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("schedule.json");
    let window =
        r#"{"windows":[{"machine_ids":[{"hostname":"b"}],"unavailability":{"start":{"nanoseconds":1}}}]}"#;
    std::fs::write(&file, window).unwrap();
    let path = file.to_str().unwrap();
    done(&cluster, &["maintenance", "schedule", "--file", path]);
    assert_eq!(cluster.json(&["maintenance", "schedule", "-o", "json"])[0]["duration"], Value::Null);
    std::fs::write(&file, "windows: none").unwrap();
    refused(&cluster, &["maintenance", "schedule", "--file", path], 1, "holds no schedule in Mesos' JSON");
    refused(&cluster, &["maintenance", "schedule", "--file", "/nowhere"], 1, "/nowhere cannot be read");
    done(&cluster, &["maintenance", "schedule", "--clear"]);
    assert_eq!(cluster.json(&["maintenance", "schedule", "-o", "json"]), Value::Array(vec![]));
}

#[test]
fn events_are_told_as_they_come() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let mut events = Process::start(&mut cluster.command(&["events"]));
    assert!(events.line().ends_with("SUBSCRIBED          1 agent, 0 frameworks, 0 tasks"));
    let few = ["events", "-o", "json", "--type", "task_updated", "--count", "2"];
    let mut json = Process::start(&mut cluster.command(&few));
    let mut ready = Process::start(&mut cluster.command(&["events", "--search", "ready-1"]));
    wait_until("all have subscribed", || {
        let metrics = cluster.json(&["metrics", "operator_event_stream_subscribers", "-o", "json"]);
        metrics["master/operator_event_stream_subscribers"] == 3.0
    });
    assert_eq!(cluster.meseta(&["run", "--name", "ready-1", "true"]).status.code(), Some(0));
    let first: Value = serde_json::from_str(&json.line()).unwrap();
    assert_eq!(
        (&first["type"], &first["task_updated"]["state"]),
        (&"TASK_UPDATED".into(), &"TASK_STARTING".into())
    );
    let (status, _, err) = json.end();
    assert_eq!(status.code(), Some(0), "{err}");
    let line = events.line();
    assert!(line.contains("FRAMEWORK_ADDED") && line.contains("(meseta run ready-1)"), "{line}");
    assert!(events.line().contains("TASK_ADDED          ready-1"));
    assert!(ready.line().contains("ready-1"));

    // Ctrl-C ends it, and the end of who reads it ends it too.
    events.signal(Signal::INT);
    let (status, _, err) = events.end();
    assert_eq!((status.code(), err.as_str()), (Some(0), ""));
    drop(ready.child.stdout.take());
    assert_eq!(cluster.meseta(&["run", "--name", "ready-1", "true"]).status.code(), Some(0));
    let mut end = None;
    wait_until("it ends with its reader", || {
        end = ready.child.try_wait().unwrap();
        end.is_some()
    });
    let mut err = String::new();
    ready.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((end.unwrap().code(), err.as_str()), (Some(0), ""));
    assert!(done(&cluster, &["events", "--count", "1"]).is_empty());
}

#[test]
fn a_reader_that_has_seen_enough_ends_no_command_with_an_error() {
    let cluster = Cluster::start(&["--agents", "1"]);
    for words in
        [&["metrics"][..], &["agent", "list"], &["status"], &["doctor"], &["top", "--interval", "50ms"]]
    {
        let mut command = cluster.command(words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{words:?}");
    }
}

/// What a command says to a master that is not there, or answers only this.
fn alone(words: &[&str], master: &str) -> Output {
    meseta().args(words).args(["--master", master]).output().unwrap()
}

/// A server that answers everything with this.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 16 << 10]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_cluster_that_cannot_be_asked_is_told_with_what_to_do() {
    let every: &[&[&str]] = &[
        &["status"],
        &["doctor"],
        &["top"],
        &["events"],
        &["metrics"],
        &["agent", "list"],
        &["agent", "show", "S0"],
        &["agent", "drain", "S0"],
        &["agent", "gone", "a-S0", "--yes"],
        &["agent", "activate", "a-S0"],
        &["agent", "deactivate", "S0"],
        &["framework", "list"],
        &["framework", "show", "x"],
        &["framework", "teardown", "x"],
        &["framework", "explain", "x"],
        &["task", "list"],
        &["task", "show", "x"],
        &["task", "logs", "x"],
        &["task", "files", "x"],
        &["task", "kill", "x"],
        &["task", "explain", "x"],
        &["role", "list"],
        &["role", "show", "x"],
        &["quota", "list"],
        &["quota", "set", "x", "--limit", "cpus:1"],
        &["quota", "remove", "x"],
        &["weight", "list"],
        &["weight", "set", "x=1"],
        &["reserve", "S0", "cpus:1", "--role", "x"],
        &["unreserve", "S0", "cpus:1", "--role", "x"],
        &["volume", "list"],
        &["volume", "create", "S0", "v", "--size", "1", "--role", "x"],
        &["volume", "destroy", "S0", "v"],
        &["volume", "grow", "S0", "v", "--by", "1"],
        &["volume", "shrink", "S0", "v", "--by", "1"],
        &["maintenance", "status"],
        &["maintenance", "schedule"],
        &["maintenance", "start", "x"],
        &["maintenance", "stop", "x"],
    ];
    for words in every {
        let output = alone(words, "127.0.0.1:1");
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {err}");
        assert!(err.contains("cannot connect to 127.0.0.1:1"), "{words:?}: {err}");
        assert!(err.contains("hint: start a cluster"), "{words:?}: {err}");
    }
    let output = alone(&["status"], "a:b");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("its port is no port number"), "{}", text(&output.stderr));

    let leaderless = answering(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 17\r\nConnection: close\r\n\r\nNo leader elected",
    );
    for words in [&["status"][..], &["agent", "list"], &["events"], &["quota", "list"]] {
        let output = alone(words, &leaderless);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {err}");
        assert!(err.contains("with 503") && err.contains("No leader elected"), "{words:?}: {err}");
    }
    // It is there, so that there is something to be told of it.
    let output = alone(&["doctor"], &leaderless);
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{out}{}", text(&output.stderr));
    assert!(
        out.contains("PROBLEM  the leading master cannot be asked") && out.contains("know of no leader"),
        "{out}"
    );
}

#[test]
fn the_doctor_tells_what_is_wrong() {
    let cluster = Cluster::start(&["--agents", "2"]);
    let dead = format!("{},127.0.0.1:1", cluster.master());
    // A stopped agent keeps its connections, and answers nobody.
    let agent = u32::try_from(cluster.pids()[1]).unwrap();
    support::signal(agent, Signal::STOP);
    let output = meseta().args(["doctor", "-o", "json", "--master", &dead]).output().unwrap();
    support::signal(agent, Signal::CONT);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kinds: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"master_unreachable") && kinds.contains(&"agent_unreachable"), "{report}");
    let advised = report["findings"].as_array().unwrap().iter().all(|finding| finding["advice"] != "");
    assert!(advised, "{report}");
}

#[test]
fn a_master_that_knows_no_filters_gives_the_same_lists() {
    // As Mesos' master: whatever is asked for, it shows all agents.
    let master = answering(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
         {\"slaves\":[{\"id\":\"m-S0\",\"hostname\":\"rack1\",\"active\":true},\
         {\"id\":\"m-S1\",\"hostname\":\"rack2\",\"active\":false},\
         {\"id\":\"m-S2\",\"hostname\":\"RACK3\",\"active\":true}]}",
    );
    let ids = |words: &[&str]| {
        let output = alone(&[&["agent", "list", "-o", "json"], words].concat(), &master);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let list: Value = serde_json::from_slice(&output.stdout).unwrap();
        let ids: Vec<String> = list.as_array().unwrap().iter().map(|agent| string(&agent["id"])).collect();
        (ids.join(" "), text(&output.stderr))
    };
    assert_eq!(ids(&[]).0, "m-S0 m-S1 m-S2");
    assert_eq!(ids(&["--search", "rack3"]).0, "m-S2");
    assert_eq!(ids(&["--state", "disconnected"]).0, "m-S1");
    let (two, told) = ids(&["--limit", "2"]);
    assert_eq!(two, "m-S0 m-S1");
    assert!(told.contains("only 2 are shown, there are more"), "{told}");
    assert_eq!(ids(&["--limit", "3"]), ("m-S0 m-S1 m-S2".to_owned(), String::new()));
}
