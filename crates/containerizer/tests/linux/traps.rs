//! What a task, or whoever may ask for volumes, puts in the way of the init and of the launcher.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use containerizer::{Launcher, Limit, LimitationKind, Limits, Volume, VolumeFrom, VolumeLimit};

use crate::hung::Hung;
use crate::support::{Asked, Fixture, processes_with, shell, wait_for};

fn host(source: &Path, container_path: &str) -> Volume {
    let source = VolumeFrom::Host(source.to_owned());
    Volume { source, container_path: container_path.into(), read_only: false }
}

#[test]
fn a_volume_in_the_place_of_proc_misleads_nobody() {
    let fixture = Fixture::new("cgroups/mem,filesystem/linux");
    let path = |name: &str| fixture.root.path().join(name);
    for directory in ["proc/self/fd", "decoy", "source"] {
        fs::create_dir_all(path(directory)).expect("ours");
    }
    fs::write(path("source/file"), "content").expect("ours");
    fs::write(path("victim"), "as it was").expect("ours");
    // Whatever number a descriptor has, it leads elsewhere.
    for number in 0..64 {
        symlink(path("decoy"), path("proc/self/fd").join(number.to_string())).expect("ours");
    }
    symlink(path("victim"), path("proc/self/oom_score_adj")).expect("ours");
    // More than was requested may be used, so that the kernel is to be told whom to pick.
    let limits = Limits { memory: Some(64 << 20), memory_limit: Limit::At(128 << 20), ..Limits::default() };
    let mut asked = Asked { limits, ..shell("cat data/file; exec sleep 77794") };
    asked.wishes.volumes = vec![host(&path("proc"), "/proc"), host(&path("source"), "data")];
    let container_id = fixture.launch("c", asked);
    fixture.launched();
    wait_for(|| fixture.read("c", "stdout") == "content");
    let mut task = Vec::new();
    wait_for(|| {
        task = processes_with("77794");
        !task.is_empty()
    });
    let score = fs::read_to_string(format!("/proc/{}/oom_score_adj", task[0])).expect("it runs");
    assert!(score.trim().parse::<i32>().expect("a number") > 1, "{score}");
    assert_eq!(fs::read_to_string(path("victim")).expect("there"), "as it was");
    assert_eq!(fs::read_dir(path("decoy")).expect("there").count(), 0);
    fixture.launcher().destroy(&container_id);
    fixture.ended();
    fixture.destroyed();
}

#[test]
fn a_disk_that_does_not_answer_costs_only_its_own_container() {
    let hung = Hung::new();
    let fixture = Fixture::with("disk/du,network/ports,filesystem/linux,namespaces/pid", |options| {
        options.disk_interval = Duration::from_millis(20);
        options.enforce_disk = true;
        options.ports_interval = Duration::from_millis(20);
        options.enforce_ports = true;
    });
    let volume = VolumeLimit { path: hung.path().to_owned(), bytes: 1 << 20, is_mount: false };
    let limits = Limits { volumes: vec![volume], ..Limits::default() };
    let waits = fixture.launch("hangs", Asked { limits, ..shell("exec sleep 1000") });
    fixture.launched();
    hung.wait_until_asked();
    let disk = Limits { disk: Some(2 << 20), ..Limits::default() };
    let line = "head -c 4194304 /dev/urandom > big; sync big; exec sleep 1000";
    let limitation = fixture.run("big", Asked { limits: disk, ..shell(line) }).limitation.expect("too much");
    assert!(matches!(limitation.kind, LimitationKind::Disk { .. }), "{limitation:?}");
    let line = "exec python3 -c 'import socket, time; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); \
                s.listen(); time.sleep(1000)'";
    let limitation = fixture.run("listens", shell(line)).limitation.expect("a port of nobody");
    assert!(matches!(limitation.kind, LimitationKind::Ports(_)), "{limitation:?}");
    // What it uses beside is known, and it can be ended.
    assert!(fixture.launcher().usage().contains_key(&waits));
    fixture.launcher().destroy(&waits);
    fixture.ended();
    fixture.destroyed();
}

#[test]
fn an_init_that_hangs_while_it_prepares_can_be_ended() {
    let fixture = Fixture::new("filesystem/linux,namespaces/pid,cgroups/pids");
    let sandbox = fixture.sandbox("c");
    containerizer::create_sandbox(&sandbox, None).expect("a sandbox");
    let hung = Hung::at(&sandbox.join("mnt"));
    let source = VolumeFrom::Sandbox("mnt/deep".into());
    let elsewhere = fixture.root.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("ours");
    let mut asked = shell("true");
    asked.wishes.volumes = vec![Volume { source, container_path: elsewhere, read_only: false }];
    let container_id = fixture.launch("c", asked);
    hung.wait_until_asked();
    assert_eq!(fixture.run("other", shell("true")).status, 0, "others go on meanwhile");
    fixture.launcher().destroy(&container_id);
    fixture.launched();
    assert_eq!(fixture.ended().status, 9, "as if its task had been killed");
    fixture.destroyed();
    assert!(fixture.groups().iter().all(|group| !group.ends_with("c")));
}

#[test]
fn inits_that_hang_are_ended_with_their_launcher() {
    let mut fixture = Fixture::new("filesystem/linux,namespaces/pid,cgroups/pids");
    let sandbox = fixture.sandbox("c");
    containerizer::create_sandbox(&sandbox, None).expect("a sandbox");
    let hung = Hung::at(&sandbox.join("mnt"));
    let source = VolumeFrom::Sandbox("mnt/deep".into());
    let elsewhere = fixture.root.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("ours");
    let mut asked = Asked { survives: true, ..shell("true") };
    asked.wishes.volumes = vec![Volume { source, container_path: elsewhere, read_only: false }];
    fixture.launch("c", asked);
    hung.wait_until_asked();
    // The next one finds it as it is: to it, it runs; and can be ended like any other.
    fixture.restart();
    let recovered = fixture.launcher().recover(vec![crate::recovery::known(&fixture, "c")]);
    let [(container_id, pid)] = &recovered.running[..] else { panic!("{recovered:?}") };
    fixture.launcher().destroy(container_id);
    assert_eq!(fixture.ended().status, 9);
    fixture.destroyed();
    // Here it is our child. That of an agent that has ended is the machine's, which waits for it.
    let pid = rustix::process::Pid::from_raw(i32::try_from(*pid).expect("small"));
    rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).expect("ours");
}
