//! Guarantees within guarantees: what is kept for a role is kept for the roles below it, too.

use std::collections::BTreeMap;

use allocator::Quota;
use resources::{Quantities, Role};

use super::amounts;

/// What is guaranteed to each role that has a guarantee, or has one below it.
#[derive(Default)]
pub(super) struct Guarantees(BTreeMap<Role, Quantities>);

impl Guarantees {
    pub(super) fn new(quotas: &BTreeMap<Role, Quota>) -> Self {
        let mut all = Self::default();
        for (role, quota) in quotas {
            all.set(role, quota);
        }
        all
    }

    pub(super) fn set(&mut self, role: &Role, quota: &Quota) {
        for ancestor in role.ancestors() {
            self.0.entry(Role::from(ancestor)).or_default();
        }
        self.0.insert(role.clone(), amounts(&quota.guarantees));
    }

    /// Whether no role has guaranteed to those right below it more than it is guaranteed itself.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut sums: BTreeMap<&str, Quantities> = BTreeMap::new();
        for (role, guarantee) in &self.0 {
            if let Some(parent) = role.ancestors().next() {
                *sums.entry(parent).or_default() += guarantee;
            }
        }
        for (role, guarantee) in &self.0 {
            let Some(below) = sums.get(role.as_str()) else { continue };
            if !guarantee.contains(below) {
                return Err(format!(
                    "Invalid quota configuration. Parent role '{role}' with guarantees ({guarantee}) does not contain \
                     the sum of its children's guarantees ({below})"
                ));
            }
        }
        Ok(())
    }

    /// All that is guaranteed: what is guaranteed below a role is so out of what the role is.
    pub(super) fn total(&self) -> Quantities {
        let top = self.0.iter().filter(|(role, _)| role.ancestors().next().is_none());
        top.fold(Quantities::new(), |mut sum, (_, guarantee)| {
            sum += guarantee;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use resources::{Name, Scalar};

    use super::*;

    fn all(quotas: &[(&str, i64)]) -> Guarantees {
        let mut all = Guarantees::default();
        for (role, cpus) in quotas {
            let guarantees = BTreeMap::from([(Name::Cpus, Scalar::whole(*cpus))]);
            all.set(&(*role).into(), &Quota { guarantees, ..Quota::default() });
        }
        all
    }

    #[test]
    fn what_is_guaranteed_below_comes_out_of_what_is_guaranteed_above() {
        let nested = all(&[("a", 5), ("a/b", 3), ("a/c", 2), ("d", 1)]);
        assert_eq!((nested.check(), nested.total().to_string().as_str()), (Ok(()), "cpus:6"));
        let children = all(&[("a", 4), ("a/b", 3), ("a/c", 2)]).check().unwrap_err();
        assert_eq!(
            children,
            "Invalid quota configuration. Parent role 'a' with guarantees (cpus:4) does not contain the sum of its \
             children's guarantees (cpus:5)"
        );
        assert!(
            all(&[("a", 4), ("a/b/c", 3)])
                .check()
                .unwrap_err()
                .contains("Parent role 'a/b' with guarantees ({})")
        );
    }
}
