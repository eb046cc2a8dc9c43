//! Picking from what there is, for a wish that does not say from which reservation.

use crate::{Resource, Resources, Role};

impl Resources {
    /// Finds resources here that make up `wanted`, whatever they are reserved for: first those reserved for the wanted
    /// resource's own role, then unreserved ones, then any.
    #[must_use]
    pub fn find(&self, wanted: &Self) -> Option<Self> {
        let mut left = self.clone();
        let mut found = Self::new();
        for target in wanted.iter() {
            let picked = left.find_one(target)?;
            left -= &picked;
            found += picked;
        }
        Some(found)
    }

    /// Like [`Resources::find`], preferring what is reserved for `role`.
    #[must_use]
    pub fn find_for_role(&self, wanted: &Self, role: &Role) -> Option<Self> {
        let wanted = wanted.to_unreserved();
        let usable = self.allocatable_to(role);
        let reserved = usable.reserved();
        let unreserved = usable.unreserved();
        let mut found = Self::new();
        for target in wanted.iter() {
            let mut rest = target.clone();
            for pool in [&reserved, &unreserved] {
                take(pool, &mut rest, &mut found);
            }
            if !rest.is_empty() {
                return None;
            }
        }
        Some(found)
    }

    fn find_one(&self, target: &Resource) -> Option<Self> {
        let mut rest = target.to_unreserved();
        let mut found = Self::new();
        if let Some(role) = target.reservation_role() {
            take(&self.reserved_for(role), &mut rest, &mut found);
        }
        for pool in [self.unreserved(), self.clone()] {
            let mut pool = pool;
            pool -= &found;
            take(&pool, &mut rest, &mut found);
        }
        rest.is_empty().then_some(found)
    }
}

/// Moves as much of `rest` as `pool` has into `found`.
fn take(pool: &Resources, rest: &mut Resource, found: &mut Resources) {
    for have in pool.iter() {
        if rest.is_empty() {
            return;
        }
        let bare = have.to_unreserved();
        if bare.contains(rest) {
            found.add(have.clone().with_value(rest.value.clone()));
            let all = rest.value.clone();
            rest.value.subtract(&all);
        } else if rest.contains(&bare) {
            found.add(have.clone());
            rest.value.subtract(&bare.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_reservation_first_then_unreserved() {
        let have = Resources::parse("cpus:4;cpus(web):2;mem:10").unwrap();
        let found =
            have.find_for_role(&Resources::parse("cpus:3;mem:1").unwrap(), &Role::from("web")).unwrap();
        assert_eq!(found, Resources::parse("cpus(web):2;cpus:1;mem:1").unwrap());
        assert_eq!(have.find_for_role(&Resources::parse("cpus:5").unwrap(), &Role::from("db")), None);
        let any = have.find(&Resources::parse("cpus:6").unwrap()).unwrap();
        assert_eq!(any, Resources::parse("cpus(web):2;cpus:4").unwrap());
        assert_eq!(have.find(&Resources::parse("cpus:7").unwrap()), None);
    }
}
