//! Names of kinds of resources.

use std::fmt;
use std::sync::Arc;

/// What a resource is of. The names that nearly all resources have cost nothing to copy and compare.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// `cpus`: cores and parts of them.
    Cpus,
    /// `mem`: memory in megabytes.
    Mem,
    /// `disk`: disk space in megabytes.
    Disk,
    /// `gpus`: whole GPUs.
    Gpus,
    /// `ports`: ports of the host.
    Ports,
    /// Any other name.
    Custom(Arc<str>),
}

impl Name {
    /// The name as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Cpus => "cpus",
            Self::Mem => "mem",
            Self::Disk => "disk",
            Self::Gpus => "gpus",
            Self::Ports => "ports",
            Self::Custom(name) => name,
        }
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        match name {
            "cpus" => Self::Cpus,
            "mem" => Self::Mem,
            "disk" => Self::Disk,
            "gpus" => Self::Gpus,
            "ports" => Self::Ports,
            other => Self::Custom(other.into()),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
