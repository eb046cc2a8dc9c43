//! Finding the hierarchies that this machine has mounted.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Controller, Version};

/// Where control groups are mounted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mounts {
    v1: BTreeMap<Controller, PathBuf>,
    /// The unified hierarchy, with the controllers that no hierarchy of version 1 has taken.
    v2: Option<(PathBuf, Vec<String>)>,
}

impl Mounts {
    /// Looks where they are; of several mounts of one hierarchy one below `preferred` is taken.
    pub(crate) fn find(preferred: &Path) -> io::Result<Self> {
        let table = std::fs::read_to_string("/proc/self/mountinfo")?;
        Ok(Self::parse(&table, preferred, |mount| {
            std::fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default()
        }))
    }

    fn parse(table: &str, preferred: &Path, controllers: impl Fn(&Path) -> String) -> Self {
        let mut v1: BTreeMap<Controller, PathBuf> = BTreeMap::new();
        let mut v2: Option<PathBuf> = None;
        let better = |old: Option<&PathBuf>, new: &Path| {
            old.is_none_or(|old| !old.starts_with(preferred) && new.starts_with(preferred))
        };
        for line in table.lines() {
            // proc_pid_mountinfo(5): the fields after the dash are type, source and options.
            let Some((before, after)) = line.split_once(" - ") else { continue };
            let Some(target) = before.split(' ').nth(4) else { continue };
            let target = PathBuf::from(target);
            let mut after = after.split(' ');
            match (after.next(), after.nth(1)) {
                (Some("cgroup2"), _) if better(v2.as_ref(), &target) => v2 = Some(target),
                (Some("cgroup"), Some(options)) => {
                    for controller in Controller::ALL {
                        let has = options.split(',').any(|option| option == controller.name());
                        if has && better(v1.get(&controller), &target) {
                            v1.insert(controller, target.clone());
                        }
                    }
                }
                _ => {}
            }
        }
        let v2 = v2.map(|mount| {
            let names = controllers(&mount).split_ascii_whitespace().map(str::to_owned).collect();
            (mount, names)
        });
        Self { v1, v2 }
    }

    /// The version whose hierarchies hold the controllers that matter. Systems that mount both keep them in version 1.
    pub(crate) fn version(&self) -> Version {
        let unified = self.v2.as_ref().is_some_and(|(_, names)| names.iter().any(|name| name == "memory"));
        if unified || self.v1.is_empty() { Version::V2 } else { Version::V1 }
    }

    /// Where a controller is, in the version that is used.
    pub(crate) fn of(&self, controller: Controller) -> Option<&Path> {
        match self.version() {
            Version::V1 => self.v1.get(&controller).map(PathBuf::as_path),
            Version::V2 => {
                let (mount, names) = self.v2.as_ref()?;
                let there = match controller.switch() {
                    Some(switch) => names.iter().any(|name| name == switch),
                    // These two exist in version 1 only; what they did is done elsewhere.
                    None => !matches!(controller, Controller::NetCls | Controller::NetPrio),
                };
                there.then_some(mount)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
25 24 0:23 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
26 24 0:24 / /elsewhere/memory rw shared:1 - cgroup cgroup rw,memory
27 24 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
28 24 0:25 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
29 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";

    fn find(table: &str, controllers: &str) -> Mounts {
        Mounts::parse(table, Path::new("/sys/fs/cgroup"), |_| controllers.to_owned())
    }

    #[test]
    fn controllers_of_version_1_win_where_both_are_mounted() {
        let mounts = find(HYBRID, "hugetlb");
        assert_eq!(mounts.version(), Version::V1);
        assert_eq!(mounts.of(Controller::Memory), Some(Path::new("/sys/fs/cgroup/memory")));
        assert_eq!(mounts.of(Controller::Cpu), mounts.of(Controller::Cpuacct));
        assert_eq!(mounts.of(Controller::Pids), None);
        assert_eq!(mounts.of(Controller::Hugetlb), None);
    }

    #[test]
    fn version_2_has_what_it_lists_and_what_needs_no_switch() {
        let mounts = find("30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "cpu io memory");
        assert_eq!(mounts.version(), Version::V2);
        for controller in [Controller::Cpu, Controller::Blkio, Controller::Freezer, Controller::Devices] {
            assert_eq!(mounts.of(controller), Some(Path::new("/sys/fs/cgroup")), "{controller:?}");
        }
        assert_eq!(mounts.of(Controller::Pids), None);
        assert_eq!(mounts.of(Controller::NetCls), None);
    }
}
