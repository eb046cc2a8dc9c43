//! Many transactions in few steps.

use std::collections::BTreeSet;

use super::{Fence, KeyValue, KvError, Transaction};

/// How much one transaction may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Keys.
    pub ops: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

/// Why not all of many transactions are done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{done} transactions are done, the next is not")]
pub struct CommitAllError {
    /// How many are done for certain, from the first on.
    pub done: usize,
    /// What became of the next one. If it is unknown, that is so for the rest of them too.
    #[source]
    pub error: KvError,
}

pub(super) async fn all(
    store: &dyn KeyValue,
    transactions: &[Transaction],
    fence: Option<&Fence>,
) -> Result<(), CommitAllError> {
    let limits = store.limits();
    let mut done = 0;
    while let Some(rest) = transactions.get(done..).filter(|rest| !rest.is_empty()) {
        let count = fitting(rest, limits);
        let (together, _) = rest.split_at(count);
        match store.commit(&joined(together), fence).await {
            Ok(_) => done += count,
            // One of them does not fit what is there; the others are done, up to that one.
            Err(KvError::Conflict { .. } | KvError::Twice { .. }) if count > 1 => {
                for transaction in together {
                    store.commit(transaction, fence).await.map_err(|error| CommitAllError { done, error })?;
                    done += 1;
                }
            }
            Err(error) => return Err(CommitAllError { done, error }),
        }
    }
    Ok(())
}

/// How many of them, from the first on, can be done as one: at least one. A key must not be in two of them.
fn fitting(transactions: &[Transaction], limits: Limits) -> usize {
    let (mut ops, mut bytes, mut keys) = (0, 0, BTreeSet::new());
    for (count, transaction) in transactions.iter().enumerate() {
        ops += transaction.ops.len();
        bytes += transaction.size();
        let again = transaction.ops.iter().any(|op| keys.contains(op.key()));
        if count > 0 && (again || ops > limits.ops || bytes > limits.bytes) {
            return count;
        }
        keys.extend(transaction.ops.iter().map(|op| op.key()));
    }
    transactions.len()
}

fn joined(transactions: &[Transaction]) -> Transaction {
    Transaction { ops: transactions.iter().flat_map(|t| t.ops.iter().cloned()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::Expect::Anything;

    #[test]
    fn what_fits_goes_together() {
        let put = |key: &str, bytes| Transaction::new().put(key, vec![0; bytes], Anything);
        let limits = Limits { ops: 3, bytes: 100 };
        let fitting = |all: &[Transaction]| fitting(all, limits);
        assert_eq!(fitting(&[put("t/a", 1), put("t/b", 1), put("t/c", 1), put("t/d", 1)]), 3, "keys");
        assert_eq!(fitting(&[put("t/a", 50), put("t/b", 50)]), 1, "bytes");
        assert_eq!(fitting(&[put("t/a", 1), put("t/a", 2)]), 1, "the same key");
        assert_eq!(fitting(&[put("t/a", 500)]), 1, "too large, and the store will say so");
    }
}
