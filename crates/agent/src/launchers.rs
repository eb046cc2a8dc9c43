//! Choosing how containers run here.

use std::path::PathBuf;
use std::sync::Arc;

use containerizer::{
    EventSink, Isolation, Launcher, LinuxError, LinuxLauncher, LinuxOptions, PosixLauncher, PosixOptions,
};
use resources::Resources;

use crate::options::{AgentOptions, LauncherKind};
use crate::volumes;

impl LauncherKind {
    /// The one that is used where nothing is said: that for Linux where it can be had, as in Mesos.
    #[must_use]
    pub fn usual() -> Self {
        if LinuxLauncher::available() { Self::Linux } else { Self::Posix }
    }
}

/// Why containers cannot run as they are to.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    /// The isolators need another launcher.
    #[error(
        "the isolation '{0}' needs the Linux launcher, which needs root; without it there is only 'posix/cpu,posix/mem'"
    )]
    NeedsLinux(Isolation),
    /// The Linux launcher cannot be had.
    #[error(transparent)]
    Linux(#[from] LinuxError),
    /// The POSIX launcher cannot be had.
    #[error("cannot start the launcher")]
    Posix(#[from] std::io::Error),
}

/// What containers run by, and what holds for them.
pub(crate) struct Chosen {
    pub(crate) launcher: Arc<dyn Launcher>,
    /// The isolators; none where nothing is isolated.
    pub(crate) isolation: Option<Isolation>,
}

/// Starts the launcher that the options ask for; with that of plain processes, ends what an earlier agent left.
pub(crate) async fn start(
    options: &AgentOptions,
    resources: &Resources,
    sink: EventSink,
) -> Result<Chosen, LauncherError> {
    let isolation = &options.linux.isolation;
    match options.launcher {
        LauncherKind::Posix => {
            if isolation.needs_linux() {
                return Err(LauncherError::NeedsLinux(isolation.clone()));
            }
            tracing::info!(
                "containers run as plain processes: their files, processes, memory and processors are not isolated"
            );
            let sandboxes = options.work_dir.join("slaves");
            let ending = tokio::task::spawn_blocking(move || PosixLauncher::kill_leftovers(&sandboxes));
            for sandbox in ending.await.map_err(std::io::Error::other)? {
                tracing::warn!(sandbox, "killed a container that an earlier agent left behind");
            }
            let posix = PosixOptions { adopt_orphans: options.adopt_orphans, ..PosixOptions::default() };
            Ok(Chosen { launcher: Arc::new(PosixLauncher::new(posix, sink)?), isolation: None })
        }
        LauncherKind::Linux => {
            let runtime_dir = runtime_dir(options);
            let linux = LinuxOptions {
                runtime_dir,
                quota_roots: volumes::roots(&options.work_dir, resources),
                project_interval: options.disk_watch_interval,
                ..options.linux.clone()
            };
            let launcher = LinuxLauncher::new(linux, sink)?;
            let version = launcher.cgroups_version();
            tracing::info!(
                "containers run in control groups of version {version} with the isolation {isolation}"
            );
            Ok(Chosen { launcher: Arc::new(launcher), isolation: Some(isolation.clone()) })
        }
    }
}

/// Where records of containers are: in the work directory if nothing else was said, so that agents of one machine do not
/// take each other's for their own.
fn runtime_dir(options: &AgentOptions) -> PathBuf {
    if options.runtime_dir.as_os_str().is_empty() {
        options.work_dir.join("meta/runtime")
    } else {
        options.runtime_dir.clone()
    }
}
