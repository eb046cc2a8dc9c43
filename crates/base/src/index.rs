//! Dense indexes: small integers of a type of their own, and a vector that takes only its own.

use std::fmt;
use std::marker::PhantomData;

/// A dense index; declared by [`index_type!`](crate::index_type).
pub trait Index: Copy + Eq + Ord + fmt::Debug {
    /// From a position; positions are below 2^32.
    fn from_usize(position: usize) -> Self;
    /// The position.
    fn as_usize(self) -> usize;
}

/// Declares a dense index of four bytes.
#[macro_export]
macro_rules! index_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(u32);

        const _: () = assert!(std::mem::size_of::<Option<$name>>() <= 8);

        impl $crate::Index for $name {
            fn from_usize(position: usize) -> Self {
                Self(u32::try_from(position).expect("fewer than 2^32 entries"))
            }
            fn as_usize(self) -> usize {
                self.0 as usize
            }
        }
    };
}

/// A vector indexed by one [`Index`] type only.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexVec<I, T> {
    items: Vec<T>,
    index: PhantomData<fn(I) -> I>,
}

impl<I: Index, T> IndexVec<I, T> {
    /// An empty vector.
    #[must_use]
    pub fn new() -> Self {
        Self { items: Vec::new(), index: PhantomData }
    }

    /// Appends and returns where.
    pub fn push(&mut self, item: T) -> I {
        self.items.push(item);
        I::from_usize(self.items.len() - 1)
    }

    /// The item, if there is one at that index.
    pub fn get(&self, index: I) -> Option<&T> {
        self.items.get(index.as_usize())
    }

    /// The item, if there is one at that index.
    pub fn get_mut(&mut self, index: I) -> Option<&mut T> {
        self.items.get_mut(index.as_usize())
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All items in the order of their indexes.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.items.iter().enumerate().map(|(i, t)| (I::from_usize(i), t))
    }

    /// All items in the order of their indexes.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.items.iter_mut().enumerate().map(|(i, t)| (I::from_usize(i), t))
    }
}

impl<I: Index, T> Default for IndexVec<I, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I: Index, T> std::ops::Index<I> for IndexVec<I, T> {
    type Output = T;
    fn index(&self, index: I) -> &T {
        &self.items[index.as_usize()]
    }
}

impl<I: Index, T> std::ops::IndexMut<I> for IndexVec<I, T> {
    fn index_mut(&mut self, index: I) -> &mut T {
        &mut self.items[index.as_usize()]
    }
}

impl<I: Index, T: fmt::Debug> fmt::Debug for IndexVec<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
