//! What a container cannot see and may not do.

use std::fs;

use containerizer::{Ipc, Launcher, Rlimit, Volume, VolumeFrom, Wishes};

use crate::support::{Asked, FULL, Fixture, shell};

#[test]
fn a_task_sees_only_its_own_processes() {
    let fixture = Fixture::new(FULL);
    let output =
        fixture.output_of("c", shell("cat /proc/1/comm; ls /proc | grep -c '^[0-9]'; kill -9 -1 || true"));
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "meseta-init");
    // The init, the shell, `ls` and `grep`.
    assert!(lines[1].parse::<u32>().expect("a number") <= 4, "{output}");
}

#[test]
fn mounts_of_a_task_do_not_reach_the_machine() {
    let fixture = Fixture::new(FULL);
    let output = fixture.output_of("c", shell("mkdir m && mount -t tmpfs x m && touch m/inside && ls m"));
    assert_eq!(output, "inside\n");
    assert_eq!(fs::read_dir(fixture.sandbox("c").join("m")).expect("a directory").count(), 0);
    let mounts = fs::read_to_string("/proc/self/mounts").expect("readable");
    assert!(!mounts.contains(&fixture.sandbox("c").display().to_string()));
}

#[test]
fn shared_memory_is_ones_own() {
    let fixture = Fixture::new(FULL);
    let own = fs::read_link("/proc/self/ns/ipc").expect("readable").display().to_string();
    let output = fixture.output_of("c", shell("readlink /proc/self/ns/ipc"));
    assert_ne!(output.trim_end(), own);
    let mut private = shell("touch /dev/shm/here && ls /dev/shm && df -k --output=size /dev/shm | tail -1");
    private.wishes.ipc = Ipc::Private;
    private.wishes.shm_size = Some(3 << 20);
    let output = fixture.output_of("private", private);
    assert_eq!(output.split_whitespace().collect::<Vec<_>>(), ["here", "3072"]);
    assert!(!std::path::Path::new("/dev/shm/here").exists());
    let mut shared = shell("readlink /proc/self/ns/ipc");
    shared.wishes.ipc = Ipc::ShareParent;
    assert_eq!(fixture.output_of("shared", shared).trim_end(), own);
}

pub(crate) fn group(fixture: &Fixture, wishes: Wishes) -> base::ContainerId {
    let sandbox = fixture.sandbox("g");
    containerizer::create_sandbox(&sandbox, None).expect("a sandbox");
    let container_id = base::ContainerId::from("g");
    let limits = containerizer::Limits { memory: Some(128 << 20), cpus: Some(1.0), ..Default::default() };
    let spec = containerizer::GroupSpec { container_id: container_id.clone(), sandbox, limits, wishes };
    fixture.launcher().launch_group(spec).expect("a group");
    container_id
}

pub(crate) fn in_group(line: &str, ipc: Ipc) -> Asked {
    let mut asked = shell(line);
    asked.wishes.shares_limits = true;
    asked.wishes.ipc = ipc;
    asked
}

/// Makes a System V message queue, which stays when its maker is gone; and counts those that are there.
const MAKE_QUEUE: &str = "ipcmk -Q > /dev/null";
const COUNT_QUEUES: &str = "tail -n +2 /proc/sysvipc/msg | grep -c . || true";

#[test]
fn containers_of_a_group_share_their_memory() {
    let mut fixture = Fixture::new(FULL);
    let own = fs::read_link("/proc/self/ns/ipc").expect("readable").display().to_string();
    let group = group(&fixture, Wishes { ipc: Ipc::Private, shm_size: Some(3 << 20), ..Wishes::default() });
    let line = format!("{MAKE_QUEUE}; touch /dev/shm/here; readlink /proc/self/ns/ipc");
    let first = fixture.output_of("g.first", in_group(&line, Ipc::ShareParent));
    assert_ne!(first.trim_end(), own);
    assert!(!std::path::Path::new("/dev/shm/here").exists());
    let size = "df -k --output=size /dev/shm | tail -1";
    let line = format!("readlink /proc/self/ns/ipc; {COUNT_QUEUES}; ls /dev/shm; {size}");
    // Also when nobody has been there in between, and after the launcher was started anew.
    for name in ["g.second", "g.third"] {
        let output = fixture.output_of(name, in_group(&line, Ipc::ShareParent));
        assert_eq!(output.split_whitespace().collect::<Vec<_>>(), [first.trim_end(), "1", "here", "3072"]);
        fixture.restart();
        let known = containerizer::Known {
            container_id: group.clone(),
            sandbox: fixture.sandbox("g"),
            limits: containerizer::Limits::default(),
            group: true,
        };
        assert_eq!(fixture.launcher().recover(vec![known]), containerizer::Recovered::default());
    }
    // Who says nothing has the group's namespace and the machine's files; who wants its own has its own.
    let output = fixture.output_of("g.unset", in_group(&format!("{COUNT_QUEUES}; ls /dev/shm"), Ipc::Unset));
    assert_eq!(output.lines().next(), Some("1"));
    assert!(!output.contains("here"), "{output}");
    let line = format!("{COUNT_QUEUES}; ls /dev/shm; {MAKE_QUEUE}; touch /dev/shm/mine");
    assert_eq!(fixture.output_of("g.private", in_group(&line, Ipc::Private)), "0\n");
    let line = format!("{COUNT_QUEUES}; ls /dev/shm");
    assert_eq!(fixture.output_of("g.last", in_group(&line, Ipc::ShareParent)), "1\nhere\n");
    fixture.launcher().destroy(&group);
    fixture.destroyed();
    let mounts = fs::read_to_string("/proc/self/mounts").expect("readable");
    assert!(!mounts.contains(&fixture.root.path().display().to_string()), "nothing stays mounted: {mounts}");
}

#[test]
fn a_group_that_shares_the_machines_memory_gives_it_to_those_in_it() {
    let fixture = Fixture::new(FULL);
    let own = fs::read_link("/proc/self/ns/ipc").expect("readable").display().to_string();
    let group = group(&fixture, Wishes { ipc: Ipc::ShareParent, ..Wishes::default() });
    for (name, ipc) in [("g.unset", Ipc::Unset), ("g.shared", Ipc::ShareParent)] {
        let output = fixture.output_of(name, in_group("readlink /proc/self/ns/ipc", ipc));
        assert_eq!(output.trim_end(), own);
    }
    fixture.launcher().destroy(&group);
    fixture.destroyed();
}

#[test]
fn what_a_group_left_behind_shared_is_given_back() {
    let mut fixture = Fixture::new(FULL);
    group(&fixture, Wishes { ipc: Ipc::Private, ..Wishes::default() });
    fixture.restart();
    assert_eq!(fixture.launcher().recover(Vec::new()).removed, ["g"]);
    let mounts = fs::read_to_string("/proc/self/mounts").expect("readable");
    assert!(!mounts.contains(&fixture.root.path().display().to_string()), "{mounts}");
}

#[test]
fn the_machines_processes_are_seen_only_by_whom_that_is_allowed() {
    let own = fs::read_link("/proc/self/ns/pid").expect("readable").display().to_string();
    let sharing = |line: &str| {
        let mut asked = in_group(line, Ipc::Unset);
        asked.wishes.shares_pids = true;
        asked
    };
    let line = "readlink /proc/self/ns/pid";
    let fixture = Fixture::new(FULL);
    assert_eq!(fixture.output_of("alone", sharing(line)).trim_end(), own);
    // In a group that has not got them nobody has.
    let plain = group(&fixture, Wishes::default());
    assert_ne!(fixture.output_of("g.plain", sharing(line)).trim_end(), own);
    fixture.launcher().destroy(&plain);
    fixture.destroyed();
    fixture.launcher().forget(&plain);
    let open = group(&fixture, Wishes { shares_pids: true, ..Wishes::default() });
    assert_eq!(fixture.output_of("g.task", sharing(line)).trim_end(), own);
    assert_ne!(fixture.output_of("g.own", in_group(line, Ipc::Unset)).trim_end(), own);
    fixture.launcher().destroy(&open);
    fixture.destroyed();
    let strict = Fixture::with(FULL, |options| options.forbid_sharing_pids = true);
    strict.launch("alone", sharing(line));
    assert!(strict.failed().to_string().contains("Sharing agent pid namespace"));
}

#[test]
fn a_size_of_shared_memory_needs_ones_own() {
    let fixture = Fixture::with(FULL, |options| options.forbid_sharing_ipc = true);
    let mut asked = shell("true");
    asked.wishes.shm_size = Some(1 << 20);
    fixture.launch("size", asked);
    assert!(fixture.failed().to_string().contains("PRIVATE"));
    let mut asked = shell("true");
    asked.wishes.ipc = Ipc::ShareParent;
    fixture.launch("sharing", asked);
    assert!(fixture.failed().to_string().contains("not allowed"));
}

fn volume(source: VolumeFrom, path: &str, read_only: bool) -> Volume {
    Volume { source, container_path: path.into(), read_only }
}

fn with_volume(line: &str, volume: Volume) -> Asked {
    let mut asked = shell(line);
    asked.wishes.volumes = vec![volume];
    asked
}

#[test]
fn a_host_path_is_seen_where_it_was_asked_for() {
    let fixture = Fixture::new(FULL);
    let source = fixture.root.path().join("source");
    fs::create_dir(&source).expect("writable");
    fs::write(source.join("file"), "content").expect("writable");
    let host = || VolumeFrom::Host(source.clone());
    let line = "cat data/deep/file; echo more > data/deep/made";
    assert_eq!(fixture.output_of("rw", with_volume(line, volume(host(), "data/deep", false))), "content");
    assert_eq!(fs::read_to_string(source.join("made")).expect("it was made"), "more\n");
    let line = "cat data/file; echo more > data/again";
    assert_ne!(fixture.run("ro", with_volume(line, volume(host(), "data", true))).status, 0);
    assert!(!source.join("again").exists());
    // A file, at a place outside of the sandbox.
    let file = VolumeFrom::Host(source.join("file"));
    let asked = with_volume("cat /etc/hostname", volume(file, "/etc/hostname", true));
    assert_eq!(fixture.output_of("file", asked), "content");
}

#[test]
fn a_host_path_that_is_not_there_is_made_only_where_that_is_allowed() {
    let fixture = Fixture::new(FULL);
    let absent = fixture.root.path().join("absent/deep");
    let asked = || with_volume("touch here/x", volume(VolumeFrom::Host(absent.clone()), "here", false));
    fixture.launch("refused", asked());
    assert!(fixture.failed().to_string().contains("does not exist"));
    let top = fixture.root.path().to_owned();
    let allowed = Fixture::with(FULL, |options| options.host_paths_made_below = vec![top]);
    assert_eq!(allowed.run("c", asked()).status, 0);
    assert!(absent.join("x").exists());
}

#[test]
fn a_link_in_the_sandbox_leads_no_mount_astray() {
    let fixture = Fixture::new(FULL);
    let victim = tempfile::tempdir().expect("a directory");
    let sandbox = fixture.sandbox("c");
    containerizer::create_sandbox(&sandbox, None).expect("a sandbox");
    std::os::unix::fs::symlink(victim.path(), sandbox.join("data")).expect("writable");
    let asked = with_volume("true", volume(VolumeFrom::Host("/etc".into()), "data/sub", false));
    fixture.launch("c", asked);
    let error = fixture.failed().to_string();
    assert!(error.contains("cannot mount"), "{error}");
    assert_eq!(fs::read_dir(victim.path()).expect("readable").count(), 0);
    for path in ["../out", "a/../../out"] {
        let asked = with_volume("true", volume(VolumeFrom::Host("/etc".into()), path, false));
        fixture.launch("out", asked);
        assert!(fixture.failed().to_string().contains("leaves the sandbox"));
    }
}

#[test]
fn a_directory_of_the_sandbox_is_seen_elsewhere_and_is_its_users() {
    let fixture = Fixture::new(FULL);
    let elsewhere = fixture.root.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("writable");
    // Temporary directories are their maker's alone.
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(fixture.root.path(), everybody).expect("ours");
    let path = elsewhere.display().to_string();
    for (name, read_only) in [("rw", false), ("ro", true)] {
        let line = format!("touch {path}/made && test -e data/made");
        let mut asked = with_volume(&line, volume(VolumeFrom::Sandbox("data".into()), &path, read_only));
        asked.user = Some("nobody".to_owned());
        assert_eq!(fixture.run(name, asked).status == 0, !read_only, "{}", fixture.read(name, "stderr"));
        assert_eq!(fixture.sandbox(name).join("data/made").exists(), !read_only);
    }
    assert_eq!(fs::read_dir(&elsewhere).expect("readable").count(), 0, "nothing of it is on the machine");
    let relative = with_volume("true", volume(VolumeFrom::Sandbox("data".into()), "other", false));
    fixture.launch("relative", relative);
    assert!(fixture.failed().to_string().contains("is relative for SANDBOX_PATH volume SELF type"));
}

#[test]
fn containers_of_a_group_share_a_directory_of_its_sandbox() {
    let fixture = Fixture::new(FULL);
    let sandbox = fixture.sandbox("g");
    containerizer::create_sandbox(&sandbox, None).expect("a sandbox");
    let group = base::ContainerId::from("g");
    let limits = containerizer::Limits { memory: Some(64 << 20), cpus: Some(1.0), ..Default::default() };
    let spec =
        containerizer::GroupSpec { container_id: group.clone(), sandbox, limits, wishes: Default::default() };
    fixture.launcher().launch_group(spec).expect("a group");
    let shared = || volume(VolumeFrom::ParentSandbox("pool".into()), "pool", false);
    let mut writer = with_volume("echo hello > pool/file", shared());
    writer.wishes.shares_limits = true;
    assert_eq!(fixture.run("g.one", writer).status, 0);
    let mut reader = with_volume("cat pool/file", shared());
    reader.wishes.shares_limits = true;
    assert_eq!(fixture.output_of("g.two", reader), "hello\n");
    fixture.launcher().destroy(&group);
    fixture.destroyed();
}

#[test]
fn resource_limits_hold() {
    let fixture = Fixture::new(FULL);
    let mut asked = shell("ulimit -n; ulimit -c");
    asked.wishes.rlimits = vec![
        Rlimit { resource: 7, soft: Some(99), hard: Some(100) },
        Rlimit { resource: 4, soft: Some(0), hard: Some(0) },
    ];
    assert_eq!(fixture.output_of("c", asked), "99\n0\n");
    // Who writes a larger file than it may is ended by the kernel.
    const SIGXFSZ: i32 = 25;
    let mut asked = shell("exec head -c 4096 /dev/zero > file");
    asked.wishes.rlimits = vec![Rlimit { resource: 1, soft: Some(1024), hard: Some(1024) }];
    assert_eq!(fixture.run("file", asked).status & 0x7f, SIGXFSZ);
    assert_eq!(fs::metadata(fixture.sandbox("file").join("file")).expect("it was begun").len(), 1024);
}
