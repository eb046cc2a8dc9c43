//! Places in the order of names as numbers, so that keys which end in a name are small and quickly compared.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Between the ranks of neighbours there is so much room at first.
const SPACING: u64 = 1 << 32;

/// Numbers in the order of names. A new name gets one between its neighbours'; where there is no room left, all are
/// numbered anew.
#[derive(Clone, Debug)]
pub(crate) struct Ranks<K> {
    ranks: BTreeMap<K, u64>,
}

impl<K: Ord + Clone> Ranks<K> {
    pub(crate) const fn new() -> Self {
        Self { ranks: BTreeMap::new() }
    }

    /// Ranks a new name; whether all others got another rank for that.
    pub(crate) fn insert(&mut self, name: &K) -> bool {
        let before = self.ranks.range(..name).next_back().map_or(0, |(_, rank)| *rank);
        let after = self.ranks.range((Bound::Excluded(name), Bound::Unbounded)).next().map(|(_, rank)| *rank);
        let rank = match after {
            Some(after) => before + (after - before) / 2,
            None => before.saturating_add(SPACING),
        };
        self.ranks.insert(name.clone(), rank);
        let no_room = rank == before || rank == u64::MAX;
        if no_room {
            for (rank, place) in self.ranks.values_mut().zip(1..) {
                *rank = place * SPACING;
            }
        }
        no_room
    }

    pub(crate) fn remove(&mut self, name: &K) {
        self.ranks.remove(name);
    }

    pub(crate) fn get(&self, name: &K) -> u64 {
        self.ranks.get(name).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_in_the_order_of_names() {
        let mut ranks = Ranks::new();
        let mut numbered_anew = 0;
        // Always the same place, which halves the room there each time.
        for i in (0..100).rev() {
            numbered_anew += u32::from(ranks.insert(&i));
            numbered_anew += u32::from(ranks.insert(&(1000 + i)));
        }
        let all: Vec<u64> = ranks.ranks.values().copied().collect();
        assert!(all.is_sorted_by(|a, b| a < b) && (1..20).contains(&numbered_anew), "{numbered_anew}");
        ranks.remove(&50);
        assert_eq!((ranks.get(&50), ranks.ranks.len()), (0, 199));
    }
}
