//! Memory running out in a group: being told, and what there is to say about it.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

use super::{Controller, Group, Version, entry};

/// What is known of a group whose memory ran out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OutOfMemory {
    /// How many processes the kernel has killed for it.
    pub(crate) kills: u64,
    /// How much it may use.
    pub(crate) limit: Option<u64>,
    /// How much it used at most.
    pub(crate) peak: Option<u64>,
}

impl Group {
    /// A descriptor that becomes readable when memory runs out in the group. In version 2 there is none: its file
    /// `memory.events` is watched instead.
    pub(crate) fn out_of_memory_notice(&self) -> io::Result<Option<OwnedFd>> {
        let (Version::V1, Some(control)) =
            (self.version(), self.file(Controller::Memory, "memory.oom_control"))
        else {
            return Ok(None);
        };
        let control = File::open(control)?;
        let notice = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let register = self.file(Controller::Memory, "cgroup.event_control").unwrap_or_default();
        std::fs::write(register, format!("{} {}", notice.as_raw_fd(), control.as_raw_fd()))?;
        Ok(Some(notice))
    }

    /// What there is to say of memory that ran out.
    pub(crate) fn out_of_memory(&self) -> OutOfMemory {
        self.out_of_memory_with(&self.read(Controller::Memory, "memory.stat").unwrap_or_default())
    }

    /// The same where `memory.stat` was read already.
    pub(crate) fn out_of_memory_with(&self, stat: &str) -> OutOfMemory {
        let memory = Controller::Memory;
        match self.version() {
            Version::V1 => OutOfMemory {
                kills: self.entry(memory, "memory.oom_control", "oom_kill").unwrap_or(0),
                limit: self.memory_limit(stat),
                peak: self.number(memory, "memory.max_usage_in_bytes"),
            },
            Version::V2 => OutOfMemory {
                kills: self.entry(memory, "memory.events", "oom_kill").unwrap_or(0),
                limit: self.memory_limit(stat),
                peak: self.number(memory, "memory.peak"),
            },
        }
    }

    /// How much it may use, by its own limit or by that of a group around it.
    fn memory_limit(&self, stat: &str) -> Option<u64> {
        /// In version 1 unlimited is a number that no machine has bytes for.
        const UNLIMITED: u64 = 1 << 60;
        match self.version() {
            Version::V1 => entry(stat, "hierarchical_memory_limit").filter(|limit| *limit < UNLIMITED),
            Version::V2 => {
                let own = self.file(Controller::Memory, "memory.max")?;
                let above = own.parent()?.ancestors().map(|directory| directory.join("memory.max"));
                // The topmost group has no such file.
                above
                    .map_while(|path| std::fs::read_to_string(path).ok())
                    .filter_map(|text| text.trim().parse().ok())
                    .min()
            }
        }
    }
}
