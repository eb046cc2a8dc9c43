//! Control groups of tests, in whichever hierarchies the machine has.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long who is killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn hierarchies() -> impl Iterator<Item = PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    below(root).into_iter().chain([root.to_owned()])
}

/// The directories of a control group of that name.
pub fn groups(root: &str) -> Vec<PathBuf> {
    hierarchies().map(|hierarchy| hierarchy.join(root)).filter(|path| path.is_dir()).collect()
}

fn below(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Removes them with all that is in them; a test that failed may have left something.
pub fn remove(root: &str) {
    let end = Instant::now() + PATIENCE;
    for group in groups(root) {
        while !remove_one(&group) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn remove_one(group: &Path) -> bool {
    let nested = below(group).iter().all(|below| remove_one(below));
    let processes = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in processes.lines().filter_map(|line| rustix::process::Pid::from_raw(line.parse().ok()?)) {
        // Gone meanwhile is as good.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    nested && (std::fs::remove_dir(group).is_ok() || !group.exists())
}
