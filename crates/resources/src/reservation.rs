//! Reservations: which role may use a resource, and who said so.

use std::sync::Arc;

use crate::Role;

/// How a reservation came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReservationKind {
    /// By the agent's flags; stays until the agent is reconfigured.
    Static,
    /// By an operation; can be taken back.
    Dynamic,
}

/// A reservation for a role. Resources carry a stack of them: each refines the one below to a role further down the
/// hierarchy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reservation {
    /// How it came to be.
    pub kind: ReservationKind,
    /// For whom it is.
    pub role: Role,
    /// Who asked for it.
    pub principal: Option<Arc<str>>,
    /// What its maker wants to remember. Not given and empty are different.
    pub labels: Option<Labels>,
}

impl Reservation {
    /// A static reservation, as the agent's flags make it.
    #[must_use]
    pub fn fixed(role: Role) -> Self {
        Self { kind: ReservationKind::Static, role, principal: None, labels: None }
    }

    /// A dynamic reservation.
    #[must_use]
    pub fn dynamic(role: Role, principal: Option<Arc<str>>) -> Self {
        Self { kind: ReservationKind::Dynamic, role, principal, labels: None }
    }
}

/// A key and perhaps a value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Label {
    /// The key.
    pub key: Arc<str>,
    /// The value.
    pub value: Option<Arc<str>>,
}

/// Labels; equal when they are the same in any order.
#[derive(Clone, Eq, Default, Debug)]
pub struct Labels(pub Vec<Label>);

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        if self.0.len() != other.0.len() {
            return false;
        }
        let sorted = |labels: &Self| {
            let mut all: Vec<_> = labels.0.clone();
            all.sort_unstable();
            all
        };
        self.0 == other.0 || sorted(self) == sorted(other)
    }
}
