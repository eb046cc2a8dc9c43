//! The control groups of the agents of a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How often it is tried to remove a group whose processes were killed just now.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// The root of the `number`th agent of the cluster in `directory`, which no other test has.
pub(crate) fn root(directory: &Path, number: usize) -> String {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    format!("meseta-test-{name}-{number}")
}

/// Ends what runs below a root and removes it from all hierarchies. Without a test that has failed nothing does.
pub(crate) fn remove(root: &str) {
    let mounted = Path::new("/sys/fs/cgroup");
    let hierarchies = directories(mounted).chain([mounted.to_owned()]);
    for group in hierarchies.map(|hierarchy| hierarchy.join(root)).filter(|group| group.is_dir()) {
        for _ in 0..TRIES {
            if remove_all(&group) {
                break;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Whether nothing is left of it.
fn remove_all(group: &Path) -> bool {
    let below = directories(group).filter(|child| !remove_all(child)).count();
    let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in processes.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
        // Gone meanwhile: as good.
        let _ = kill_process(pid, Signal::KILL);
    }
    below == 0 && (fs::remove_dir(group).is_ok() || !group.exists())
}

fn directories(path: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}
