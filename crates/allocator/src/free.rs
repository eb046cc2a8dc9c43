//! What is to be known of an agent's free resources in few words, so that an allocation rarely has to look at the
//! resources themselves.

use resources::{Quantities, Resources, Value};

use crate::amounts::{Amounts, Names};
use crate::tree::is_free_for_all;

/// What is free on an agent, in few words.
#[derive(Clone, Default, Debug)]
pub(crate) struct Free {
    /// What quotas count when it is used: scalars that are neither reserved nor revocable. Nothing, if the agent cannot be
    /// offered.
    pub(crate) quota: Amounts,
    /// Something of it is reserved.
    pub(crate) reserved: bool,
    /// Something of it is for some frameworks only, whatever their roles.
    pub(crate) particular: bool,
    /// All of it together is enough for an offer by the general rule.
    pub(crate) enough: bool,
}

impl Free {
    pub(crate) fn of(
        names: &mut Names,
        available: &Resources,
        least: &[Quantities],
        offerable: bool,
    ) -> Self {
        if available.is_empty() || !offerable {
            return Self::default();
        }
        let mut free = Self { enough: is_enough(available, least), ..Self::default() };
        for resource in available.iter() {
            free.reserved |= resource.is_reserved();
            free.particular |=
                resource.is_shared() || resource.is_revocable() || resource.has_refined_reservations();
        }
        free.quota = names.amounts(available, is_free_for_all);
        free
    }
}

/// Whether there is something, and as much as one of `least` says; an empty list lets everything pass.
pub(crate) fn is_enough(resources: &Resources, least: &[Quantities]) -> bool {
    !resources.is_empty() && (least.is_empty() || least.iter().any(|least| has(resources, least)))
}

/// Whether there is as much as `least` of everything; of ranges and sets the elements are counted.
fn has(resources: &Resources, least: &Quantities) -> bool {
    least.iter().all(|(name, wanted)| {
        let have: i128 = resources
            .iter()
            .filter(|r| r.name == *name)
            .map(|r| match &r.value {
                Value::Scalar(amount) => i128::from(amount.thousandths()),
                Value::Ranges(ranges) => i128::from(ranges.count()) * 1000,
                Value::Set(set) => i128::try_from(set.iter().len()).unwrap_or(i128::MAX / 1000) * 1000,
            })
            .sum();
        have >= i128::from(wanted.thousandths())
    })
}
