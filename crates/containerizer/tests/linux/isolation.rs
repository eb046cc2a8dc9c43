//! What a container cannot see and may not do.

use std::fs;

use containerizer::{Ipc, Launcher, Rlimit, Seccomp, Volume, VolumeFrom};

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
fn containers_of_a_group_share_a_directory_of_its_sandbox() {
    let fixture = Fixture::new(FULL);
    let sandbox = fixture.sandbox("g");
    containerizer::create_sandbox(&sandbox, None).expect("a sandbox");
    let group = base::ContainerId::from("g");
    let limits = containerizer::Limits { memory: Some(64 << 20), cpus: Some(1.0), ..Default::default() };
    let spec = containerizer::GroupSpec { container_id: group.clone(), sandbox, limits };
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
}

const NET_RAW: u64 = 1 << 13;
const CHOWN: u64 = 1;

#[test]
fn capabilities_are_those_that_were_asked_for() {
    let fixture = Fixture::new("linux/capabilities");
    let status = "grep -E '^Cap(Eff|Bnd|Amb)' /proc/self/status | cut -f2";
    for user in [None, Some("nobody".to_owned())] {
        let mut asked = Asked { user: user.clone(), ..shell(status) };
        asked.wishes.effective_capabilities = Some(NET_RAW);
        asked.wishes.bounding_capabilities = Some(NET_RAW | CHOWN);
        let name = user.unwrap_or_else(|| "root".to_owned());
        let output = fixture.output_of(&name, asked);
        let sets: Vec<u64> =
            output.lines().map(|line| u64::from_str_radix(line, 16).expect("a set")).collect();
        assert_eq!(sets, [NET_RAW, NET_RAW | CHOWN, NET_RAW], "{name}");
    }
    let mut asked = shell("touch x && chown 1 x");
    asked.wishes.bounding_capabilities = Some(NET_RAW);
    assert_ne!(fixture.run("bound", asked).status, 0);
}

#[test]
fn capabilities_stay_within_the_operators_bound() {
    let fixture = Fixture::with("linux/capabilities", |options| {
        options.bounding_capabilities = Some(CHOWN);
    });
    let mut asked = shell("true");
    asked.wishes.effective_capabilities = Some(NET_RAW);
    fixture.launch("c", asked);
    let error = fixture.failed().to_string();
    assert!(error.contains("{NET_RAW} are not within {CHOWN}"), "{error}");
}

#[test]
fn a_forbidden_system_call_fails() {
    let profiles = tempfile::tempdir().expect("a directory");
    let forbid = |name: &str, call: &str| {
        let profile = format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [], "syscalls": [
                {{"names": ["{call}"], "action": "SCMP_ACT_ERRNO", "args": [], "includes": {{}}, "excludes": {{}}}}]}}"#
        );
        fs::write(profiles.path().join(name), profile).expect("writable");
    };
    forbid("no-mkdir", "mkdir");
    forbid("no-sync", "sync");
    for isolation in ["linux/seccomp", "linux/seccomp,linux/nnp"] {
        let fixture = Fixture::with(isolation, |options| {
            options.seccomp_config_dir = Some(profiles.path().to_owned());
            options.seccomp_profile = Some("no-mkdir".to_owned());
        });
        let line = "mkdir made 2>&1; test -d made";
        assert_ne!(fixture.run("default", shell(line)).status, 0);
        assert!(fixture.read("default", "stdout").contains("Operation not permitted"));
        let with = |seccomp| {
            let mut asked = shell(line);
            asked.wishes.seccomp = seccomp;
            asked
        };
        assert_eq!(fixture.run("unconfined", with(Seccomp::Unconfined)).status, 0);
        assert_eq!(fixture.run("other", with(Seccomp::Profile("no-sync".to_owned()))).status, 0);
        fixture.launch("absent", with(Seccomp::Profile("absent".to_owned())));
        assert!(fixture.failed().to_string().contains("absent"));
    }
}

#[test]
fn no_new_privileges_are_to_be_had() {
    let line = "grep NoNewPrivs /proc/self/status | cut -f2";
    assert_eq!(Fixture::new("linux/nnp").output_of("c", shell(line)), "1\n");
    assert_eq!(Fixture::new("posix/cpu").output_of("c", shell(line)), "0\n");
}

#[test]
fn devices_that_are_not_for_everybody_cannot_be_used() {
    let fixture = Fixture::with("cgroups/devices,filesystem/linux", |options| {
        options.devices = vec!["c 1:11 r".to_owned()];
    });
    // A disk, the kernel's memory, and one that was allowed: its log.
    let line = "mknod d b 7 0 && mknod m c 1 1 && head -c1 /dev/zero > /dev/null && : < /dev/kmsg && echo fine; \
                : < d; : < m";
    fixture.run("c", shell(line));
    assert_eq!(fixture.read("c", "stdout"), "fine\n");
    let errors = fixture.read("c", "stderr");
    assert!(errors.contains("Operation not permitted"), "{errors}");
}
