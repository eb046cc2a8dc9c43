//! The order of a list, and which part of it is shown: only that part is ever sorted.

use std::cmp::Ordering;

use http_api::ApiError;

use super::{Names, named};
use crate::v0::Query;

/// What entries are sorted by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Key<'a> {
    /// By an amount, a count or a time.
    Number(i64),
    /// By a name.
    Text(&'a str),
    /// After all others.
    Last,
}

/// The order that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Order<C> {
    /// The column to sort by; the order in which things are kept if there is none.
    pub(super) column: Option<C>,
    /// `order=asc` or `order=des`, if it is said.
    pub(super) descending: Option<bool>,
}

impl<C: Copy> Order<C> {
    /// Reads a query.
    pub(super) fn new(query: &Query, columns: &Names<C>) -> Result<Self, ApiError> {
        let column = query.get("sort").map(|text| named("sort", text, columns)).transpose()?;
        let orders = [("asc", false), ("des", true)];
        let descending = query.get("order").map(|text| named("order", text, &orders)).transpose()?;
        Ok(Self { column, descending })
    }
}

/// Which entries of all that match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Page {
    /// How many are passed over.
    pub(super) offset: usize,
    /// How many are shown at most.
    pub(super) limit: usize,
}

/// A part of a list.
#[derive(Debug)]
pub(crate) struct Part<T> {
    /// What is shown, in its order.
    pub(crate) entries: Vec<T>,
    /// How many entries match, with those that are not shown.
    pub(crate) total: usize,
}

/// Collects the first entries of an order, and forgets others as soon as they are known not to be among those.
pub(super) struct First<'a, T> {
    page: Page,
    descending: bool,
    held: Vec<Entry<'a, T>>,
    /// What comes behind this is not shown.
    last: Option<(Key<'a>, usize)>,
    total: usize,
}

struct Entry<'a, T> {
    key: Key<'a>,
    /// Its place among all: entries with the same key stay in the order in which they are kept.
    place: usize,
    value: T,
}

impl<'a, T> First<'a, T> {
    pub(super) fn new(page: Page, descending: bool) -> Self {
        Self { page, descending, held: Vec::new(), last: None, total: 0 }
    }

    /// An entry that matches, and its place among all.
    pub(super) fn add(&mut self, key: Key<'a>, place: usize, value: T) {
        self.total += 1;
        let behind = |last| compare(self.descending, (key, place), last) == Ordering::Greater;
        if !self.last.is_some_and(behind) {
            self.hold(Entry { key, place, value });
        }
    }

    /// What another has collected of the same list.
    pub(super) fn join(&mut self, other: Self) {
        self.total += other.total;
        for entry in other.held {
            self.hold(entry);
        }
    }

    /// The part that is shown.
    pub(super) fn finish(mut self) -> Part<T> {
        let descending = self.descending;
        self.held.sort_unstable_by(|a, b| compare(descending, (a.key, a.place), (b.key, b.place)));
        let shown = self.held.into_iter().skip(self.page.offset).take(self.page.limit);
        Part { entries: shown.map(|entry| entry.value).collect(), total: self.total }
    }

    fn hold(&mut self, entry: Entry<'a, T>) {
        self.held.push(entry);
        let most = self.page.offset.saturating_add(self.page.limit);
        // Only now and then, so that each entry costs a few comparisons.
        if self.held.len() < most.saturating_mul(2).saturating_add(1024) {
            return;
        }
        let descending = self.descending;
        let (_, last, _) = self
            .held
            .select_nth_unstable_by(most, |a, b| compare(descending, (a.key, a.place), (b.key, b.place)));
        self.last = Some((last.key, last.place));
        self.held.truncate(most);
    }
}

fn compare(descending: bool, a: (Key<'_>, usize), b: (Key<'_>, usize)) -> Ordering {
    let order = a.cmp(&b);
    if descending { order.reverse() } else { order }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(descending: bool, offset: usize, limit: usize, keys: &[i64]) -> Part<i64> {
        let page = Page { offset, limit };
        // In two halves, as two threads would have them.
        let (mut first, mut second) = (First::new(page, descending), First::new(page, descending));
        for (place, key) in keys.iter().enumerate() {
            let half = if place < keys.len() / 2 { &mut first } else { &mut second };
            half.add(Key::Number(*key), place, *key);
        }
        first.join(second);
        first.finish()
    }

    #[test]
    fn a_part_is_that_of_the_sorted_whole() {
        let mut rng = base::Rng::new(3);
        for length in [0, 1, 7, 5_000] {
            let keys: Vec<i64> = (0..length).map(|_| i64::try_from(rng.below(500)).unwrap()).collect();
            for (offset, limit) in [(0, 0), (0, 10), (3, 5), (4_990, 20), (9_000, 1), (0, usize::MAX)] {
                for descending in [false, true] {
                    let mut sorted = keys.clone();
                    sorted.sort_unstable();
                    if descending {
                        sorted.reverse();
                    }
                    let expected: Vec<i64> = sorted.into_iter().skip(offset).take(limit).collect();
                    let part = first(descending, offset, limit, &keys);
                    assert_eq!((part.entries, part.total), (expected, keys.len()));
                }
            }
        }
    }

    #[test]
    fn what_is_alike_keeps_its_order() {
        let mut first = First::new(Page { offset: 0, limit: 3 }, false);
        for place in 0..5_000 {
            first.add(Key::Text("same"), place, place);
        }
        assert_eq!(first.finish().entries, [0, 1, 2]);
        assert!(Key::Number(i64::MAX) < Key::Text("") && Key::Text("z") < Key::Last);
    }
}
