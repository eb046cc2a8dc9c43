//! One resource: so much of something, for someone.

use std::sync::Arc;

use crate::detail::PLAIN;
use crate::{Details, Disk, DiskKind, DiskSource, Name, Reservation, ReservationKind, Role, Scalar, Value};

/// So much of something. Cloning is cheap: details are shared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resource {
    /// Of what.
    pub name: Name,
    /// How much.
    pub value: Value,
    /// To which role it is allocated; set while it is offered or used.
    pub allocation: Option<Role>,
    /// `None` for plain resources, never `Some` of plain details: that keeps comparisons short.
    details: Option<Arc<Details>>,
}

impl Resource {
    /// A plain, unreserved, unallocated resource.
    #[must_use]
    pub fn new(name: Name, value: Value) -> Self {
        Self { name, value, allocation: None, details: None }
    }

    /// A plain scalar resource.
    #[must_use]
    pub fn scalar(name: &str, amount: Scalar) -> Self {
        Self::new(name.into(), Value::Scalar(amount))
    }

    /// The same resource with other details.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> Self {
        self.set_details(details);
        self
    }

    /// The same resource in another amount.
    #[must_use]
    pub fn with_value(mut self, value: Value) -> Self {
        self.value = value;
        self
    }

    /// The same resource, allocated to nobody.
    #[must_use]
    pub fn unallocated(mut self) -> Self {
        self.allocation = None;
        self
    }

    /// The same resource, allocated to a role.
    #[must_use]
    pub fn allocated_to(mut self, role: Role) -> Self {
        self.allocation = Some(role);
        self
    }

    /// The same resource with one more reservation on its stack.
    #[must_use]
    pub fn reserved_by(self, reservation: Reservation) -> Self {
        let mut details = self.details().clone();
        details.reservations.push(reservation);
        self.with_details(details)
    }

    /// The same resource without any reservation.
    #[must_use]
    pub fn to_unreserved(&self) -> Self {
        let mut unreserved = self.clone();
        if self.is_reserved() {
            unreserved.set_details(Details { reservations: Vec::new(), ..self.details().clone() });
        }
        unreserved
    }

    /// The same resource as it was before its last reservation; itself if it has none.
    #[must_use]
    pub fn without_last_reservation(&self) -> Self {
        let mut popped = self.clone();
        if let [rest @ .., _] = self.reservations() {
            popped.set_details(Details { reservations: rest.to_vec(), ..self.details().clone() });
        }
        popped
    }

    /// The disk space that a persistent volume is made of. Only volumes are shared, so this is not.
    #[must_use]
    pub fn without_volume(&self) -> Self {
        let mut stripped = self.clone();
        let details = self.details();
        if details.disk.is_some() || details.shared {
            let source = details.disk.as_ref().and_then(|disk| disk.source.clone());
            let disk = source.map(|source| Disk { source: Some(source), persistence: None, volume: None });
            stripped.set_details(Details { disk, shared: false, ..details.clone() });
        }
        stripped
    }

    /// What is special about it.
    #[must_use]
    pub fn details(&self) -> &Details {
        self.details.as_deref().unwrap_or(&PLAIN)
    }

    /// Replaces what is special about it.
    pub fn set_details(&mut self, details: Details) {
        self.details = (!details.is_plain()).then(|| Arc::new(details));
    }

    /// The reservation that the agent's flags made, at the bottom of the stack.
    #[must_use]
    pub fn static_reservation(&self) -> Option<&Reservation> {
        self.reservations().first().filter(|first| first.kind == ReservationKind::Static)
    }

    /// The stack of reservations, the one that counts last.
    #[must_use]
    pub fn reservations(&self) -> &[Reservation] {
        &self.details().reservations
    }

    /// For which role it is reserved, if it is.
    #[must_use]
    pub fn reservation_role(&self) -> Option<&Role> {
        self.reservations().last().map(|r| &r.role)
    }

    /// Whether it is reserved for some role.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        !self.reservations().is_empty()
    }

    /// Whether its last reservation is dynamic.
    #[must_use]
    pub fn is_dynamically_reserved(&self) -> bool {
        self.reservations().last().is_some_and(|r| r.kind == ReservationKind::Dynamic)
    }

    /// Whether it has reservations that refine others; older clients cannot be shown those.
    #[must_use]
    pub fn has_refined_reservations(&self) -> bool {
        self.reservations().len() > 1
    }

    /// Whether `role` may have it: unreserved, or reserved for it or for a role above it.
    #[must_use]
    pub fn is_allocatable_to(&self, role: &Role) -> bool {
        self.reservation_role().is_none_or(|r| r == role || role.is_strict_subrole_of(r))
    }

    /// Whether it may be taken away at any time.
    #[must_use]
    pub fn is_revocable(&self) -> bool {
        self.details().revocable
    }

    /// Whether several tasks may use it at once.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.details().shared
    }

    /// Whether it is a persistent volume.
    #[must_use]
    pub fn is_persistent_volume(&self) -> bool {
        self.details().disk.as_ref().is_some_and(|disk| disk.persistence.is_some())
    }

    /// Where it comes from, if it is a disk that says so.
    #[must_use]
    pub fn disk_source(&self) -> Option<&DiskSource> {
        self.details().disk.as_ref()?.source.as_ref()
    }

    /// Which kind of disk it is, if it is one that has a source.
    #[must_use]
    pub fn disk_kind(&self) -> Option<DiskKind> {
        self.disk_source().map(|source| source.kind)
    }

    /// Whether there is nothing of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// Whether everything but the amount is the same.
    #[must_use]
    pub fn same_kind(&self, other: &Self) -> bool {
        self.name == other.name
            && self.value.same_kind(&other.value)
            && self.allocation == other.allocation
            && self.details == other.details
    }

    /// Whether the two can become one: not when one of them is exclusive as a whole.
    #[must_use]
    pub fn is_addable(&self, other: &Self) -> bool {
        if !self.same_kind(other) {
            return false;
        }
        if self.is_shared() {
            return self.value == other.value;
        }
        !self.is_indivisible()
    }

    /// Whether `other` can be taken out of this one, apart from the amount.
    #[must_use]
    pub fn is_subtractable(&self, other: &Self) -> bool {
        self.same_kind(other) && (!(self.is_shared() || self.is_indivisible()) || self.value == other.value)
    }

    /// Whether `other` could be taken out of this one.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.is_subtractable(other) && self.value.contains(&other.value)
    }

    /// Volumes, mounts, block devices and storage with an id are used as a whole or not at all.
    pub(crate) fn is_indivisible(&self) -> bool {
        let Some(disk) = &self.details().disk else {
            return false;
        };
        disk.persistence.is_some()
            || disk.source.as_ref().is_some_and(|source| match source.kind {
                DiskKind::Mount | DiskKind::Block => true,
                DiskKind::Raw => source.id.is_some(),
                DiskKind::Path | DiskKind::Unknown => false,
            })
    }
}
