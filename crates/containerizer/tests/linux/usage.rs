//! What a container uses, as it is told to whoever asks.

use std::time::Duration;

use containerizer::{GroupSpec, Known, Launcher, Limit, Limits, Usage};

use crate::support::{Asked, Fixture, shell, wait_for};

const MEASURED: &str =
    "cgroups/cpu,cgroups/mem,cgroups/pids,cgroups/blkio,filesystem/linux,namespaces/pid,disk/du";

/// Takes 20 MB, says so, and waits.
const TWENTY_MEGABYTES: &str =
    "python3 -c 'import time; x = bytearray(20 << 20); open(\"up\", \"w\").write(\"\\n\"); time.sleep(100)'";

fn usage(fixture: &Fixture, name: &str) -> Usage {
    fixture.launcher().usage().remove(&base::ContainerId::from(name)).expect("it runs")
}

fn end(fixture: &Fixture, name: &str) {
    fixture.launcher().destroy(&base::ContainerId::from(name));
    fixture.ended();
    fixture.destroyed();
}

#[test]
fn what_a_container_uses_is_known() {
    let fixture = Fixture::new(MEASURED);
    fixture.launch("c", shell(TWENTY_MEGABYTES));
    fixture.launched();
    fixture.line("c", "up");
    let usage = usage(&fixture, "c");
    // The init, the shell (unless it became the task) and the task.
    assert!((2..=3).contains(&usage.processes), "{usage:?}");
    assert!(usage.threads >= usage.processes, "{usage:?}");
    assert!(usage.memory_rss > 20 << 20 && usage.memory_rss < 64 << 20, "{usage:?}");
    let memory = usage.memory.expect("it is accounted for");
    assert!(memory.total >= usage.memory_rss && memory.limit == Some(64 << 20), "{usage:?}");
    assert_eq!((memory.soft_limit, memory.total_with_swap), (Some(64 << 20), None));
    assert!(usage.cpu_user + usage.cpu_system > Duration::ZERO);
    assert_eq!((usage.cpus, usage.cpus_limit), (Some(0.5), None), "there is no quota");
    assert_eq!((usage.memory_request, usage.memory_limit), (Some(64 << 20), Some(64 << 20)));
    assert_eq!(usage.forks_refused, Some(0));
    end(&fixture, "c");
}

#[test]
fn time_of_the_task_and_of_the_kernel_for_it_are_told_apart() {
    let fixture = Fixture::new(MEASURED);
    fixture.launch("user", shell("while :; do :; done"));
    fixture.launched();
    let line = "python3 -c '\nimport os\nwhile True: os.urandom(1 << 20)'";
    fixture.launch("system", shell(line));
    fixture.launched();
    let enough = Duration::from_millis(300);
    wait_for(|| usage(&fixture, "user").cpu_user > enough);
    wait_for(|| usage(&fixture, "system").cpu_system > enough);
    let (user, system) = (usage(&fixture, "user"), usage(&fixture, "system"));
    assert!(user.cpu_user > user.cpu_system && system.cpu_system > system.cpu_user, "{user:?} {system:?}");
    end(&fixture, "user");
    end(&fixture, "system");
}

#[test]
fn limits_are_told_as_they_were_asked_for() {
    let fixture = Fixture::with(MEASURED, |options| {
        options.cfs = true;
        options.limit_swap = true;
    });
    fixture.launch("request", shell("sleep 100"));
    fixture.launched();
    let found = usage(&fixture, "request");
    assert_eq!(found.cpus_limit, Some(0.5));
    let memory = found.memory.expect("it is accounted for");
    assert!(memory.total_with_swap.is_some_and(|total| total >= memory.total), "{memory:?}");
    let with_swap = fixture.of_group("request", ["memory.memsw.limit_in_bytes", "memory.swap.max"]);
    assert_eq!(with_swap, if fixture.launcher().cgroups_version() == 2 { "0" } else { "67108864" });
    end(&fixture, "request");
    let limits = Limits { cpus_limit: Limit::At(1.5), memory_limit: Limit::Unlimited, ..shell("").limits };
    fixture.launch("beyond", Asked { limits, ..shell("sleep 100") });
    fixture.launched();
    let found = usage(&fixture, "beyond");
    assert_eq!((found.cpus, found.cpus_limit), (Some(0.5), Some(1.5)));
    assert_eq!(found.memory_request, Some(64 << 20));
    assert!(found.memory_limit.is_some_and(|limit| limit > 1 << 30), "all the machine has: {found:?}");
    end(&fixture, "beyond");
}

#[test]
fn what_is_read_and_written_is_known() {
    let fixture = Fixture::new(MEASURED);
    // Past the cache, so that the disk has it at once.
    let line = "dd if=/dev/zero of=file bs=1M count=4 oflag=direct 2> said && echo > up && sleep 100";
    fixture.launch("c", shell(line));
    fixture.launched();
    fixture.line("c", "up");
    let usage = usage(&fixture, "c");
    let written: u64 = usage.block.iter().map(|block| block.bytes.write).sum();
    let operations: u64 = usage.block.iter().map(|block| block.operations.write).sum();
    assert!((4 << 20..8 << 20).contains(&written), "{:?}", usage.block);
    assert!(operations > 0, "{:?}", usage.block);
    end(&fixture, "c");
}

#[test]
fn memory_that_becomes_scarce_is_counted() {
    let mut fixture = Fixture::new(MEASURED);
    fixture.launch("easy", Asked { survives: true, ..shell("sleep 100") });
    fixture.launched();
    let line =
        "while test ! -e go; do sleep 0.01; done; head -c 300000000 /dev/zero > file; echo > up; sleep 100";
    fixture.launch("scarce", shell(line));
    fixture.launched();
    let pressure = |name: &str| usage(&fixture, name).memory.expect("it is accounted for").pressure;
    if fixture.launcher().cgroups_version() == 2 {
        assert_eq!(pressure("easy"), None, "nothing counts it there");
    } else {
        std::fs::write(fixture.sandbox("scarce").join("go"), "").expect("writable");
        fixture.line("scarce", "up");
        wait_for(|| pressure("scarce").is_some_and(|pressure| pressure.low > 0));
        let low = |name| pressure(name).map_or(0, |pressure| pressure.low);
        let before = low("scarce");
        assert!(low("scarce") >= before, "what was counted stays");
        assert_eq!(pressure("easy").map(|pressure| pressure.critical), Some(0));
    }
    end(&fixture, "scarce");
    let counts = pressure("easy").is_some();
    fixture.restart();
    let (container_id, sandbox) = (base::ContainerId::from("easy"), fixture.sandbox("easy"));
    let known = Known { container_id, sandbox, limits: shell("").limits, group: false };
    assert_eq!(fixture.launcher().recover(vec![known]).running.len(), 1);
    let memory = usage(&fixture, "easy").memory.expect("it is accounted for");
    assert_eq!(memory.pressure.is_some(), counts, "after the launcher was started anew, too");
    end(&fixture, "easy");
}

#[test]
fn a_group_uses_what_those_in_it_use() {
    let fixture = Fixture::new(MEASURED);
    let sandbox = fixture.sandbox("g");
    containerizer::create_sandbox(&sandbox, None).expect("a sandbox");
    let limits = Limits { memory: Some(256 << 20), cpus: Some(1.0), ..Limits::default() };
    let container_id = base::ContainerId::from("g");
    let spec = GroupSpec { container_id: container_id.clone(), sandbox, limits, wishes: Default::default() };
    fixture.launcher().launch_group(spec).expect("a group");
    assert_eq!(usage(&fixture, "g").processes, 0, "it has none of its own");
    for name in ["g.one", "g.two"] {
        let mut asked = shell(TWENTY_MEGABYTES);
        asked.wishes.shares_limits = true;
        fixture.launch(name, asked);
        fixture.launched();
        fixture.line(name, "up");
    }
    let (all, one, two) = (usage(&fixture, "g"), usage(&fixture, "g.one"), usage(&fixture, "g.two"));
    assert_eq!(all.processes, one.processes + two.processes);
    assert!(all.threads >= all.processes, "{all:?}");
    assert!(all.memory_rss > 40 << 20 && one.memory_rss < 40 << 20, "{all:?}");
    assert!(all.cpu_user >= one.cpu_user, "{all:?}");
    assert_eq!(all.memory_limit, Some(256 << 20));
    end(&fixture, "g.one");
    end(&fixture, "g.two");
    fixture.launcher().destroy(&container_id);
    fixture.destroyed();
}

#[test]
fn disks_are_looked_at_without_being_asked() {
    let volume = tempfile::tempdir().expect("a directory");
    let fixture = Fixture::with(MEASURED, |options| options.disk_interval = Duration::from_millis(20));
    let path = volume.path().to_owned();
    std::fs::write(path.join("data"), vec![1_u8; 3 << 20]).expect("writable");
    std::fs::File::open(path.join("data")).and_then(|file| file.sync_all()).expect("writable");
    let limit = containerizer::VolumeLimit { path: path.clone(), bytes: 8 << 20, is_mount: false };
    let limits = Limits { disk: Some(1 << 19), volumes: vec![limit], ..shell("").limits };
    let line = "head -c 1048576 /dev/urandom > big; sync big; sleep 100";
    fixture.launch("c", Asked { limits, ..shell(line) });
    fixture.launched();
    wait_for(|| usage(&fixture, "c").disk_used.is_some_and(|used| used >= 1 << 20));
    wait_for(|| usage(&fixture, "c").volumes.iter().any(|volume| volume.used.is_some()));
    let usage = usage(&fixture, "c");
    assert_eq!(usage.disk_limit, Some(1 << 19), "nobody is ended for it where that was not asked for");
    let [found] = &usage.volumes[..] else { panic!("{usage:?}") };
    assert_eq!((&found.path, found.limit), (&path, 8 << 20));
    assert!(found.used.is_some_and(|used| (3 << 20..4 << 20).contains(&used)), "{usage:?}");
    end(&fixture, "c");
}
