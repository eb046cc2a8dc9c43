//! Scalar amounts by interned name, small enough to be kept for everything: agents, roles, frameworks.

use std::collections::BTreeMap;

use base::Index;
use resources::{Name, Quantities, Resource, Resources, Scalar, Value};

use crate::tree::is_free_for_all;

base::index_type!(
    /// A resource's name, interned.
    NameIx
);

/// So many names, those that nearly all agents have, are counted in place.
const COMMON: usize = 4;

/// All names of scalar resources that were ever seen.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    names: Vec<Name>,
    index: BTreeMap<Name, NameIx>,
}

impl Names {
    pub(crate) fn new() -> Self {
        Self { names: vec![Name::Cpus, Name::Mem, Name::Disk, Name::Gpus], index: BTreeMap::new() }
    }

    /// The index of a name, which need not have been seen before.
    pub(crate) fn intern(&mut self, name: &Name) -> NameIx {
        self.find(name).unwrap_or_else(|| {
            let at = NameIx::from_usize(self.names.len());
            self.names.push(name.clone());
            self.index.insert(name.clone(), at);
            at
        })
    }

    /// The index of a name that was seen already.
    pub(crate) fn find(&self, name: &Name) -> Option<NameIx> {
        match name {
            // As in `new`.
            Name::Cpus => Some(NameIx::from_usize(0)),
            Name::Mem => Some(NameIx::from_usize(1)),
            Name::Disk => Some(NameIx::from_usize(2)),
            Name::Gpus => Some(NameIx::from_usize(3)),
            _ => self.index.get(name).copied(),
        }
    }

    pub(crate) fn name(&self, at: NameIx) -> &Name {
        &self.names[at.as_usize()]
    }

    /// The sums of those scalars that `keep` says; a shared resource counts as often as it is there.
    pub(crate) fn amounts(&mut self, resources: &Resources, keep: impl Fn(&Resource) -> bool) -> Amounts {
        let mut amounts = Amounts::default();
        for (resource, copies) in resources.iter_with_copies() {
            if let Value::Scalar(amount) = resource.value
                && keep(resource)
            {
                let all = if copies == 1 { amount } else { times(amount, copies) };
                amounts.add_one(self.intern(&resource.name), all);
            }
        }
        amounts
    }

    /// What is counted when resources are held.
    pub(crate) fn sums(&mut self, resources: &Resources) -> Sums {
        let mut sums = Sums::default();
        let mut is_plain = true;
        for (resource, copies) in resources.iter_with_copies() {
            let Value::Scalar(amount) = resource.value else { continue };
            let name = self.intern(&resource.name);
            if resource.is_shared() {
                sums.shared.add_one(name, times(amount, copies));
            } else {
                is_plain &= is_free_for_all(resource);
                sums.exclusive.add_one(name, amount);
            }
        }
        sums.quota = if is_plain { sums.exclusive.clone() } else { self.amounts(resources, is_free_for_all) };
        sums
    }

    /// Interns the names of bare amounts.
    pub(crate) fn intern_all<'a>(
        &mut self,
        amounts: impl IntoIterator<Item = (&'a Name, Scalar)>,
    ) -> Amounts {
        let mut all = Amounts::default();
        for (name, amount) in amounts {
            all.add_one(self.intern(name), amount);
        }
        all
    }

    pub(crate) fn quantities(&self, amounts: &Amounts) -> Quantities {
        amounts.iter().map(|(at, amount)| (self.name(at).clone(), amount)).collect()
    }
}

fn times(amount: Scalar, copies: u32) -> Scalar {
    Scalar::from_thousandths(amount.thousandths().saturating_mul(i64::from(copies)))
}

/// Resources in numbers.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sums {
    /// All but shared ones.
    pub(crate) exclusive: Amounts,
    /// What of that is neither reserved nor revocable.
    pub(crate) quota: Amounts,
    /// The shared ones, as often as they are there.
    pub(crate) shared: Amounts,
}

/// Amounts by interned name. Those of uncommon names are kept sorted and without zeros.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Amounts {
    common: [Scalar; COMMON],
    others: Vec<(NameIx, Scalar)>,
}

impl Amounts {
    pub(crate) fn get(&self, name: NameIx) -> Scalar {
        match self.common.get(name.as_usize()) {
            Some(amount) => *amount,
            None => self.find(name).map_or(Scalar::ZERO, |at| self.others[at].1),
        }
    }

    fn find(&self, name: NameIx) -> Result<usize, usize> {
        self.others.binary_search_by_key(&name, |(other, _)| *other)
    }

    pub(crate) fn set(&mut self, name: NameIx, amount: Scalar) {
        if let Some(common) = self.common.get_mut(name.as_usize()) {
            *common = amount;
            return;
        }
        match self.find(name) {
            Ok(at) if amount.is_zero() => {
                self.others.remove(at);
            }
            Ok(at) => self.others[at].1 = amount,
            Err(_) if amount.is_zero() => {}
            Err(at) => self.others.insert(at, (name, amount)),
        }
    }

    pub(crate) fn add_one(&mut self, name: NameIx, amount: Scalar) {
        match self.common.get_mut(name.as_usize()) {
            Some(common) => *common += amount,
            None => self.set(name, self.get(name) + amount),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.common.iter_mut().zip(&other.common) {
            *mine += *theirs;
        }
        for (name, amount) in &other.others {
            self.add_one(*name, *amount);
        }
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        for (mine, theirs) in self.common.iter_mut().zip(&other.common) {
            *mine -= *theirs;
        }
        for (name, amount) in &other.others {
            self.add_one(*name, -*amount);
        }
    }

    pub(crate) fn apply(&mut self, other: &Self, sign: Sign) {
        match sign {
            Sign::Plus => self.add(other),
            Sign::Minus => self.subtract(other),
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.others.is_empty() && self.common.iter().all(|amount| amount.is_zero())
    }

    pub(crate) fn common(&self) -> &[Scalar; COMMON] {
        &self.common
    }

    pub(crate) fn others(&self) -> &[(NameIx, Scalar)] {
        &self.others
    }

    /// All that is not zero, in the order of the names' indexes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (NameIx, Scalar)> + '_ {
        let common = self.common.iter().enumerate().filter(|(_, amount)| !amount.is_zero());
        common.map(|(at, amount)| (NameIx::from_usize(at), *amount)).chain(self.others.iter().copied())
    }
}

/// In which direction something is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_and_other_names_are_counted_alike() {
        let mut names = Names::new();
        let mut of = |text| names.amounts(&Resources::parse(text).unwrap(), |_| true);
        let (mut sum, part) = (of("cpus:10;licenses:3;mem:1"), of("licenses:3;fpgas:1;cpus:1"));
        sum.add(&part);
        assert_eq!(sum, of("cpus:11;licenses:6;mem:1;fpgas:1"));
        sum.subtract(&part);
        sum.subtract(&of("mem:1;cpus:10"));
        assert_eq!(names.quantities(&sum).to_string(), "licenses:3");
        assert_eq!(sum.iter().count(), 1);
        sum.subtract(&names.amounts(&Resources::parse("licenses:3").unwrap(), |_| true));
        assert!(sum.is_zero() && sum == Amounts::default());
    }
}
