//! `meseta up`: what it starts, and that nothing of it is left.

mod support;

use rustix::process::Signal;
use support::{Cluster, Process, is_alive, meseta, text, wait_until};

#[test]
fn everything_ends_with_it() {
    for which in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut cluster = Cluster::start(&["--agents", "2"]);
        let (_run, task) = cluster.sleeper();
        let (pids, directory) = (cluster.pids(), cluster.directory());
        assert_eq!(pids.len(), 3);
        assert!(pids.iter().all(|pid| is_alive(*pid)) && directory.is_dir());
        assert_eq!(cluster.end(which).code(), Some(0));
        assert!(!pids.iter().chain([&task]).any(|pid| is_alive(*pid)), "something is left");
        assert!(!directory.exists(), "its directory is its own");
    }
}

#[test]
fn ctrl_c_in_a_terminal_reaches_all_and_tasks_keep_their_grace() {
    let mut cluster = Cluster::start(&["--agents", "1"]);
    let directory = tempfile::tempdir().unwrap();
    let bye = directory.path().join("bye");
    let command = format!(
        "trap 'sleep 0.3; echo bye > {}; exit 0' TERM; echo ready; while :; do sleep 0.02; done",
        bye.display()
    );
    let mut run = Process::start(&mut cluster.command(&["run", &command]));
    assert_eq!(run.line(), "ready");
    // As a terminal does it: to each process of the group.
    for pid in cluster.pids() {
        support::signal(u32::try_from(pid).unwrap(), Signal::INT);
    }
    assert_eq!(cluster.end(Signal::INT).code(), Some(0));
    assert!(bye.exists(), "the task was not given its time");
}

#[test]
fn everything_ends_even_when_it_is_killed() {
    let mut cluster = Cluster::start(&["--agents", "1"]);
    let (_run, task) = cluster.sleeper();
    let pids = cluster.pids();
    let directory = cluster.directory();
    cluster.end(Signal::KILL);
    wait_until("nothing is left", || !pids.iter().chain([&task]).any(|pid| is_alive(*pid)));
    // There was nobody to remove it.
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_end_of_an_agent_leaves_the_others_working() {
    let mut cluster = Cluster::start(&["--agents", "2"]);
    let (_run, task) = cluster.sleeper();
    let agents = &cluster.pids()[1..];
    for agent in agents {
        support::signal(u32::try_from(*agent).unwrap(), Signal::KILL);
        if agent == &agents[0] {
            wait_until("the other agent works", || {
                cluster.meseta(&["run", "--timeout", "10s", "true"]).status.success()
            });
        }
    }
    // The agent that was killed could not end its task; the end of the cluster does.
    assert_eq!(cluster.end(Signal::INT).code(), Some(0));
    assert!(!is_alive(task));
}

#[test]
fn a_directory_that_is_given_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cluster");
    let mut cluster = Cluster::start(&["--agents", "1", "--work-dir", path.to_str().unwrap()]);
    assert!(cluster.meseta(&["run", "echo kept"]).status.success());
    cluster.end(Signal::TERM);
    assert!(path.join("logs/master.log").is_file() && path.join("agent-1").is_dir());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = meseta().args(["up", "--port", &port]).output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(
        err.contains(&format!("127.0.0.1:{port}")) && err.contains("in use") && err.contains("--port"),
        "{err}"
    );
}

#[test]
fn the_demo_runs_and_ends() {
    let output = meseta()
        .args(["up", "--port", "0", "--demo", "--exit-after-demo", "--jobs", "60", "--output", "json"])
        .output()
        .unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(summary["jobs"], 60);
    assert_eq!(summary["surprises"], serde_json::Value::Array(Vec::new()));
    assert_eq!(summary["agents"].as_object().unwrap().len(), 3, "all agents took part: {out}");
    assert!(summary["accept_to_running_ms"][0].as_f64().unwrap() > 0.0);
    assert!(err.contains("60 of 60 jobs have ended"), "{err}");
}

#[test]
fn containers_have_limits_and_processes_of_their_own() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let output = cluster.meseta(&[
        "run",
        "--mem",
        "64",
        "echo $$; x=$(head -c 200M /dev/zero | tr '\\0' x); echo ${#x}",
    ]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    let pid: u32 = out.lines().next().unwrap().parse().unwrap();
    assert!(pid < 10, "it sees the machine's processes: {out}");
    assert!(!output.status.success() && err.contains("Memory limit exceeded"), "{out}{err}");
    let mut without = Cluster::start(&["--agents", "1", "--isolation", "posix/cpu,posix/mem"]);
    let output =
        without.meseta(&["run", "--mem", "64", "x=$(head -c 200M /dev/zero | tr '\\0' x); echo ${#x}"]);
    assert_eq!(text(&output.stdout), "209715200\n", "{}", text(&output.stderr));
    assert_eq!(without.end(Signal::INT).code(), Some(0));
}
