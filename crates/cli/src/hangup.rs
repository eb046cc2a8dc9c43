//! The end of the terminal that a command was started from.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGHUP; never, where whoever started this process (such as `nohup`) wants it to outlive its terminal.
pub(crate) struct Hangup(Option<Signal>);

impl Hangup {
    /// From here on the signal does not end the process by itself.
    pub(crate) fn listen() -> io::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = is_ignored(&status);
        Ok(Self(if ignored { None } else { Some(signal(SignalKind::hangup())?) }))
    }

    /// Waits for the signal.
    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            Some(hangup) => {
                hangup.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

/// Whether SIGHUP, signal 1, is in the mask of ignored signals (proc_pid_status(5)).
fn is_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_is_the_lowest_bit() {
        assert!(is_ignored("Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"));
        assert!(!is_ignored("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n"));
        assert!(!is_ignored(""));
    }
}
