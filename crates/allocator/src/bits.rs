//! Sets of dense indexes: asking costs one look, whatever the size.

use std::marker::PhantomData;

use base::Index;

/// A set of dense indexes, a bit for each.
#[derive(Clone, Debug)]
pub(crate) struct Bits<I> {
    words: Vec<u64>,
    index: PhantomData<fn(I) -> I>,
}

impl<I> Default for Bits<I> {
    fn default() -> Self {
        Self { words: Vec::new(), index: PhantomData }
    }
}

impl<I: Index> Bits<I> {
    pub(crate) fn contains(&self, item: I) -> bool {
        let (word, bit) = place(item);
        self.words.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Puts an item in or takes it out.
    pub(crate) fn set(&mut self, item: I, is_in: bool) {
        let (word, bit) = place(item);
        if self.words.len() <= word {
            if !is_in {
                return;
            }
            self.words.resize(word + 1, 0);
        }
        if is_in {
            self.words[word] |= bit;
        } else {
            self.words[word] &= !bit;
        }
    }
}

fn place<I: Index>(item: I) -> (usize, u64) {
    (item.as_usize() / 64, 1 << (item.as_usize() % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    base::index_type!(Ix);

    #[test]
    fn items_come_and_go() {
        let mut bits = Bits::<Ix>::default();
        let (near, far) = (Ix::from_usize(3), Ix::from_usize(1000));
        bits.set(far, false);
        assert!(bits.words.is_empty() && !bits.contains(far));
        bits.set(near, true);
        bits.set(far, true);
        bits.set(near, false);
        assert!(bits.contains(far) && !bits.contains(near));
    }
}
