//! Dominant shares of the cluster.
//!
//! A share is `part / total` in units of 2^-32, rounded down. Thousands of them are computed anew whenever the total
//! changes, so the division is done once for each name: `part / total` is a multiplication by the total's inverse and a
//! shift. The inverse has 63 significant bits and is rounded up, which makes the result exact wherever the true quotient
//! is not closer than 2^-31 below a whole unit; equal ratios of different resources thus stay ties.

use std::collections::BTreeSet;

use base::Index;
use resources::{Name, Scalar};

use crate::amounts::{Amounts, NameIx, Names, Sign};

/// One whole, the share of who has all of something.
pub(crate) const WHOLE: u64 = 1 << 32;

/// What all agents have, and shares of it.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    /// Names that play no part.
    excluded: BTreeSet<Name>,
    total: Amounts,
    /// By name; of excluded ones, and of those nobody has, the inverse is that of the infinite.
    inverses: Vec<Inverse>,
    /// The total has changed since orders were sorted by shares.
    pub(crate) stale: bool,
}

#[derive(Clone, Copy, Default, Debug)]
struct Inverse {
    factor: u64,
    shift: u32,
}

impl Inverse {
    fn of(total: Scalar) -> Self {
        let Ok(total @ 1..) = u64::try_from(total.thousandths()) else { return Self::default() };
        let log = total.ilog2();
        let factor = (1_u128 << (63 + log)).div_ceil(u128::from(total));
        Self { factor: u64::try_from(factor).unwrap_or(u64::MAX), shift: 31 + log }
    }

    fn share(self, part: Scalar) -> u64 {
        let part = u64::try_from(part.thousandths()).unwrap_or(0);
        u64::try_from((u128::from(part) * u128::from(self.factor)) >> self.shift).unwrap_or(u64::MAX)
    }
}

impl Shares {
    pub(crate) fn new(excluded: BTreeSet<Name>) -> Self {
        Self { excluded, total: Amounts::default(), inverses: Vec::new(), stale: false }
    }

    pub(crate) fn total(&self) -> &Amounts {
        &self.total
    }

    pub(crate) fn change_total(&mut self, names: &Names, by: &Amounts, sign: Sign) {
        self.total.apply(by, sign);
        for (at, _) in by.iter() {
            self.stale = true;
            if self.inverses.len() <= at.as_usize() {
                self.inverses.resize(at.as_usize() + 1, Inverse::default());
            }
            if !self.excluded.contains(names.name(at)) {
                self.inverses[at.as_usize()] = Inverse::of(self.total.get(at));
            }
        }
    }

    /// The dominant share of `part` in the total.
    pub(crate) fn of(&self, part: &Amounts) -> u64 {
        let common = part.common().iter().zip(&self.inverses).map(|(part, inverse)| inverse.share(*part));
        let others = part.others().iter().map(|(name, part)| self.of_one(*name, *part));
        common.chain(others).max().unwrap_or(0)
    }

    fn of_one(&self, name: NameIx, part: Scalar) -> u64 {
        self.inverses.get(name.as_usize()).map_or(0, |inverse| inverse.share(part))
    }
}

/// The weight of a role that nobody set one for.
pub(crate) const DEFAULT_WEIGHT_MILLIONTHS: u64 = 1_000_000;

/// A share as it counts for one of a weight.
pub(crate) fn weighted(share: u64, weight_millionths: u64) -> u64 {
    if weight_millionths == DEFAULT_WEIGHT_MILLIONTHS {
        return share;
    }
    let weighted = u128::from(share) * 1_000_000 / u128::from(weight_millionths.max(1));
    u64::try_from(weighted).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use resources::Resources;

    #[test]
    fn the_dominant_share_counts_and_weights_divide_it() {
        let mut names = Names::new();
        let mut shares = Shares::new(BTreeSet::from([Name::Gpus]));
        let mut of = |text| names.amounts(&Resources::parse(text).unwrap(), |_| true);
        let (total, part) = (of("cpus:10;mem:100;gpus:1;licenses:4"), of("cpus:1;mem:50;gpus:1"));
        let other = of("licenses:3;cpus:1");
        shares.change_total(&names, &total, Sign::Plus);
        assert_eq!(shares.of(&part), WHOLE / 2);
        assert_eq!(shares.of(&other), WHOLE / 4 * 3);
        assert_eq!(shares.of(&total), WHOLE);
        assert_eq!(shares.of(&Amounts::default()), 0);
        assert_eq!(weighted(WHOLE / 2, 2_000_000), WHOLE / 4);
    }

    #[test]
    fn equal_ratios_are_ties_whatever_the_totals() {
        for total in 1..=200_i64 {
            for factor in [1, 3, 1000, 262_144, 5_000_000_000] {
                for part in 0..=total {
                    let small = Inverse::of(Scalar::from_thousandths(total));
                    let large = Inverse::of(Scalar::from_thousandths(total * factor));
                    let exact = (u128::from(part.unsigned_abs()) << 32) / u128::from(total.unsigned_abs());
                    assert_eq!(u128::from(small.share(Scalar::from_thousandths(part))), exact);
                    assert_eq!(u128::from(large.share(Scalar::from_thousandths(part * factor))), exact);
                }
            }
        }
    }
}
