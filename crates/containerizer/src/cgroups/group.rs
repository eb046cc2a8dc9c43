//! One container's group in every hierarchy.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use super::{CgroupError, Controller, Version};

/// A container's group: a directory in each hierarchy.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    version: Version,
    of: BTreeMap<Controller, PathBuf>,
}

impl Group {
    pub(super) fn new(version: Version, of: BTreeMap<Controller, PathBuf>) -> Self {
        Self { version, of }
    }

    /// Without the hierarchies that it was not made in: an earlier agent may have run with fewer isolators.
    pub(crate) fn existing(mut self) -> Self {
        self.of.retain(|controller, directory| *controller == Controller::Freezer || directory.exists());
        self
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Its directories, each once. Some controllers share a hierarchy, in version 2 all do.
    pub(crate) fn directories(&self) -> Vec<&Path> {
        let mut directories: Vec<&Path> = self.of.values().map(PathBuf::as_path).collect();
        directories.sort_unstable();
        directories.dedup();
        directories
    }

    /// Where its processes are listed and frozen.
    pub(crate) fn main(&self) -> &Path {
        &self.of[&Controller::Freezer]
    }

    pub(crate) fn has(&self, controller: Controller) -> bool {
        self.of.contains_key(&controller)
    }

    pub(crate) fn file(&self, controller: Controller, name: &str) -> Option<PathBuf> {
        self.of.get(&controller).map(|directory| directory.join(name))
    }

    /// Lets a user make groups in it, as Mesos does. Its own limits stay ours, and so does that by which its processes are
    /// found: in version 1 a user could hide there, in version 2 nobody can leave for a group of its own.
    pub(crate) fn give_to(&self, uid: u32, gid: u32) -> Result<(), CgroupError> {
        let found_by = |directory: &Path| self.version == Version::V1 && directory == self.main();
        for directory in self.directories().into_iter().filter(|directory| !found_by(directory)) {
            chown(directory, Some(uid), Some(gid)).map_err(CgroupError::file("give away", directory))?;
        }
        Ok(())
    }

    /// Sets a value.
    pub(crate) fn write(&self, controller: Controller, name: &str, value: &str) -> Result<(), CgroupError> {
        let path = self.file(controller, name).ok_or(CgroupError::Missing(controller.name()))?;
        fs::write(&path, value).map_err(CgroupError::file("write", &path))
    }

    /// Reads a file; `None` also if the group is gone or the kernel has no such file.
    pub(crate) fn read(&self, controller: Controller, name: &str) -> Option<String> {
        fs::read_to_string(self.file(controller, name)?).ok()
    }

    /// Reads a file that holds one number. Unlimited is no number.
    pub(crate) fn number(&self, controller: Controller, name: &str) -> Option<u64> {
        self.read(controller, name)?.trim().parse().ok()
    }

    /// Reads one number of a file of lines `name value`.
    pub(crate) fn entry(&self, controller: Controller, file: &str, name: &str) -> Option<u64> {
        entry(&self.read(controller, file)?, name)
    }
}

/// The value of `name` in lines of `name value`.
pub(crate) fn entry(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// In version 1 a new group may use no processor and no memory node until it is told which: those of the one above.
pub(super) fn inherit_cpuset(directory: &Path) -> Result<(), CgroupError> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let path = directory.join(name);
        match fs::read_to_string(&path) {
            Ok(own) if own.trim().is_empty() && !directory.join("cgroup.controllers").exists() => {
                let above = directory.parent().map(|above| above.join(name)).unwrap_or_default();
                let value = fs::read_to_string(&above).map_err(CgroupError::file("read", &above))?;
                fs::write(&path, value).map_err(CgroupError::file("write", &path))?;
            }
            Ok(_) => {}
            // Not a group of this controller.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(CgroupError::file("read", &path)(error)),
        }
    }
    Ok(())
}
