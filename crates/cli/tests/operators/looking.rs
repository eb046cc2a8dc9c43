//! What there is and what happens: `status`, `doctor`, `top`, `metrics`, `events`.

use std::io::Read;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Cluster, Process, wait_until};
use crate::{done, only, refused, shown, start, string};

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
