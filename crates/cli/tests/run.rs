//! `meseta run` on a real local cluster: exit codes, output as it comes, and what ends it.

mod support;

use rustix::process::Signal;
use serde_json::Value;
use support::{Cluster, Process, text, wait_until};

fn states(cluster: &Cluster) -> Vec<String> {
    let tasks = cluster.json(&["tasks", "--all", "--output", "json"]);
    tasks.as_array().unwrap().iter().map(|task| task["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn it_ends_as_the_command_ends() {
    let cluster = Cluster::start(&["--agents", "1"]);
    for (words, code) in [
        (&["true"][..], 0),
        (&["exit 7"], 7),
        (&["kill -9 $$"], 128 + 9),
        (&["kill -SEGV $$"], 128 + 11),
        (&["nosuchcommand"], 127),
        (&["--no-shell", "--", "/bin/test", "a", "=", "a"], 0),
        // As with Mesos, where the executor that fails to become the program ends with 1.
        (&["--no-shell", "--", "/nosuch/binary"], 1),
        (&["--uri", "file:///nosuch", "true"], 125),
        (&["--timeout", "300ms", "sleep 100"], 124),
        (&["--cpus", "100000", "--timeout", "300ms", "true"], 124),
        (&["--instances", "3", "exit 4"], 4),
        // Longer than any clock runs.
        (&["--timeout", "10000000000000weeks", "exit 5"], 5),
    ] {
        let output = cluster.meseta(&[&["run"], words].concat());
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", text(&output.stderr));
    }
}

#[test]
fn output_and_environment_are_those_of_the_command() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let output = cluster.meseta(&["run", "printf 'a\\000b'; echo err >&2"]);
    assert_eq!((output.stdout.as_slice(), text(&output.stderr).as_str()), (&b"a\0b"[..], "err\n"));

    let big = "head -c 3000000 /dev/zero | tr '\\0' x";
    assert_eq!(cluster.meseta(&["run", big]).stdout.len(), 3_000_000);

    let environment = ["run", "--env", "A=1 2", "--env", "HERE", "echo \"$A,$HERE\""];
    let output = cluster.command(&environment).env("HERE", "there").output().unwrap();
    assert_eq!(text(&output.stdout), "1 2,there\n");

    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("input.txt"), "fetched\n").unwrap();
    let uri = directory.path().join("input.txt");
    let output = cluster.meseta(&["run", "cat input.txt", "--uri", uri.to_str().unwrap()]);
    assert_eq!(text(&output.stdout), "fetched\n", "{}", text(&output.stderr));

    let output = cluster.meseta(&["run", "--no-shell", "--", "/bin/echo", "a  b", "$HOME"]);
    assert_eq!(text(&output.stdout), "a  b $HOME\n");
}

#[test]
fn instances_are_told_apart() {
    let cluster = Cluster::start(&["--agents", "2"]);
    let output = cluster.meseta(&["run", "--name", "hi", "-n", "3", "echo one; printf two"]);
    let out = text(&output.stdout);
    let mut lines: Vec<_> = out.lines().map(|line| line.split_once("] ").unwrap()).collect();
    lines.sort_by_key(|(name, _)| name.chars().last());
    for (i, pair) in lines.chunks(2).enumerate() {
        assert!(pair[0].0.starts_with("[hi-") && pair[0].0.ends_with(&format!("-{i}")), "{out}");
        assert_eq!((pair[0].1, pair[1].1), ("one", "two"), "{out}");
    }
    assert_eq!(lines.len(), 6);

    let output = cluster.meseta(&["run", "--output", "json", "echo out; exit 3"]);
    let events: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| events.iter().filter(|e| e["event"] == kind).cloned().collect::<Vec<_>>();
    assert_eq!(of("output")[0]["data"], "out\n");
    assert_eq!(of("state").last().unwrap()["state"], "FAILED");
    assert_eq!(of("exit")[0]["code"], 3);
}

#[test]
fn output_is_live_and_interrupts_kill_the_task() {
    let cluster = Cluster::start(&["--agents", "1"]);
    for (which, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // It has read a line already, while the command runs.
        let (run, pid) = cluster.sleeper();
        assert!(support::is_alive(pid));
        run.signal(which);
        let (status, _, _) = run.end();
        assert_eq!(status.code(), Some(code));
        assert!(!support::is_alive(pid), "it waits for the end of the task");
        assert_eq!(states(&cluster).last().unwrap(), "KILLED");
    }
}

#[test]
fn a_run_that_is_killed_leaves_no_task() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let (run, pid) = cluster.sleeper();
    run.signal(Signal::KILL);
    // After its failover timeout.
    wait_until("the task is gone", || !support::is_alive(pid));
}

#[test]
fn a_reader_that_goes_away_ends_the_run() {
    let cluster = Cluster::start(&["--agents", "1"]);
    let mut run = Process::start(&mut cluster.command(&["run", "while :; do echo y; sleep 0.01; done"]));
    assert_eq!(run.line(), "y");
    drop(run.child.stdout.take());
    run.child.stdout =
        Some(Process::start(&mut std::process::Command::new("true")).child.stdout.take().unwrap());
    let (status, _, err) = run.end();
    assert_eq!(status.code(), Some(141), "{err}");
    assert_eq!(states(&cluster), ["KILLED"]);
}

#[test]
fn without_a_cluster_it_says_so_at_once() {
    let output = support::meseta().args(["run", "--master", "127.0.0.1:1", "true"]).output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{err}");
    assert!(err.contains("cannot connect to 127.0.0.1:1") && err.contains("hint: start a cluster"), "{err}");
}
