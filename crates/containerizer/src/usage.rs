//! What a container uses, in the shape of Mesos' `ResourceStatistics`. What is not measured is unset.
//!
//! Of a container in which others are nested the figures are those of all of them together.

use std::path::PathBuf;
use std::time::Duration;

/// What a container uses now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// How many processes it has.
    pub processes: u32,
    /// How many threads they have.
    pub threads: u32,
    /// Time on a processor in user mode, of all that ever ran in it as far as that is known.
    pub cpu_user: Duration,
    /// The same in the kernel.
    pub cpu_system: Duration,
    /// Processors that were allocated to it (`cpus_soft_limit`).
    pub cpus: Option<f64>,
    /// Processors that it gets at most. Unset where nothing holds it back from taking what is idle.
    pub cpus_limit: Option<f64>,
    /// What its processor limit did.
    pub throttling: Option<Throttling>,
    /// Anonymous memory in bytes. Measured without control groups: resident memory, shared pages counted for each process.
    pub memory_rss: u64,
    /// Bytes of memory that were allocated to it (`mem_soft_limit_bytes`).
    pub memory_request: Option<u64>,
    /// Bytes of memory at which it is ended, as it asked for; all the machine's for one that asked for no limit.
    pub memory_limit: Option<u64>,
    /// The rest of its memory.
    pub memory: Option<Memory>,
    /// Bytes that its sandbox holds, when that was last looked.
    pub disk_used: Option<u64>,
    /// Bytes that its sandbox may hold.
    pub disk_limit: Option<u64>,
    /// The same of its volumes.
    pub volumes: Vec<VolumeUsage>,
    /// What it read and wrote, for each block device.
    pub block: Vec<Block>,
    /// How often it was refused a process or thread.
    pub forks_refused: Option<u64>,
}

/// What a processor limit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Periods in which the container ran.
    pub periods: u64,
    /// Those of them in which it was held up.
    pub throttled: u64,
    /// For how long in all.
    pub time: Duration,
}

/// Memory, as control groups account for it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// The same with what is swapped out. Only where the limit counts both.
    pub total_with_swap: Option<u64>,
    /// Pages of files.
    pub cache: u64,
    /// Those of them that are mapped.
    pub mapped_file: u64,
    /// What is swapped out.
    pub swap: Option<u64>,
    /// What cannot be taken back.
    pub unevictable: u64,
    /// The kernel's, for it.
    pub kernel: Option<u64>,
    /// The kernel's, for its TCP connections.
    pub kernel_tcp: Option<u64>,
    /// How much it may use, as the kernel has it: by its own limit or by that of a group around it.
    pub limit: Option<u64>,
    /// How much it may use when memory is scarce, as the kernel has it.
    pub soft_limit: Option<u64>,
    /// What it used at most.
    pub peak: Option<u64>,
    /// How many of its processes were killed because memory ran out.
    pub kills: u64,
    /// How often it was short of memory. Version 1 only.
    pub pressure: Option<Pressure>,
}

/// How often a container was short of memory, by how much it was. Each level counts the worse ones, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Something was taken back.
    pub low: u64,
    /// So much that something was swapped out, or active pages of files were taken back.
    pub medium: u64,
    /// It is about to run out.
    pub critical: u64,
}

/// What a volume holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeUsage {
    /// Where it is, as a path of the host.
    pub path: PathBuf,
    /// Bytes that it may hold.
    pub limit: u64,
    /// Bytes that it held when that was last looked.
    pub used: Option<u64>,
}

/// What was read from and written to one block device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The device's number.
    pub major: u32,
    /// The device's number among its kind.
    pub minor: u32,
    /// Bytes.
    pub bytes: Transfers,
    /// Operations.
    pub operations: Transfers,
}

/// An amount of input and output, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Read.
    pub read: u64,
    /// Written.
    pub write: u64,
    /// Said to be needed no more.
    pub discard: u64,
    /// What of all this somebody waited for. Version 1 only.
    pub sync: Option<u64>,
    /// The rest. Version 1 only.
    pub r#async: Option<u64>,
}

impl Transfers {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.read.saturating_add(self.write).saturating_add(self.discard)
    }
}
