//! An agent in a process of its own, on real control groups and namespaces, that can be killed at any write; and a look at
//! what it leaves on the machine.
//!
//! The process is this test binary: a test that is not run by itself ([`process`]) starts the agent. So the product
//! carries nothing for it but a place to put something around its store.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(unreachable_pub, reason = "a module of several test binaries")]

pub mod disk;
pub mod failpoint;
pub mod kinds;
pub mod leftovers;
pub mod records;

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{hierarchies, ports};
use agent::{AgentOptions, AgentServer, Isolation, LauncherKind};
use failpoint::{Failing, Failpoint};
use tempfile::TempDir;

/// Long enough for a loaded machine; nothing waits so long where things are right.
pub const PATIENCE: Duration = Duration::from_secs(60);

const SIGKILL: i32 = 9;

/// Where an agent lives, life after life: a directory, a port and control groups of its own.
pub struct Place {
    directory: TempDir,
    pub port: u16,
    /// How long executors may take to come back.
    pub reregistration: Duration,
    /// Whether the work directory is a disk of its own.
    mounted: bool,
}

impl Place {
    /// # Panics
    /// Without root: containers outlive an agent only where they have control groups.
    pub fn new() -> Self {
        assert!(
            containerizer::LinuxLauncher::available(),
            "this test needs the Linux launcher, which needs root and control groups"
        );
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("work")).expect("ours");
        std::fs::create_dir(directory.path().join("marks")).expect("ours");
        // Executors come back to the port that they know, so that it is the same in all lives.
        Self { directory, port: ports::free_port(), reregistration: Duration::from_secs(30), mounted: false }
    }

    /// The agent's work directory.
    pub fn work_dir(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// Where tasks leave marks that outlive them.
    pub fn marks(&self) -> PathBuf {
        self.directory.path().join("marks")
    }

    /// Kills the agent at a write to come, counted from now.
    pub fn arm(&self, failpoint: Failpoint) {
        failpoint::arm(&self.directory.path().join("failpoint"), failpoint);
    }

    /// Kills the agent at a write that has a record of this kind.
    pub fn arm_at(&self, failpoint: Failpoint, kind: &str) {
        failpoint::arm_at(&self.directory.path().join("failpoint"), failpoint, kind);
    }

    /// Lets the agent live that was to be killed.
    pub fn disarm(&self) {
        failpoint::disarm(&self.directory.path().join("failpoint"));
    }

    /// Kills the agent at a change to come of a container's record, counted from now.
    pub fn arm_records(&self, failpoint: Failpoint) {
        failpoint::arm(&self.directory.path().join("records"), failpoint);
    }

    /// Lets the agent live that was to be killed there.
    pub fn disarm_records(&self) {
        failpoint::disarm(&self.directory.path().join("records"));
    }

    /// What records were about at which agents of this place were killed.
    pub fn kinds_at_deaths(&self) -> std::collections::BTreeSet<String> {
        failpoint::kinds_at_deaths(&self.directory.path().join("failpoint"))
    }

    pub fn agent(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// How the agent is set up.
    pub fn options(&self, master: SocketAddr) -> AgentOptions {
        options(master, self.directory.path(), self.port, self.reregistration)
    }

    /// Starts the agent, and waits until it listens.
    pub async fn start(&self, master: SocketAddr) -> Process {
        self.spawn(master, Command::new(std::env::current_exe().expect("this test"))).await
    }

    /// The same after the machine was started anew, as far as a process can see.
    pub async fn start_after_reboot(&self, master: SocketAddr) -> Process {
        let boot_id = self.directory.path().join("boot_id");
        std::fs::write(&boot_id, "11111111-2222-3333-4444-555555555555\n").expect("ours");
        let mut command = Command::new("unshare");
        let line = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id && shift && exec \"$@\"";
        command.args(["--mount", "/bin/sh", "-c", line, "sh"]).arg(boot_id);
        command.arg(std::env::current_exe().expect("this test"));
        self.spawn(master, command).await
    }

    async fn spawn(&self, master: SocketAddr, mut command: Command) -> Process {
        let started = self.directory.path().join("started");
        let _ = std::fs::remove_file(&started);
        let child = command
            .args(["--ignored", "--exact", "life::process", "--nocapture"])
            .env("TEST_MASTER", master.to_string())
            .env("TEST_PLACE", self.directory.path())
            .env("TEST_PORT", self.port.to_string())
            .env("TEST_REREGISTRATION", self.reregistration.as_millis().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("a process");
        let mut process = Process(child);
        until("the agent listens or is killed", || started.exists() || process.is_dead()).await;
        process
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.unmount();
        hierarchies::remove(&groups_root(self.directory.path()));
    }
}

/// The name of the control groups of all lives.
fn groups_root(place: &Path) -> String {
    format!("meseta-test{}", place.file_name().unwrap_or_default().to_string_lossy())
}

/// How the agent of a place is set up.
fn options(master: SocketAddr, place: &Path, port: u16, reregistration: Duration) -> AgentOptions {
    let mut options = AgentOptions {
        port,
        launcher: LauncherKind::Linux,
        resources: Some("cpus:8;mem:4096;disk:4096;ports:[31000-31099]".to_owned()),
        registration_backoff_factor: Duration::from_millis(10),
        executor_reregistration_timeout: reregistration,
        ..AgentOptions::loopback(master.to_string(), place.join("work"))
    };
    let isolation = "cgroups/cpu,cgroups/mem,cgroups/pids,namespaces/pid,filesystem/linux";
    options.linux.isolation = Isolation::parse(isolation).expect("known isolators");
    options.linux.cgroups_root = groups_root(place);
    options
}

/// An agent that runs, or has been killed.
pub struct Process(Child);

impl Process {
    /// Kills it, and waits until it is gone.
    pub fn kill(&mut self) {
        self.0.kill().expect("SIGKILL");
        self.0.wait().expect("it is gone");
    }

    /// Whether it was killed.
    ///
    /// # Panics
    /// If it has ended in any other way.
    pub fn is_dead(&mut self) -> bool {
        let Some(status) = self.0.try_wait().expect("our child") else { return false };
        assert_eq!(status.signal(), Some(SIGKILL), "the agent has ended by itself: {status}");
        true
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The body of an agent's process.
#[test]
#[ignore = "it is a process of other tests"]
fn process() {
    let variable = |name: &str| std::env::var(name).expect("started by a test");
    let (master, place) = (variable("TEST_MASTER"), PathBuf::from(variable("TEST_PLACE")));
    let port = variable("TEST_PORT").parse().expect("a port");
    let reregistration =
        Duration::from_millis(variable("TEST_REREGISTRATION").parse().expect("milliseconds"));
    let mut options = options(master.parse().expect("an address"), &place, port, reregistration);
    options.linux.record_watch = Some(records::obey(place.join("records")));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let order = place.join("failpoint");
        let wrap = Box::new(|store| Box::new(Failing::new(store, order)) as Box<dyn store::Backend>);
        let _agent = AgentServer::start_with_store(options, wrap).await.expect("an agent");
        std::fs::write(place.join("started"), "").expect("ours");
        std::future::pending::<()>().await;
    });
}

/// Waits until something is so.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(tokio::time::Instant::now() < end, "it did not come to that in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
