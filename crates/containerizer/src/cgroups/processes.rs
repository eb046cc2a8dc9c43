//! The processes of a group: who they are, ending them, and removing the empty group.

use std::fs;
use std::io;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::{CgroupError, Controller, Group, Version};

impl Group {
    /// The files through which a process joins it.
    pub(crate) fn doors(&self) -> Vec<std::path::PathBuf> {
        self.directories().into_iter().map(|directory| directory.join("cgroup.procs")).collect()
    }

    /// Its processes, without those of groups nested in it. None if it is gone.
    pub(crate) fn processes(&self) -> Vec<i32> {
        numbers(&self.main().join("cgroup.procs"))
    }

    /// The same with those of groups nested in it.
    pub(crate) fn all_processes(&self) -> Vec<i32> {
        tree(self.main())
    }

    /// How many threads it has; with `all`, those of groups nested in it too.
    pub(crate) fn threads(&self, all: bool) -> Option<u64> {
        // The kernel counts threads here, nested ones too.
        if self.has(Controller::Pids) {
            return self.number(Controller::Pids, "pids.current");
        }
        let file = match self.version() {
            Version::V1 => "tasks",
            Version::V2 => "cgroup.threads",
        };
        let groups = if all { nested_in(self.main()) } else { vec![self.main().to_owned()] };
        let lines = |directory: std::path::PathBuf| fs::read_to_string(directory.join(file)).ok();
        Some(groups.into_iter().filter_map(lines).map(|text| text.lines().count() as u64).sum())
    }

    /// Whether it is there.
    pub(crate) fn exists(&self) -> bool {
        self.directories().iter().any(|directory| directory.exists())
    }

    /// Kills all its processes, those of nested groups too; they cannot fork away. Returns whether nobody was left.
    pub(crate) fn kill(&self) -> io::Result<bool> {
        match self.version() {
            Version::V1 => self.freeze_and_kill(None),
            Version::V2 => {
                let everybody = self.main().join("cgroup.kill");
                match fs::write(&everybody, "1") {
                    Ok(()) => Ok(!populated(self.main())),
                    Err(error) if error.kind() == io::ErrorKind::NotFound && !self.exists() => Ok(true),
                    // Kernels before 5.14 have no such file.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => self.freeze_and_kill(None),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Kills all its processes but one. Returns whether there were any.
    pub(crate) fn kill_others(&self, spared: i32) -> io::Result<bool> {
        let others = |processes: Vec<i32>| processes.into_iter().any(|pid| pid != spared);
        let any = others(tree(self.main()));
        if any {
            self.freeze_and_kill(Some(spared))?;
        }
        Ok(any)
    }

    /// Who is frozen cannot fork between being seen and being killed.
    fn freeze_and_kill(&self, spared: Option<i32>) -> io::Result<bool> {
        let (file, frozen, thawed) = match self.version() {
            Version::V1 => ("freezer.state", "FROZEN", "THAWED"),
            Version::V2 => ("cgroup.freeze", "1", "0"),
        };
        let switch = self.main().join(file);
        if tree(self.main()).is_empty() {
            return Ok(true);
        }
        match fs::write(&switch, frozen) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            other => other?,
        }
        for pid in tree(self.main()).into_iter().filter(|pid| Some(*pid) != spared) {
            if let Some(pid) = Pid::from_raw(pid) {
                // It was listed a moment ago and cannot run: if it is gone, somebody else killed it.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        fs::write(&switch, thawed)?;
        Ok(tree(self.main()).is_empty())
    }

    /// Removes it with the groups nested in it, of which none has a process. Gone already is as good.
    pub(crate) fn remove(&self) -> Result<(), CgroupError> {
        for directory in self.directories() {
            remove(directory).map_err(CgroupError::file("remove", directory))?;
        }
        Ok(())
    }
}

/// The processes of a group and of all below it.
fn tree(directory: &Path) -> Vec<i32> {
    let mut found = numbers(&directory.join("cgroup.procs"));
    for below in nested(directory) {
        found.extend(tree(&below));
    }
    found
}

/// A group and all below it.
fn nested_in(directory: &Path) -> Vec<std::path::PathBuf> {
    let below = nested(directory).into_iter().flat_map(|below| nested_in(&below));
    std::iter::once(directory.to_owned()).chain(below).collect()
}

fn nested(directory: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn populated(directory: &Path) -> bool {
    fs::read_to_string(directory.join("cgroup.events")).is_ok_and(|text| text.contains("populated 1"))
}

fn numbers(path: &Path) -> Vec<i32> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Mostly there is nothing nested, so that looking first would cost more than trying.
pub(super) fn remove(directory: &Path) -> io::Result<()> {
    match rustix::fs::rmdir(directory) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::BUSY | Errno::NOTEMPTY) => {
            let nested = nested(directory);
            if nested.is_empty() {
                return Err(Errno::BUSY.into());
            }
            for below in nested {
                remove(&below)?;
            }
            match rustix::fs::rmdir(directory) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}
