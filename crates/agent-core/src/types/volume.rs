//! Persistent volumes as directories.

use std::sync::Arc;

/// Where a persistent volume's data is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VolumeDirectory {
    /// An absolute path.
    pub path: Arc<str>,
    /// Whether it is the root of a disk of its own (`MOUNT`): it is there before and after the volume.
    pub is_mount: bool,
}

/// A persistent volume in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeLink {
    /// The volume.
    pub directory: VolumeDirectory,
    /// Where the container sees it, as its task or executor said: relative to the sandbox.
    pub container_path: Arc<str>,
    /// Whether it asked for no more than to read it.
    pub read_only: bool,
    /// Whether the volume is to belong to the container's user. Not where another container has it, too.
    pub own: bool,
}
