//! The launcher ends, and another one finds what it started.

use std::time::Duration;

use base::ContainerId;
use containerizer::{GroupSpec, Isolation, Known, Launcher, Limits, Recovered};

use crate::support::{Asked, FULL, Fixture, processes_with, roots, shell, wait_for};

pub(crate) fn known(fixture: &Fixture, name: &str) -> Known {
    let container_id = ContainerId::from(name);
    let limits = Limits { memory: Some(64 << 20), ..Limits::default() };
    Known { container_id, sandbox: fixture.sandbox(name), limits, group: false }
}

fn surviving(line: &str) -> Asked {
    Asked { survives: true, ..shell(line) }
}

#[test]
fn a_container_goes_on_without_its_launcher() {
    let mut fixture = Fixture::new(FULL);
    let container_id = fixture.launch("c", surviving("while test ! -e go; do sleep 0.01; done; exit 7"));
    let pid = fixture.launched();
    fixture.restart();
    let recovered = fixture.launcher().recover(vec![known(&fixture, "c")]);
    assert_eq!(recovered.running, [(container_id.clone(), pid)]);
    assert_eq!(fixture.launcher().status(&container_id).pid, Some(pid));
    assert!(fixture.launcher().usage().contains_key(&container_id));
    std::fs::write(fixture.sandbox("c").join("go"), "").expect("writable");
    assert_eq!(fixture.ended().status, 7 << 8);
    fixture.launcher().destroy(&container_id);
    fixture.destroyed();
}

#[test]
fn how_a_task_ended_meanwhile_is_known() {
    let mut fixture = Fixture::new(FULL);
    for (name, end) in [("code", "exit 7"), ("signal", "kill -USR1 $$")] {
        fixture.launch(name, surviving(&format!("while test ! -e go; do sleep 0.01; done; {end}")));
    }
    let pids = [fixture.launched(), fixture.launched()];
    fixture.launcher.take().expect("it runs").leave();
    for name in ["code", "signal"] {
        std::fs::write(fixture.sandbox(name).join("go"), "").expect("writable");
    }
    // Nobody waits for them here but this process, whose children they are.
    for pid in pids {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("small"));
        rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).expect("ours");
    }
    let (sender, events) = std::sync::mpsc::channel();
    let sink = std::sync::Arc::new(move |event| drop(sender.send(event)));
    fixture.launcher =
        Some(containerizer::LinuxLauncher::new(fixture.options.clone(), sink).expect("a launcher"));
    fixture.events = events;
    let recovered = fixture.launcher().recover(vec![known(&fixture, "code"), known(&fixture, "signal")]);
    let ended: Vec<(&str, i32)> = recovered.ended.iter().map(|(id, status)| (id.as_str(), *status)).collect();
    assert_eq!(ended, [("code", 7 << 8), ("signal", 10)]);
    for (container_id, _) in &recovered.ended {
        fixture.launcher().destroy(container_id);
        fixture.destroyed();
    }
}

#[test]
fn a_recovered_container_is_limited_as_before() {
    let mut fixture = Fixture::new(FULL);
    let line = "while test ! -e go; do sleep 0.01; done; python3 -c 'x = bytearray(200 << 20)'; sleep 100";
    let container_id = fixture.launch("c", surviving(line));
    fixture.launched();
    fixture.restart();
    let recovered = fixture.launcher().recover(vec![known(&fixture, "c")]);
    assert_eq!(recovered.running.len(), 1);
    std::fs::write(fixture.sandbox("c").join("go"), "").expect("writable");
    let ended = fixture.ended();
    assert!(ended.limitation.expect("it went beyond its memory").message.contains("Requested: 64MB"));
    fixture.launcher().destroy(&container_id);
    fixture.destroyed();
}

#[test]
fn a_container_of_an_agent_with_fewer_isolators_goes_on() {
    let mut fixture = Fixture::new("cgroups/cpu");
    let container_id = fixture.launch("c", surviving("while test ! -e go; do sleep 0.01; done; exit 7"));
    fixture.launched();
    fixture.options.isolation =
        Isolation::parse("cgroups/cpu,cgroups/mem,cgroups/pids").expect("known isolators");
    fixture.restart();
    assert_eq!(fixture.launcher().recover(vec![known(&fixture, "c")]).running.len(), 1);
    let usage = fixture.launcher().usage().remove(&container_id).expect("it runs");
    assert!(usage.processes > 0 && usage.memory_rss > 0, "{usage:?}");
    let limits = Limits { memory: Some(128 << 20), cpus: Some(1.0), ..Limits::default() };
    fixture.launcher().update(&container_id, &limits).expect("what it has not got is left alone");
    std::fs::write(fixture.sandbox("c").join("go"), "").expect("writable");
    let ended = fixture.ended();
    assert_eq!((ended.status, ended.limitation), (7 << 8, None));
    fixture.launcher().destroy(&container_id);
    fixture.destroyed();
}

/// Whatever the next launcher does about pids, a container that it finds is measured and ended whole.
#[test]
fn a_container_goes_on_whoever_has_pids_of_their_own() {
    let (with, without) = ("cgroups/cpu,filesystem/linux,namespaces/pid", "cgroups/cpu,filesystem/linux");
    for (before, after, marker) in [(with, without, "77793"), (without, with, "77794")] {
        let mut fixture = Fixture::new(before);
        let container_id =
            fixture.launch("c", surviving(&format!("setsid sleep {marker} & exec sleep {marker}")));
        fixture.launched();
        wait_for(|| processes_with(marker).len() == 2);
        fixture.options.isolation = Isolation::parse(after).expect("known isolators");
        fixture.restart();
        assert_eq!(fixture.launcher().recover(vec![known(&fixture, "c")]).running.len(), 1);
        let usage = fixture.launcher().usage().remove(&container_id).expect("it runs");
        assert!(usage.processes >= 3 && usage.memory_rss > 0, "{usage:?}");
        fixture.launcher().destroy(&container_id);
        fixture.ended();
        fixture.destroyed();
        wait_for(|| processes_with(marker).is_empty());
    }
}

#[test]
fn what_nobody_knows_is_removed_and_named() {
    for (isolation, marker) in [(FULL, "77791"), ("cgroups/mem", "77792")] {
        let mut fixture = Fixture::new(isolation);
        fixture.launch("known", surviving("sleep 100"));
        fixture.launched();
        fixture.launch("left", surviving(&format!("setsid sleep {marker} & sleep {marker}")));
        fixture.launched();
        wait_for(|| processes_with(marker).len() >= 2);
        fixture.restart();
        let recovered = fixture.launcher().recover(vec![known(&fixture, "known"), known(&fixture, "never")]);
        assert_eq!(recovered.removed, ["left"]);
        assert_eq!(recovered.unstarted, [ContainerId::from("never")]);
        assert_eq!(recovered.running.len(), 1);
        assert!(processes_with(marker).is_empty());
        assert!(fixture.groups().iter().all(|path| !path.ends_with("left")));
    }
}

#[test]
fn groups_without_a_record_are_found_too() {
    let mut fixture = Fixture::new(FULL);
    let container_id = fixture.launch("c", surviving("sleep 100"));
    fixture.launched();
    fixture.launcher().forget(&container_id);
    // Until it executes a program, a child that another test has just forked holds the lock by which a launcher shows that it
    // is there, and the next one takes it for one that shares the root.
    let mut removed = Vec::new();
    for _ in 0..100 {
        fixture.restart();
        removed = fixture.launcher().recover(Vec::new()).removed;
        if !removed.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(removed, ["c"]);
    assert!(fixture.groups().is_empty());
}

/// Its limits may not have been set yet.
#[test]
fn a_group_that_was_not_finished_is_made_anew() {
    let mut fixture = Fixture::new(FULL);
    let of_group = Known { group: true, ..known(&fixture, "g") };
    let spec = || GroupSpec {
        container_id: of_group.container_id.clone(),
        sandbox: of_group.sandbox.clone(),
        limits: of_group.limits.clone(),
        wishes: Default::default(),
    };
    fixture.launcher().launch_group(spec()).expect("a group");
    fixture.leave();
    let record = fixture.options.runtime_dir.join("containers/g");
    std::fs::write(record.join("unfinished"), "").expect("writable");
    fixture.begin();
    let recovered = fixture.launcher().recover(vec![of_group.clone()]);
    assert_eq!(recovered.unstarted, std::slice::from_ref(&of_group.container_id));
    assert!(fixture.groups().is_empty());
    fixture.launcher().launch_group(spec()).expect("a group");
    fixture.restart();
    assert_eq!(fixture.launcher().recover(vec![of_group.clone()]), Recovered::default());
    fixture.launcher().destroy(&of_group.container_id);
    fixture.destroyed();
}

/// As a task may, whoever it runs as: the directory can be opened by everybody.
#[test]
fn who_locks_the_root_group_stops_nobody() {
    let mut fixture = Fixture::new(FULL);
    let container_id = fixture.launch("c", surviving("sleep 100"));
    fixture.launched();
    fixture.launcher().forget(&container_id);
    fixture.leave();
    let opened = roots(&fixture.options.cgroups_root).into_iter().map(std::fs::File::open);
    let opened: Vec<std::fs::File> = opened.collect::<Result<_, _>>().expect("directories");
    opened.iter().for_each(|directory| directory.try_lock().expect("nobody has it"));
    fixture.begin();
    assert_eq!(fixture.launcher().recover(Vec::new()).removed, ["c"]);
}

#[test]
fn who_shares_the_root_keeps_what_is_its_own() {
    let mut first = Fixture::new(FULL);
    let root = first.options.cgroups_root.clone();
    let second = Fixture::with(FULL, |options| options.cgroups_root.clone_from(&root));
    second.launch("second", shell("sleep 100"));
    second.launched();
    // Whoever came first goes, and comes again while the other is there.
    first.restart();
    assert_eq!(first.launcher().recover(Vec::new()).removed, Vec::<String>::new());
    let third = Fixture::with(FULL, |options| options.cgroups_root = root);
    assert_eq!(third.launcher().recover(Vec::new()).removed, Vec::<String>::new());
    assert!(second.launcher().usage().contains_key(&ContainerId::from("second")));
    second.launcher().destroy(&ContainerId::from("second"));
    second.ended();
    second.destroyed();
}
