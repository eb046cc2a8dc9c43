//! What kind of disk a disk resource is, and whether it is a persistent volume.

use std::sync::Arc;

use base::Payload;

use crate::Labels;

/// More about a `disk` resource.
#[derive(Clone, Eq, Default, Debug)]
pub struct Disk {
    /// Where it comes from; without it, it is part of the agent's own disk.
    pub source: Option<DiskSource>,
    /// Set for persistent volumes.
    pub persistence: Option<Persistence>,
    /// How the volume is to be seen in a container.
    pub volume: Option<Volume>,
}

/// Equality leaves out the volume and the persistence's principal: they say how a disk is used and by whom, not which
/// disk it is.
impl PartialEq for Disk {
    fn eq(&self, other: &Self) -> bool {
        let id = |disk: &Self| disk.persistence.as_ref().map(|p| p.id.clone());
        self.source == other.source && id(self) == id(other)
    }
}

/// The kinds of disks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskKind {
    /// Not known to this version.
    Unknown,
    /// A directory that can be split.
    Path,
    /// A mounted file system, used as a whole.
    Mount,
    /// A block device, used as a whole.
    Block,
    /// Storage that has yet to become one of the others.
    Raw,
}

impl DiskKind {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Path => "PATH",
            Self::Mount => "MOUNT",
            Self::Block => "BLOCK",
            Self::Raw => "RAW",
        }
    }
}

/// Where a disk is on its agent, if that was said.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Root(pub Option<Arc<str>>);

/// Where a disk comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiskSource {
    /// The kind of disk.
    pub kind: DiskKind,
    /// For [`DiskKind::Path`].
    pub path: Option<Root>,
    /// For [`DiskKind::Mount`].
    pub mount: Option<Root>,
    /// Who made the storage.
    pub vendor: Option<Arc<str>>,
    /// The storage's own id; disks with an id are never merged.
    pub id: Option<Arc<str>>,
    /// What the storage plugin says of it.
    pub metadata: Option<Labels>,
    /// The name of a set of storage parameters.
    pub profile: Option<Arc<str>>,
}

impl DiskSource {
    /// A source of a kind with nothing else known.
    #[must_use]
    pub fn new(kind: DiskKind) -> Self {
        Self { kind, path: None, mount: None, vendor: None, id: None, metadata: None, profile: None }
    }
}

/// Makes a disk resource a persistent volume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Persistence {
    /// Unique for the role on the agent.
    pub id: Arc<str>,
    /// Who created it.
    pub principal: Option<Arc<str>>,
}

/// May a container write to a volume?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Read and write.
    ReadWrite,
    /// Read only.
    ReadOnly,
}

/// How a volume is to be seen in a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Volume {
    /// Where in the container.
    pub container_path: Arc<str>,
    /// What of the host, if not the resource itself.
    pub host_path: Option<Arc<str>>,
    /// May it be written?
    pub mode: Mode,
    /// The whole message, for what else it says.
    pub body: Payload,
}
