//! The pid namespace that the containers of a group share, if they want to.

use std::fs;

use base::ContainerId;
use containerizer::{Ipc, Known, Launcher, Limits, Wishes};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::isolation::{group, in_group};
use crate::support::{Asked, FULL, Fixture, processes_with, wait_for};

/// Who keeps the pid namespace of the group `g`.
fn keeper(fixture: &Fixture) -> Pid {
    let record = fs::read_to_string(fixture.root.path().join("run/containers/g/holder")).expect("a record");
    let pid = record.split(' ').nth(1).and_then(|pid| pid.parse().ok()).expect("a number");
    Pid::from_raw(pid).expect("a process")
}

fn sharing_pids(line: &str) -> Asked {
    let mut asked = in_group(line, Ipc::Unset);
    asked.wishes.shares_pids = true;
    asked.survives = true;
    asked
}

/// A container of a group that shares its pid namespace, and goes on until it is destroyed.
fn stays(fixture: &Fixture, name: &str) -> String {
    fixture.launch(name, sharing_pids("readlink /proc/self/ns/pid > at; exec sleep 1000"));
    fixture.launched();
    fixture.line(name, "at")
}

#[test]
fn containers_of_a_group_see_each_others_processes() {
    let fixture = Fixture::new(FULL);
    let group = group(&fixture, Wishes::default());
    let own = fs::read_link("/proc/self/ns/pid").expect("readable").display().to_string();
    let shared = stays(&fixture, "g.stays");
    assert_ne!(shared, own);
    // It sees who shares its pids, by the numbers that both have; nobody else; and no more of the machine's.
    let seen =
        fixture.output_of("g.looks", sharing_pids("readlink /proc/self/ns/pid; cat /proc/[0-9]*/comm"));
    let mut lines = seen.lines();
    assert_eq!(lines.next(), Some(&*shared));
    let mut names: Vec<_> = lines.collect();
    names.sort_unstable();
    assert_eq!(names, ["meseta-init", "meseta-init", "meseta-init", "sh", "sleep"], "{seen}");
    // One that has pids of its own sees its own only, and is not seen.
    let alone = fixture.output_of("g.alone", in_group("cat /proc/[0-9]*/comm", Ipc::Unset));
    assert!(!alone.contains("sleep"), "{alone}");
    // A signal reaches a task there, and a daemon that it started ends with it and with nobody else.
    let daemon = "setsid sleep 77781 & while :; do sleep 0.1; done";
    let ending = fixture.launch("g.ends", sharing_pids(daemon));
    fixture.launched();
    wait_for(|| processes_with("77781").len() >= 2);
    fixture.launcher().signal(&ending, Signal::TERM);
    assert_eq!(fixture.ended().status, 15);
    fixture.launcher().destroy(&ending);
    fixture.destroyed();
    assert!(processes_with("77781").is_empty());
    assert_eq!(fixture.output_of("g.again", sharing_pids("readlink /proc/self/ns/pid")).trim_end(), shared);
    let first = ContainerId::from("g.stays");
    fixture.launcher().destroy(&first);
    fixture.ended();
    fixture.destroyed();
    // Between two tasks nobody is there, and it is the same namespace.
    assert_eq!(fixture.output_of("g.later", sharing_pids("readlink /proc/self/ns/pid")).trim_end(), shared);
    fixture.launcher().destroy(&group);
    fixture.destroyed();
}

#[test]
fn a_group_keeps_its_pids_while_nobody_watches_over_it() {
    let mut fixture = Fixture::new(FULL);
    let group = group(&fixture, Wishes::default());
    let shared = stays(&fixture, "g.stays");
    fixture.restart();
    let known = |name: &str, group: bool| Known {
        container_id: name.into(),
        sandbox: fixture.sandbox(name),
        limits: Limits::default(),
        group,
    };
    let recovered = fixture.launcher().recover(vec![known("g", true), known("g.stays", false)]);
    assert_eq!(recovered.running.len(), 1, "{recovered:?}");
    let keeper = keeper(&fixture);
    assert_eq!(fixture.output_of("g.looks", sharing_pids("readlink /proc/self/ns/pid")).trim_end(), shared);
    let stays = ContainerId::from("g.stays");
    let pid = fixture.launcher().status(&stays).pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    fixture.launcher().destroy(&stays);
    fixture.ended();
    fixture.destroyed();
    // Here it is our child. That of an agent that has ended is the machine's, which waits for it.
    waitpid(pid, WaitOptions::empty()).expect("it has ended");
    fixture.launcher().destroy(&group);
    fixture.destroyed();
    assert!(kill_process(keeper, Signal::CONT).is_err(), "who kept it has gone with the group");
}

#[test]
fn who_keeps_the_pids_of_a_group_may_be_killed() {
    let fixture = Fixture::new(FULL);
    let group = group(&fixture, Wishes::default());
    let first = stays(&fixture, "g.stays");
    // As long as somebody holds a namespace its number stays its own.
    let path = format!("/proc/{}/ns/pid", keeper(&fixture).as_raw_nonzero());
    let _held = fs::File::open(path).expect("it runs");
    kill_process(keeper(&fixture), Signal::KILL).expect("ours");
    // The kernel ends all who are there. Who comes later has another one.
    assert_eq!(fixture.ended().status, 9);
    fixture.launcher().destroy(&ContainerId::from("g.stays"));
    fixture.destroyed();
    assert_ne!(fixture.output_of("g.later", sharing_pids("readlink /proc/self/ns/pid")).trim_end(), first);
    fixture.launcher().destroy(&group);
    fixture.destroyed();
}
