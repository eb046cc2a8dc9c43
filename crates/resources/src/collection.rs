//! Collections of resources in which what can be added has been added.

use std::collections::BTreeMap;
use std::ops::{AddAssign, SubAssign};

use crate::{Name, NotContained, ParseError, Quantities, Ranges, Resource, Role, Scalar, Value, parse};

#[derive(Clone, PartialEq, Eq, Debug)]
struct Item {
    resource: Resource,
    /// How often a shared resource is in the collection; 1 for all others.
    copies: u32,
}

/// A collection of resources. Empty ones are never in it, and two that can become one are one.
///
/// The order is that of insertion, except that taking a resource away whole puts the last one in its place.
#[derive(Clone, Default, Debug)]
pub struct Resources {
    items: Vec<Item>,
}

impl Resources {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// Reads the text form: `cpus:4;mem:2048;ports:[31000-32000];cpus(web):2`.
    ///
    /// # Errors
    /// What is wrong with the text, in Mesos' words.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parse::parse(text, &Role::star())
    }

    /// Reads the text form; what names no role is statically reserved for `role`, unless that is `*`.
    ///
    /// # Errors
    /// What is wrong with the text, in Mesos' words.
    pub fn parse_for_role(text: &str, role: &Role) -> Result<Self, ParseError> {
        parse::parse(text, role)
    }

    /// Each different resource once.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Resource> + Clone {
        self.items.iter().map(|item| &item.resource)
    }

    /// Each different resource, and how often it is there: more than once only if it is shared.
    pub fn iter_with_copies(&self) -> impl ExactSizeIterator<Item = (&Resource, u32)> {
        self.items.iter().map(|item| (&item.resource, item.copies))
    }

    /// How many different resources there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds one resource; an empty one changes nothing.
    pub fn add(&mut self, resource: Resource) {
        self.add_copies(resource, 1);
    }

    fn add_copies(&mut self, resource: Resource, copies: u32) {
        if resource.is_empty() || copies == 0 {
            return;
        }
        match self.items.iter_mut().find(|item| item.resource.is_addable(&resource)) {
            Some(item) if resource.is_shared() => item.copies = item.copies.saturating_add(copies),
            Some(item) => item.resource.value.add(&resource.value),
            None => self.items.push(Item { resource, copies }),
        }
    }

    /// Takes away what of `resource` is here. What would be below nothing is nothing.
    pub fn remove(&mut self, resource: &Resource) {
        self.remove_copies(resource, 1);
    }

    fn remove_copies(&mut self, resource: &Resource, copies: u32) {
        let Some(at) = self.items.iter().position(|item| item.resource.is_subtractable(resource)) else {
            return;
        };
        let item = &mut self.items[at];
        let gone = if resource.is_shared() {
            item.copies = item.copies.saturating_sub(copies);
            item.copies == 0
        } else {
            item.resource.value.subtract(&resource.value);
            matches!(&item.resource.value, Value::Scalar(s) if s.is_negative()) || item.resource.is_empty()
        };
        if gone {
            self.items.swap_remove(at);
        }
    }

    /// Takes away `other`, if all of it is here.
    ///
    /// # Errors
    /// Changes nothing and says what is here and what was wanted.
    pub fn subtract(&mut self, other: &Self) -> Result<(), NotContained> {
        if self.items == other.items {
            self.items.clear();
            return Ok(());
        }
        if !self.contains(other) {
            return Err(NotContained { have: self.clone(), wanted: other.clone() });
        }
        *self -= other;
        Ok(())
    }

    /// Whether all of `other` is here.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        if self.items == other.items {
            return true;
        }
        // Merged items cannot claim the same thing twice, indivisible ones could: those are counted.
        if !other.iter().any(Resource::is_indivisible) {
            return other.items.iter().all(|wanted| self.has(wanted));
        }
        let mut left = self.clone();
        other.items.iter().all(|wanted| {
            let found = left.has(wanted);
            if found && wanted.resource.is_indivisible() && !wanted.resource.is_shared() {
                left.remove_copies(&wanted.resource, wanted.copies);
            }
            found
        })
    }

    fn has(&self, wanted: &Item) -> bool {
        self.items.iter().any(|item| item.copies >= wanted.copies && item.resource.contains(&wanted.resource))
    }

    /// Whether this one resource is here.
    #[must_use]
    pub fn contains_one(&self, resource: &Resource) -> bool {
        self.iter().any(|have| have.contains(resource))
    }

    /// Those that `keep` says.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&Resource) -> bool) -> Self {
        Self { items: self.items.iter().filter(|item| keep(&item.resource)).cloned().collect() }
    }

    /// Each resource changed by `change`, added up again.
    #[must_use]
    pub fn map(&self, mut change: impl FnMut(&Resource) -> Resource) -> Self {
        let mut changed = Self { items: Vec::with_capacity(self.items.len()) };
        for item in &self.items {
            changed.add_copies(change(&item.resource), item.copies);
        }
        changed
    }

    /// Those that are not reserved.
    #[must_use]
    pub fn unreserved(&self) -> Self {
        self.filter(|r| !r.is_reserved())
    }

    /// Those that are reserved, for whomever.
    #[must_use]
    pub fn reserved(&self) -> Self {
        self.filter(Resource::is_reserved)
    }

    /// Those that are reserved for exactly this role.
    #[must_use]
    pub fn reserved_for(&self, role: &Role) -> Self {
        self.filter(|r| r.reservation_role() == Some(role))
    }

    /// Those that `role` may have: unreserved, or reserved for it or a role above it.
    #[must_use]
    pub fn allocatable_to(&self, role: &Role) -> Self {
        self.filter(|r| r.is_allocatable_to(role))
    }

    /// By role, those that are reserved for it.
    #[must_use]
    pub fn reservations(&self) -> BTreeMap<Role, Self> {
        self.by_role(Resource::reservation_role)
    }

    /// By role, those that are allocated to it.
    #[must_use]
    pub fn allocations(&self) -> BTreeMap<Role, Self> {
        self.by_role(|r| r.allocation.as_ref())
    }

    fn by_role(&self, role: impl Fn(&Resource) -> Option<&Role>) -> BTreeMap<Role, Self> {
        let mut by_role = BTreeMap::<Role, Self>::new();
        for item in &self.items {
            if let Some(role) = role(&item.resource) {
                by_role.entry(role.clone()).or_default().items.push(item.clone());
            }
        }
        by_role
    }

    /// The same without reservations.
    #[must_use]
    pub fn to_unreserved(&self) -> Self {
        self.map(Resource::to_unreserved)
    }

    /// Those that may be taken away at any time.
    #[must_use]
    pub fn revocable(&self) -> Self {
        self.filter(Resource::is_revocable)
    }

    /// Those that may not be taken away.
    #[must_use]
    pub fn non_revocable(&self) -> Self {
        self.filter(|r| !r.is_revocable())
    }

    /// Those that several tasks may use at once.
    #[must_use]
    pub fn shared(&self) -> Self {
        self.filter(Resource::is_shared)
    }

    /// Those that one task has for itself.
    #[must_use]
    pub fn non_shared(&self) -> Self {
        self.filter(|r| !r.is_shared())
    }

    /// Persistent volumes.
    #[must_use]
    pub fn persistent_volumes(&self) -> Self {
        self.filter(Resource::is_persistent_volume)
    }

    /// Those of one name.
    #[must_use]
    pub fn named(&self, name: &Name) -> Self {
        self.filter(|r| r.name == *name)
    }

    /// Allocates all of it to a role.
    pub fn allocate(&mut self, role: &Role) {
        self.set_allocation(Some(role));
    }

    /// The same, allocated to a role.
    #[must_use]
    pub fn allocated_to(mut self, role: &Role) -> Self {
        self.allocate(role);
        self
    }

    /// Takes the allocation off all of it.
    pub fn unallocate(&mut self) {
        self.set_allocation(None);
    }

    fn set_allocation(&mut self, role: Option<&Role>) {
        let Some(first) = self.items.first().map(|item| item.resource.allocation.clone()) else { return };
        if self.iter().all(|r| r.allocation == first) {
            // What is of one role and stays apart does so in another.
            if first.as_ref() != role {
                for item in &mut self.items {
                    item.resource.allocation = role.cloned();
                }
            }
            return;
        }
        *self = self.map(|r| {
            let mut changed = r.clone();
            changed.allocation = role.cloned();
            changed
        });
    }

    /// The same, allocated to nobody.
    #[must_use]
    pub fn unallocated(mut self) -> Self {
        self.unallocate();
        self
    }

    /// How much there is of a scalar, over all roles; `None` if there is no such scalar at all.
    #[must_use]
    pub fn scalar(&self, name: &Name) -> Option<Scalar> {
        self.iter().filter(|r| r.name == *name).fold(None, |sum, r| match r.value {
            Value::Scalar(amount) => Some(sum.unwrap_or_default() + amount),
            _ => sum,
        })
    }

    /// CPUs.
    #[must_use]
    pub fn cpus(&self) -> Option<Scalar> {
        self.scalar(&Name::Cpus)
    }

    /// Memory in megabytes.
    #[must_use]
    pub fn mem(&self) -> Option<Scalar> {
        self.scalar(&Name::Mem)
    }

    /// Disk space in megabytes.
    #[must_use]
    pub fn disk(&self) -> Option<Scalar> {
        self.scalar(&Name::Disk)
    }

    /// GPUs.
    #[must_use]
    pub fn gpus(&self) -> Option<Scalar> {
        self.scalar(&Name::Gpus)
    }

    /// The numbers of a ranges resource, over all roles.
    #[must_use]
    pub fn ranges(&self, name: &Name) -> Option<Ranges> {
        self.iter().filter(|r| r.name == *name).fold(None, |sum, r| match &r.value {
            Value::Ranges(ranges) => {
                let mut sum: Ranges = sum.unwrap_or_default();
                sum.add(ranges);
                Some(sum)
            }
            _ => sum,
        })
    }

    /// Ports of the host.
    #[must_use]
    pub fn ports(&self) -> Option<Ranges> {
        self.ranges(&Name::Ports)
    }

    /// All scalars, summed by name.
    #[must_use]
    pub fn quantities(&self) -> Quantities {
        self.iter()
            .filter_map(|r| match r.value {
                Value::Scalar(amount) => Some((r.name.clone(), amount)),
                _ => None,
            })
            .collect()
    }

    /// Everything, summed by name: of ranges and sets, each number and each item counts for one.
    #[must_use]
    pub fn counts(&self) -> Quantities {
        self.iter().map(|r| (r.name.clone(), r.value.count())).collect()
    }
}

/// Equal when each contains the other; the order does not matter.
impl PartialEq for Resources {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items || (self.contains(other) && other.contains(self))
    }
}

impl Eq for Resources {}

impl AddAssign<&Self> for Resources {
    fn add_assign(&mut self, other: &Self) {
        if self.items.is_empty() {
            self.items.clone_from(&other.items);
            return;
        }
        for item in &other.items {
            self.add_copies(item.resource.clone(), item.copies);
        }
    }
}

impl AddAssign for Resources {
    fn add_assign(&mut self, other: Self) {
        if self.items.is_empty() {
            self.items = other.items;
            return;
        }
        for item in other.items {
            self.add_copies(item.resource, item.copies);
        }
    }
}

/// Takes away what is here; see [`Resources::subtract`] for the checked form.
impl SubAssign<&Self> for Resources {
    fn sub_assign(&mut self, other: &Self) {
        for item in &other.items {
            self.remove_copies(&item.resource, item.copies);
        }
    }
}

impl From<Resource> for Resources {
    fn from(resource: Resource) -> Self {
        Self::from_iter([resource])
    }
}

impl Extend<Resource> for Resources {
    fn extend<I: IntoIterator<Item = Resource>>(&mut self, resources: I) {
        for resource in resources {
            self.add(resource);
        }
    }
}

impl FromIterator<Resource> for Resources {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let mut all = Self::new();
        all.extend(resources);
        all
    }
}
