//! How Mesos writes exit statuses; messages show them.

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
    fn wait_statuses() {
        assert_eq!(wait_status(0), "exited with status 0");
        assert_eq!(wait_status(127 << 8), "exited with status 127");
        assert_eq!(wait_status(15), "terminated with signal Terminated");
        assert_eq!(wait_status(11 | 0x80), "terminated with signal Segmentation fault (core dumped)");
        assert_eq!(wait_status(35), "terminated with signal Real-time signal 1");
    }
}
