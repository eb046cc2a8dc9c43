//! Choosing how containers run here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use containerizer::{
    EventSink, Isolation, Launcher, LinuxError, LinuxLauncher, LinuxOptions, PosixLauncher, PosixOptions,
};

use crate::options::AgentOptions;

/// How containers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LauncherKind {
    /// In control groups and namespaces, as far as the isolators go.
    Linux,
    /// As plain processes.
    Posix,
}

impl LauncherKind {
    /// The one that is used where nothing is said: that for Linux where it can be had.
    #[must_use]
    pub fn usual() -> Self {
        if LinuxLauncher::available() { Self::Linux } else { Self::Posix }
    }

    /// As in `--launcher`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Posix => "posix",
        }
    }
}

/// Why containers cannot run as they are to.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    /// The isolators need another launcher.
    #[error("the isolation '{0}' needs the Linux launcher, which needs root; without it there is only 'posix/cpu,posix/mem'")]
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

/// Starts the launcher that the options ask for. `work_dir` is this agent's alone.
pub(crate) fn start(options: &AgentOptions, work_dir: &Path, sink: EventSink) -> Result<Chosen, LauncherError> {
    let containers = &options.containers;
    match containers.launcher.unwrap_or_else(LauncherKind::usual) {
        LauncherKind::Posix => {
            if containers.linux.isolation.needs_linux() {
                return Err(LauncherError::NeedsLinux(containers.linux.isolation.clone()));
            }
            tracing::info!(
                "containers run as plain processes: their files, processes, memory and processors are not isolated"
            );
            let posix = PosixOptions { adopt_orphans: options.adopt_orphans, ..PosixOptions::default() };
            Ok(Chosen { launcher: Arc::new(PosixLauncher::new(posix, sink)?), isolation: None })
        }
        LauncherKind::Linux => {
            let isolation = containers.linux.isolation.clone();
            let runtime_dir = runtime_dir(&containers.linux, work_dir);
            let launcher = LinuxLauncher::new(LinuxOptions { runtime_dir, ..containers.linux.clone() }, sink)?;
            let version = launcher.cgroups_version();
            tracing::info!("containers run in control groups of version {version} with the isolation {isolation}");
            Ok(Chosen { launcher: Arc::new(launcher), isolation: Some(isolation) })
        }
    }
}

/// Where records of containers are: in the work directory if nothing else was said, so that agents of one machine do not
/// take each other's for their own.
fn runtime_dir(options: &LinuxOptions, work_dir: &Path) -> PathBuf {
    if options.runtime_dir.as_os_str().is_empty() {
        work_dir.join("meta/runtime")
    } else {
        options.runtime_dir.clone()
    }
}
