//! Resources of agents and maintenance of machines.

use serde_json::Value;

use crate::support::Cluster;
use crate::{done, only, refused, shown};

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
