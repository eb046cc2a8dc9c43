//! What the tests share: a launcher with control groups and records of its own, and asking what became of containers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base::ContainerId;
use containerizer::{
    Command, ContainerEvent, Isolation, LaunchError, LaunchSpec, Launcher, Limitation, Limits, LinuxLauncher,
    LinuxOptions, Outputs, Wishes, create_sandbox,
};

/// Long enough for a loaded machine; nothing waits so long where things are right.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that most tests want.
pub(crate) const FULL: &str =
    "cgroups/cpu,cgroups/mem,cgroups/pids,filesystem/linux,namespaces/pid,namespaces/ipc,posix/rlimits";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A launcher, and where it keeps things. What is left of it is looked for when it is dropped.
pub(crate) struct Fixture {
    pub(crate) launcher: Option<LinuxLauncher>,
    pub(crate) events: Receiver<ContainerEvent>,
    pub(crate) options: LinuxOptions,
    pub(crate) root: tempfile::TempDir,
}

/// A container to launch.
pub(crate) struct Asked {
    pub(crate) command: Command,
    pub(crate) limits: Limits,
    pub(crate) wishes: Wishes,
    pub(crate) user: Option<String>,
    pub(crate) outputs: Option<Outputs>,
    pub(crate) survives: bool,
}

/// How a container ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) limitation: Option<Limitation>,
}

pub(crate) fn shell(line: &str) -> Asked {
    Asked {
        command: Command::Shell(line.to_owned()),
        limits: Limits { cpus: Some(0.5), memory: Some(64 << 20), ..Limits::default() },
        wishes: Wishes::default(),
        user: None,
        outputs: Some(Outputs::default()),
        survives: false,
    }
}

impl Fixture {
    pub(crate) fn new(isolation: &str) -> Self {
        Self::with(isolation, |_| {})
    }

    pub(crate) fn with(isolation: &str, change: impl FnOnce(&mut LinuxOptions)) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests make control groups and namespaces: run them as root"
        );
        let root = tempfile::tempdir().expect("a directory");
        let isolation = Isolation::parse(isolation).expect("known isolators");
        let mut options = LinuxOptions::new(isolation, root.path().join("run"));
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        options.cgroups_root = format!("meseta-test-{}-{number}", std::process::id());
        change(&mut options);
        let (launcher, events) = start(&options);
        Self { launcher: Some(launcher), events, options, root }
    }

    pub(crate) fn launcher(&self) -> &LinuxLauncher {
        self.launcher.as_ref().expect("it was not ended")
    }

    /// Ends the launcher as a crash would, and starts another one on what it leaves.
    pub(crate) fn restart(&mut self) {
        self.leave();
        self.begin();
    }

    /// Ends the launcher as a crash would.
    pub(crate) fn leave(&mut self) {
        self.launcher.take().expect("it was not ended").leave();
    }

    /// Starts another one on what an earlier one has left.
    pub(crate) fn begin(&mut self) {
        let (launcher, events) = start(&self.options);
        (self.launcher, self.events) = (Some(launcher), events);
    }

    pub(crate) fn sandbox(&self, name: &str) -> PathBuf {
        match name.rsplit_once('.') {
            Some((parent, child)) => self.sandbox(parent).join("containers").join(child),
            None => self.root.path().join(name),
        }
    }

    pub(crate) fn launch(&self, name: &str, asked: Asked) -> ContainerId {
        let spec = self.spec(name, asked);
        create_sandbox(&spec.sandbox, spec.user.as_deref()).expect("a sandbox");
        let container_id = spec.container_id.clone();
        self.launcher().launch(spec);
        container_id
    }

    pub(crate) fn spec(&self, name: &str, asked: Asked) -> LaunchSpec {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
        LaunchSpec {
            container_id: ContainerId::from(name),
            command: asked.command,
            sandbox: self.sandbox(name),
            environment: BTreeMap::from([("PATH".to_owned(), path)]),
            user: asked.user,
            limits: asked.limits,
            wishes: asked.wishes,
            outputs: asked.outputs,
            survives: asked.survives,
        }
    }

    pub(crate) fn next(&self) -> ContainerEvent {
        self.events.recv_timeout(PATIENCE).expect("an event in time")
    }

    pub(crate) fn launched(&self) -> u32 {
        match self.next() {
            ContainerEvent::Launched { pid, .. } => pid,
            other => panic!("not launched: {other:?}"),
        }
    }

    pub(crate) fn failed(&self) -> LaunchError {
        match self.next() {
            ContainerEvent::LaunchFailed { error, .. } => error,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn ended(&self) -> Ended {
        let mut limitation = None;
        loop {
            match self.next() {
                ContainerEvent::Limited { limitation: found, .. } => limitation = Some(found),
                ContainerEvent::Exited { status, .. } => return Ended { status, limitation },
                other => panic!("not ended: {other:?}"),
            }
        }
    }

    pub(crate) fn destroyed(&self) {
        match self.next() {
            ContainerEvent::Destroyed { .. } => {}
            other => panic!("not destroyed: {other:?}"),
        }
    }

    /// Runs a container to its end and removes it.
    pub(crate) fn run(&self, name: &str, asked: Asked) -> Ended {
        let container_id = self.launch(name, asked);
        self.launched();
        let ended = self.ended();
        self.launcher().destroy(&container_id);
        self.destroyed();
        self.launcher().forget(&container_id);
        ended
    }

    /// Runs a line to its end and returns what it wrote.
    pub(crate) fn output_of(&self, name: &str, asked: Asked) -> String {
        let ended = self.run(name, asked);
        let errors = self.read(name, "stderr");
        assert_eq!(ended.status, 0, "{name}: {errors}");
        self.read(name, "stdout")
    }

    pub(crate) fn read(&self, name: &str, file: &str) -> String {
        fs::read_to_string(self.sandbox(name).join(file)).unwrap_or_default()
    }

    /// Waits until a file of the sandbox holds a whole line, and returns it.
    pub(crate) fn line(&self, name: &str, file: &str) -> String {
        let mut found = String::new();
        wait_for(|| {
            found = self.read(name, file);
            found.ends_with('\n')
        });
        found.trim_end().to_owned()
    }

    /// What a file of a container's control group holds, in whichever hierarchy has it: first the name in version 1.
    pub(crate) fn of_group(&self, name: &str, files: [&str; 2]) -> String {
        let groups = self.groups().into_iter().filter(|path| path.ends_with(name));
        let mut paths = groups.flat_map(|path| files.map(|file| path.join(file)));
        let text = paths.find_map(|path| fs::read_to_string(path).ok());
        text.unwrap_or_else(|| panic!("no group of {name} has {files:?}")).trim().to_owned()
    }

    /// Every directory of control groups below this launcher's roots.
    pub(crate) fn groups(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for root in roots(&self.options.cgroups_root) {
            below(&root, &mut found);
        }
        found
    }
}

fn start(options: &LinuxOptions) -> (LinuxLauncher, Receiver<ContainerEvent>) {
    let (sender, events) = channel();
    let sink = Arc::new(move |event| drop(sender.send(event)));
    let launcher = LinuxLauncher::new(options.clone(), sink).expect("a launcher");
    (launcher, events)
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(launcher) = self.launcher.take() {
            launcher.shutdown();
        }
        let left = self.groups();
        remove_roots(&self.options.cgroups_root);
        if !std::thread::panicking() {
            assert!(left.is_empty(), "groups are left: {left:?}");
        }
    }
}

/// Removes the empty root group in every hierarchy.
pub(crate) fn remove_roots(name: &str) {
    for root in roots(name) {
        // One that is not empty is complained of by whoever looks at what is left.
        let _ = fs::remove_dir(root);
    }
}

/// The root group in every hierarchy that is mounted.
pub(crate) fn roots(name: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("readable");
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (target, kind) = (words.nth(1)?, words.next()?);
            kind.starts_with("cgroup").then(|| Path::new(target).join(name))
        })
        .filter(|path| path.is_dir())
        .collect()
}

fn below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
            below(&entry.path(), found);
        }
    }
}

pub(crate) fn wait_for(mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "it did not come to that in time");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The processes of this machine whose command line contains `marker`.
pub(crate) fn processes_with(marker: &str) -> Vec<i32> {
    let own = i32::try_from(std::process::id()).expect("small");
    fs::read_dir("/proc")
        .expect("readable")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own)
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(marker)
        })
        .collect()
}
