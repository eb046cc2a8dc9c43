//! Figures of the machine that the master runs on.

use std::fs;
use std::thread;

/// Load, processors and memory, by the names that follow `system/` in Mesos' metrics. What the machine does not tell is
/// left out.
pub(crate) fn figures() -> Vec<(&'static str, f64)> {
    let mut figures = Vec::new();
    if let Ok(processors) = thread::available_parallelism() {
        figures.push(("cpus_total", super::state::number(processors.get())));
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    for (name, value) in ["load_1min", "load_5min", "load_15min"].into_iter().zip(load.split_whitespace()) {
        figures.extend(value.parse().ok().map(|value: f64| (name, value)));
    }
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    for (line, name) in [("MemTotal:", "mem_total_bytes"), ("MemFree:", "mem_free_bytes")] {
        figures.extend(kibibytes(&memory, line).map(|value| (name, value * 1024.0)));
    }
    figures
}

fn kibibytes(memory: &str, line: &str) -> Option<f64> {
    memory.lines().find_map(|each| each.strip_prefix(line))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_kibibytes() {
        let memory = "MemTotal:       24682416 kB\nMemFree:        1630012 kB\n";
        assert_eq!(kibibytes(memory, "MemFree:"), Some(1_630_012.0));
        assert_eq!(kibibytes(memory, "Nothing:"), None);
    }
}
