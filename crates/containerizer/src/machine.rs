//! What this machine has: the bound of those who may use all of it.

/// Its processors.
pub(crate) fn processors() -> Option<f64> {
    let count = std::thread::available_parallelism().ok()?;
    u32::try_from(count.get()).ok().map(f64::from)
}

/// Bytes of memory.
pub(crate) fn memory() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    Some(total?.parse::<u64>().ok()? << 10)
}
