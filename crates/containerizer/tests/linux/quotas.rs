//! Project quotas of real file systems. The kernels that tests run on mostly have none, so that these run in the virtual
//! machine of [`crate::vm`], which has modules for them; each has disks of its own there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base::ContainerId;
use containerizer::{
    GroupSpec, Isolation, Known, LaunchError, Launcher, LimitationKind, Limits, LinuxError, LinuxLauncher,
    LinuxOptions, ProjectIds, VolumeLimit, Wishes, create_sandbox, remove_sandbox,
};

use crate::support::{Asked, Fixture, shell, wait_for};

const ISOLATION: &str = "disk/xfs,cgroups/pids,filesystem/linux,namespaces/pid";
/// Fills a file until it is refused, and says outside of its sandbox why.
const FILL: &str = "dd if=/dev/zero of=big bs=65536 count=128 2> ../why && sync big";
const MB: u64 = 1 << 20;

/// A disk of a file, mounted until it is dropped.
struct Disk {
    mount: PathBuf,
    _directory: tempfile::TempDir,
}

fn system(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("it is installed");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Disk {
    fn made_by(program: &str, arguments: &[&str], mount_options: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (image, mount) = (directory.path().join("image"), directory.path().join("disk"));
        fs::create_dir(&mount).expect("ours");
        // As small as XFS may be; what is not written takes no memory.
        fs::File::create(&image).and_then(|file| file.set_len(300 * MB)).expect("ours");
        let [image, place] = [&image, &mount].map(|path| path.to_str().expect("plain"));
        system(program, &[arguments, &["-q", image]].concat());
        system("mount", &["-o", &format!("loop{mount_options}"), image, place]);
        Self { mount, _directory: directory }
    }

    fn xfs(mount_options: &str) -> Self {
        Self::made_by("mkfs.xfs", &[], mount_options)
    }

    fn ext4() -> Self {
        let arguments = ["-O", "quota,project", "-E", "quotatype=prjquota"];
        Self::made_by("mkfs.ext4", &arguments, ",prjquota")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let status = Command::new("umount").arg(&self.mount).status();
        assert!(std::thread::panicking() || status.is_ok_and(|status| status.success()), "it is in use");
    }
}

fn on(disk: &Disk, change: impl FnOnce(&mut LinuxOptions)) -> Fixture {
    let mut fixture = Fixture::new("posix/cpu");
    fixture.launcher.take().expect("it runs").leave();
    fixture.root = tempfile::tempdir_in(&disk.mount).expect("a directory");
    fixture.options.isolation = Isolation::parse(ISOLATION).expect("known isolators");
    fixture.options.runtime_dir = fixture.root.path().join("run");
    fixture.options.quota_roots = vec![disk.mount.clone()];
    fixture.options.enforce_disk = true;
    fixture.options.disk_interval = Duration::from_millis(20);
    fixture.options.project_interval = Duration::from_millis(20);
    change(&mut fixture.options);
    fixture.begin();
    fixture
}

fn with_disk(line: &str, disk: u64) -> Asked {
    Asked { limits: Limits { disk: Some(disk), ..Limits::default() }, ..shell(line) }
}

fn volume_of(fixture: &Fixture, bytes: u64) -> (PathBuf, Limits) {
    let path = fixture.root.path().join("volumes/roles/r/v1");
    fs::create_dir_all(&path).expect("ours");
    let volume = VolumeLimit { path: path.clone(), bytes, is_mount: false };
    (path, Limits { disk: Some(20 * MB), volumes: vec![volume], ..Limits::default() })
}

fn refused(text: &str) -> bool {
    // XFS says of a project that is full what it says of a disk that is.
    text.contains("No space left on device") || text.contains("Disk quota exceeded")
}

fn why(fixture: &Fixture) -> String {
    fs::read_to_string(fixture.root.path().join("why")).expect("it was said")
}

fn ids(fixture: &Fixture) -> ProjectIds {
    fixture.launcher().project_ids().expect("there are some")
}

fn end(fixture: &Fixture, container_id: &ContainerId) {
    fixture.launcher().destroy(container_id);
    fixture.ended();
    fixture.destroyed();
}

#[test]
fn without_quotas_it_is_said_what_was_looked_at_and_what_to_do() {
    let directory = tempfile::tempdir_in("/dev/shm").expect("a directory");
    let isolation = Isolation::parse("disk/xfs").expect("a known isolator");
    let mut options = LinuxOptions::new(isolation, directory.path().join("run"));
    options.quota_roots = vec![directory.path().to_owned()];
    let error = refusal(options);
    for part in ["'disk/xfs' needs project quotas", &directory.path().display().to_string(), "is on tmpfs ("]
    {
        assert!(error.contains(part), "{error}");
    }
}

fn refusal(options: LinuxOptions) -> String {
    match LinuxLauncher::new(options, std::sync::Arc::new(|_| {})) {
        Err(LinuxError::Quota(error)) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[test]
#[ignore = "needs a kernel with XFS and its quotas: run in the virtual machine"]
fn a_disk_that_was_mounted_without_quotas_is_refused() {
    let disk = Disk::xfs("");
    let isolation = Isolation::parse("disk/xfs").expect("a known isolator");
    let mut options = LinuxOptions::new(isolation, disk.mount.join("run"));
    options.quota_roots = vec![disk.mount.clone()];
    let error = refusal(options);
    for part in ["is on xfs ('/dev/loop", "noquota", "mount it with the option 'prjquota'"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
#[ignore = "needs a kernel with XFS and its quotas: run in the virtual machine"]
fn a_quota_that_only_counts_is_made_to_hold() {
    let disk = Disk::xfs(",pqnoenforce");
    let fixture = on(&disk, |_| {});
    assert_ne!(fixture.run("c", with_disk(FILL, 2 * MB)).status, 0);
    assert!(refused(&why(&fixture)), "{}", why(&fixture));
}

#[test]
#[ignore = "needs a kernel with XFS and its quotas: run in the virtual machine"]
fn who_holds_too_much_cannot_write_any_more() {
    let disk = Disk::xfs(",prjquota");
    let fixture = on(&disk, |_| {});
    let line = format!("{FILL}; test $? = 1 && test $(stat -c %s big) -le 4194304 && exec sleep 100");
    let container_id = fixture.launch("c", with_disk(&line, 4 * MB));
    fixture.launched();
    wait_for(|| fixture.launcher().usage()[&container_id].disk_used.is_some_and(|used| used > 3 * MB));
    wait_for(|| fs::read_to_string(fixture.root.path().join("why")).is_ok_and(|text| refused(&text)));
    let usage = &fixture.launcher().usage()[&container_id];
    assert_eq!(usage.disk_limit, Some(4 * MB));
    assert!(usage.disk_used.is_some_and(|used| used <= 4 * MB), "{usage:?}");
    // With more it can go on, and nobody was ended.
    let limits = Limits { disk: Some(16 * MB), ..Limits::default() };
    fixture.launcher().update(&container_id, &limits).expect("it runs");
    let big = fixture.sandbox("c").join("more");
    wait_for(|| fs::write(&big, vec![1; 8 << 20]).is_ok());
    end(&fixture, &container_id);
}

#[test]
#[ignore = "needs a kernel with project quotas: run in the virtual machine"]
fn a_user_is_limited_on_ext4_too() {
    let disk = Disk::ext4();
    let fixture = on(&disk, |_| {});
    fs::set_permissions(fixture.root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("ours");
    let line = "dd if=/dev/zero of=big bs=65536 count=128 2> /tmp/why-of-ext4";
    let ended = fixture.run("c", Asked { user: Some("nobody".to_owned()), ..with_disk(line, 2 * MB) });
    assert_ne!(ended.status, 0);
    let text = fs::read_to_string("/tmp/why-of-ext4").expect("it was said");
    assert!(text.contains("Disk quota exceeded"), "{text}");
}

#[test]
#[ignore = "needs a kernel with XFS and its quotas: run in the virtual machine"]
fn who_holds_too_much_is_ended_where_that_is_wanted() {
    let disk = Disk::xfs(",prjquota");
    let fixture = on(&disk, |options| options.end_beyond_quota = true);
    let ended = fixture.run("c", with_disk(&format!("{FILL}; exec sleep 100"), 2 * MB));
    let limitation = ended.limitation.expect("it holds too much");
    let LimitationKind::Disk { used, volume: None, tells_use: true } = limitation.kind else {
        panic!("{limitation:?}")
    };
    assert!(used > 2 * MB);
    assert!(limitation.message.contains("exceeded quota (2MB)"), "{}", limitation.message);
    // The same in a volume, whose name is told.
    let (volume, limits) = volume_of(&fixture, 2 * MB);
    let line = format!("cd {}; {FILL}; exec sleep 100", volume.display());
    let limitation = fixture.run("v", Asked { limits, ..shell(&line) }).limitation.expect("too much");
    assert!(limitation.message.ends_with("exceeded quota (2MB) for volume 'v1'"), "{}", limitation.message);
    let LimitationKind::Disk { volume: Some(found), .. } = limitation.kind else { panic!("a volume") };
    assert_eq!(found, volume);
}

#[test]
#[ignore = "needs a kernel with XFS and its quotas: run in the virtual machine"]
fn without_limits_use_is_counted_for_sandboxes_and_volumes() {
    let disk = Disk::xfs(",prjquota");
    let fixture = on(&disk, |options| options.enforce_disk = false);
    let (volume, limits) = volume_of(&fixture, MB);
    // What was there before counts, too.
    fs::write(volume.join("old"), vec![1; 3 << 20]).expect("ours");
    create_sandbox(&fixture.sandbox("c"), None).expect("a sandbox");
    fs::create_dir(fixture.sandbox("c").join("fetched")).expect("ours");
    fs::write(fixture.sandbox("c").join("fetched/file"), vec![1; 2 << 20]).expect("ours");
    let limits = Limits { disk: Some(MB), ..limits };
    let line = format!("{FILL} && echo done > ../done; exec sleep 100");
    let container_id = fixture.launch("c", Asked { limits, ..shell(&line) });
    fixture.launched();
    wait_for(|| fixture.root.path().join("done").exists());
    let usage = fixture.launcher().usage().remove(&container_id).expect("it runs");
    assert_eq!(usage.disk_limit, Some(MB));
    assert!(usage.disk_used.is_some_and(|used| (10 * MB..11 * MB).contains(&used)), "{usage:?}");
    let [found] = &usage.volumes[..] else { panic!("{usage:?}") };
    assert_eq!((&found.path, found.limit), (&volume, MB));
    assert!(found.used.is_some_and(|used| (3 * MB..4 * MB).contains(&used)), "{usage:?}");
    end(&fixture, &container_id);
}

#[test]
#[ignore = "needs a kernel with XFS and its quotas: run in the virtual machine"]
fn a_volume_that_is_wanted_by_many_at_once_is_one_project() {
    let disk = Disk::xfs(",prjquota");
    let fixture = on(&disk, |_| {});
    let (volume, limits) = volume_of(&fixture, 4 * MB);
    for number in 0..200 {
        fs::write(volume.join(number.to_string()), "x").expect("ours");
    }
    let sandboxes: Vec<PathBuf> = (0..8).map(|number| fixture.sandbox(&format!("c{number}"))).collect();
    for sandbox in &sandboxes {
        create_sandbox(sandbox, None).expect("a sandbox");
    }
    let launcher = fixture.launcher();
    std::thread::scope(|scope| {
        for sandbox in &sandboxes {
            scope.spawn(|| launcher.prepare(sandbox, &limits).expect("there are quotas"));
        }
    });
    let used = sandboxes.len() as u64 + 1;
    assert_eq!(ids(&fixture).total - ids(&fixture).free, used, "one for each sandbox and one for the volume");
}

#[test]
#[ignore = "needs a kernel with XFS and its quotas: run in the virtual machine"]
fn those_in_a_group_share_its_quota() {
    let disk = Disk::xfs(",prjquota");
    let fixture = on(&disk, |_| {});
    let container_id = ContainerId::from("g");
    create_sandbox(&fixture.sandbox("g"), None).expect("a sandbox");
    let limits = Limits { disk: Some(6 * MB), ..Limits::default() };
    let sandbox = fixture.sandbox("g");
    // From before anything is put there.
    fixture.launcher().prepare(&sandbox, &limits).expect("there are quotas");
    assert!(fs::write(sandbox.join("fetched"), vec![1; 8 << 20]).is_err(), "the limit holds already");
    fs::remove_file(sandbox.join("fetched")).expect("a part of it");
    let spec = GroupSpec { container_id: container_id.clone(), sandbox, limits, wishes: Wishes::default() };
    fixture.launcher().launch_group(spec).expect("a group");
    let line = "dd if=/dev/zero of=big bs=65536 count=64 2> ../../../why";
    assert_eq!(fixture.run("g.one", with_disk(line, MB)).status, 0, "it is not limited itself");
    assert_ne!(fixture.run("g.two", with_disk(line, MB)).status, 0);
    assert!(refused(&why(&fixture)), "{}", why(&fixture));
    assert_eq!(ids(&fixture).total - ids(&fixture).free, 1);
    fixture.launcher().destroy(&container_id);
    fixture.destroyed();
}

#[test]
#[ignore = "needs a kernel with XFS and its quotas: run in the virtual machine"]
fn the_next_launcher_finds_quotas_again() {
    let disk = Disk::xfs(",prjquota");
    let mut fixture =
        on(&disk, |options| options.isolation = Isolation::parse("cgroups/pids").expect("known"));
    let known = |fixture: &Fixture, name: &str| Known {
        container_id: ContainerId::from(name),
        sandbox: fixture.sandbox(name),
        limits: Limits { disk: Some(4 * MB), ..Limits::default() },
        group: false,
    };
    let goes_on = |line: &str| Asked { survives: true, ..with_disk(line, 4 * MB) };
    // One of before there were quotas, which holds much already.
    let old = fixture.launch("old", goes_on("head -c 3145728 /dev/zero > before; exec sleep 100"));
    fixture.launched();
    wait_for(|| fs::metadata(fixture.sandbox("old").join("before")).is_ok_and(|file| file.len() == 3 * MB));
    fixture.leave();
    fixture.options.isolation = Isolation::parse(ISOLATION).expect("known isolators");
    fixture.begin();
    fixture.launcher().recover(vec![known(&fixture, "old")]);
    wait_for(|| fixture.launcher().usage()[&old].disk_used.is_some_and(|used| used >= 3 * MB));
    let new = fixture.launch("new", goes_on("exec sleep 100"));
    fixture.launched();
    let before = ids(&fixture);
    assert_eq!(before.total - before.free, 2);
    fixture.leave();
    fixture.begin();
    assert_eq!(ids(&fixture), before, "what is given is known from the disk");
    fixture.launcher().recover(vec![known(&fixture, "old"), known(&fixture, "new")]);
    let third = fixture.launch("third", with_disk("exec sleep 100", 4 * MB));
    fixture.launched();
    assert_eq!(ids(&fixture).free, before.free - 1, "nobody's number is given twice");
    for name in ["old", "new"] {
        wait_for(|| fs::write(fixture.sandbox(name).join("more"), vec![1; 5 << 20]).is_err());
    }
    for container_id in [old, new, third] {
        fixture.launcher().destroy(&container_id);
        fixture.ended();
        fixture.destroyed();
    }
}

#[test]
#[ignore = "needs a kernel with XFS and its quotas: run in the virtual machine"]
fn a_number_is_given_back_when_its_sandbox_is_deleted() {
    let disk = Disk::xfs(",prjquota");
    let fixture = on(&disk, |options| options.project_ids = vec![(7, 7), (9, 9)]);
    assert_eq!(ids(&fixture), ProjectIds { total: 2, free: 2 });
    for name in ["a", "b"] {
        assert_eq!(fixture.run(name, with_disk("echo x > file", MB)).status, 0);
    }
    assert_eq!(ids(&fixture).free, 0);
    fixture.launch("c", with_disk("true", MB));
    let error = fixture.failed();
    assert!(matches!(error, LaunchError::Quota(_)), "{error:?}");
    assert!(chain(&error).contains("range exhausted"), "{}", chain(&error));
    remove_sandbox(&fixture.sandbox("a")).expect("ours");
    wait_for(|| ids(&fixture).free == 1);
    // The next one has its number, and none of its limits.
    let line = Asked { limits: Limits::default(), ..shell(FILL) };
    assert_eq!(fixture.run("d", line).status, 0, "{}", why(&fixture));
    for name in ["b", "c", "d"] {
        remove_sandbox(&fixture.sandbox(name)).expect("ours");
    }
    wait_for(|| ids(&fixture).free == 2);
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
