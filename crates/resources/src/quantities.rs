//! Bare amounts by name: for sums, shares and limits.

use std::fmt;
use std::ops::{AddAssign, SubAssign};

use crate::{Name, Scalar};

/// Amounts of scalar resources by name, without zeros. Which role or disk they are of is forgotten.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Quantities {
    /// In the order of the names.
    items: Vec<(Name, Scalar)>,
}

impl Quantities {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// How much there is under a name; zero where there is nothing.
    #[must_use]
    pub fn get(&self, name: &Name) -> Scalar {
        self.find(name).map_or(Scalar::ZERO, |at| self.items[at].1)
    }

    /// Sets an amount.
    pub fn set(&mut self, name: Name, amount: Scalar) {
        match self.find(&name) {
            Ok(at) if amount.is_zero() => {
                self.items.remove(at);
            }
            Ok(at) => self.items[at].1 = amount,
            Err(_) if amount.is_zero() => {}
            Err(at) => self.items.insert(at, (name, amount)),
        }
    }

    fn find(&self, name: &Name) -> Result<usize, usize> {
        self.items.binary_search_by(|(have, _)| have.cmp(name))
    }

    /// Adds an amount.
    pub fn add(&mut self, name: Name, amount: Scalar) {
        match self.find(&name) {
            Ok(at) => {
                let sum = self.items[at].1 + amount;
                self.set(name, sum);
            }
            Err(_) => self.set(name, amount),
        }
    }

    /// All amounts, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, Scalar)> {
        self.items.iter().map(|(name, amount)| (name, *amount))
    }

    /// Whether all amounts are zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether there is at least as much of everything as in `other`.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.iter().all(|(name, amount)| self.get(name) >= amount)
    }
}

impl AddAssign<&Self> for Quantities {
    fn add_assign(&mut self, other: &Self) {
        for (name, amount) in other.iter() {
            self.add(name.clone(), amount);
        }
    }
}

/// No amount gets below zero.
impl SubAssign<&Self> for Quantities {
    fn sub_assign(&mut self, other: &Self) {
        for (name, amount) in other.iter() {
            let left = self.get(name).saturating_sub(amount);
            self.set(name.clone(), left);
        }
    }
}

impl FromIterator<(Name, Scalar)> for Quantities {
    fn from_iter<I: IntoIterator<Item = (Name, Scalar)>>(amounts: I) -> Self {
        let mut all = Self::new();
        for (name, amount) in amounts {
            all.add(name, amount);
        }
        all
    }
}

impl fmt::Display for Quantities {
    /// `cpus:4; disk:10; mem:2048`, in the order of the alphabet, and `{}` for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("{}");
        }
        let mut sorted: Vec<_> = self.iter().collect();
        sorted.sort_unstable_by_key(|(name, _)| name.as_str());
        for (i, (name, amount)) in sorted.into_iter().enumerate() {
            let separator = if i > 0 { "; " } else { "" };
            write!(f, "{separator}{name}:{amount}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Quantities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_not_kept() {
        let mut q = Quantities::from_iter([(Name::Mem, Scalar::whole(3)), (Name::Cpus, Scalar::whole(1))]);
        assert_eq!(q.to_string(), "cpus:1; mem:3");
        q -= &Quantities::from_iter([(Name::Mem, Scalar::whole(5))]);
        assert_eq!(q, Quantities::from_iter([(Name::Cpus, Scalar::whole(1))]));
        assert!(q.contains(&Quantities::new()) && !Quantities::new().contains(&q));
    }

    #[test]
    fn names_are_listed_by_the_alphabet() {
        let amounts =
            [Name::Mem, Name::Disk, "bandwidth".into(), Name::Cpus].map(|name| (name, Scalar::whole(1)));
        assert_eq!(Quantities::from_iter(amounts).to_string(), "bandwidth:1; cpus:1; disk:1; mem:1");
        assert_eq!(Quantities::new().to_string(), "{}");
    }
}
