//! Sets of whole numbers as ranges; ports, most of all.

use std::fmt;

use crate::ResourceError;

/// The numbers from `begin` to `end`, both included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Range {
    /// The first number.
    pub begin: u64,
    /// The last number, not below the first.
    pub end: u64,
}

/// A set of numbers: ranges in ascending order that neither overlap nor touch.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Ranges(Vec<Range>);

impl Ranges {
    /// Takes ranges in any order; those that overlap or touch become one.
    ///
    /// # Errors
    /// A range that ends before it begins.
    pub fn new(ranges: impl IntoIterator<Item = Range>) -> Result<Self, ResourceError> {
        let ranges: Vec<_> = ranges.into_iter().collect();
        if ranges.iter().any(|r| r.begin > r.end) {
            return Err(ResourceError::InvertedRange);
        }
        Ok(Self::coalesced(ranges))
    }

    /// One range; nothing if it ends before it begins.
    #[must_use]
    pub fn single(begin: u64, end: u64) -> Self {
        if begin > end { Self::default() } else { Self(vec![Range { begin, end }]) }
    }

    fn coalesced(mut ranges: Vec<Range>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.begin <= last.end.saturating_add(1) => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self(merged)
    }

    /// The ranges in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range> + '_ {
        self.0.iter().copied()
    }

    /// How many numbers there are; saturates.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |n: u64, r| n.saturating_add((r.end - r.begin).saturating_add(1)))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all numbers of `other` are here too.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        // Both are sorted: each range of `other` must lie within the last one here that begins no later.
        other.0.iter().all(|range| {
            let after = self.0.partition_point(|r| r.begin <= range.begin);
            after > 0 && self.0[after - 1].end >= range.end
        })
    }

    /// Adds the numbers of `other`.
    pub fn add(&mut self, other: &Self) {
        if other.0.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.0);
        all.extend_from_slice(&other.0);
        *self = Self::coalesced(all);
    }

    /// Takes away the numbers of `other` that are here.
    pub fn subtract(&mut self, other: &Self) {
        if other.0.is_empty() {
            return;
        }
        let mut left = Vec::with_capacity(self.0.len() + 1);
        let mut holes = other.0.iter().copied().peekable();
        for range in &self.0 {
            let mut begin = Some(range.begin);
            while let (Some(at), Some(hole)) = (begin, holes.peek().copied()) {
                if hole.end < at {
                    holes.next();
                } else if hole.begin > range.end {
                    break;
                } else {
                    if hole.begin > at {
                        left.push(Range { begin: at, end: hole.begin - 1 });
                    }
                    // A hole that ends beyond this range may also reach into the next one, so it stays.
                    begin = (hole.end < range.end).then(|| hole.end + 1);
                }
            }
            if let Some(begin) = begin {
                left.push(Range { begin, end: range.end });
            }
        }
        self.0 = left;
    }
}

impl fmt::Display for Ranges {
    /// `[31000-32000, 40000-40000]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, range) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{}-{}", range.begin, range.end)?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    use super::*;

    fn ranges(pairs: &[(u64, u64)]) -> Ranges {
        Ranges::new(pairs.iter().map(|&(begin, end)| Range { begin, end })).unwrap()
    }

    fn numbers(ranges: &Ranges) -> BTreeSet<u64> {
        ranges.iter().flat_map(|r| r.begin..=r.end).collect()
    }

    #[test]
    fn what_touches_becomes_one() {
        assert_eq!(ranges(&[(5, 6), (1, 2), (3, 4)]).to_string(), "[1-6]");
        assert_eq!(ranges(&[(1, 10), (2, 3), (12, 12)]).to_string(), "[1-10, 12-12]");
        assert_eq!(ranges(&[(0, u64::MAX), (3, 4)]).count(), u64::MAX);
        assert!(Ranges::new([Range { begin: 2, end: 1 }]).is_err());
    }

    #[test]
    fn one_hole_may_cut_two_ranges() {
        let mut left = ranges(&[(1, 5), (8, 12)]);
        left.subtract(&ranges(&[(4, 9)]));
        assert_eq!(left.to_string(), "[1-3, 10-12]");
    }

    fn any_ranges() -> impl Strategy<Value = Ranges> {
        prop::collection::vec((0u64..60, 0u64..8), 0..8)
            .prop_map(|v| ranges(&v.iter().map(|&(b, n)| (b, b + n)).collect::<Vec<_>>()))
    }

    proptest! {
        #[test]
        fn behave_as_sets_of_numbers(a in any_ranges(), b in any_ranges()) {
            let (x, y) = (numbers(&a), numbers(&b));
            prop_assert_eq!(a.contains(&b), x.is_superset(&y));
            let mut sum = a.clone();
            sum.add(&b);
            prop_assert_eq!(numbers(&sum), x.union(&y).copied().collect());
            let mut difference = a.clone();
            difference.subtract(&b);
            prop_assert_eq!(numbers(&difference), x.difference(&y).copied().collect());
            prop_assert_eq!(a.count(), x.len() as u64);
        }
    }
}
