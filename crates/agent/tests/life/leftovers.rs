//! What an agent may leave on a machine and must not: control groups, processes with their namespaces, mounts, records.

use std::path::{Path, PathBuf};

/// The directories of a control group of that name, in each hierarchy.
fn groups(root: &str) -> Vec<PathBuf> {
    let mounted = Path::new("/sys/fs/cgroup");
    let hierarchies = std::fs::read_dir(mounted).into_iter().flatten().flatten().map(|entry| entry.path());
    hierarchies.chain([mounted.to_owned()]).map(|path| path.join(root)).filter(|path| path.is_dir()).collect()
}

fn below(path: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Removes the groups of a test; what is left in them stays.
pub(super) fn remove_groups(root: &str) {
    for group in groups(root) {
        // In use by what a failed test has left.
        let _ = std::fs::remove_dir(group);
    }
}

impl super::Place {
    /// Everything on the machine that belongs to a container of this place.
    pub fn leftovers(&self) -> Vec<String> {
        let root = super::groups_root(self.directory.path());
        let work_dir = self.work_dir().display().to_string();
        let mut found: Vec<String> = groups(&root)
            .iter()
            .flat_map(|group| below(group))
            .filter(|path| path.is_dir())
            .map(|path| format!("control group {}", path.display()))
            .collect();
        found.extend(
            below(&self.work_dir().join("meta/runtime/containers"))
                .iter()
                .map(|path| format!("record {}", path.display())),
        );
        for process in below(Path::new("/proc")) {
            let read = |file: &str| {
                let bytes = std::fs::read(process.join(file)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            if !process.join("stat").exists() || read("stat").contains(") Z ") {
                continue;
            }
            let of_ours = read("cgroup").contains(&root)
                || read("environ").contains(&format!("MESOS_SANDBOX={work_dir}"))
                || std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.work_dir()));
            if of_ours {
                found.push(format!("process {}: {}", process.display(), read("cmdline").replace('\0', " ")));
            }
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("there");
        // The work directory itself may be a file system of its own.
        let inside = format!("{work_dir}/");
        found
            .extend(mounts.lines().filter(|line| line.contains(&inside)).map(|line| format!("mount {line}")));
        found
    }
}
