//! Several changes that are made together or not at all.

use std::collections::BTreeSet;

use super::{KvError, Limits, Version, entry};

/// What a key must be like for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever it is.
    Anything,
    /// Not there.
    Absent,
    /// Of this version.
    Version(Version),
}

/// One change, or a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Nothing is changed; the key must be as expected.
    Check {
        /// Which key.
        key: String,
        /// How it must be.
        expect: Expect,
    },
    /// The key gets a value, whether it is there or not.
    Put {
        /// Which key.
        key: String,
        /// The value.
        value: Vec<u8>,
        /// How it must be before.
        expect: Expect,
    },
    /// The key goes; it is no error if it is not there and nothing else was expected.
    Remove {
        /// Which key.
        key: String,
        /// How it must be before.
        expect: Expect,
    },
}

impl Op {
    pub(crate) fn key(&self) -> &str {
        let (Self::Check { key, .. } | Self::Put { key, .. } | Self::Remove { key, .. }) = self;
        key
    }

    pub(crate) fn expect(&self) -> Expect {
        let (Self::Check { expect, .. } | Self::Put { expect, .. } | Self::Remove { expect, .. }) = self;
        *expect
    }

    fn size(&self) -> usize {
        let value = if let Self::Put { value, .. } = self { value.len() } else { 0 };
        self.key().len() + value
    }
}

/// Changes that are made together or not at all. Each key is in it once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    pub(crate) ops: Vec<Op>,
}

impl Transaction {
    /// Without changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Demands of a key.
    #[must_use]
    pub fn check(mut self, key: impl Into<String>, expect: Expect) -> Self {
        self.ops.push(Op::Check { key: key.into(), expect });
        self
    }

    /// Gives a key a value.
    #[must_use]
    pub fn put(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>, expect: Expect) -> Self {
        self.ops.push(Op::Put { key: key.into(), value: value.into(), expect });
        self
    }

    /// Removes a key.
    #[must_use]
    pub fn remove(mut self, key: impl Into<String>, expect: Expect) -> Self {
        self.ops.push(Op::Remove { key: key.into(), expect });
        self
    }

    /// What it does, in order.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Keys and values together, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.ops.iter().map(Op::size).sum()
    }

    /// What can be said without the store.
    pub(crate) fn validate(&self, limits: Limits) -> Result<(), KvError> {
        let mut seen = BTreeSet::new();
        for op in &self.ops {
            entry::split(op.key())?;
            if !seen.insert(op.key()) {
                return Err(KvError::Twice { key: op.key().to_owned() });
            }
        }
        let (ops, bytes) = (self.ops.len(), self.size());
        if ops > limits.ops || bytes > limits.bytes {
            return Err(KvError::TooLarge { ops, bytes, most_ops: limits.ops, most_bytes: limits.bytes });
        }
        Ok(())
    }
}
