//! Memory becoming scarce in a group: how often, as the kernel tells in version 1.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{EventfdFlags, eventfd};

use super::{Controller, Group, Version};
use crate::usage::Pressure;

/// The kernel's names of the levels.
const LEVELS: [&str; 3] = ["low", "medium", "critical"];

/// Counts how often memory was scarce since it was made.
#[derive(Debug)]
pub(crate) struct PressureGauge {
    levels: [Level; 3],
}

#[derive(Debug)]
struct Level {
    /// The kernel adds to it; reading it takes what is there.
    notices: OwnedFd,
    taken: AtomicU64,
}

impl Level {
    fn open(group: &Group, source: &File, name: &str) -> io::Result<Self> {
        let notices = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let register = group.file(Controller::Memory, "cgroup.event_control").unwrap_or_default();
        std::fs::write(register, format!("{} {} {name}", notices.as_raw_fd(), source.as_raw_fd()))?;
        Ok(Self { notices, taken: AtomicU64::new(0) })
    }

    fn count(&self) -> u64 {
        let mut new = [0; size_of::<u64>()];
        match rustix::io::read(self.notices.as_fd(), &mut new) {
            Ok(count) if count == new.len() => {
                let new = u64::from_ne_bytes(new);
                self.taken.fetch_add(new, Ordering::Relaxed).saturating_add(new)
            }
            // Nothing came since it was last read.
            _ => self.taken.load(Ordering::Relaxed),
        }
    }
}

impl PressureGauge {
    /// Begins to count in a group; `None` in version 2, which has other means.
    pub(crate) fn open(group: &Group) -> io::Result<Option<Self>> {
        let (Version::V1, Some(source)) =
            (group.version(), group.file(Controller::Memory, "memory.pressure_level"))
        else {
            return Ok(None);
        };
        let source = File::open(source)?;
        let [low, medium, critical] = LEVELS.map(|name| Level::open(group, &source, name));
        Ok(Some(Self { levels: [low?, medium?, critical?] }))
    }

    /// What it has counted so far.
    pub(crate) fn read(&self) -> Pressure {
        let [low, medium, critical] = self.levels.each_ref().map(Level::count);
        Pressure { low, medium, critical }
    }
}
