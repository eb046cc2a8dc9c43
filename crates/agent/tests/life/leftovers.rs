//! What an agent may leave on a machine and must not: control groups, processes with their namespaces, mounts, records.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::hierarchies::groups;

fn below(path: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
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
        found.extend(self.processes().into_iter().map(|(pid, command)| format!("process {pid}: {command}")));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("there");
        // The work directory itself may be a file system of its own.
        let inside = format!("{work_dir}/");
        found
            .extend(mounts.lines().filter(|line| line.contains(&inside)).map(|line| format!("mount {line}")));
        found
    }

    /// Kills what runs in containers, as the end of the machine does: the inits first, which could record how their tasks
    /// ended. The kernel ends what is in their namespaces.
    pub fn kill_containers(&self) {
        let inits = self.processes().into_iter().filter(|(_, command)| command.starts_with("meseta-init"));
        for (pid, _) in inits {
            // Gone meanwhile is as good.
            let _ = kill_process(Pid::from_raw(pid).expect("a process"), Signal::KILL);
        }
    }

    /// The processes of containers of this place, and what they execute.
    fn processes(&self) -> Vec<(i32, String)> {
        let root = super::groups_root(self.directory.path());
        let sandbox = format!("MESOS_SANDBOX={}", self.work_dir().display());
        let mut found = Vec::new();
        for process in below(Path::new("/proc")) {
            let name = process.file_name().unwrap_or_default().to_string_lossy();
            let Ok(pid) = name.parse() else { continue };
            let read = |file: &str| {
                let bytes = std::fs::read(process.join(file)).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let of_ours = read("cgroup").contains(&root)
                || read("environ").contains(&sandbox)
                || std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.work_dir()));
            // One that has ended and was not waited for has no more of anything.
            if of_ours && !read("stat").contains(") Z ") {
                found.push((pid, read("cmdline").replace('\0', " ")));
            }
        }
        found
    }
}
