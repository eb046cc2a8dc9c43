//! Sets of names, in the order in which they were given.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// A set of strings. The order is kept for printing and plays no part in comparisons.
#[derive(Clone, Eq, Default, Debug)]
pub struct Set(Vec<Arc<str>>);

impl Set {
    /// Takes items; what is given twice is taken once.
    pub fn new<S: Into<Arc<str>>>(items: impl IntoIterator<Item = S>) -> Self {
        let mut seen = BTreeSet::new();
        Self(
            items
                .into_iter()
                .map(Into::into)
                .filter(|item: &Arc<str>| seen.insert(Arc::clone(item)))
                .collect(),
        )
    }

    /// Says of items whether they are here. Most sets have a few, among which one is found fastest by looking.
    fn lookup(&self) -> impl Fn(&Arc<str>) -> bool + use<'_> {
        const FEW: usize = 16;
        let index: Option<BTreeSet<_>> = (self.0.len() > FEW).then(|| self.0.iter().collect());
        move |item| index.as_ref().map_or_else(|| self.0.contains(item), |index| index.contains(item))
    }

    /// The items.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all items of `other` are here too.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.iter().all(self.lookup())
    }

    /// Adds the items of `other`.
    pub fn add(&mut self, other: &Self) {
        let new: Vec<_> = {
            let is_here = self.lookup();
            other.0.iter().filter(|item| !is_here(item)).cloned().collect()
        };
        self.0.extend(new);
    }

    /// Takes away the items of `other` that are here.
    pub fn subtract(&mut self, other: &Self) {
        let goes = other.lookup();
        self.0.retain(|item| !goes(item));
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.contains(other)
    }
}

impl fmt::Display for Set {
    /// `{a, b}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, item) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{item}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_shown_but_not_compared() {
        let (ab, ba) = (Set::new(["a", "b", "a"]), Set::new(["b", "a"]));
        assert_eq!(ab, ba);
        assert_eq!((ab.to_string().as_str(), ba.to_string().as_str()), ("{a, b}", "{b, a}"));
        let mut rest = ab;
        rest.subtract(&Set::new(["a", "c"]));
        assert_eq!(rest, Set::new(["b"]));
    }

    #[test]
    fn large_sets_are_as_small_ones() {
        let of = |from: u32, to: u32| Set::new((from..to).map(|item| item.to_string()));
        // Looking through all of it for each would take minutes.
        let (all, half) = (of(0, 200_000), of(0, 100_000));
        let mut sum = half.clone();
        sum.add(&of(50_000, 200_000));
        assert_eq!(sum, all);
        assert!(all.contains(&half) && !half.contains(&all));
        let mut rest = all;
        rest.subtract(&half);
        assert_eq!(rest, of(100_000, 200_000));
        assert_eq!(rest.iter().next(), Some("100000"));
    }
}
