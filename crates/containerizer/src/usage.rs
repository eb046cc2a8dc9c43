//! What a container uses, in the shape of Mesos' `ResourceStatistics`. What is not measured is unset.

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
    /// Processors that it gets at most.
    pub cpus_limit: Option<f64>,
    /// What its processor limit did.
    pub throttling: Option<Throttling>,
    /// Anonymous memory in bytes. Measured without control groups: resident memory, shared pages counted for each process.
    pub memory_rss: u64,
    /// The rest of its memory.
    pub memory: Option<Memory>,
    /// Bytes that its sandbox holds, when that was last looked.
    pub disk_used: Option<u64>,
    /// Bytes that its sandbox may hold.
    pub disk_limit: Option<u64>,
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
    /// How much it may use.
    pub limit: Option<u64>,
    /// How much it may use when memory is scarce.
    pub soft_limit: Option<u64>,
    /// What it used at most.
    pub peak: Option<u64>,
    /// How many of its processes were killed because memory ran out.
    pub kills: u64,
}

/// What was read from and written to one block device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The device's number.
    pub major: u32,
    /// The device's number among its kind.
    pub minor: u32,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Read operations.
    pub reads: u64,
    /// Write operations.
    pub writes: u64,
}
