//! Agents whose containers have control groups of their own, which only root makes.

use std::net::SocketAddr;
use std::path::Path;

use agent::{AgentOptions, LauncherKind};

use super::{hierarchies, options};

/// The control groups of a test, removed with it.
pub struct Groups(String);

impl Groups {
    pub fn of(work_dir: &Path) -> Self {
        assert!(
            containerizer::LinuxLauncher::available(),
            "these tests make control groups: run them as root"
        );
        Self(name(work_dir))
    }

    /// What a file of a container's group holds, in whichever hierarchy has it: the first name is that of version 1.
    pub fn read(&self, container: &str, names: [&str; 2]) -> Option<String> {
        let files = hierarchies::hierarchies()
            .flat_map(|hierarchy| names.map(|name| hierarchy.join(&self.0).join(container).join(name)));
        files
            .into_iter()
            .find_map(|path| std::fs::read_to_string(path).ok())
            .map(|text| text.trim().to_owned())
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        hierarchies::remove(&self.0);
    }
}

fn name(work_dir: &Path) -> String {
    format!("meseta-test{}", work_dir.file_name().unwrap_or_default().to_string_lossy())
}

/// An agent with control groups of this test's own.
pub fn linux(master: SocketAddr, work_dir: &Path) -> AgentOptions {
    let mut options = AgentOptions { launcher: LauncherKind::Linux, seed: None, ..options(master, work_dir) };
    options.linux.cgroups_root = name(work_dir);
    options
}
