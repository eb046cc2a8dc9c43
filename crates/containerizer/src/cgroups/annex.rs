//! A group below that of a container, for those who visit it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::group::inherit_cpuset;
use super::{CgroupError, Controller, Group, Version, make};

/// What the names of annexes begin with.
const PREFIX: &str = "visit-";

/// Where a group's own process is.
const INNER: &str = "inner";

/// How long what an earlier agent left may take to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// A group below that of a container, in the hierarchy by which its processes are ended. In the others its processes are
/// simply in the container's groups, so that they have the container's limits.
#[derive(Debug)]
pub(crate) struct Annex {
    /// Of the container, but for the annex itself.
    group: Group,
}

impl Group {
    /// Makes one. The name begins with `visit-`.
    pub(crate) fn annex(&self, name: &str) -> Result<Annex, CgroupError> {
        debug_assert!(name.starts_with(PREFIX));
        let directory = self.main().join(name);
        make(&directory)?;
        inherit_cpuset(&directory)?;
        Ok(self.with_annex(&directory))
    }

    /// The files through which a process joins that belongs to the group itself and not to one nested in it. In version 2 a
    /// group with others in it has no processes itself, so that there is one more below it.
    pub(crate) fn inner_doors(&self) -> Result<Vec<PathBuf>, CgroupError> {
        if self.version() == Version::V1 {
            return Ok(self.doors());
        }
        let directory = self.main().join(INNER);
        make(&directory)?;
        inherit_cpuset(&directory)?;
        Ok(vec![directory.join("cgroup.procs")])
    }

    fn with_annex(&self, directory: &Path) -> Annex {
        let main = self.main().to_owned();
        let of = Controller::ALL.into_iter().filter_map(|controller| {
            let own = self.file(controller, "")?;
            // Some controllers share a hierarchy, in version 2 all do.
            Some((controller, if own == main { directory.to_owned() } else { own }))
        });
        Annex { group: Group::new(self.version(), of.collect()) }
    }

    /// Ends and removes the annexes that an earlier agent left.
    pub(crate) fn clear_annexes(&self) {
        let end = Instant::now() + PATIENCE;
        for directory in annexes(self.main()) {
            let annex = self.with_annex(&directory);
            while !annex.clear() {
                if Instant::now() > end {
                    tracing::error!(path = %directory.display(), "what visited a container cannot be removed");
                    return;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

fn annexes(main: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(main) else { return Vec::new() };
    let is_annex = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(PREFIX);
    entries.flatten().filter(is_annex).map(|entry| entry.path()).collect()
}

impl Annex {
    /// The files through which a process joins it, and the container's other groups.
    pub(crate) fn doors(&self) -> Vec<PathBuf> {
        self.group.doors()
    }

    /// Kills all its processes; they cannot fork away.
    pub(crate) fn kill(&self) -> io::Result<bool> {
        self.group.kill()
    }

    /// Kills who is left and removes it. Returns whether it is gone.
    pub(crate) fn clear(&self) -> bool {
        let directory = self.group.main();
        if super::processes::remove(directory).is_ok() {
            return true;
        }
        // An error means that it is gone or in use; either is found out by the next attempt.
        let _ = self.kill();
        super::processes::remove(directory).is_ok()
    }
}
