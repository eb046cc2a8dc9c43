//! What is written together.

use std::collections::BTreeMap;

/// Writes that become durable together. Of several to one key the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    writes: BTreeMap<String, Option<Vec<u8>>>,
}

impl Batch {
    /// One without writes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what is under a key.
    pub fn put(&mut self, key: impl Into<String>, value: Vec<u8>) {
        self.writes.insert(key.into(), Some(value));
    }

    /// Removes what is under a key, if there is anything.
    pub fn delete(&mut self, key: impl Into<String>) {
        self.writes.insert(key.into(), None);
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The writes by key; `None` removes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        self.writes.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }
}
