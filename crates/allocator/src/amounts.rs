//! Scalar amounts as dense vectors, and shares of a cluster computed from them.

use std::collections::BTreeSet;

use base::Index;
use resources::{Name, Quantities, Resource, Resources, Scalar, Value};

base::index_type!(
    /// A resource's name, interned.
    NameIx
);

/// All names of scalar resources that were ever seen. They are few, so they are searched one by one.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    names: Vec<Name>,
    excluded: BTreeSet<Name>,
    fair: Vec<bool>,
}

impl Names {
    pub(crate) fn new(excluded: BTreeSet<Name>) -> Self {
        Self { names: Vec::new(), excluded, fair: Vec::new() }
    }

    fn intern(&mut self, name: &Name) -> NameIx {
        self.find(name).unwrap_or_else(|| {
            self.names.push(name.clone());
            self.fair.push(!self.excluded.contains(name));
            NameIx::from_usize(self.names.len() - 1)
        })
    }

    /// The index of a name that was seen already.
    pub(crate) fn find(&self, name: &Name) -> Option<NameIx> {
        self.names.iter().position(|n| n == name).map(NameIx::from_usize)
    }

    /// The sums of those scalars that `keep` says.
    pub(crate) fn amounts(&mut self, resources: &Resources, keep: impl Fn(&Resource) -> bool) -> Amounts {
        let mut amounts = Amounts::default();
        for resource in resources.iter() {
            if let Value::Scalar(amount) = resource.value
                && keep(resource)
            {
                *amounts.slot(self.intern(&resource.name)) += amount;
            }
        }
        amounts
    }

    pub(crate) fn quantities(&self, amounts: &Amounts) -> Quantities {
        self.names.iter().cloned().zip(amounts.0.iter().copied()).collect()
    }

    /// The dominant share of `part` in `total`, divided by a weight in millionths; 2^32 is all of something at weight 1.
    pub(crate) fn share(&self, part: &Amounts, total: &Amounts, weight_millionths: u64) -> u64 {
        let dominant = part
            .0
            .iter()
            .zip(&total.0)
            .zip(&self.fair)
            .filter(|((part, total), fair)| **fair && part.is_positive() && total.is_positive())
            .map(|((part, total), _)| {
                let (part, total) = (part.thousandths().unsigned_abs(), total.thousandths().unsigned_abs());
                (u128::from(part) << 32) / u128::from(total)
            })
            .max()
            .unwrap_or(0);
        u64::try_from(dominant * 1_000_000 / u128::from(weight_millionths.max(1))).unwrap_or(u64::MAX)
    }
}

/// Amounts by interned name.
#[derive(Clone, Default, Debug)]
pub(crate) struct Amounts(Vec<Scalar>);

impl Amounts {
    fn slot(&mut self, name: NameIx) -> &mut Scalar {
        let at = name.as_usize();
        if self.0.len() <= at {
            self.0.resize(at + 1, Scalar::ZERO);
        }
        &mut self.0[at]
    }

    pub(crate) fn get(&self, name: NameIx) -> Scalar {
        self.0.get(name.as_usize()).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), Scalar::ZERO);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += *theirs;
        }
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), Scalar::ZERO);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine -= *theirs;
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.0.iter().all(|amount| amount.is_zero())
    }
}

/// Amounts are equal whatever zeros follow the last one that counts.
impl PartialEq for Amounts {
    fn eq(&self, other: &Self) -> bool {
        let longest = self.0.len().max(other.0.len());
        (0..longest).map(NameIx::from_usize).all(|name| self.get(name) == other.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dominant_share_counts_and_weights_divide_it() {
        let mut names = Names::new(BTreeSet::from([Name::Gpus]));
        let mut of = |text| names.amounts(&Resources::parse(text).unwrap(), |_| true);
        let total = of("cpus:10;mem:100;gpus:1");
        let part = of("cpus:1;mem:50;gpus:1");
        assert_eq!(names.share(&part, &total, 1_000_000), 1 << 31);
        assert_eq!(names.share(&part, &total, 2_000_000), 1 << 30);
        assert_eq!(names.share(&Amounts::default(), &total, 1), 0);
    }
}
