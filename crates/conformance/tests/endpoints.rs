//! What master and agent show of a cluster that holds what the recordings' cluster held, and the events that tell of it.

use std::time::Duration;

use conformance::cluster::Cluster;
use conformance::http::{self, Body, Request};
use conformance::operator;
use conformance::recording::{OPERATOR_SUBSCRIBE, lines};
use conformance::records::Records;
use conformance::scheduler::{Framework, Log, Scheduler};
use conformance::shapes::{RECORDED, ask, differences_of};
use conformance::tasks::{launch, launch_group, reserved, scalar, task, volume};
use serde_json::{Value, json};

/// As the recordings' agent was started.
const ISOLATED: [&str; 2] =
    ["--launcher=linux", "--isolation=cgroups/cpu,cgroups/mem,namespaces/pid,filesystem/linux"];

/// Asks for a change, which has to be made.
#[track_caller]
fn change(address: &str, kind: &str, fields: &Value) {
    let answer = operator::call(address, kind, fields).unwrap();
    assert!(matches!(answer.head.status, 200 | 202), "{kind}: {}", answer.text());
}

/// A weight, a quota, a maintenance window, and resources of a role with a volume.
fn prepare(cluster: &Cluster) {
    let master = &cluster.master.address;
    let weights = json!({ "weight_infos": [{ "role": "ads", "weight": 2.5 }] });
    change(master, "UPDATE_WEIGHTS", &weights);
    let quota = json!({
        "role": "ads",
        "guarantees": { "cpus": { "value": 1.0 } },
        "limits": { "cpus": { "value": 8.0 }, "mem": { "value": 4096.0 } },
    });
    change(master, "UPDATE_QUOTA", &json!({ "quota_configs": [quota] }));
    let window = json!({
        "machine_ids": [{ "hostname": "other", "ip": "10.0.0.9" }],
        "unavailability": {
            "start": { "nanoseconds": 4_000_000_000_000_000_000_u64 },
            "duration": { "nanoseconds": 3_600_000_000_000_u64 },
        },
    });
    change(master, "UPDATE_MAINTENANCE_SCHEDULE", &json!({ "schedule": { "windows": [window] } }));
    let agent = cluster.master.get("/slaves").unwrap()["slaves"][0]["id"].clone();
    let disk = reserved(scalar("disk", 1024.0), "ads");
    let resources = json!([reserved(scalar("cpus", 4.0), "ads"), reserved(scalar("disk", 2048.0), "ads")]);
    change(master, "RESERVE_RESOURCES", &json!({ "agent_id": { "value": agent }, "resources": resources }));
    operator::wait_until_done(master).unwrap();
    let volumes = json!([volume(&disk, "vol1", "data")]);
    change(master, "CREATE_VOLUMES", &json!({ "agent_id": { "value": agent }, "volumes": volumes }));
    operator::wait_until_done(master).unwrap();
}

fn subscribe(cluster: &Cluster, role: &str, name: &str, checkpoint: bool) -> Scheduler {
    let framework = Framework::in_role(role).with("name", name.into()).with("checkpoint", checkpoint.into());
    Scheduler::subscribe(&cluster.master.address, &framework, &Log::default()).unwrap()
}

/// Launches tasks `NAME-0` and so on, and waits until each of them is in a state.
fn run(scheduler: &mut Scheduler, name: &str, count: usize, command: &str, state: &str) {
    let offer = scheduler.offer().unwrap();
    let one = |number| {
        let mut task = task(&offer, &format!("{name}-{number}"), command);
        task["resources"] = json!([scalar("cpus", 0.01), scalar("mem", 32.0)]);
        task
    };
    let tasks: Vec<Value> = (0..count).map(one).collect();
    assert_eq!(scheduler.accept(&offer["id"], &[launch(&tasks)]).unwrap(), 202);
    for _ in 0..count {
        scheduler.update(&[state], 60).unwrap_or_else(|| panic!("no {state} of {name}"));
    }
}

/// Events of the operator API, without heartbeats.
struct Watch(Records<Body>);

impl Watch {
    fn begin(master: &str) -> Self {
        let request = Request::json("/api/v1", &json!({ "type": "SUBSCRIBE" }));
        let (head, body) = http::open(master, &request, Some(Duration::from_secs(60))).unwrap();
        assert_eq!(head.status, 200);
        Self(Records::new(body))
    }

    fn next(&mut self) -> Value {
        loop {
            let event = self.0.read().unwrap().expect("the stream goes on");
            let event: Value = serde_json::from_slice(&event).unwrap();
            if event["type"] != "HEARTBEAT" {
                return event;
            }
        }
    }
}

/// What an event is about, and what it says; `once` are the tasks' names.
fn summary(event: &Value) -> (String, String) {
    let kind = event["type"].as_str().unwrap_or_default();
    let part = &event[kind.to_lowercase()];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match kind {
        "TASK_ADDED" => {
            (text(&part["task"]["task_id"]["value"]), format!("{kind} {}", text(&part["task"]["state"])))
        }
        "TASK_UPDATED" => {
            (text(&part["status"]["task_id"]["value"]), format!("{kind} {}", text(&part["status"]["state"])))
        }
        "FRAMEWORK_ADDED" => (text(&part["framework"]["framework_info"]["name"]), kind.to_owned()),
        "FRAMEWORK_REMOVED" => (text(&part["framework_info"]["name"]), kind.to_owned()),
        _ => (String::new(), kind.to_owned()),
    }
}

/// The events about each subject in their order: what two tasks do at the same time has none.
fn by_subject(events: &[Value]) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for (subject, what) in events.iter().map(summary) {
        match all.iter_mut().find(|(known, _)| *known == subject) {
            Some((_, events)) => events.push(what),
            None => all.push((subject, vec![what])),
        }
    }
    all.sort();
    all
}

/// The order of frameworks and of what is told of them, the tasks within taken together.
fn outline(events: &[Value]) -> Vec<String> {
    let mut outline: Vec<String> = events
        .iter()
        .map(summary)
        .filter(|(_, what)| !what.starts_with("TASK_UPDATED"))
        .map(|(subject, what)| format!("{what} {subject}"))
        .collect();
    outline.dedup();
    outline
}

#[test]
fn every_field_of_every_answer_is_there_and_events_come_in_order() {
    let cluster = Cluster::with_flags(1, &[], &ISOLATED).unwrap();
    prepare(&cluster);
    let mut ads = subscribe(&cluster, "ads", "fw-ads", true);
    run(&mut ads, "fw-ads", 2, "echo out; sleep 1000", "TASK_RUNNING");
    let mut fails = subscribe(&cluster, "*", "fw-fail", false);
    run(&mut fails, "fw-fail", 2, "exit 3", "TASK_FAILED");
    fails.end().unwrap();

    let recorded: Vec<Value> = lines(OPERATOR_SUBSCRIBE).unwrap();
    let recorded: Vec<Value> = recorded.into_iter().filter(|event| event["type"] != "HEARTBEAT").collect();
    let mut watch = Watch::begin(&cluster.master.address);
    let mut events = vec![watch.next()];
    let mut star = subscribe(&cluster, "*", "fw-star", false);
    run(&mut star, "fw-star", 2, "echo hi; sleep 1000", "TASK_RUNNING");
    let mut once = subscribe(&cluster, "*", "fw-once", false);
    run(&mut once, "fw-once", 1, "true", "TASK_FINISHED");
    once.end().unwrap();
    while events.len() < recorded.len() {
        events.push(watch.next());
    }
    assert_eq!(by_subject(&events), by_subject(&recorded));
    assert_eq!(outline(&events), outline(&recorded));
    let mut missing = Vec::new();
    for wanted in &recorded {
        let same = events.iter().find(|event| summary(event) == summary(wanted));
        missing.extend(
            same.map(|event| differences_of("master.v1.SUBSCRIBE", wanted, event)).unwrap_or_default(),
        );
    }

    // Executors with resources, as those of command tasks have none here: one that is over, and one that still runs and has
    // tasks of both kinds.
    let mut over = subscribe(&cluster, "*", "fw-over", false);
    let offer = over.offer().unwrap();
    over.accept(&offer["id"], &[launch_group(&over.framework_id, &[task(&offer, "only", "true")])]).unwrap();
    over.update(&["TASK_FINISHED"], 60).expect("the end of the only task of the group");
    over.wait("FAILURE", 60).expect("the end of the executor");
    over.end().unwrap();
    let mut pod = subscribe(&cluster, "*", "fw-pod", false);
    let offer = pod.offer().unwrap();
    let tasks = [task(&offer, "ends", "true"), task(&offer, "runs", "sleep 1000")];
    pod.accept(&offer["id"], &[launch_group(&pod.framework_id, &tasks)]).unwrap();
    pod.update(&["TASK_FINISHED"], 60).expect("the end of a task of the group");

    for (name, text) in RECORDED {
        let found = ask(name, &cluster.target()).unwrap();
        let wanted = serde_json::from_str(text).unwrap_or(Value::Null);
        missing.extend(differences_of(name, &wanted, &found));
    }
    assert!(missing.is_empty(), "{} differences:\n{}", missing.len(), missing.join("\n"));
}
