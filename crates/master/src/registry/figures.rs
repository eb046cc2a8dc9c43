//! How the registry is doing, as metrics show it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use store::kv::{Op, Transaction};

use crate::timings::Timings;

/// How the registry is doing, as metrics show it.
#[derive(Debug, Default)]
pub(crate) struct RegistryFigures {
    /// How long reading it took.
    pub(crate) fetch: Timings,
    /// How long writes took.
    pub(crate) store: Timings,
    sizes: Mutex<Sizes>,
}

/// How large each value is, in bytes, and all together.
#[derive(Debug, Default)]
struct Sizes {
    of: HashMap<Box<str>, usize>,
    total: usize,
}

impl Sizes {
    fn set(&mut self, key: &str, size: Option<usize>) {
        let former = match size {
            Some(size) => self.of.insert(key.into(), size),
            None => self.of.remove(key),
        };
        self.total = self.total + size.unwrap_or(0) - former.unwrap_or(0);
    }
}

impl RegistryFigures {
    /// A value was read.
    pub(super) fn read(&self, key: &str, size: usize) {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).set(key, Some(size));
    }

    /// Something was written.
    pub(super) fn written(&self, transactions: &[Transaction]) {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        for op in transactions.iter().flat_map(Transaction::ops) {
            match op {
                Op::Put { key, value, .. } => sizes.set(key, Some(value.len())),
                Op::Remove { key, .. } => sizes.set(key, None),
                Op::Check { .. } => {}
            }
        }
    }

    /// All values together, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.sizes.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

#[cfg(test)]
mod tests {
    use store::kv::Expect::Anything;

    use super::*;

    #[test]
    fn what_is_replaced_or_removed_counts_no_more() {
        let figures = RegistryFigures::default();
        figures.read("agents/a", 100);
        let more =
            Transaction::new().put("agents/a", vec![0; 30], Anything).put("agents/b", vec![0; 7], Anything);
        figures.written(&[more]);
        assert_eq!(figures.bytes(), 37);
        let less = Transaction::new().remove("agents/a", Anything).remove("agents/c", Anything);
        figures.written(&[less]);
        assert_eq!(figures.bytes(), 7);
    }
}
