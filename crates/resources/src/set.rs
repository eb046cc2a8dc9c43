//! Sets of names, in the order in which they were given.

use std::fmt;
use std::sync::Arc;

/// A set of strings. The order is kept for printing and plays no part in comparisons.
#[derive(Clone, Eq, Default, Debug)]
pub struct Set(Vec<Arc<str>>);

impl Set {
    /// Takes items; what is given twice is taken once.
    pub fn new<S: Into<Arc<str>>>(items: impl IntoIterator<Item = S>) -> Self {
        let mut set = Self::default();
        for item in items {
            set.insert(item.into());
        }
        set
    }

    fn insert(&mut self, item: Arc<str>) {
        if !self.0.contains(&item) {
            self.0.push(item);
        }
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
        other.0.iter().all(|item| self.0.contains(item))
    }

    /// Adds the items of `other`.
    pub fn add(&mut self, other: &Self) {
        for item in &other.0 {
            self.insert(item.clone());
        }
    }

    /// Takes away the items of `other` that are here.
    pub fn subtract(&mut self, other: &Self) {
        self.0.retain(|item| !other.0.contains(item));
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
}
