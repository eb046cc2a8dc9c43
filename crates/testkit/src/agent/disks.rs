//! Pieces of the agent's disk. Volumes are the master's, see [`volume`](crate::master::volume).

use resources::{Reservation, Resource, Resources, Role};

/// So many megabytes of the disk.
///
/// # Panics
/// Never: the resources are well formed.
#[must_use]
pub fn disk(amount: u32) -> Resource {
    Resources::parse(&format!("disk:{amount}")).expect("well formed").iter().next().expect("one").clone()
}

/// The same, reserved for a role.
#[must_use]
pub fn reserved_disk(role: &str, amount: u32) -> Resource {
    disk(amount).reserved_by(Reservation::dynamic(Role::from(role), None))
}
