//! How Mesos writes durations and exit statuses; environments and messages show them.

use std::time::Duration;

/// The coarsest unit that needs no fraction: `5secs`, `15mins`, `1500ms`.
pub(crate) fn duration(duration: Duration) -> String {
    const UNITS: [(u128, &str); 8] = [
        (7 * 24 * 3_600_000_000_000, "weeks"),
        (24 * 3_600_000_000_000, "days"),
        (3_600_000_000_000, "hrs"),
        (60_000_000_000, "mins"),
        (1_000_000_000, "secs"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0ns".to_owned();
    }
    let unit = UNITS.iter().find(|(length, _)| nanos.is_multiple_of(*length));
    unit.map_or_else(|| format!("{nanos}ns"), |(length, name)| format!("{}{name}", nanos / length))
}

/// A raw wait status in words, as the C library writes them: `exited with status 1`, `terminated with signal Killed`.
pub(crate) fn wait_status(status: i32) -> String {
    let signal = status & 0x7f;
    if signal == 0 {
        return format!("exited with status {}", (status >> 8) & 0xff);
    }
    let core = if status & 0x80 == 0 { "" } else { " (core dumped)" };
    format!("terminated with signal {}{core}", signal_name(signal))
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        4 => "Illegal instruction",
        5 => "Trace/breakpoint trap",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        9 => "Killed",
        10 => "User defined signal 1",
        11 => "Segmentation fault",
        12 => "User defined signal 2",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        16 => "Stack fault",
        24 => "CPU time limit exceeded",
        25 => "File size limit exceeded",
        26 => "Virtual timer expired",
        27 => "Profiling timer expired",
        29 => "I/O possible",
        30 => "Power failure",
        31 => "Bad system call",
        34.. => return format!("Real-time signal {}", signal - 34),
        _ => return format!("Unknown signal {signal}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_the_coarsest_unit_without_fraction() {
        for (secs, text) in [(5, "5secs"), (900, "15mins"), (90, "90secs"), (7 * 86400, "1weeks"), (0, "0ns")]
        {
            assert_eq!(duration(Duration::from_secs(secs)), text);
        }
        assert_eq!(duration(Duration::from_millis(1500)), "1500ms");
    }

    #[test]
    fn wait_statuses() {
        assert_eq!(wait_status(0), "exited with status 0");
        assert_eq!(wait_status(127 << 8), "exited with status 127");
        assert_eq!(wait_status(15), "terminated with signal Terminated");
        assert_eq!(wait_status(11 | 0x80), "terminated with signal Segmentation fault (core dumped)");
        assert_eq!(wait_status(35), "terminated with signal Real-time signal 1");
    }
}
