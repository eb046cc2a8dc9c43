//! Nothing is left of a container, whatever it did.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use containerizer::{Launcher, Limits};

use crate::support::{Asked, FULL, Fixture, processes_with, shell, wait_for};

#[test]
fn daemons_that_hide_end_with_their_container() {
    for (isolation, marker) in [(FULL, "77781"), ("posix/cpu,posix/mem", "77782")] {
        let fixture = Fixture::new(isolation);
        // A session of its own, no parent, no environment: what cannot be found by looking at processes.
        let line = format!(
            "env -i setsid setsid sleep {marker} & (setsid sh -c 'sleep {marker} & sleep {marker}' &) ; echo up > up; wait; sleep {marker}"
        );
        let container_id = fixture.launch("c", shell(&line));
        fixture.launched();
        fixture.line("c", "up");
        wait_for(|| processes_with(marker).len() >= 3);
        fixture.launcher().destroy(&container_id);
        assert_eq!(fixture.ended().status, 9);
        fixture.destroyed();
        assert!(processes_with(marker).is_empty(), "{isolation}");
        assert!(fixture.groups().is_empty());
    }
}

#[test]
fn a_fork_bomb_can_be_destroyed() {
    for isolation in [FULL, "cgroups/pids"] {
        let fixture = Fixture::with(isolation, |options| options.pids_limit = Some(200));
        let line = "exec python3 -c '
import os, time
while True:
    try: os.fork()
    except OSError: time.sleep(0.001)'";
        let limits = Limits { memory: Some(1 << 30), ..Limits::default() };
        let container_id = fixture.launch("c", Asked { limits, ..shell(line) });
        fixture.launched();
        wait_for(|| fixture.launcher().usage().get(&container_id).is_some_and(|usage| usage.processes > 100));
        fixture.launcher().destroy(&container_id);
        fixture.ended();
        fixture.destroyed();
        assert!(fixture.groups().is_empty());
    }
}

/// A mount on a directory, as long as it lives.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn on_itself(directory: &'a Path) -> Self {
        let status =
            Command::new("mount").arg("--bind").args([directory, directory]).status().expect("mount");
        assert!(status.success(), "{status}");
        Self(directory)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_group_that_cannot_be_removed_is_counted_and_tried_again() {
    let fixture =
        Fixture::with("cgroups/cpu", |options| options.destroy_timeout = Duration::from_millis(100));
    let container_id = fixture.launch("c", shell("sleep 1000"));
    fixture.launched();
    let groups = fixture.groups();
    // The kernel removes no directory on which something is mounted.
    let mounted = Mounted::on_itself(groups.iter().find(|group| group.ends_with("c")).expect("its group"));
    fixture.launcher().destroy(&container_id);
    assert_eq!(fixture.ended().status, 9);
    wait_for(|| fixture.launcher().destroy_errors() > 0);
    drop(mounted);
    fixture.destroyed();
    assert_eq!(fixture.launcher().destroy_errors(), 1, "it counts once, however often it is tried");
    assert!(fixture.groups().is_empty());
}

#[test]
fn a_task_that_ignores_everything_ends() {
    let fixture = Fixture::new(FULL);
    let container_id =
        fixture.launch("c", shell("trap '' TERM INT HUP; echo up > up; while :; do sleep 1; done"));
    fixture.launched();
    fixture.line("c", "up");
    fixture.launcher().signal(&container_id, containerizer::Signal::TERM);
    fixture.launcher().destroy(&container_id);
    assert_eq!(fixture.ended().status, 9);
    fixture.destroyed();
}

#[test]
fn a_task_that_stands_still_ends() {
    for isolation in [FULL, "posix/cpu,posix/mem"] {
        let fixture = Fixture::new(isolation);
        let container_id = fixture.launch("c", shell("echo up > up; kill -STOP $$; echo never > went-on"));
        fixture.launched();
        fixture.line("c", "up");
        fixture.launcher().destroy(&container_id);
        assert_eq!(fixture.ended().status, 9);
        fixture.destroyed();
        assert!(!fixture.sandbox("c").join("went-on").exists());
    }
}

#[test]
fn groups_that_a_task_made_are_removed_too() {
    let fixture = Fixture::new(FULL);
    let line = "echo up > up; sleep 77783";
    let container_id = fixture.launch("c", shell(line));
    fixture.launched();
    fixture.line("c", "up");
    let group = fixture.launcher().status(&container_id).cgroup.expect("it has one");
    let own = group.join("of-the-task");
    std::fs::create_dir(&own).expect("writable");
    let sleeper = processes_with("77783")[0];
    std::fs::write(own.join("cgroup.procs"), sleeper.to_string()).expect("writable");
    fixture.launcher().destroy(&container_id);
    fixture.ended();
    fixture.destroyed();
    assert!(!group.exists());
}

#[test]
fn a_container_destroyed_at_once_still_tells_its_whole_life() {
    let fixture = Fixture::new(FULL);
    for number in 0..20 {
        let container_id = fixture.launch(&format!("c{number}"), shell("sleep 100"));
        fixture.launcher().destroy(&container_id);
        fixture.launched();
        assert_eq!(fixture.ended().status, 9);
        fixture.destroyed();
        fixture.launcher().forget(&container_id);
    }
}

#[test]
fn destroying_what_is_not_there_is_done_at_once() {
    let fixture = Fixture::new(FULL);
    fixture.launcher().destroy(&base::ContainerId::from("nobody"));
    fixture.destroyed();
}
