//! What is said where the cluster cannot be asked, is not well, or nobody reads any more; and the exit codes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Output, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::string;
use crate::support::{self, Cluster, meseta, text};

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
