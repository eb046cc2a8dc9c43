//! What most resources do not have: reservations, disks, and other marks.

use std::sync::Arc;

use crate::{Disk, Reservation};

/// Whatever tells a resource apart from a plain, unreserved one of the same name.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Details {
    /// The stack of reservations, the one that counts last.
    pub reservations: Vec<Reservation>,
    /// The kind of disk.
    pub disk: Option<Disk>,
    /// May be taken away at any time.
    pub revocable: bool,
    /// May be used by several tasks at once.
    pub shared: bool,
    /// Which resource provider it comes from, if not from the agent itself.
    pub provider: Option<Arc<str>>,
}

impl Details {
    /// Whether there is nothing special.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.reservations.is_empty()
            && self.disk.is_none()
            && !self.revocable
            && !self.shared
            && self.provider.is_none()
    }
}

/// What a plain resource answers when it is asked for details.
pub(crate) static PLAIN: Details =
    Details { reservations: Vec::new(), disk: None, revocable: false, shared: false, provider: None };
