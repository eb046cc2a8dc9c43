//! What a container may ask of the kernel: capabilities, system calls, devices.

use std::fs;
use std::os::unix::process::CommandExt;

use containerizer::{Isolation, Launcher, LinuxLauncher, LinuxOptions, Seccomp};

use crate::support::{Asked, Fixture, shell};

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
fn a_launcher_does_not_start_with_what_makes_no_sense() {
    let root = tempfile::tempdir().expect("a directory");
    std::fs::write(root.path().join("broken"), "no profile").expect("writable");
    let start = |isolation: &str, change: &dyn Fn(&mut LinuxOptions)| {
        let isolation = Isolation::parse(isolation).expect("known isolators");
        let mut options = LinuxOptions::new(isolation, root.path().join("run"));
        options.cgroups_root = format!("meseta-test-{}-never", std::process::id());
        change(&mut options);
        let started = LinuxLauncher::new(options.clone(), std::sync::Arc::new(|_| {}));
        crate::support::remove_roots(&options.cgroups_root);
        started.err().expect("it is refused").to_string()
    };
    let beyond = start("linux/capabilities", &|options| {
        options.effective_capabilities = Some(NET_RAW);
        options.bounding_capabilities = Some(CHOWN);
    });
    assert!(beyond.contains("{NET_RAW} are not within the bounding capabilities {CHOWN}"), "{beyond}");
    let nowhere = start("linux/seccomp", &|_| {});
    assert!(nowhere.contains("--seccomp_config_dir"), "{nowhere}");
    let broken = start("linux/seccomp", &|options| {
        options.seccomp_config_dir = Some(root.path().to_owned());
        options.seccomp_profile = Some("broken".to_owned());
    });
    assert!(broken.contains("is not in Docker's format"), "{broken}");
    let device = start("cgroups/devices", &|options| options.devices = vec!["tty".to_owned()]);
    assert!(device.contains("'tty' is not of the form"), "{device}");
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

/// A 32-bit program that makes the directory `made` and ends with the number of the error, or 0.
#[cfg(target_arch = "x86_64")]
fn narrow_program() -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    const HEADERS: u32 = 52 + 32;
    // mkdir(name, 0777); exit(-result)
    let mut code = vec![0xb8, 39, 0, 0, 0, 0xbb];
    let name = BASE + HEADERS + 31;
    code.extend(name.to_le_bytes());
    code.extend([0xb9, 0xff, 1, 0, 0, 0xcd, 0x80, 0x89, 0xc3, 0xf7, 0xdb, 0xb8, 1, 0, 0, 0, 0xcd, 0x80]);
    code.resize(31, 0x90);
    code.extend(b"made\0");
    let size = HEADERS + u32::try_from(code.len()).expect("short");
    let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for half in [2_u16, 3] {
        file.extend(half.to_le_bytes());
    }
    for word in [1, BASE + HEADERS, 52, 0, 0_u32] {
        file.extend(word.to_le_bytes());
    }
    for half in [52_u16, 32, 1, 40, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for word in [1, 0, BASE, BASE, size, size, 5, 0x1000_u32] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    file
}

#[cfg(target_arch = "x86_64")]
#[test]
fn narrow_programs_are_filtered_like_others() {
    use std::os::unix::fs::PermissionsExt;
    let profiles = tempfile::tempdir().expect("a directory");
    let program = profiles.path().join("narrow");
    fs::write(&program, narrow_program()).expect("writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("ours");
    let map =
        r#"[{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}]"#;
    for (name, map, call) in [("other", map, "sync"), ("mkdir", map, "mkdir"), ("own", "[]", "sync")] {
        let profile = format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW", "archMap": {map}, "syscalls": [
                {{"names": ["{call}"], "action": "SCMP_ACT_ERRNO", "args": [], "includes": {{}}, "excludes": {{}}}}]}}"#
        );
        fs::write(profiles.path().join(name), profile).expect("writable");
    }
    let fixture = Fixture::with("linux/seccomp", |options| {
        options.seccomp_config_dir = Some(profiles.path().to_owned());
    });
    let with = |name: &str| {
        let mut asked = shell(&format!("exec {}", program.display()));
        asked.wishes.seccomp = Seccomp::Profile(name.to_owned());
        asked
    };
    const EPERM: i32 = 1;
    const SIGSYS: i32 = 31;
    assert_eq!(fixture.run("other", with("other")).status, 0, "it may make a directory");
    assert!(fixture.sandbox("other").join("made").is_dir());
    assert_eq!(fixture.run("mkdir", with("mkdir")).status, EPERM << 8);
    assert!(!fixture.sandbox("mkdir").join("made").exists());
    // Nobody has said anything of such programs: they do not run.
    assert_eq!(fixture.run("own", with("own")).status & 0x7f, SIGSYS);
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

#[test]
fn a_user_may_make_groups_in_its_own_and_change_none_of_ours() {
    const NOBODY: u32 = 65534;
    let fixture = Fixture::new("cgroups/cpu,cgroups/mem,cgroups/pids,filesystem/linux,namespaces/pid");
    let asked = Asked { user: Some("nobody".to_owned()), ..shell("exec sleep 1000") };
    let container_id = fixture.launch("c", asked);
    fixture.launched();
    let found_by = fixture.launcher().status(&container_id).cgroup.expect("it has one");
    let version = fixture.launcher().cgroups_version();
    let succeeds = |line: &str, directory: &std::path::Path| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", line, "sh"]).arg(directory).uid(NOBODY).gid(NOBODY);
        command.stderr(std::process::Stdio::null()).status().expect("a process").success()
    };
    let groups: Vec<_> = fixture.groups().into_iter().filter(|group| group.ends_with("c")).collect();
    assert!(groups.len() > 1 || version == 2, "{groups:?}");
    for group in groups {
        let is_the_users = version == 2 || group != found_by;
        assert_eq!(succeeds("mkdir \"$1/own\"", &group), is_the_users, "{group:?}");
        assert!(!succeeds("echo 0 > \"$1/cgroup.procs\"", &group), "{group:?}");
    }
    fixture.launcher().destroy(&container_id);
    fixture.ended();
    fixture.destroyed();
}
