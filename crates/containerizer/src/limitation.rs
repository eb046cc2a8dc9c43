//! Why a container was ended: it went beyond something.

use std::fmt;
use std::path::PathBuf;

/// What a container was ended for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limitation {
    /// What it went beyond.
    pub kind: LimitationKind,
    /// The whole story in words, for whoever has to understand it.
    pub message: String,
}

/// What a container can go beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitationKind {
    /// Memory (`REASON_CONTAINER_LIMITATION_MEMORY`).
    Memory {
        /// What it used at most, in bytes.
        peak: u64,
    },
    /// Disk (`REASON_CONTAINER_LIMITATION_DISK`).
    Disk {
        /// What it used when it was looked, in bytes.
        used: u64,
        /// The volume that holds too much; without, the sandbox does.
        volume: Option<PathBuf>,
        /// Whether its user is told what was used, as by `disk/xfs`; otherwise what was allocated, as by `disk/du`.
        tells_use: bool,
    },
    /// Processes and threads (`REASON_CONTAINER_LIMITATION`).
    Pids,
    /// It listens on ports that are not its own (`REASON_CONTAINER_LIMITATION`).
    Ports(
        /// Which.
        Vec<u16>,
    ),
}

/// A number of bytes, as people read them.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 3] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];
        let Some((unit, size)) = UNITS.into_iter().find(|(_, size)| self.0 >= *size) else {
            return write!(f, "{}B", self.0);
        };
        let tenths = u128::from(self.0) * 10 / u128::from(size);
        if tenths % 10 == 0 {
            write!(f, "{}{unit}", tenths / 10)
        } else {
            write!(f, "{}.{}{unit}", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable() {
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (32 << 20, "32MB"), (1536 << 20, "1.5GB")] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        assert_eq!(Bytes(u64::MAX).to_string(), "17179869183.9GB");
    }
}
