//! Dense storage whose places are used again.

use base::Index;

/// Entries under dense indexes; an index is handed out again after its entry was removed.
#[derive(Clone, Debug)]
pub(crate) struct Slab<I, T> {
    items: Vec<Option<T>>,
    free: Vec<I>,
}

impl<I: Index, T> Slab<I, T> {
    pub(crate) const fn new() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn insert(&mut self, item: T) -> I {
        if let Some(index) = self.free.pop() {
            self.items[index.as_usize()] = Some(item);
            return index;
        }
        self.items.push(Some(item));
        I::from_usize(self.items.len() - 1)
    }

    pub(crate) fn remove(&mut self, index: I) -> Option<T> {
        let gone = self.items.get_mut(index.as_usize())?.take();
        if gone.is_some() {
            self.free.push(index);
        }
        gone
    }

    pub(crate) fn get(&self, index: I) -> Option<&T> {
        self.items.get(index.as_usize())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: I) -> Option<&mut T> {
        self.items.get_mut(index.as_usize())?.as_mut()
    }

    /// All entries in the order of their indexes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.items.iter().enumerate().filter_map(|(i, item)| Some((I::from_usize(i), item.as_ref()?)))
    }

    /// All entries in the order of their indexes.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.items.iter_mut().enumerate().filter_map(|(i, item)| Some((I::from_usize(i), item.as_mut()?)))
    }

    /// All indexes that were ever handed out are below this.
    pub(crate) fn bound(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }
}

impl<I: Index, T> std::ops::Index<I> for Slab<I, T> {
    type Output = T;
    fn index(&self, index: I) -> &T {
        self.get(index).expect("indexes are dropped together with their entries")
    }
}

impl<I: Index, T> std::ops::IndexMut<I> for Slab<I, T> {
    fn index_mut(&mut self, index: I) -> &mut T {
        self.get_mut(index).expect("indexes are dropped together with their entries")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    base::index_type!(Ix);

    #[test]
    fn places_are_used_again() {
        let mut slab = Slab::<Ix, &str>::new();
        let (a, b) = (slab.insert("a"), slab.insert("b"));
        assert_eq!(slab.remove(a), Some("a"));
        assert_eq!((slab.remove(a), slab.get(a), slab.len()), (None, None, 1));
        assert_eq!(slab.insert("c"), a);
        assert_eq!(slab.iter().map(|(_, s)| *s).collect::<Vec<_>>(), ["c", "b"]);
        assert_eq!(slab[b], "b");
    }
}
