//! What runs on this machine, as far as it belongs to a cluster under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its arguments, joined by spaces.
    pub command: String,
}

/// Processes whose working directory lies in `directory`: tasks and executors, which live in their sandboxes, and
/// what they started and left. Zombies do not count: they wait for their parent only.
#[must_use]
pub fn living_in(directory: &Path) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| working_directory(*pid).is_some_and(|d| d.starts_with(directory)))
        .map(|pid| Process { pid, command: command(pid) })
        .collect()
}

/// Waits until nothing lives in `directory`, and returns what still does at the end of the time.
#[must_use]
pub fn wait_until_nothing_lives_in(directory: &Path, limit: Duration) -> Vec<Process> {
    let deadline = Instant::now() + limit;
    loop {
        let left = living_in(directory);
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn working_directory(pid: u32) -> Option<PathBuf> {
    // Gone, a zombie or a kernel thread: none that counts.
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

fn command(pid: u32) -> String {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&arguments).replace('\0', " ").trim_end().to_owned()
}

/// A figure of `/proc/<pid>/status` in KiB, such as `VmHWM` (the most memory that was resident).
#[must_use]
pub fn memory_kib(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.split(':').next() == Some(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_is_found_by_its_directory_until_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let mut child = Command::new("sleep").arg("60").current_dir(&path).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !living_in(&path).iter().any(|p| p.pid == child.id() && p.command == "sleep 60") {
            assert!(Instant::now() < deadline, "the child is not found");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(wait_until_nothing_lives_in(&path, Duration::from_secs(60)), []);
    }

    #[test]
    fn memory_of_this_process_is_known() {
        assert!(memory_kib(std::process::id(), "VmHWM").unwrap() > 100);
        assert_eq!(memory_kib(std::process::id(), "Nothing"), None);
    }
}
