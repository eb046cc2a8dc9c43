//! Every call of the operator APIs exists, or is answered `501` with one line.

use std::time::Duration;

use conformance::cluster::Cluster;
use conformance::http::{self, Request};
use conformance::operator;
use proto::v1::{agent, master};
use serde_json::{Value, json};

/// Calls with their parts, where they have one: what an operator may ask for, about things that are not there.
fn part(kind: &str) -> Value {
    let nested = json!({ "value": "none", "parent": { "value": "none" } });
    let command = json!({ "value": "true" });
    match kind {
        "GET_METRICS" => json!({ "timeout": { "nanoseconds": 1_000_000_000 } }),
        "SET_LOGGING_LEVEL" => json!({ "level": 0, "duration": { "nanoseconds": 1_000_000_000 } }),
        "LIST_FILES" => json!({ "path": "/none" }),
        "READ_FILE" => json!({ "path": "/none", "offset": 0 }),
        "UPDATE_WEIGHTS" => json!({ "weight_infos": [] }),
        "UPDATE_MAINTENANCE_SCHEDULE" => json!({ "schedule": { "windows": [] } }),
        "START_MAINTENANCE" | "STOP_MAINTENANCE" => json!({ "machines": [{ "hostname": "none" }] }),
        "DRAIN_AGENT" | "DEACTIVATE_AGENT" | "REACTIVATE_AGENT" | "MARK_AGENT_GONE" => {
            json!({ "agent_id": { "value": "none" } })
        }
        "UPDATE_QUOTA" => json!({ "quota_configs": [] }),
        "SET_QUOTA" => json!({ "quota_request": { "role": "r", "guarantee": [] } }),
        "REMOVE_QUOTA" => json!({ "role": "none" }),
        "TEARDOWN" => json!({ "framework_id": { "value": "none" } }),
        "RESERVE_RESOURCES" | "UNRESERVE_RESOURCES" => {
            json!({ "agent_id": { "value": "none" }, "resources": [] })
        }
        "CREATE_VOLUMES" | "DESTROY_VOLUMES" => json!({ "agent_id": { "value": "none" }, "volumes": [] }),
        "GROW_VOLUME" => json!({ "agent_id": { "value": "none" }, "volume": disk(), "addition": disk() }),
        "SHRINK_VOLUME" => {
            json!({ "agent_id": { "value": "none" }, "volume": disk(), "subtract": { "value": 1 } })
        }
        "LAUNCH_NESTED_CONTAINER" | "LAUNCH_NESTED_CONTAINER_SESSION" | "LAUNCH_CONTAINER" => {
            json!({ "container_id": nested, "command": command })
        }
        "WAIT_NESTED_CONTAINER"
        | "KILL_NESTED_CONTAINER"
        | "REMOVE_NESTED_CONTAINER"
        | "WAIT_CONTAINER"
        | "KILL_CONTAINER"
        | "REMOVE_CONTAINER"
        | "ATTACH_CONTAINER_OUTPUT" => json!({ "container_id": nested }),
        "ADD_RESOURCE_PROVIDER_CONFIG" | "UPDATE_RESOURCE_PROVIDER_CONFIG" => {
            json!({ "info": { "type": "org.none", "name": "none" } })
        }
        "REMOVE_RESOURCE_PROVIDER_CONFIG" => json!({ "type": "org.none", "name": "none" }),
        "MARK_RESOURCE_PROVIDER_GONE" => json!({ "resource_provider_id": { "value": "none" } }),
        _ => Value::Null,
    }
}

fn disk() -> Value {
    json!({ "name": "disk", "type": "SCALAR", "scalar": { "value": 1 } })
}

/// Calls for which there is nothing yet. All others do something.
const NOT_YET: [&str; 6] = [
    "UNKNOWN",
    "LAUNCH_CONTAINER",
    "ADD_RESOURCE_PROVIDER_CONFIG",
    "UPDATE_RESOURCE_PROVIDER_CONFIG",
    "REMOVE_RESOURCE_PROVIDER_CONFIG",
    "MARK_RESOURCE_PROVIDER_GONE",
];

/// Calls about something that is not there, which say so, and whether in words: of files Mesos says nothing.
const NOT_FOUND: [(&str, bool); 10] = [
    ("MARK_AGENT_GONE", true),
    ("LIST_FILES", false),
    ("READ_FILE", false),
    ("WAIT_NESTED_CONTAINER", true),
    ("KILL_NESTED_CONTAINER", true),
    ("REMOVE_NESTED_CONTAINER", true),
    ("WAIT_CONTAINER", true),
    ("KILL_CONTAINER", true),
    ("REMOVE_CONTAINER", true),
    ("ATTACH_CONTAINER_OUTPUT", true),
];

/// Asks for all calls of a side, and returns what was not answered as it has to be.
fn wrong(address: &str, kinds: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for kind in kinds {
        let answer = operator::call(address, kind, &part(kind)).unwrap();
        let (status, text) = (answer.head.status, answer.text());
        let one_line = !text.is_empty() && text.lines().count() == 1;
        let not_found = NOT_FOUND.iter().find(|(name, _)| name == kind);
        let answered = match (status, not_found) {
            (404, Some((_, in_words))) => one_line == *in_words,
            (501, None) => one_line && NOT_YET.contains(kind),
            (200 | 202, None) => !NOT_YET.contains(kind),
            (400, None) => one_line && !NOT_YET.contains(kind),
            _ => false,
        };
        let told = status != 400 || !text.contains("Expecting '") || text.contains("type");
        if !answered || !told {
            wrong.push(format!("{kind}: {status} {text}"));
        }
    }
    wrong
}

/// The names of a call's types: those whose numbers are in use.
fn names(name: impl Fn(i32) -> Option<&'static str>, but: &[&str]) -> Vec<&'static str> {
    (0..200).filter_map(name).filter(|name| !but.contains(name)).collect()
}

#[test]
fn every_call_is_answered() {
    let cluster = Cluster::start(1).unwrap();
    // Streams are asked for by tests of their own.
    let of_master = names(
        |number| master::call::Type::try_from(number).ok().map(|kind| kind.as_str_name()),
        &["SUBSCRIBE"],
    );
    let of_agent = names(
        |number| agent::call::Type::try_from(number).ok().map(|kind| kind.as_str_name()),
        &["ATTACH_CONTAINER_INPUT"],
    );
    assert!(of_master.len() >= 39 && of_agent.len() >= 32, "{} {}", of_master.len(), of_agent.len());
    let mut all = wrong(&cluster.master.address, &of_master);
    all.extend(wrong(&cluster.agents[0].address, &of_agent));
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn endpoints_have_their_prefixes() {
    let cluster = Cluster::start(1).unwrap();
    let (master, agent) = (&cluster.master.address, &cluster.agents[0].address);
    let both = ["/health", "/state", "/state.json", "/flags", "/version"];
    let of_master = [
        "/state-summary",
        "/slaves",
        "/frameworks",
        "/tasks",
        "/roles",
        "/quota",
        "/weights",
        "/maintenance/schedule",
        "/maintenance/status",
        "/metrics/snapshot",
        "/metrics",
        "/files/debug",
        "/system/stats.json",
        "/logging/toggle",
    ];
    let mut asked: Vec<(&String, String)> = Vec::new();
    for path in both.iter().chain(&of_master) {
        asked.extend([(master, (*path).to_owned()), (master, format!("/master{path}"))]);
    }
    for path in both.iter().chain(&["/containers", "/monitor/statistics"]) {
        let prefixes = ["", "/slave(1)", "/slave%281%29"];
        asked.extend(prefixes.map(|prefix| (agent, format!("{prefix}{path}"))));
    }
    for path in ["/metrics/snapshot", "/metrics", "/files/debug", "/system/stats.json", "/logging/toggle"] {
        asked.push((agent, path.to_owned()));
    }
    for (address, path) in asked {
        let answer = http::send(address, &Request::get(&path), Duration::from_secs(20)).unwrap();
        assert_eq!(answer.head.status, 200, "{path}: {}", answer.text());
    }
}

/// Requests that change something, each with a body that no endpoint can take: what is wrong with it is said by the endpoint alone.
#[test]
fn endpoints_that_change_something_have_their_prefixes() {
    let cluster = Cluster::start(1).unwrap();
    let (master, agent) = (&cluster.master.address, &cluster.agents[0].address);
    let of_master = [
        ("POST", "/reserve", "slaveId=x&resources=["),
        ("POST", "/unreserve", "slaveId=x&resources=["),
        ("POST", "/create-volumes", "slaveId=x&volumes=["),
        ("POST", "/destroy-volumes", "slaveId=x&volumes=["),
        ("POST", "/teardown", ""),
        ("POST", "/tasks/kill", ""),
        ("POST", "/quota", "{"),
        ("DELETE", "/quota/none", ""),
        ("PUT", "/weights", "{"),
        ("POST", "/maintenance/schedule", "{"),
        ("POST", "/machine/down", "{"),
        ("POST", "/machine/up", "{"),
        ("POST", "/files/browse", ""),
        ("POST", "/files/read", ""),
        ("POST", "/files/download", ""),
        ("POST", "/logging/toggle?level=x", ""),
        ("POST", "/api/v1", "{"),
        ("POST", "/api/v1/scheduler", "{"),
    ];
    let of_agent = [("POST", "/api/v1", "{"), ("POST", "/api/v1/executor", "{")];
    let mut wrong = Vec::new();
    for (address, prefixes, endpoints) in [
        (master, &["/master"][..], &of_master[..]),
        (agent, &["/slave(1)", "/slave%281%29"][..], &of_agent[..]),
    ] {
        for (method, path, body) in endpoints {
            let plain = changing(address, method, path, body);
            let one_line = plain.1.lines().count() == 1;
            for prefix in prefixes {
                let prefixed = changing(address, method, &format!("{prefix}{path}"), body);
                if !one_line || plain.0 != 400 || prefixed != plain {
                    wrong
                        .push(format!("{method} {prefix}{path}: {prefixed:?}, without the prefix {plain:?}"));
                }
            }
        }
        for prefix in prefixes {
            assert_eq!(changing(address, "POST", &format!("{prefix}/nothing"), "{").0, 404);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The status and the text with which a request that changes something is answered.
fn changing(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let kind = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
    let request = Request { method: method.into(), path: path.into(), ..Request::default() };
    let request = request.header("Content-Type", kind).body(body.as_bytes().to_vec());
    let answer = http::send(address, &request, Duration::from_secs(20)).unwrap();
    (answer.head.status, answer.text())
}
