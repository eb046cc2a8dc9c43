//! What a container may use: memory, processors, processes, disk, ports; and what is said when it wants more.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use containerizer::{Launcher, Limit, LimitationKind, Limits, LinuxOptions, VolumeLimit};

use crate::support::{Asked, FULL, Fixture, shell, wait_for};

/// Takes so many megabytes and keeps them.
fn hog(megabytes: u32) -> String {
    format!("python3 -c 'import time; x = bytearray({megabytes} << 20); time.sleep(100)'")
}

fn with(line: &str, limits: Limits) -> Asked {
    Asked { limits, ..shell(line) }
}

#[test]
fn a_memory_hog_is_ended_and_named() {
    let fixture = Fixture::new(FULL);
    // The hog is not the first process: that one would live on.
    let ended = fixture.run("c", shell(&format!("{}; sleep 100", hog(200))));
    let limitation = ended.limitation.expect("it went beyond its memory");
    let LimitationKind::Memory { peak } = limitation.kind else { panic!("{limitation:?}") };
    assert!((60 << 20..=64 << 20).contains(&peak), "{peak}");
    let first = limitation.message.lines().next().expect("a line");
    assert!(first.starts_with("Memory limit exceeded: Requested: 64MB Maximum Used: 6"), "{first}");
    assert!(first.contains("(python3) with "), "{first}");
    assert!(limitation.message.contains("\n\nMEMORY STATISTICS: \n"));
}

#[test]
fn a_task_that_is_killed_for_memory_itself_says_so_too() {
    let fixture = Fixture::new(FULL);
    let ended = fixture.run("c", shell(&format!("exec {}", hog(200))));
    assert_eq!(ended.status, 9);
    assert!(matches!(ended.limitation.expect("it was").kind, LimitationKind::Memory { .. }));
}

#[test]
fn a_memory_limit_above_the_request_holds_instead_of_it() {
    let fixture = Fixture::new(FULL);
    let limits = Limits { memory: Some(40 << 20), memory_limit: Limit::At(256 << 20), ..Limits::default() };
    let line = "python3 -c 'x = bytearray(100 << 20)' && cat /proc/self/oom_score_adj";
    let output = fixture.output_of("c", with(line, limits));
    assert!(output.trim_end().parse::<i32>().expect("a score") > 900, "{output}");
    let unlimited =
        Limits { memory_limit: Limit::Unlimited, ..Limits { memory: Some(32 << 20), ..Limits::default() } };
    assert_eq!(fixture.run("unlimited", with("python3 -c 'x = bytearray(100 << 20)'", unlimited)).status, 0);
}

#[test]
fn a_limit_can_be_raised_while_the_task_runs() {
    let fixture = Fixture::new(FULL);
    let container_id = fixture
        .launch("c", shell("while test ! -e go; do sleep 0.01; done; python3 -c 'x = bytearray(100 << 20)'"));
    fixture.launched();
    let limits = Limits { memory: Some(256 << 20), cpus: Some(1.0), ..Limits::default() };
    fixture.launcher().update(&container_id, &limits).expect("it may have more");
    std::fs::write(fixture.sandbox("c").join("go"), "").expect("writable");
    let ended = fixture.ended();
    assert_eq!((ended.status, ended.limitation), (0, None));
    fixture.launcher().destroy(&container_id);
    fixture.destroyed();
}

#[test]
fn a_fork_bomb_stops_at_its_limit() {
    let fixture = Fixture::with(FULL, |options| options.pids_limit = Some(50));
    let line = "python3 -c '
import os, time
def bomb():
    while True:
        try:
            if os.fork() == 0: time.sleep(100)
        except OSError: return
bomb()
print(len([p for p in os.listdir(\"/proc\") if p.isdigit()]), flush=True)
os._exit(5)'; exit $?";
    let ended = fixture.run("c", shell(line));
    assert_eq!(ended.status, 5 << 8, "{}", fixture.read("c", "stderr"));
    let count: u32 = fixture.read("c", "stdout").trim().parse().expect("a number");
    // With the init.
    assert!(count <= 51, "{count} processes");
    let limitation = ended.limitation.expect("it was refused processes");
    assert_eq!(limitation.kind, LimitationKind::Pids);
    assert!(
        limitation.message.starts_with("Process limit exceeded: at its limit of 50 "),
        "{}",
        limitation.message
    );
}

#[test]
fn a_processor_hog_gets_its_quota() {
    let fixture = Fixture::with(FULL, |options| options.cfs = true);
    let limits = Limits { cpus: Some(0.2), memory: Some(64 << 20), ..Limits::default() };
    let container_id = fixture.launch("c", with("while :; do :; done", limits));
    fixture.launched();
    let used = || {
        let usage = fixture.launcher().usage();
        let usage = usage.get(&container_id).expect("it runs").clone();
        (usage.cpu_user + usage.cpu_system, usage.throttling)
    };
    wait_for(|| used().0 > Duration::from_millis(100));
    // The time is that around both looks: on a busy machine each may take long.
    let begin = Instant::now();
    let (before, _) = used();
    wait_for(|| begin.elapsed() > Duration::from_secs(2));
    let (after, _) = used();
    let share = (after - before).as_secs_f64() / begin.elapsed().as_secs_f64();
    // A busy machine gives less; never more.
    assert!(share < 0.22, "{share}");
    // There it may take a while until it has had its quota of a moment.
    wait_for(|| used().1.expect("it has a quota").throttled > 0);
    fixture.launcher().destroy(&container_id);
    assert_eq!(fixture.ended().status, 9);
    fixture.destroyed();
}

#[test]
fn too_much_in_the_sandbox_is_found_out() {
    let fixture = Fixture::with("disk/du,filesystem/linux,namespaces/pid", |options| {
        options.disk_interval = Duration::from_millis(20);
        options.enforce_disk = true;
    });
    let limits = Limits { disk: Some(2 << 20), ..Limits::default() };
    let line = "head -c 4194304 /dev/urandom > big; sync big; sleep 100";
    let ended = fixture.run("c", with(line, limits));
    let limitation = ended.limitation.expect("it holds too much");
    let LimitationKind::Disk { used, volume: None, .. } = limitation.kind else { panic!("{limitation:?}") };
    assert!(used > 2 << 20);
    assert!(limitation.message.contains("exceeds quota (2MB)"), "{}", limitation.message);
}

#[test]
fn too_much_in_a_volume_is_found_out_unless_it_is_a_disk_of_its_own() {
    let volume = tempfile::tempdir().expect("a directory");
    let fixture = Fixture::with("disk/du,filesystem/linux,namespaces/pid", |options| {
        options.disk_interval = Duration::from_millis(20);
        options.enforce_disk = true;
    });
    let path = volume.path().join("big");
    let line = format!("head -c 4194304 /dev/urandom > {0}; sync {0}; sleep 100", path.display());
    let limits = |is_mount| {
        let volume = VolumeLimit { path: volume.path().to_owned(), bytes: 2 << 20, is_mount };
        Limits { volumes: vec![volume], ..shell("").limits }
    };
    let container_id = fixture.launch("mount", with(&line, limits(true)));
    fixture.launched();
    wait_for(|| {
        let usage = fixture.launcher().usage();
        usage[&container_id].volumes[0].used.is_some_and(|used| used >= 4 << 20)
    });
    fixture.launcher().destroy(&container_id);
    assert_eq!(fixture.ended().limitation, None, "its file system bounds it");
    fixture.destroyed();
    std::fs::remove_file(&path).expect("it is there");
    let ended = fixture.run("directory", with(&line, limits(false)));
    let limitation = ended.limitation.expect("it holds too much");
    let LimitationKind::Disk { volume: Some(place), .. } = &limitation.kind else { panic!("{limitation:?}") };
    assert_eq!(place, volume.path());
    assert!(limitation.message.contains(&volume.path().display().to_string()), "{}", limitation.message);
}

#[test]
fn weights_follow_requests() {
    let fixture = Fixture::with(FULL, |options| options.cfs = true);
    let weight = |name: &str, limits: Limits| {
        let container_id = fixture.launch(name, with("sleep 100", limits));
        fixture.launched();
        let found = fixture.of_group(name, ["cpu.shares", "cpu.weight"]);
        let quota = fixture.of_group(name, ["cpu.cfs_quota_us", "cpu.max"]);
        fixture.launcher().destroy(&container_id);
        fixture.ended();
        fixture.destroyed();
        (found, quota.split(' ').next().unwrap_or_default().to_owned())
    };
    let second = fixture.launcher().cgroups_version() == 2;
    let each = |first: &str, other: &str| if second { other.to_owned() } else { first.to_owned() };
    let plain = Limits { cpus: Some(0.5), ..Limits::default() };
    assert_eq!(weight("plain", plain.clone()), (each("512", "50"), "50000".to_owned()));
    let revocable = Limits { cpus: Some(2.0), cpus_revocable: true, ..Limits::default() };
    assert_eq!(weight("revocable", revocable).0, each("20", "2"));
    let unlimited = Limits { cpus_limit: Limit::Unlimited, ..plain };
    assert_eq!(weight("unlimited", unlimited).1, each("-1", "max"));
}

#[test]
fn a_container_has_a_group_of_its_own_of_every_controller() {
    let fixture = Fixture::new("cgroups/all,filesystem/linux,namespaces/pid");
    let output = fixture.output_of("c", shell("cat /proc/self/cgroup; nproc"));
    let own = format!("/{}/c", fixture.options.cgroups_root);
    let of = |controller: &str| {
        let mut lines = output.lines();
        lines.any(|line| {
            line.split(':').nth(1).is_some_and(|names| names == controller) && line.ends_with(&own)
        })
    };
    if fixture.launcher().cgroups_version() == 2 {
        assert!(of(""), "{output}");
    } else {
        for controller in ["cpu", "cpuset", "memory", "blkio", "devices", "pids", "freezer"] {
            assert!(of(controller), "{controller}: {output}");
        }
    }
    // In a new group of processors there is none until somebody says which.
    let processors = std::thread::available_parallelism().expect("known").to_string();
    assert_eq!(output.lines().last(), Some(&*processors));
}

/// A launcher that looks at ports all the time, and at disks as often.
fn port_watcher(change: impl FnOnce(&mut LinuxOptions)) -> Fixture {
    Fixture::with("network/ports,disk/du,filesystem/linux,namespaces/pid", |options| {
        options.ports_interval = Duration::from_millis(20);
        options.disk_interval = Duration::from_millis(20);
        options.enforce_ports = true;
        change(options);
    })
}

/// Waits until ports were looked at. One thread looks at ports and disks in turn, and between three looks at disks there is
/// one at ports at least.
fn until_ports_were_looked_at(fixture: &Fixture, name: &str) {
    for megabytes in 1..=3_u64 {
        let mut file = File::create(fixture.sandbox(name).join("grows")).expect("writable");
        file.write_all(&vec![1; usize::try_from(megabytes << 20).expect("small")]).expect("writable");
        file.sync_all().expect("writable");
        let used = || {
            fixture.launcher().usage().get(&base::ContainerId::from(name)).and_then(|usage| usage.disk_used)
        };
        wait_for(|| used().is_some_and(|used| used >= megabytes << 20));
    }
}

#[test]
fn listening_on_a_port_of_somebody_else_is_found_out() {
    let fixture = port_watcher(|_| {});
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a port")
        .port();
    let line = format!(
        "python3 -c 'import socket, time; s = socket.socket(); s.bind((\"127.0.0.1\", {port})); s.listen(); open(\"up\", \"w\").write(\"\\n\"); time.sleep(100)'"
    );
    let own = Limits { ports: vec![(port, port)], ..Limits::default() };
    let container_id = fixture.launch("own", with(&line, own));
    fixture.launched();
    fixture.line("own", "up");
    until_ports_were_looked_at(&fixture, "own");
    assert!(fixture.launcher().status(&container_id).pid.is_some(), "it may");
    fixture.launcher().destroy(&container_id);
    assert_eq!(fixture.ended().limitation, None);
    fixture.destroyed();
    // Neither is anybody ended whose port nobody looks after, nor where nobody is to be ended.
    for change in [
        (|options: &mut LinuxOptions| options.isolated_ports = Some(vec![(1, 2)])) as fn(&mut LinuxOptions),
        |options| options.enforce_ports = false,
    ] {
        let lenient = port_watcher(change);
        let container_id = lenient.launch("foreign", with(&line, Limits::default()));
        lenient.launched();
        lenient.line("foreign", "up");
        until_ports_were_looked_at(&lenient, "foreign");
        lenient.launcher().destroy(&container_id);
        assert_eq!(lenient.ended().limitation, None);
        lenient.destroyed();
    }
    let ended = fixture.run("foreign", with(&line, Limits::default()));
    let limitation = ended.limitation.expect("it may not");
    assert_eq!(limitation.kind, LimitationKind::Ports(vec![port]));
    assert!(limitation.message.contains(&format!("unallocated port(s): [{port}-{port}]")));
}

#[test]
fn a_group_of_containers_shares_its_limit() {
    let fixture = Fixture::new(FULL);
    let sandbox = fixture.sandbox("g");
    containerizer::create_sandbox(&sandbox, None).expect("a sandbox");
    let group = base::ContainerId::from("g");
    let limits = Limits { memory: Some(64 << 20), cpus: Some(1.0), ..Limits::default() };
    let spec =
        containerizer::GroupSpec { container_id: group.clone(), sandbox, limits, wishes: Default::default() };
    fixture.launcher().launch_group(spec).expect("a group");
    let mut asked = shell(&hog(100));
    asked.limits.memory = Some(32 << 20);
    asked.wishes.shares_limits = true;
    let ended = fixture.run("g.hog", asked);
    let limitation = ended.limitation.expect("it went beyond the group's memory");
    assert!(limitation.message.contains("Requested: 64MB"), "{}", limitation.message);
    let mut asked = shell(&hog(50));
    asked.limits.memory = Some(32 << 20);
    let ended = fixture.run("g.own", asked);
    assert!(ended.limitation.expect("it went beyond its own").message.contains("Requested: 32MB"));
    fixture.launcher().destroy(&group);
    fixture.destroyed();
}

/// The kernel does not end a watch with the group that it is on, and gives a user only so many.
#[test]
fn nothing_is_watched_any_more_when_a_container_is_gone() {
    let fixture = Fixture::new("cgroups/mem");
    let container_id = fixture.launch("c", shell("sleep 100"));
    fixture.launched();
    let groups = fixture.groups().into_iter().filter(|group| group.ends_with("c"));
    let events = groups.map(|group| group.join("memory.events"));
    let inodes: Vec<u64> = events.filter_map(|path| Some(std::fs::metadata(path).ok()?.ino())).collect();
    assert_eq!(inodes.len(), usize::from(fixture.launcher().cgroups_version() == 2));
    assert!(inodes.iter().all(|inode| is_watched(*inode)));
    fixture.launcher().destroy(&container_id);
    fixture.ended();
    fixture.destroyed();
    assert!(!inodes.iter().any(|inode| is_watched(*inode)));
}

/// Whether this process has the kernel tell of changes of a file.
fn is_watched(inode: u64) -> bool {
    let descriptors = std::fs::read_dir("/proc/self/fdinfo").expect("readable").flatten();
    let mut lines = descriptors.map(|entry| std::fs::read_to_string(entry.path()).unwrap_or_default());
    lines.any(|text| text.contains(&format!(" ino:{inode:x} ")))
}
