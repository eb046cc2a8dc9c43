//! Where a local cluster has its files and ports, and what its agents offer.
//!
//! ```text
//! DIRECTORY/master/        the master's work directory
//!           agent-1/ ...   those of the agents, with the sandboxes
//!           logs/          what each of them says
//! ```

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use agent::LauncherKind;
use anyhow::{Context, Result};
use tempfile::TempDir;

use super::Options;

/// Ports that one agent offers.
const PORTS: usize = 1000;
const FIRST_PORT: usize = 31_000;

/// What holds for containers where nothing else is said. Agents by themselves have Mesos' default, which limits nothing; who
/// tries things out on one machine shall see what a cluster does.
const ISOLATION: &str = "cgroups/cpu,cgroups/mem,filesystem/linux,namespaces/pid";

pub(super) struct Layout {
    directory: PathBuf,
    ip: IpAddr,
    port: u16,
    resources: Option<String>,
    isolation: Option<String>,
    agents: u16,
    /// Removed at the end, when it is ours.
    _temporary: Option<TempDir>,
}

impl Layout {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let (directory, temporary) = match &options.work_dir {
            Some(path) => (absolute(path)?, None),
            None => {
                // Tasks of other users must be able to reach their sandboxes.
                let open = std::fs::Permissions::from_mode(0o755);
                let directory = tempfile::Builder::new()
                    .prefix("meseta-")
                    .permissions(open)
                    .tempdir()
                    .context("no directory could be made for the cluster; give one with --work-dir")?;
                (directory.path().to_owned(), Some(directory))
            }
        };
        let layout = Self {
            directory,
            ip: options.ip,
            port: options.port,
            resources: options.resources.clone(),
            isolation: options.isolation.clone().or_else(|| {
                matches!(LauncherKind::usual(), LauncherKind::Linux).then(|| ISOLATION.to_owned())
            }),
            agents: options.agents,
            _temporary: temporary,
        };
        let logs = layout.logs();
        std::fs::create_dir_all(&logs).with_context(|| format!("{} cannot be made", logs.display()))?;
        Ok(layout)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.directory.join("logs")
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    pub(super) fn master_flags(&self) -> Vec<String> {
        let mut flags = self.flags("master", 0);
        flags.insert(0, "master".to_owned());
        flags
    }

    /// The flags of an agent, counted from 1.
    pub(super) fn agent_flags(&self, number: usize, master: &str) -> Vec<String> {
        let mut flags = self.flags(&format!("agent-{number}"), number);
        flags.insert(0, "agent".to_owned());
        flags.push(format!("--master={master}"));
        flags.push(format!("--resources={}", self.resources.clone().unwrap_or_else(|| self.share(number))));
        flags.extend(self.isolation.iter().map(|isolation| format!("--isolation={isolation}")));
        flags
    }

    fn flags(&self, name: &str, offset: usize) -> Vec<String> {
        let port = match self.port {
            0 => 0,
            first => usize::from(first) + offset,
        };
        vec![
            format!("--ip={}", self.ip),
            format!("--port={port}"),
            format!("--work-dir={}", self.directory.join(name).display()),
        ]
    }

    /// What an agent offers: all cores, for small jobs share them well, but its own part of the memory and of the ports.
    fn share(&self, number: usize) -> String {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let info = rustix::system::sysinfo();
        // `totalram` is as wide as a machine word, which never loses in 64 bits.
        #[allow(clippy::useless_conversion, reason = "its type depends on the platform")]
        let bytes = u64::from(info.totalram).saturating_mul(u64::from(info.mem_unit));
        let megabytes = (bytes >> 20) / u64::from(self.agents) / 10 * 9;
        let ports = FIRST_PORT + (number - 1) % 34 * PORTS;
        format!("cpus:{cores};mem:{megabytes};ports:[{ports}-{}]", ports + PORTS - 1)
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(path).with_context(|| format!("--work-dir {} cannot be made", path.display()))?;
    path.canonicalize().with_context(|| format!("--work-dir {} cannot be reached", path.display()))
}
